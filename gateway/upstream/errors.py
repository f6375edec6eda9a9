"""What can go wrong between us and the origin.

    UpstreamError
    ├── ConnectFailed      no connection: refused, unreachable, unknown host, too slow, all connections in use
    │   └── TlsFailed      the connection stands, but the certificate or the handshake does not
    ├── HeadTimeout        the request is out, the answer's head did not come in time
    ├── IdleTimeout        nothing moved for too long in the middle of a body
    ├── BrokenAnswer       the origin sent something that is not a well-formed answer, or more than the limits allow
    └── OriginClosed       the origin closed the connection before its answer was whole

`sent` says whether the origin may have seen any of the request; while it is False the request can safely go elsewhere or
be tried again. The text is one plain sentence for operators and never holds anything that a visitor sent.
"""

from __future__ import annotations


class UpstreamError(Exception):
    """Base of all; `str()` is the sentence, `sent` whether any byte of the request was handed to a connection."""

    def __init__(self, sentence: str, *, sent: bool) -> None:
        super().__init__(sentence)
        self.sent = sent


class ConnectFailed(UpstreamError):
    """No connection to the origin; `sent` is always False."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, sent=False)


class TlsFailed(ConnectFailed):
    """The origin's certificate was not accepted, or the TLS handshake failed."""


class HeadTimeout(UpstreamError):
    """The origin took the request and gave no answer within `head_timeout`."""


class IdleTimeout(UpstreamError):
    """Nothing moved on the connection within `idle_timeout` while a body was being sent or received."""


class BrokenAnswer(UpstreamError):
    """The origin's bytes are not an HTTP/1.x answer that can be passed on, or exceed a limit."""


class OriginClosed(UpstreamError):
    """The origin closed or reset the connection before its answer was whole."""
