"""Bounds of the public listener. Every number here is a setting with a default and a reason; the configuration mirrors it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one visitor, and all visitors together, may ask of the listener.

    Sizes are bytes, times are seconds, rates are bytes per second. The status in brackets is what a breach is answered with.
    """

    header_bytes: int = 32 * 1024
    """Request line and all header fields of one request [431]. Browsers with many cookies send up to about 16 KiB."""

    header_field_bytes: int = 16 * 1024
    """One header field, name and value [431]. Long enough for the largest cookie header a browser sends."""

    header_count: int = 128
    """Header fields of one request [431]. Browsers send 10 to 30, intermediaries add a handful."""

    target_bytes: int = 8 * 1024
    """Path and query as sent [414]. Ad clicks carry long queries; RFC 9110 section 4.1 recommends at least 8000."""

    header_deadline_s: float = 10.0
    """From the first byte of a request to the end of its header [408]: trickled headers hold no connection."""

    body_deadline_s: float = 1800.0
    """From the end of the header to the end of the body, however fast it comes [408]. A 32 MiB form over a poor mobile link takes
    a quarter of an hour; raise it for large uploads."""

    body_min_rate: int = 500
    """Lowest average rate of a body, counted only while we are willing to read [408]. The default of Apache httpd's
    mod_reqtimeout: slower than any link people use."""

    body_grace_s: float = 20.0
    """Time before the minimum rate applies: a phone that changes cells stalls for seconds."""

    body_buffer_bytes: int = 128 * 1024
    """Body bytes held for one request that its reader has not taken yet; then the visitor's connection is read no further."""

    body_bytes_in_flight: int = 256 * 1024 * 1024
    """Body bytes held in memory for all requests together. Near the bound every connection is read more slowly; a form that
    finds no room within `room_wait_s` is refused [503]."""

    room_wait_s: float = 5.0
    """How long a form waits for room in `body_bytes_in_flight`: bursts pass within seconds, a visitor does not wait longer."""

    chunk_extension_bytes: int = 1024
    """Chunk extensions of one body together [400]. Hardly any client sends them, and nobody reads them."""

    trailer_bytes: int = 8 * 1024
    """Trailer fields behind a chunked body [400]; they are checked, then dropped."""

    connections_per_address: int = 256
    """Open connections of one IPv4 address or IPv6 /64 [429]. A carrier or an office has many people behind one address and a
    browser opens six. Not applied to trusted proxies."""

    connections: int = 10_000
    """Open connections altogether [503]; also keeps the process below its file limit."""

    keep_alive_s: float = 75.0
    """Idle time before a connection is closed without a word; longer than the 60 seconds load balancers usually keep theirs."""

    requests_per_connection: int = 10_000
    """Then the answer says `Connection: close`, so that long-lived connections of a balancer spread over new processes."""

    send_stall_s: float = 60.0
    """A visitor who takes nothing of the answer for so long is cut off: slow readers hold no origin connection for ever."""

    tunnel_idle_s: float = 600.0
    """A WebSocket without a byte in either direction for so long is closed; clients and servers ping far more often."""

    linger_s: float = 2.0
    """After an early answer the rest of a body is read and thrown away for so long, because closing at once can destroy the
    answer on its way (RFC 9112 section 9.6)."""
