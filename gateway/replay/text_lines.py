"""Lines of the Common Log Format and what servers made of it: combined, with a virtual host in front, with X-Forwarded-For behind.

https://httpd.apache.org/docs/2.4/logs.html describes them; nginx calls its equal "combined".
"""

from __future__ import annotations

import re

from gateway.intake.client_ip import canonical_address
from gateway.replay.lines import LogLine, Unreadable, log_time, request_line

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_START = r"(\S++) (\S++) (?:(.*?) )?\[(\d\d?/\w{3}/\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\] "
_LINE = re.compile(
    _START + _QUOTED + r" (\d{3}|-) (?:\d++|-)(?: " + _QUOTED + " " + _QUOTED + r"(?: " + _QUOTED + r")?( .*+)?)?$"
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_PLAIN_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "b": "\b"}
_FORWARDED = re.compile(r"[0-9A-Fa-f.:, \[\]]*[.:][0-9A-Fa-f.:, \[\]]*|unknown")
_VHOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\s]+)(?::\d{1,5})?")

# What a line is checked for, in order, when it does not fit: the first that fails is the reason given.
_STEPS = (
    (re.compile(r"\S+ \S"), "it does not begin with an address and a user"),
    (re.compile(r".*\["), "there is no time in square brackets"),
    (re.compile(_START), "the time is not as in [17/May/2015:10:05:03 +0000]"),
    (re.compile(_START + '"'), "there is no request in quotes behind the time"),
    (re.compile(_START + _QUOTED), "the request's closing quote is missing"),
    (re.compile(_START + _QUOTED + r" (?:\d{3}|-) (?:\d+|-)"), "there is no status and size behind the request"),
    (re.compile(_START + _QUOTED + r" \S+ \S+(?: " + _QUOTED + ")"), "the referring page's closing quote is missing"),
)


def parse_text(text: str) -> LogLine:
    """Read one line, without its end. Raises Unreadable."""
    found = _LINE.match(text)
    if found is None:
        raise Unreadable(_why(text))
    first, second, third, day, hour, minute, seconds, zone, request, status, referer, agent, forwarded, _ = (
        found.groups()
    )
    if "\\" in text:
        request = _unescaped(request)
        referer = None if referer is None else _unescaped(referer)
        agent = None if agent is None else _unescaped(agent)
    host, kind = "", "combined" if agent is not None else "common"
    if third is not None and second != "-" and (address := canonical_address(second)) is not None:
        named = _VHOST.fullmatch(
            first
        )  # "www.example.com:443 192.0.2.1 - - [...": the address stands in the second place
        if named is None:
            raise Unreadable("the name of the virtual host is none")
        host, first, kind = named[1], address, f"vhost_{kind}"
    method, target, version = request_line(request)
    headers: tuple[tuple[str, str], ...] = ()
    if agent is not None:
        # "-" is how servers write that there was no such header: for the user agent that is a finding, and the empty value says it
        headers = (("User-Agent", "" if agent == "-" else agent),)
        if referer and referer != "-":
            headers = (("Referer", referer), *headers)
    if forwarded is not None and (forwarded == "-" or not _FORWARDED.fullmatch(forwarded)):
        forwarded = None  # another field of the operator's own format
    return LogLine(
        kind,
        log_time(day, hour, minute, seconds, zone),
        first,
        method,
        target,
        version,
        0 if status == "-" else int(status),
        headers,
        host,
        "http",
        forwarded,
    )


def _unescaped(text: str) -> str:
    """Undo what servers escape: \\" and \\\\, control characters by letter, other bytes as \\xhh."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _PLAIN_ESCAPES.get(m[2], m[2]), text)


def _why(text: str) -> str:
    for step, reason in _STEPS:
        if not step.match(text):
            return reason
    return "the user agent's closing quote is missing, or something unknown follows it"
