"""Putting a hidden field into the forms of a streamed HTML page.

The page is read the way a browser's tokenizer reads it (WHATWG HTML §13.2.5), as far as needed to know which `<form` is
a real start tag and not text in a script, comment, attribute or template: an insertion there would break the page. Long runs
of tags that cannot matter are skipped by one linear-time match, so that 20 kB cost tens of microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import unescape
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

import re2

MAX_TAG: Final = 8 * 1024  # bytes; a `<form` tag that is longer is passed on untouched

# Attributes: quotes count only as the first character of a value; `>` inside quotes does not end the tag.
_VALUE = rb"""=[\t\n\f\r ]*(?:"[^"]*"|'[^']*'|[^\t\n\f\r >"'][^\t\n\f\r >]*)"""
_REST = rb"""[^>=]*(?:""" + _VALUE + rb"""[^>=]*)*(?:=[\t\n\f\r ]*)?>"""
# Common names that share their first letter with one that matters. A name left out here is only slower.
_BORING = (
    rb"span|small|strong|section|source|summary|select|sub|sup|svg|s|tr|td|th|tbody|thead|tfoot|table|time|track|text|button|"
    rb"br|body|b|blockquote|footer|fieldset|figure|figcaption|font|img|input|i|ins|nav|noscript"
)
_options = re2.Options()
_options.encoding = re2.Options.Encoding.LATIN1
_options.case_sensitive = False
_options.never_capture = True
_RUN: Final = re2.compile(
    rb"(?:[^<]|<[^a-z/!?<]|</?[ac-eghj-mo-ru-wyz]"
    + _REST
    + rb"|</?(?:"
    + _BORING
    + rb")(?:>|[\t\n\f\r /]"
    + _REST
    + rb"))*",
    _options,
)
# `re` backtracks where RE2 does not: every repetition is made possessive, or `=a=a=a…` would cost exponential time.
_TAG: Final = re.compile(_REST.replace(rb"]*", rb"]*+").replace(rb")*(", rb")*+("))
_NAME: Final = re.compile(rb"<(/?)([a-zA-Z][^\t\n\f\r />]*)(?=[\t\n\f\r />])")
_NAME_UNFINISHED: Final = re.compile(rb"</?(?:[a-zA-Z][^\t\n\f\r />]{0,31})?\Z|<!-?\Z")
_ATTRIBUTE: Final = re.compile(
    rb"""([^\t\n\f\r />=][^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r >]+)))?"""
)
_RAW_TEXT: Final = {
    name: re.compile(rb"(?i)</" + name + rb"(?=[\t\n\f\r />])")
    for name in (b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noframes")
}
_COMMENT_END: Final = re.compile(rb"--!?>")
_BOGUS_END: Final = re.compile(rb">")
_NAMES_END: Final = re.compile(rb"[=>]")
_UNQUOTED_END: Final = re.compile(rb"[\t\n\f\r >]")

# What could be the beginning of an end at the end of a chunk, longest first: held back until the next one.
_BEGINNINGS: Final[dict[re.Pattern[bytes], tuple[bytes, ...]]] = {
    _COMMENT_END: (b"--!", b"--", b"-"),
    _BOGUS_END: (),
    **{end: tuple((b"</" + name)[:n] for n in range(len(name) + 2, 0, -1)) for name, end in _RAW_TEXT.items()},
}
_LONGEST_END: Final = 10

# Where a tag that is passed on piecewise was interrupted.
_FRESH, _IN_NAMES, _BEFORE_VALUE, _IN_DOUBLE, _IN_SINGLE, _UNQUOTED = range(6)


class Injector:
    """Rewrites one page: `feed` what arrives, send what it returns, and `finish()` at the end.

    Holds back at most an unfinished `<form` or `<base` tag (MAX_TAG) or the few bytes that could begin or end something.
    `inserts` maps the path of a form's target to the bytes put right behind its start tag. A form counts when its action,
    resolved against `page_url` and any `<base>`, leads to that path on the page's own host; no or an empty action means the
    page itself. Forms with method `get` or `dialog` are left alone: the field would end up in an address.
    """

    def __init__(self, page_url: str, inserts: Mapping[str, bytes]) -> None:
        self.count = 0  # forms that got an insertion
        # A query or fragment changes nothing of where a form leads, and without them pages are the same for everybody.
        self._page = self._base = page_url.partition("#")[0].partition("?")[0]
        self._based = False
        self._host = _place(self._page, "")[0]
        self._inserts = inserts
        self._carry = b""
        self._step: Callable[[bytes, int], int] = self._in_data
        self._place = _IN_NAMES
        self._closing: re.Pattern[bytes] = _COMMENT_END
        self._after: bytes | None = None  # raw text element that begins behind the tag being passed on
        self._templates = 0
        self._out: list[bytes] = []
        self._emitted = 0
        self._needs_more = False

    def feed(self, data: bytes) -> bytes:
        """The bytes to send for `data`; may be shorter or longer."""
        if not data:
            return b""
        if self._carry:
            data = self._carry + data
        self._emitted = at = 0
        end = len(data)
        self._needs_more = False
        while at < end and not self._needs_more:
            at = self._step(data, at)
        self._carry = data[at:]
        if not self._out:
            return data[:at] if self._carry else data
        self._out.append(data[self._emitted : at])
        joined = b"".join(self._out)
        self._out.clear()
        return joined

    def finish(self) -> bytes:
        """What was held back, at the end of the page."""
        rest, self._carry = self._carry, b""
        return rest

    # One step each: consume from `at`, return the new position; `_hold` where the rest can be judged only with more bytes.

    def _hold(self, at: int) -> int:
        self._needs_more = True
        return at

    def _in_data(self, data: bytes, at: int) -> int:
        at = _RUN.match(data, at).end()
        if at == len(data):
            return at
        named = _NAME.match(data, at)
        if named is None:
            return self._odd(data, at)
        name = named[2].lower()
        closing = bool(named[1])
        if not closing and (name == b"form" or name == b"base"):
            tag = _TAG.match(data, named.end())
            if tag is None:
                if len(data) - at <= MAX_TAG:
                    return self._hold(at)
                return self._pass_tag(named.end(), None)
            if tag.end() - at <= MAX_TAG:
                self._look(name, data, named.end(), tag.end())
            return tag.end()
        if name == b"template":
            self._templates = max(0, self._templates + (-1 if closing else 1))
        return self._pass_tag(named.end(), name if name in _RAW_TEXT and not closing else None)

    def _odd(self, data: bytes, at: int) -> int:
        """A `<` that begins no tag: comment, declaration, text, or not yet known."""
        if data.startswith(b"<!--", at):
            return self._pass_until(_COMMENT_END, at + 2)
        if _NAME_UNFINISHED.match(data, at):
            return self._hold(at)
        following = data[at + 1 : at + 2]
        if following in (b"!", b"?") or (following == b"/" and not data[at + 2 : at + 3].isalpha()):
            return self._pass_until(_BOGUS_END, at + 2)
        if following == b"/" or following.isalpha():
            return self._pass_tag(at + 2, None)  # a name longer than any that matters
        return at + 1

    def _pass_until(self, closing: re.Pattern[bytes], at: int) -> int:
        self._closing = closing
        self._step = self._in_passage
        return at

    def _in_passage(self, data: bytes, at: int) -> int:
        found = self._closing.search(data, at)
        if found is not None:
            self._step = self._in_data
            return found.end()
        tail = data[max(at, len(data) - _LONGEST_END) :].lower()
        for beginning in _BEGINNINGS[self._closing]:
            if tail.endswith(beginning):
                return self._hold(len(data) - len(beginning))
        return len(data)

    def _pass_tag(self, at: int, after: bytes | None) -> int:
        """The rest of a tag goes out as it comes; `after` names the raw text element that it opens."""
        self._after = after
        self._place = _FRESH
        self._step = self._in_tag
        return at

    def _in_tag(self, data: bytes, at: int) -> int:
        if self._place == _FRESH:
            self._place = _IN_NAMES
            if whole := _TAG.match(data, at):
                return self._tag_ended(whole.end())
        if self._place == _IN_NAMES:
            found = _NAMES_END.search(data, at)
            if found is None:
                return len(data)
            if found[0] == b">":
                return self._tag_ended(found.end())
            self._place = _BEFORE_VALUE
            return found.end()
        if self._place == _BEFORE_VALUE:
            first = data[at : at + 1]
            if first == b">":
                return self._tag_ended(at + 1)
            if not first.isspace():
                self._place = {b'"': _IN_DOUBLE, b"'": _IN_SINGLE}.get(first, _UNQUOTED)
            return at + 1
        if self._place == _UNQUOTED:
            found = _UNQUOTED_END.search(data, at)
            if found is None:
                return len(data)
            if found[0] == b">":
                return self._tag_ended(found.end())
            self._place = _IN_NAMES
            return found.end()
        close = data.find(b'"' if self._place == _IN_DOUBLE else b"'", at)
        if close < 0:
            return len(data)
        self._place = _IN_NAMES
        return close + 1

    def _tag_ended(self, at: int) -> int:
        if self._after is not None:
            return self._pass_until(_RAW_TEXT[self._after], at)
        self._step = self._in_data
        return at

    # forms

    def _look(self, name: bytes, data: bytes, attributes: int, end: int) -> None:
        if self._templates:
            return
        values: dict[bytes, str] = {}
        for found in _ATTRIBUTE.finditer(data, attributes, end - 1):
            value = found[2] or found[3] or found[4] or b""
            values.setdefault(found[1].lower(), unescape(value.decode("utf-8", "replace")).strip())
        if name == b"base":
            if b"href" in values and not self._based:
                self._based = True
                self._base = _joined(self._page, values[b"href"])
            return
        if values.get(b"method", "").lower() in ("get", "dialog"):
            return
        action = values.get(b"action", "")
        host, path = _place(self._base, action) if action else _place(self._page, "")
        if host != self._host:
            return
        insert = self._inserts.get(path or "/") or self._inserts.get(unquote(path))
        if insert is not None:
            self._out.append(data[self._emitted : end])
            self._out.append(insert)
            self._emitted = end
            self.count += 1


@lru_cache(maxsize=1024)
def _place(base: str, reference: str) -> tuple[str, str]:
    """Host (lower case) and path that a reference leads to. A site's pages have few different ones."""
    target = urlsplit(_joined(base, reference) if reference else base)
    return target.netloc.lower(), target.path


def _joined(base: str, reference: str) -> str:
    try:
        joined = urljoin(base, reference)
        urlsplit(joined)
    except ValueError:  # such as an unclosed [ of an IPv6 address: leads nowhere
        return ""
    return joined
