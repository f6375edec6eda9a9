"""Why a request ends before an answer of the origin: the exceptions of the receiving side.

IntakeError
├── ClientGone               the visitor's connection is lost, or the body ended before its announced length
└── Refused                  the visitor broke a rule or a limit; has the status to answer with
    ├── BodyMalformed        400  a chunked body that is not well-formed
    ├── BodyTimeout          408  a body past its deadline or below the minimum rate
    ├── BodyTooLarge         413  longer than `Exchange.read` was allowed to take
    └── NoRoom               503  no memory left for another form body
A handler may catch them; those that escape it are answered (and counted) by the listener.
"""

from __future__ import annotations

from http import HTTPStatus

STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode("ascii") for s in HTTPStatus}

_EXTRA = {
    405: b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n",
    429: b"Retry-After: 10\r\n",
    503: b"Retry-After: 10\r\n",
}


class IntakeError(Exception):
    """Root of everything the receiving side raises into a handler."""


class ClientGone(IntakeError):
    """Nobody is there any more to take an answer, or the rest of the body will never come."""


class Refused(IntakeError):
    """A breach: `status` for the visitor, `reason` (a stable word) for the counter, `text` a plain sentence for both."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason
        self.text = text


class BodyMalformed(Refused):
    def __init__(self, reason: str, text: str) -> None:
        super().__init__(400, reason, text)


class BodyTimeout(Refused):
    def __init__(self, reason: str, text: str) -> None:
        super().__init__(408, reason, text)


class BodyTooLarge(Refused):
    """`received_so_far` are the bytes taken before the limit was passed; the rest is still readable with `Exchange.chunks`."""

    def __init__(self, received_so_far: bytes, limit: int) -> None:
        super().__init__(413, "body_too_large", f"The request body is longer than {limit} bytes.")
        self.received_so_far = received_so_far


class NoRoom(Refused):
    def __init__(self) -> None:
        super().__init__(503, "no_room", "Too many large requests at once. Please try again in a moment.")


def plain_answer(status: int, text: str) -> bytes:
    """A whole short answer that ends the connection."""
    body = text.encode() + b"\n"
    return b"%bContent-Type: text/plain; charset=utf-8\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        STATUS_LINES[status], _EXTRA.get(status, b""), len(body), body,
    )  # fmt: skip
