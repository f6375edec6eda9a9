"""Lines of JSON: Caddy's own, and the flat objects that nginx and others are told to write, in the spellings in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.replay.lines import LogLine, Unreadable, iso_time, protocol_version, request_line, unix_time
from gateway.replay.text_lines import parse_text

# Fields by what they mean, spellings in the order of preference; compared without letter case.
_TIME = ("time_iso8601", "@timestamp", "timestamp", "time", "msec", "ts", "datetime", "date", "time_local")
_ADDRESS = (
    "remote_addr",
    "client_ip",
    "clientip",
    "remote_ip",
    "remote_address",
    "client_addr",
    "client",
    "ip",
    "remote_host",
)
_REQUEST = ("request", "request_line")
_METHOD = ("request_method", "method", "http_method", "verb")
_TARGET = ("request_uri", "uri", "url", "request_url", "request_path", "path")
_QUERY = ("args", "query_string", "query")
_STATUS = ("status", "status_code", "response_status", "response", "response_code")
_AGENT = ("http_user_agent", "user_agent", "useragent", "agent", "ua")
_REFERER = ("http_referer", "http_referrer", "referer", "referrer")
_HOST = ("http_host", "server_name", "vhost", "host")
_PROTOCOL = ("server_protocol", "protocol", "proto", "http_version")
_FORWARDED = ("http_x_forwarded_for", "x_forwarded_for", "xff")
_OTHERS = {
    "http_accept": "Accept",
    "http_accept_language": "Accept-Language",
    "http_accept_encoding": "Accept-Encoding",
}
_ABSENT = ("", "-")

Fields = Mapping[str, Any]


def parse_json(line: bytes) -> LogLine:
    """Read one line that begins with a brace. Raises Unreadable."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:  # a server that copies the visitor's bytes as they are
            found = orjson.loads(line.decode("utf-8", "replace"))
        except orjson.JSONDecodeError as error:
            raise Unreadable("it begins like JSON and is none") from error
    if not isinstance(found, dict):
        raise Unreadable("the JSON is no object")
    request = found.get("request")
    if isinstance(request, dict):
        return _caddy(found, request)
    return _flat({str(key).lower(): value for key, value in found.items()})


def _caddy(entry: Fields, request: Fields) -> LogLine:
    """https://caddyserver.com/docs/logging: the request is an object with its headers as lists."""
    headers: list[tuple[str, str]] = []
    sent = request.get("headers")
    for name, values in sent.items() if isinstance(sent, dict) else ():
        headers += [
            (name, _bytes(value))
            for value in (values if isinstance(values, list) else [values])
            if isinstance(value, str)
        ]
    named = {name.lower(): value for name, value in headers}
    remote, client = _text(request.get("remote_ip")), _text(request.get("client_ip"))
    if not remote:  # before 2.5: "remote_addr": "192.0.2.1:4711"
        remote = _text(request.get("remote_addr")).rpartition(":")[0].strip("[]")
    if not (remote or client):
        raise Unreadable("the request names no client (remote_ip)")
    return LogLine(
        "Caddy JSON",
        _time(entry.get("ts")),
        client or remote,
        _text(request.get("method")),
        _bytes(_text(request.get("uri"))),
        protocol_version(_text(request.get("proto"))),
        _status(entry.get("status")),
        tuple(headers) if "user-agent" in named else (*headers, ("User-Agent", "")),
        _bytes(_text(request.get("host"))),
        "https" if request.get("tls") else "http",
        named.get("x-forwarded-for"),
        bool(remote and client and remote != client),
    )


def _flat(entry: Fields) -> LogLine:
    address = _first(entry, _ADDRESS)
    if not address:
        raise Unreadable("no field names the client (remote_addr, client_ip, …)")
    line = _first(entry, _REQUEST)
    if line:
        method, target, version = request_line(line)
    else:
        method, target = _first(entry, _METHOD), _first(entry, _TARGET)
        if not (method or target):
            raise Unreadable("no field holds the request (request, request_method and request_uri, …)")
        version = protocol_version(_first(entry, _PROTOCOL))
        query = _first(entry, _QUERY)
        if query not in _ABSENT and "?" not in target:
            target = f"{target}?{query}"
    headers = [("Referer", _first(entry, _REFERER))] + [(name, _first(entry, (key,))) for key, name in _OTHERS.items()]
    headers = [(name, value) for name, value in headers if value not in _ABSENT]
    if any(key in entry for key in _AGENT):
        agent = _first(entry, _AGENT)
        headers.append(("User-Agent", "" if agent == "-" else agent))
    forwarded, host = _first(entry, _FORWARDED), _first(entry, _HOST)
    return LogLine(
        "JSON",
        _time(next((entry[key] for key in _TIME if entry.get(key) not in (None, *_ABSENT)), None)),
        address,
        method,
        target,
        version,
        _status(next((entry[key] for key in _STATUS if key in entry), None)),
        tuple(headers),
        "" if host == "-" else host,
        "https" if _first(entry, ("scheme",)) == "https" or _first(entry, ("https",)) == "on" else "http",
        None if forwarded in _ABSENT else forwarded,
    )


def _first(entry: Fields, keys: tuple[str, ...]) -> str:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, str) and value:
            return _bytes(value)
    return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _bytes(text: str) -> str:
    """The visitor's bytes, one character each, as everywhere else in facts."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("latin-1")


def _status(value: object) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) == 3:
        return int(value)
    return value if isinstance(value, int) and 0 < value < 1000 else 0


def _time(value: object) -> int:
    if isinstance(value, bool) or value is None:
        raise Unreadable("no field holds a time that is known (ts, time_iso8601, msec, @timestamp, …)")
    if isinstance(value, int | float):
        return unix_time(value)
    text = str(value)
    try:
        return unix_time(float(text))
    except ValueError as error:
        if isinstance(error, Unreadable):
            raise
    if "/" in text:
        return parse_text(f'- - - [{text}] "-" - -').at  # time_local
    return iso_time(text)
