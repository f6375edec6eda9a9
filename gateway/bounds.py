"""From the settings to the bounds of the listener and of the origin's client: every bound is a setting, and this is where the two meet."""

from __future__ import annotations

from gateway.config import Config, Site
from gateway.intake.limits import Limits
from gateway.upstream.settings import UpstreamSettings


def intake_limits(config: Config, workers: int = 1) -> Limits:
    """workers: how many processes share what all visitors together may take; each gets its part, rounded up and at least one.

    Visitors of one address do not spread evenly over the workers, so an address meets its limit between a part and the whole of it.
    The largest form fits into each worker's part of the bytes.
    """

    def share(whole: int) -> int:
        return -(-whole // workers)

    limits = config.limits
    largest = max([limits.max_body, *(form.max_body or 0 for site in config.sites for form in site.forms)])
    return Limits(
        header_bytes=limits.header_bytes,
        header_field_bytes=limits.header_field_bytes,
        header_count=limits.header_count,
        target_bytes=limits.target_bytes,
        header_deadline_s=limits.header_timeout_s,
        body_deadline_s=limits.body_timeout_s,
        body_min_rate=limits.body_min_rate,
        body_grace_s=limits.body_grace_s,
        body_buffer_bytes=limits.body_buffer_bytes,
        body_bytes_in_flight=max(share(limits.in_flight_bytes), largest),
        room_wait_s=limits.room_wait_s,
        chunk_extension_bytes=limits.chunk_extension_bytes,
        trailer_bytes=limits.trailer_bytes,
        connections_per_address=share(limits.connections_per_address),
        connections=share(limits.connections),
        keep_alive_s=limits.keepalive_timeout_s,
        requests_per_connection=limits.requests_per_connection,
        send_stall_s=limits.send_stall_s,
        tunnel_idle_s=limits.tunnel_idle_s,
        linger_s=limits.linger_s,
    )


def upstream_settings(config: Config, site: Site) -> UpstreamSettings:
    limits = config.upstream
    return UpstreamSettings(
        connect_timeout=limits.connect_timeout_s,
        head_timeout=limits.head_timeout_s,
        idle_timeout=limits.idle_timeout_s,
        tunnel_timeout=limits.tunnel_timeout_s,
        pool_size=limits.pool_size,
        max_connections=limits.max_connections,
        keepalive_timeout=limits.keepalive_timeout_s,
        unsafe_reuse=limits.unsafe_reuse_s,
        max_head=limits.max_head,
        max_fields=limits.max_fields,
        max_informs=limits.max_informs,
        ca_file=None if site.origin_ca is None else str(config.resolve(site.origin_ca)),
    )
