"""Links and markup in a text: how many, of what kind, and whether they are written for a machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_LINK = re.compile(r"(?:https?://|hxxps?://|www\.)([^\s<>\"'\[\]()]{1,300})", re.IGNORECASE)
_HOST = r"(?<![\w@./-])((?:[a-z0-9-]{1,63}\.){1,3}"
_PATH = r"(/[^\s<>\"'\[\]()]{0,200})"
# "Thanks.to all of you" is no link, t.me/x is: where the ending is a word, a path must follow
_BARE = re.compile(
    rf"{_HOST}(?:com|net|org|info|biz|io|ru|cn|xyz|app|icu|cc|tk)){_PATH}?(?![\w@-])"
    rf"|{_HOST}(?:me|to|co|ly|gg|gl|gd|at|id|link|click|live|site|online|shop|store|club|top|pro|vip|win|bet|dev|de|uk|fr|it|es|nl|pl|eu|us|in)){_PATH}",
    re.IGNORECASE,
)
_ANCHOR = re.compile(r"<a\s[^<>]{0,300}href|&lt;a\s+href", re.IGNORECASE)
_BBCODE = re.compile(r"\[(?:url|link|img|b|size|color)(?:=[^\[\]]{0,300})?\]", re.IGNORECASE)
_MARKDOWN = re.compile(r"\[[^\[\]]{1,100}\]\(https?://[^()\s]{1,300}\)")
_TAGS = re.compile(r"<(?:script|iframe|img|div|span|p|strong|h[1-6]|table|font)\b[^<>]{0,300}>", re.IGNORECASE)
_TEMPLATE = re.compile(
    r"\{\{?\s*[a-z_.]{2,30}\s*\}\}?|\[(?:first[ _]?name|last[ _]?name|your[ _]?name|name|company|company[ _]?name"
    r"|website|domain|city|date|insert [^\[\]]{1,30})\]"
    r"|\{[^{}|]{1,60}(?:\|[^{}|]{1,60}){1,20}\}|%(?:first_?name|name|company|domain|website|url)%|#(?:name|company|domain|website|url)#|%s\b",
    re.IGNORECASE,
)


# what every link holds; most texts have none, so few are read further
_SIGN = re.compile(r"\.\S|://")


class Links(NamedTuple):
    """number   distinct links, written out or bare ("shop.example.com/x")
    hosts    the distinct hosts, small letters, without "www."
    rest     the text without them
    kinds    what is rare in what people send: "shortened", "invitation" (to a chat or a meeting), in that order
    """

    number: int
    hosts: tuple[str, ...]
    kinds: tuple[str, ...]
    rest: str


def links(text: str, shorteners: frozenset[str], invitations: Sequence[str]) -> Links:
    """Linear in the text's length, which the caller bounds."""
    if not _SIGN.search(text):
        return Links(0, (), (), text)
    written: list[str] = []
    bare: list[str] = []
    kept: list[str] = []  # all between the links
    end = 0
    for word in text.split():  # no link holds a blank
        if ("." in word or "://" in word) and _SIGN.search(word):
            start = text.index(word, end)
            kept += text[end:start], _take(word, written, bare)
            end = start + len(word)
    named = dict.fromkeys(link.lower().rstrip(".,;:!?/") for link in written + bare)
    if not named:
        return Links(0, (), (), text)
    rest = "".join(kept) + text[end:]
    plain = [link.removeprefix("www.") for link in named]
    hosts = tuple(dict.fromkeys(link.partition("/")[0].partition("?")[0].partition(":")[0] for link in plain))
    kinds = []
    if any(host in shorteners for host in hosts):
        kinds.append("shortened")
    if any(link.startswith(start) or (link + "/").startswith(start) for link in plain for start in invitations):
        kinds.append("invitation to a chat")
    return Links(len(set(plain)), hosts, tuple(kinds), rest)


def _take(word: str, written: list[str], bare: list[str]) -> str:
    """The word without its links, which are added to the lists."""
    if "://" in word or "www." in word.lower():
        written += _LINK.findall(word)
        word = _LINK.sub(" ", word)
    if "." in word:
        bare += map("".join, _BARE.findall(word))
        word = _BARE.sub(" ", word)
    return word


def markup(text: str) -> tuple[str, ...]:
    """Which languages for machines the text is written in."""
    if "<" not in text and "[" not in text and "&lt;" not in text:
        return ()
    found = (("HTML links", _ANCHOR), ("BBCode", _BBCODE), ("Markdown links", _MARKDOWN), ("HTML", _TAGS))
    return tuple(name for name, pattern in found if pattern.search(text))


def template_marks(text: str) -> int:
    """Places of a template that nobody filled in."""
    if not any(mark in text for mark in "{[%#"):
        return 0
    return sum(1 for _ in _TEMPLATE.finditer(text))
