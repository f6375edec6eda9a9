"""What the gateway itself says to a visitor. These pages carry none of the site's tags, so that no conversion fires on them, and never a score or a reason."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

import orjson

GOOD, NEUTRAL, BAD = "#2e8b57", "#4a6fa5", "#b5533c"

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
    mark: str
    word: str  # what a JSON answer calls it


TEXTS = {
    "received": Text(
        200,
        "We have received your message",
        ("Thank you. Somebody will look at it and answer you.", "There is no need to send it again."),
        GOOD,
        "received",
    ),
    "declined": Text(
        403,
        "We could not accept this message",
        (
            "Something about the way it was sent looks automated. If you filled in the form yourself, please reach us another way and quote the reference below.",
        ),
        BAD,
        "declined",
    ),
    "page_declined": Text(
        403,
        "This page cannot be shown",
        (
            "The request looks automated. If you are a person, try another browser or network, or reach us another way and quote the reference below.",
        ),
        BAD,
        "declined",
    ),
    "kept": Text(
        502,
        "We have your message",
        (
            "The site behind this form does not answer right now. Your message is stored here and will be passed on.",
            "There is no need to send it again.",
        ),
        NEUTRAL,
        "received",
    ),
    "kept_slow": Text(
        504,
        "We have your message",
        (
            "The site behind this form takes too long to answer. Your message is stored here, and somebody will see that it arrives.",
            "There is no need to send it again.",
        ),
        NEUTRAL,
        "received",
    ),
    "unreachable": Text(
        502, "The site does not answer right now", ("Please try again in a minute.",), NEUTRAL, "unavailable"
    ),
    "slow": Text(504, "The site takes too long to answer", ("Please try again in a minute.",), NEUTRAL, "unavailable"),
    "too_large": Text(
        413,
        "This is too large to be sent",
        ("Please send smaller files, or reach us another way.",),
        NEUTRAL,
        "too_large",
    ),
    "no_site": Text(
        404,
        "There is no site here",
        ("This address leads to no site that is set up on this server.",),
        NEUTRAL,
        "not_found",
    ),
    "not_found": Text(404, "There is no such page", ("The address may be mistyped.",), NEUTRAL, "not_found"),
    "busy": Text(503, "The site is busy right now", ("Please try again in a minute.",), NEUTRAL, "unavailable"),
}

_TEMPLATE = Template((Path(__file__).parent / "page.html").read_text("utf-8"))
_HTML: Headers = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Cache-Control", b"no-store"),
    (b"Referrer-Policy", b"same-origin"),
)
_JSON: Headers = ((b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store"))


def page(name: str, reference: str = "", *, style: str = "html") -> Page:
    """The page `name` of `TEXTS`.

    reference  id that a visitor can quote and an operator can look up; "" shows none
    style      "html", "json" (a body of {"status", "message", "reference"}), or "redirect": to our own copy of the page, so that a reload does not
               send the form again
    """
    text = TEXTS[name]
    if style == "json":
        body = orjson.dumps(
            {"status": text.word, "message": " ".join((text.title + ".", *text.paragraphs)), "reference": reference}
        )
        return Page(202 if name == "received" else text.status, _JSON, body)
    if style == "redirect" and name in ("received", "declined"):
        location = f"/_lg/{name}?reference={reference}".encode()
        return Page(303, ((b"Location", location), (b"Cache-Control", b"no-store")), b"")
    note = f"<small>Reference: {escape(reference)}</small>" if reference else ""
    paragraphs = "\n".join(f"<p>{paragraph}</p>" for paragraph in text.paragraphs)
    body = _TEMPLATE.substitute(title=text.title, text=paragraphs, mark=text.mark, reference=note).encode()
    return Page(text.status, _HTML, body)


def wants_json(accept: str) -> bool:
    """Does a client that sent this Accept header rather read JSON than a page?"""
    return "application/json" in accept and "text/html" not in accept
