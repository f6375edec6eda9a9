"""Where the origin is and how patient we are with it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Bounds for the connections to one origin. All times in seconds, all sizes in bytes."""

    connect_timeout: float = 5.0  # name look-up, TCP and TLS together, and the wait for a free connection slot
    head_timeout: float = 60.0  # from the last byte of the request to the head of the answer
    idle_timeout: float = 60.0  # without any progress in the middle of a body, either way
    tunnel_timeout: float = 900.0  # without any byte either way on a WebSocket; clients usually ping every 20-60 s
    pool_size: int = 64  # idle connections kept
    max_connections: int = 1024  # open at the same time; more requests wait up to connect_timeout
    # Shorter than the keep-alive of common origins (Node.js 5 s), and lowered by their `Keep-Alive: timeout=`.
    keepalive_timeout: float = 4.0
    # A request that must not be sent twice takes only a connection used this recently: the rarer the chance that
    # the origin closes it at the same moment, which could not be repaired.
    unsafe_reuse: float = 1.0
    max_head: int = 64 * 1024  # status line and header fields of one answer; also trailers and chunk framing
    max_fields: int = 256  # header fields of one answer
    max_informs: int = 32  # 1xx answers before the final one
    ca_file: str | None = None  # PEM file of authorities for an HTTPS origin; the system's when left out


@dataclass(frozen=True, slots=True)
class Origin:
    """`scheme://host:port` taken apart; `name` is safe to show in logs."""

    host: str
    port: int
    tls: bool

    @property
    def name(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{shown}:{self.port}"


def parse_origin(url: str) -> Origin:
    """Take an origin URL apart. Raises ValueError with the remedy when it is more than scheme, host and port."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"origin {url!r}: start it with http:// or https://")
    if not parts.hostname:
        raise ValueError(f"origin {url!r}: the host is missing")
    if parts.username is not None or parts.password is not None:
        raise ValueError("origin: leave user name and password out of the address")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"origin {url!r}: leave out the path; requests keep the path that the visitor asked for")
    tls = parts.scheme == "https"
    return Origin(parts.hostname, parts.port or (443 if tls else 80), tls)


def tls_context(origin: Origin, settings: UpstreamSettings) -> ssl.SSLContext | None:
    """Certificate and host name are always checked; a private authority is named with `ca_file`.

    Raises OSError when the CA file cannot be read and ssl.SSLError when it holds no certificate.
    """
    if not origin.tls:
        return None
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
