"""Every bound on requests and answers, each with its default and its reason."""

from __future__ import annotations

from pydantic import Field

from gateway.config.values import Seconds, Section, Size, Whole


class Limits(Section):
    """What one request, one address and all visitors together may take.

    They keep memory bounded and slow attackers from holding connections.
    """

    header_bytes: Size = Field(
        default=32 * 1024,
        description=(
            "Largest request head in bytes, all header lines together. Larger gets 431. Browsers with many "
            "cookies send up to about 16 KiB."
        ),
    )
    header_field_bytes: Size = Field(
        default=16 * 1024,
        description="Largest single header line in bytes. Larger gets 431. Long enough for the largest cookie line a browser sends.",
    )
    header_count: Whole = Field(
        default=128,
        ge=16,
        le=10_000,
        description=("Most header lines in a request. More get 431. Browsers send 10 to 30, proxies add a handful."),
    )
    target_bytes: Size = Field(
        default=8 * 1024,
        description=(
            "Longest path and query in bytes. Longer gets 414. Ad clicks carry long queries; RFC 9110 asks "
            "for at least 8000."
        ),
    )
    header_timeout_s: Seconds = Field(
        default=10.0,
        description=(
            "Seconds a client has to send the whole head. Then 408: headers sent drop by drop hold no connection."
        ),
    )
    body_timeout_s: Seconds = Field(
        default=1800.0,
        description=(
            "Seconds a client has to send a whole body, however fast it comes. Then 408. A 32 MiB form over a "
            "poor mobile link takes a quarter of an hour; raise it for large uploads."
        ),
    )
    body_min_rate: Whole = Field(
        default=500,
        ge=0,
        description=(
            "Slowest body in bytes per second on average, after `body_grace_s`; 0 switches the check "
            "off. Below it 408: no link people use is that slow for long."
        ),
    )
    body_grace_s: Seconds = Field(
        default=20.0,
        description="Seconds before `body_min_rate` counts: a phone that changes cells stalls for seconds.",
    )
    body_buffer_bytes: Size = Field(
        default=128 * 1024,
        description="Bytes of one body held before its reader takes them; then the visitor is read no further, which keeps memory bounded.",
    )
    chunk_extension_bytes: Size = Field(
        default=1024,
        description="Most bytes of chunk extensions in one body. More get 400. Hardly any client sends them, and nobody reads them.",
    )
    trailer_bytes: Size = Field(
        default=8 * 1024,
        description="Most bytes of trailers behind a chunked body. More get 400. They are checked, then dropped.",
    )
    requests_per_connection: Whole = Field(
        default=10_000,
        ge=1,
        le=1_000_000_000,
        description="Requests on one connection, then it is closed, so that a balancer's long-lived connections spread over new processes.",
    )
    send_stall_s: Seconds = Field(
        default=60.0,
        description="Seconds a visitor may take nothing of an answer. Then he is cut off: slow readers hold no connection to the origin for ever.",
    )
    tunnel_idle_s: Seconds = Field(
        default=600.0,
        description="Seconds a WebSocket may be silent in both directions. Clients and servers ping far more often.",
    )
    linger_s: Seconds = Field(
        default=2.0,
        description="Seconds the rest of a body is read and thrown away after an early answer: closing at once can destroy that answer.",
    )
    keepalive_timeout_s: Seconds = Field(
        default=75.0,
        description=(
            "Seconds an idle connection is kept for the visitor's next request. Longer than the 60 seconds "
            "that load balancers usually keep theirs."
        ),
    )
    connections: Whole = Field(
        default=4096,
        ge=1,
        le=1_000_000,
        description=(
            "Most connections from visitors at a time. Further ones get 503. Each can take two file "
            "descriptors, so the process's file limit must be twice as high. Divided among the workers."
        ),
    )
    connections_per_address: Whole = Field(
        default=256,
        ge=1,
        le=1_000_000,
        description=(
            "Most connections from one IPv4 address or IPv6 /64 at a time. Further ones get 429. Offices and "
            "mobile carriers share an address: keep it high. Trusted proxies are exempt. Divided among the workers."
        ),
    )
    in_flight_bytes: Size = Field(
        default=256 * 1024**2,
        description=(
            "Most bytes of bodies held in memory for all requests together. Near it everybody is read more "
            "slowly; a form that finds no room gets 503. Divided among the workers, with room for one largest form in each."
        ),
    )
    room_wait_s: Seconds = Field(
        default=5.0,
        description="Seconds a form waits for room in `in_flight_bytes` before it gets 503: bursts pass within seconds.",
    )
    max_body: Size = Field(
        default=32 * 1024**2,
        description=(
            "Largest form body that is stored and judged. Larger: 413 in `enforce`, otherwise passed on as "
            "undecided. Other requests stream and have no limit."
        ),
    )
    form_fields: Whole = Field(
        default=512,
        ge=1,
        le=10_000,
        description="Most fields in a form. More make the submission undecided. Long surveys have about 200.",
    )
    form_parts: Whole = Field(
        default=128,
        ge=1,
        le=10_000,
        description="Most parts in a multipart form. More make the submission undecided, because each part costs time to read.",
    )
    form_depth: Whole = Field(
        default=16,
        ge=1,
        le=64,
        description="Deepest nesting in a JSON form. Deeper makes the submission undecided. Real forms nest two or three deep.",
    )


class UpstreamLimits(Section):
    """Patience with the origin."""

    connect_timeout_s: Seconds = Field(
        default=5.0,
        description=(
            "Seconds to reach the origin, TLS included. Then the visitor sees a 502 page, and a form "
            "submission is kept."
        ),
    )
    head_timeout_s: Seconds = Field(
        default=60.0, description="Seconds from the end of the request to the head of the answer. Then 504."
    )
    idle_timeout_s: Seconds = Field(
        default=300.0,
        description=(
            "Seconds without a byte in the middle of an answer, after which it is cut off. Long, because "
            "event streams pause."
        ),
    )
    pool_size: Whole = Field(
        default=64,
        ge=1,
        le=10_000,
        description=(
            "Idle connections kept to each origin. More means fewer new handshakes under load and more open "
            "connections at the origin."
        ),
    )
    keepalive_timeout_s: Seconds = Field(
        default=4.0,
        description=(
            "Seconds an idle connection to the origin is kept. Shorter than the origin keeps it (Node.js: 5), or requests meet "
            "a connection that is just being closed."
        ),
    )
    unsafe_reuse_s: Seconds = Field(
        default=1.0,
        description=(
            "Seconds after which an idle connection is not used for a request that must not be sent twice: the origin may be "
            "closing it."
        ),
    )
    tunnel_timeout_s: Seconds = Field(
        default=900.0, description="Seconds without a byte either way on the origin's side of a WebSocket."
    )
    max_connections: Whole = Field(
        default=1024,
        ge=1,
        le=100_000,
        description="Most connections to one origin at a time. Further requests wait for one, at most `connect_timeout_s`.",
    )
    max_head: Size = Field(
        default=64 * 1024,
        description="Largest head of an answer in bytes. Larger ones are not passed on (502). Frameworks that set many cookies stay below 16 KiB.",
    )
    max_fields: Whole = Field(
        default=256, ge=16, le=10_000, description="Most header lines in an answer. More are not passed on (502)."
    )
    max_informs: Whole = Field(
        default=32,
        ge=1,
        le=1000,
        description="Most 1xx answers before the final one. More are taken for a broken origin (502).",
    )
