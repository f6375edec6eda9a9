"""Visitors: raw connections, and browsers with an address, headers and cookies of their own."""

from __future__ import annotations

import functools
import http.client
import io
import itertools
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from geoip.reader import NetworkReader

Fields = list[tuple[str, str]]

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36"
)
_HINTS = [
    ("sec-ch-ua", '"Not(A:Brand";v="8", "Chromium";v="144", "Google Chrome";v="144"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Windows"'),
    ("Upgrade-Insecure-Requests", "1"),
]
_ACCEPT = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
_END = [("Accept-Encoding", "gzip, deflate, br, zstd"), ("Accept-Language", "en-GB,en;q=0.9")]

_numbers = itertools.count(1)

AT_HOME = ("consumer", "mixed")
"""Kinds of networks in which people are at home: "mixed" is one of a provider with homes and phones alike."""


@functools.cache
def _networks() -> NetworkReader:
    return NetworkReader((None,))


def new_address() -> str:
    """An address nobody in this run has used, of a person at home: in a /24 of its own, so that no counter is shared, and in a network that the
    builtin database knows as one of homes, because a long run needs many and some would be a hosting company's or a VPN's."""
    while True:
        number = next(_numbers)
        address = f"{81 + number // 250 % 10}.{140 + number // 2500 % 100}.{number % 250}.{number % 200 + 5}"
        network = _networks().lookup(address)
        if network.kind in AT_HOME and not network.labels:
            return address


@dataclass(frozen=True)
class Response:
    status: int
    fields: Fields
    body: bytes
    raw: bytes

    def field(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> object:
        return json.loads(self.body)


def talk(port: int, data: bytes | Iterable[bytes], *, timeout: float = 30) -> bytes:
    """Send, then read until the other side ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        try:
            for part in (data,) if isinstance(data, bytes) else data:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered early
        answer = bytearray()
        while True:
            try:
                piece = connection.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            answer += piece
    return bytes(answer)


class _Bytes(socket.socket):
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object, **__: object) -> io.BytesIO:  # type: ignore[override]
        return io.BytesIO(self._data)


def parse(raw: bytes, method: str = "GET") -> Response:
    while raw.startswith(b"HTTP/1.1 1") and not raw.startswith(b"HTTP/1.1 101"):
        raw = raw.partition(b"\r\n\r\n")[2]
    answer = http.client.HTTPResponse(_Bytes(raw), method=method)
    answer.begin()
    fields = answer.getheaders()
    return Response(answer.status, fields, answer.read(), raw)


def request(port: int, method: str, target: str, fields: Fields, body: bytes = b"", timeout: float = 30) -> Response:
    """One request on a connection of its own, the fields in the order given; Content-Length where there is a body."""
    rows = [(name, value) for name, value in fields if name.lower() != "connection"]
    rows.append(("Connection", "close"))
    if body and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in rows):
        rows.insert(1, ("Content-Length", str(len(body))))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in rows) + "\r\n"
    return parse(talk(port, head.encode("latin-1") + body, timeout=timeout), method)


class Browser:
    """A person with Chrome on Windows, at an address of their own that the trusted proxy in front of the gateway names."""

    def __init__(self, port: int, address: str | None = None, host: str = "www.acme.example") -> None:
        self.port, self.host = port, host
        self.address = address or new_address()
        self.cookies: dict[str, str] = {}

    def _fields(self, *rows: tuple[str, str]) -> Fields:
        fields = [("Host", self.host), ("Connection", "keep-alive"), *_HINTS, ("User-Agent", CHROME), *rows, *_END]
        if self.cookies:
            fields.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        return [*fields, ("X-Forwarded-For", self.address)]

    def _keep(self, answer: Response) -> Response:
        for name, value in answer.fields:
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return answer

    def get(self, target: str, *more: tuple[str, str]) -> Response:
        fetch = [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-User", "?1")]
        fields = self._fields(("Accept", _ACCEPT), *fetch, ("Sec-Fetch-Dest", "document"), *more)
        return self._keep(request(self.port, "GET", target, fields))

    def post(
        self,
        target: str,
        fields: Mapping[str, str] | Iterable[tuple[str, str]] | bytes,
        *more: tuple[str, str],
        kind: str = "application/x-www-form-urlencoded",
        accept: str = _ACCEPT,
        method: str = "POST",
        timeout: float = 30,
    ) -> Response:
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        rows = self._fields(
            ("Content-Type", kind), ("Origin", f"http://{self.host}"), ("Accept", accept),
            ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-User", "?1"),
            ("Sec-Fetch-Dest", "document"), ("Referer", f"http://{self.host}/offer"), *more,
        )  # fmt: skip
        return self._keep(request(self.port, method, target, rows, body, timeout))


def person(number: int | None = None) -> dict[str, str]:
    """A form as a person fills it in, each time with a contact of its own."""
    n = next(_numbers) if number is None else number
    return {
        "full_name": "Martha Lindqvist",
        "email": f"martha.lindqvist{n}@lindqvist-consult.se",
        "phone": f"+46 70 {n % 900 + 100} {n % 89 + 10} {n // 900 % 89 + 10}",
        "message": f"Please call me about the roof, house number {n}.",
    }
