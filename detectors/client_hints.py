"""Client hints (sec-ch-ua…) against the user agent they come with.

Chromium derives the made-up brand and the order of the brands from its version, so that nobody relies on either
(`GetGreasedUserAgentBrandVersion` and `ShuffleBrandList` in components/embedder_support). A copy with a changed
version gives itself away.
"""

from __future__ import annotations

import re
from functools import lru_cache

from detectors.browsers import Browser, claimed

_BRANDS = re.compile(r'"((?:[^"\\]|\\.){0,60})";\s*v="(\d{1,5})[^"]{0,20}"')
_GREASE_CHARS = (" ", "(", ":", "-", ".", "/", ")", ";", "=", "?", "_")
_GREASE_VERSIONS = ("8", "99", "24")
_ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
_SINCE = 110  # the first version held to the brand rules; older ones had other ones
_FOLLOW = frozenset({"Google Chrome", "Microsoft Edge"})  # other makers pick and order brands as they like
_NO_HINTS = frozenset({"firefox", "safari"})


def expected_brands(major: int, brand: str) -> tuple[tuple[str, str], ...]:
    """The (brand, version) list that version `major` of `brand` (Google Chrome or Microsoft Edge) sends."""
    count = len(_GREASE_CHARS)
    grease = f"Not{_GREASE_CHARS[major % count]}A{_GREASE_CHARS[(major + 1) % count]}Brand"
    placed: list[tuple[str, str]] = [("", "")] * 3
    parts = ((grease, _GREASE_VERSIONS[major % 3]), ("Chromium", str(major)), (brand, str(major)))
    for place, part in zip(_ORDERS[major % 6], parts, strict=True):
        placed[place] = part
    return tuple(placed)


@lru_cache(maxsize=8192)
def contradictions(user_agent: str, brands: str | None, mobile: str | None, platform: str | None) -> tuple[str, ...]:
    """What the hints say against the user agent, in words; empty where they agree or nothing can be said.

    The arguments are header values: User-Agent, Sec-CH-UA, Sec-CH-UA-Mobile, Sec-CH-UA-Platform.
    """
    if brands is None and mobile is None and platform is None:
        return ()
    browser = claimed(user_agent)
    if not browser.family or browser.embedded:
        return ()
    if browser.family in _NO_HINTS:
        return (f"{browser.family} sends no client hints",)
    found = []
    if brands is not None:
        found += _brands(browser, _BRANDS.findall(brands[:400]))
    if mobile in ("?0", "?1") and (mobile == "?1") != browser.mobile:
        found.append(f"sec-ch-ua-mobile {mobile}")
    if platform is not None and browser.platform and not _same_platform(browser.platform, platform.strip('"')):
        found.append(f"sec-ch-ua-platform {platform[:24]} with {browser.platform}")
    return tuple(found)


def _brands(browser: Browser, brands: list[tuple[str, str]]) -> list[str]:
    if not brands:
        return ["sec-ch-ua without brands"]
    versions = dict(brands)
    engine = versions.get("Chromium")
    if engine is None:
        return ["sec-ch-ua without Chromium"]
    if int(engine) != browser.major:
        return [f"sec-ch-ua {engine} with {browser.major}"]
    if browser.brand == "Microsoft Edge" and browser.brand not in versions:
        return ["sec-ch-ua without Microsoft Edge"]
    if browser.major < _SINCE:
        return []
    for brand in _FOLLOW & versions.keys():
        expected = expected_brands(browser.major, brand)
        if sorted(expected) != sorted(brands):
            return [f"sec-ch-ua brands are not those of version {browser.major}"]
        if expected != tuple(brands):
            return [f"sec-ch-ua order is not that of version {browser.major}"]
    return []


def _same_platform(claimed_platform: str, hinted: str) -> bool:
    # a phone that asks for the desktop site claims Linux or macOS and may hint either
    return (
        claimed_platform == hinted
        or hinted in ("", "Unknown")
        or {claimed_platform, hinted} == {"Linux", "Android"}
        or (claimed_platform == "Linux" and hinted == "Chrome OS")
    )
