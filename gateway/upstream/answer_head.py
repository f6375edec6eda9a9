"""The head of one answer, and what it says about framing and the connection."""

from __future__ import annotations

from gateway.upstream import names


class Head:
    """Head of one answer, 1:1 as received save for white space around values."""

    __slots__ = ("bodyless", "chunked", "headers", "length", "patience", "reason", "status", "version")

    def __init__(self) -> None:
        self.status = 0
        self.reason = b""
        self.version = (1, 1)
        self.headers: list[tuple[bytes, bytes]] = []
        self.length: int | None = None  # Content-Length
        self.chunked = False
        self.bodyless = False  # HEAD, 1xx, 204, 304: nothing follows, whatever the framing fields say
        self.patience: int | None = None  # `Keep-Alive: timeout=`, seconds

    def read_framing(self, *, for_head: bool) -> bool:
        """Fill `length`, `chunked`, `bodyless` and `patience`; says whether the connection persists (RFC 9112 §9.3).

        Raises ValueError, with a sentence, for framing that cannot be relied on.
        """
        keep = self.version == (1, 1)
        for name, value in self.headers:
            kind, lower = names.known(name) or names.classify(name)
            if not kind:
                continue
            if kind == names.LENGTH:
                self.length = int(value)  # llhttp has checked digits, range and that there is one
            elif kind == names.ENCODING:
                if value.strip().lower() != b"chunked" or self.chunked:
                    raise ValueError("the origin used a transfer coding other than chunked, which was not offered")
                self.chunked = True
            elif kind == names.CONNECTION:
                found = names.options(value)
                keep = b"close" not in found and (keep or b"keep-alive" in found)
            elif lower == b"keep-alive":
                self._read_keep_alive(value)
        if self.length is not None and self.chunked:
            # RFC 9112 §6.3: "ought to be handled as an error".
            raise ValueError("the origin's answer has both Content-Length and Transfer-Encoding")
        self.bodyless = for_head or self.status < 200 or self.status in (204, 304)
        return keep and (self.bodyless or self.chunked or self.length is not None)

    def _read_keep_alive(self, value: bytes) -> None:
        for part in value.split(b","):
            key, _, number = part.strip().partition(b"=")
            if key.lower() == b"timeout" and number.isdigit() and len(number) < 6:
                self.patience = int(number)
