"""What the gateway itself says to a visitor. These pages carry none of the site's tags, so that no conversion fires on them, and never a score or a reason."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

import orjson


class Look(NamedTuple):
    """mark: colour on light and on dark ground, each with enough contrast for the text upon it; sign: drawn in the circle above the title."""

    mark: str
    mark_dark: str
    sign: str


GOOD = Look("#1f7a4d", "#4cc38a", '<path d="M15 24.5l6.2 6.2L33.5 18"/>')
NEUTRAL = Look("#33619c", "#7fb0f2", '<circle cx="24" cy="24" r="10.5"/><path d="M24 18v6.5l4 2.5"/>')
NOTE = NEUTRAL._replace(sign='<path d="M24 14.5v11.5M24 32.5v.1"/>')
BAD = Look("#a8452e", "#f0957c", '<path d="M24 14.5v11.5M24 32.5v.1"/>')

HOME, AGAIN = ("/", "Go to the start page"), ("", "Try again")
"""Where the button leads, and what it says. "" is the address that was asked for, opened anew: nothing is sent a second time."""

Headers = tuple[tuple[bytes, bytes], ...]


class Page(NamedTuple):
    """status, headers without Content-Length, body."""

    status: int
    headers: Headers
    body: bytes


class Text(NamedTuple):
    status: int
    title: str
    paragraphs: tuple[str, ...]
    look: Look
    word: str  # what a JSON answer calls it
    go: tuple[str, str] = HOME


TEXTS = {
    "received": Text(
        200,
        "We have received your message",
        ("Thank you. Somebody will look at it.", "There is no need to send it again."),
        GOOD,
        "received",
    ),
    "declined": Text(
        403,
        "We could not accept this message",
        (
            "It was not passed on.",
            "If you filled in the form yourself, please reach us another way and quote the reference below.",
        ),
        BAD,
        "declined",
    ),
    "page_declined": Text(
        403,
        "This page cannot be shown",
        (
            "Please try another browser or network.",
            "If that does not help, reach us another way and quote the reference below.",
        ),
        BAD,
        "declined",
    ),
    "kept": Text(
        502,
        "We have your message",
        (
            "The site behind this form does not answer right now. Your message is stored, and somebody will see that it arrives.",
            "There is no need to send it again.",
        ),
        NEUTRAL,
        "received",
    ),
    "kept_slow": Text(
        504,
        "We have your message",
        (
            "The site behind this form takes too long to answer. Your message is stored, and somebody will see that it arrives.",
            "There is no need to send it again.",
        ),
        NEUTRAL,
        "received",
    ),
    "unreachable": Text(
        502, "The site does not answer right now", ("Please try again in a minute.",), NEUTRAL, "unavailable", AGAIN
    ),
    "slow": Text(
        504, "The site takes too long to answer", ("Please try again in a minute.",), NEUTRAL, "unavailable", AGAIN
    ),
    "too_large": Text(
        413,
        "This is too large to be sent",
        ("Please send smaller files, or reach us another way.",),
        NOTE,
        "too_large",
    ),
    "no_site": Text(
        404,
        "There is no site here",
        ("This address leads to no site that is set up on this server.",),
        NOTE,
        "not_found",
    ),
    "not_found": Text(404, "There is no such page", ("The address may be mistyped.",), NOTE, "not_found"),
    "busy": Text(503, "The site is busy right now", ("Please try again in a minute.",), NEUTRAL, "unavailable", AGAIN),
}

_TEMPLATE = Template((Path(__file__).parent / "page.html").read_text("utf-8"))
_HTML: Headers = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Cache-Control", b"no-store"),
    (b"Referrer-Policy", b"same-origin"),
    (b"X-Content-Type-Options", b"nosniff"),
    (
        b"Content-Security-Policy",
        b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    ),
)
_JSON: Headers = ((b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store"))


def page(name: str, reference: str = "", *, style: str = "html", prefix: str = "/_lg/") -> Page:
    """The page `name` of `TEXTS`.

    reference  id that a visitor can quote and an operator can look up; "" shows none
    style      "html", "json" (a body of {"status", "message", "reference"}), or "redirect": to our own copy of the page, so that a reload does not
               send the form again
    prefix     path below which that copy stands
    """
    text = TEXTS[name]
    if style == "json":
        body = orjson.dumps(
            {"status": text.word, "message": " ".join((text.title + ".", *text.paragraphs)), "reference": reference}
        )
        return Page(202 if name == "received" else text.status, _JSON, body)
    if style == "redirect" and name in ("received", "declined"):
        location = f"{prefix}{name}?reference={reference}".encode()
        return Page(303, ((b"Location", location), (b"Cache-Control", b"no-store")), b"")
    href, go = text.go
    body = _TEMPLATE.substitute(
        text.look._asdict(),
        title=text.title,
        text="\n".join(f"<p>{paragraph}</p>" for paragraph in text.paragraphs),
        href=href,
        go=go,
        reference=f"<dl><dt>Reference</dt><dd>{escape(reference)}</dd></dl>" if reference else "",
    ).encode()
    return Page(text.status, _HTML, body)


def wants_json(accept: str) -> bool:
    """Does a client that sent this Accept header rather read JSON than a page?"""
    return "application/json" in accept and "text/html" not in accept
