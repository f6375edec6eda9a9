"""Which browser does a user agent claim, as far as its headers can be checked against the claim?"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Browser(NamedTuple):
    """A claimed browser.

    family    chromium, firefox, safari, or "" for anything whose headers are not known here (old browsers, text
    browsers, programs) major     version of the engine's main program: Chrome/126 → 126, Version/17.4 → 17
    platform  Windows, macOS, Linux, Android, iOS, Chrome OS or ""
    mobile    does it say Mobile
    embedded  a view inside an app (Facebook, Instagram, Android WebView): apps add, drop and reorder headers
    brand     Microsoft Edge, Opera or ""
    """

    family: str
    major: int
    platform: str
    mobile: bool
    embedded: bool
    brand: str


NONE = Browser("", 0, "", False, False, "")

_EMBEDDED = re.compile(
    r"; wv\)|\bFB(?:AN|AV|IOS|4A)\b|Instagram|Snapchat|musical_ly|BytedanceWebview|TikTok|trill_|Pinterest/|LinkedInApp|Twitter for|"
    r"MicroMessenger|\bLine/|KAKAOTALK|NAVER\(|GSA/|DuckDuckGo/|Ddg/|Electron/|Version/4\.0 Chrome/|WhatsApp|Viber|Telegram|Flipboard|"
    r"Teams/|Reddit/|MetaIAB"
)
_OTHER = re.compile(
    r"Edge/|MSIE |Trident/|Opera Mini|OPiOS|UCBrowser|QQBrowser|MiuiBrowser|HuaweiBrowser|SMART-TV|Tizen|Web0S|PlayStation|Nintendo"
)
_CHROME = re.compile(r"\bChrome/(\d{1,4})\.")
_FIREFOX = re.compile(r"\bGecko/\S+ Firefox/(\d{1,4})\.")
_SAFARI = re.compile(r"\bVersion/(\d{1,3})[\d.]* (?:Mobile/\w+ )?Safari/")
_FAMILIES = (("chromium", _CHROME), ("firefox", _FIREFOX), ("safari", _SAFARI))
_PLATFORMS = (
    ("Windows", "Windows NT"),
    ("iOS", "iPhone"),
    ("iOS", "iPad"),
    ("macOS", "Macintosh"),
    ("Android", "Android"),
    ("Chrome OS", "CrOS"),
    ("Linux", "Linux"),
)


@lru_cache(maxsize=8192)
def claimed(user_agent: str) -> Browser:
    """A pure function of the first 512 characters; remembers the last 8,192 user agents."""
    text = user_agent[:512]
    if not text.startswith("Mozilla/5.0 (") or _OTHER.search(text):
        return NONE
    family, found = next(((name, match) for name, pattern in _FAMILIES if (match := pattern.search(text))), ("", None))
    if found is None:
        return NONE
    platform = next((name for name, word in _PLATFORMS if word in text), "")
    if (family == "firefox" and " like Gecko" in text) or (family == "chromium" and platform == "iOS"):
        return NONE
    brand = "Microsoft Edge" if " Edg/" in text or " EdgA/" in text else "Opera" if " OPR/" in text else ""
    return Browser(family, int(found[1]), platform, "Mobile" in text, bool(_EMBEDDED.search(text)), brand)
