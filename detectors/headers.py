"""Do the request's headers fit the browser it claims to be?

Each finding is weak alone: privacy extensions, company proxies, apps and old browsers all bend headers. What is
missing says something only where the source saw the whole head, and order only where nothing on the way rewrites it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from detectors.browsers import Browser, claimed
from detectors.client_hints import contradictions
from detectors.observation import Kind, Observation, Request
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

_ALWAYS = ("accept", "accept-encoding", "accept-language")
_MODERN = {"chromium": 60, "firefox": 60, "safari": 11}
_FETCH_SINCE = {"chromium": 80, "firefox": 90, "safari": 17}  # Safari 16.4 began; 17 leaves room for its minor versions
_HINTS_SINCE = 90
_LIBRARY_ENCODINGS = frozenset(
    {
        "gzip",
        "identity",
        "gzip,deflate",
        "deflate, gzip",
        "deflate,gzip",
        "*",
        "gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
    }
)
_SITES = frozenset({"none", "same-origin", "same-site", "cross-site"})
_MODES = frozenset({"navigate", "cors", "no-cors", "same-origin", "websocket"})
_PAGE_DESTINATIONS = frozenset({"document", "iframe", "frame", "embed", "object", "fencedframe"})
_SCRIPT_DESTINATIONS = frozenset(
    {
        "empty",
        "audio",
        "audioworklet",
        "font",
        "image",
        "json",
        "manifest",
        "paintworklet",
        "report",
        "script",
        "serviceworker",
    }
    | {"sharedworker", "style", "track", "video", "webidentity", "worker", "xslt", "speculationrules", "dictionary"}
)
_SAFARI_NEVER = frozenset({"host", "user-agent"})
"""Spellings of HTTP/2 that libraries keep on HTTP/1.1. Safari, and whatever else on iOS sends through the system, writes them with capitals there."""
_SAFARI_STRENGTH = 0.5
"""No program that looks into the traffic of a Mac on its way was recorded, and such a one may spell names anew."""
_FULL_Q = re.compile(r";\s*q=1(?:\.0{1,3})?\s*(?:,|$)")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*")


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    request = obs.request
    fields = request.first
    agent = fields.get("user-agent", "")
    browser = claimed(agent)
    for words in contradictions(
        agent, fields.get("sec-ch-ua"), fields.get("sec-ch-ua-mobile"), fields.get("sec-ch-ua-platform")
    ):
        yield Signal("header.client_hints", (words,))
        break
    wrong = _impossible(
        fields.get("sec-fetch-site"),
        fields.get("sec-fetch-mode"),
        fields.get("sec-fetch-dest"),
        fields.get("sec-fetch-user"),
    ) or _unlikely_start(obs, browser)
    if wrong:
        yield Signal("header.fetch_metadata", (wrong,))
    language = fields.get("accept-language")
    if language is not None and browser.family and (defect := _language_defect(language)):
        yield Signal("header.accept_language", (defect,))
    if not browser.family or browser.major < _MODERN[browser.family]:
        return
    if request.complete:
        yield from _missing(obs, browser)
        yield from _library(obs)
        if request.version == "1.0" and "via" not in fields and "x-forwarded-for" not in fields:
            yield Signal("header.version", ("HTTP/1.0",))
    if request.ordered and request.complete and not browser.embedded:
        yield from _order(request, browser, ref)


def _missing(obs: Observation, browser: Browser) -> Iterator[Signal]:
    fields = obs.request.first
    absent = [name for name in _ALWAYS if name not in fields]
    if obs.request.scheme == "https" and not browser.embedded:  # on plain http most of these are never sent
        if browser.major >= _FETCH_SINCE[browser.family] and "sec-fetch-mode" not in fields:
            absent.append("sec-fetch-mode")
        if browser.family == "chromium" and browser.major >= _HINTS_SINCE and "sec-ch-ua" not in fields:
            absent.append("sec-ch-ua")
    if absent:
        yield Signal("header.missing", (", ".join(absent),), min(1.0, 0.25 + 0.25 * len(absent)))


def _library(obs: Observation) -> Iterator[Signal]:
    fields = obs.request.first
    mode = fields.get("sec-fetch-mode", "navigate")
    if obs.kind is Kind.LANDING and mode == "navigate" and fields.get("accept") == "*/*":
        yield Signal("header.library_default", ("Accept: */*",))
    elif fields.get("accept-encoding", "").lower() in _LIBRARY_ENCODINGS:
        yield Signal("header.library_default", (f"Accept-Encoding: {fields['accept-encoding']}",))


def _order(request: Request, browser: Browser, ref: Reference) -> Iterator[Signal]:
    if browser.family == "safari":  # its orders are not recorded, its spelling of these two is that of every version
        for name in [name for name, _ in request.headers if name in _SAFARI_NEVER][:1]:
            yield Signal("header.case", (name,), _SAFARI_STRENGTH)
        return
    page = "upgrade-insecure-requests" in request.first
    situation = "script" if not page else "post" if request.method == "POST" else "get"
    if not ref.orders.knows(browser.family, browser.major, situation):
        return
    misplaced, misspelled = ref.orders.check(browser.family, situation, tuple([name for name, _ in request.headers]))
    if misplaced is not None:
        yield Signal("header.order", (misplaced.name, misplaced.after))
    if misspelled is not None:
        yield Signal("header.case", (misspelled,))


@lru_cache(maxsize=1024)
def _impossible(site: str | None, mode: str | None, dest: str | None, user: str | None) -> str | None:
    """What no browser sends in Sec-Fetch-* (W3C Fetch Metadata Request Headers), in words; None where it is
    possible."""
    if site is None and mode is None and dest is None:
        return None if user is None else "sec-fetch-user alone"
    if site is not None and site not in _SITES:
        return "unknown sec-fetch-site"
    if mode is not None and mode not in _MODES:
        return "unknown sec-fetch-mode"
    if mode is None or site is None:
        return "sec-fetch-site or sec-fetch-mode missing beside the others"
    if user is not None and (user != "?1" or mode != "navigate"):
        return "sec-fetch-user without navigation"
    if mode == "navigate" and dest is not None and dest not in _PAGE_DESTINATIONS:
        return "navigation to something that is no page"
    if mode != "navigate" and dest in ("document", "iframe", "frame"):
        return "page without navigation"
    if dest is not None and dest not in _PAGE_DESTINATIONS and dest not in _SCRIPT_DESTINATIONS:
        return "unknown sec-fetch-dest"
    if mode != "navigate" and site == "none":
        return "script without a site"
    return None


def _unlikely_start(obs: Observation, browser: Browser) -> str | None:
    """Typed or bookmarked addresses have no referring page. Apps that open a view do send one, so only on desktops."""
    fields = obs.request.first
    if fields.get("sec-fetch-site") != "none" or browser.embedded or browser.platform in ("", "Android", "iOS"):
        return None
    if fields.get("referer", "").startswith("http"):
        return "sec-fetch-site none with a referring page"
    return None


@lru_cache(maxsize=1024)
def _language_defect(value: str) -> str | None:
    if not value.strip():
        return "empty"
    if _FULL_Q.search(value[:400]):
        return "q=1 written out"
    for part in value[:400].split(",")[:12]:
        tag = part.partition(";")[0].strip()
        if not _LANGUAGE.fullmatch(tag):
            return "not a language tag" if tag else "empty part"
    return None
