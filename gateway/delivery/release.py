"""Sends released leads to their origin: the original bytes, with the original headers, counted as delivered only by the form's own words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from gateway.config import Success
from gateway.delivery.headers import Field
from gateway.intake.client_ip import parse_address
from gateway.log import log
from gateway.metrics import Metrics
from gateway.model import LeadState, now_us
from gateway.stores.errors import StoreError
from gateway.stores.leads import LeadBody, ReleaseJob
from gateway.stores.records import Store
from gateway.upstream.client import Answer, Upstream
from gateway.upstream.errors import UpstreamError
from gateway.upstream.headers import Forwarded, request_head

IDLE_S = 1.0
"""How long a worker without work waits; a release asked for by the API starts at once, one by the command line within this time."""

RETRY_S = 60
MAX_ATTEMPTS = 10
ANSWER_BYTES = 64 * 1024


HeadersOf = Callable[[str, bytes], Awaitable[Sequence[Field]]]


class Releases:
    """The worker that empties the outbox, one lead at a time: releases are a person's work and come by the handful.

    headers_of   the X-Lead-* fields a lead goes out with, from its id and body
    upstream_of  the pooled client of a site by its name, or None where no such site is configured any more
    """

    def __init__(
        self, store: Store, metrics: Metrics, headers_of: HeadersOf, upstream_of: Callable[[str], Upstream | None]
    ) -> None:
        self._store = store
        self._headers_of = headers_of
        self._metrics = metrics
        self._upstream_of = upstream_of
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. A store that cannot be used now is tried again."""
        while True:
            try:
                job = await self._store.claim_release(now_us())
            except StoreError as error:
                log.warning("store failed", reason=str(error), remedy="released leads wait until the store works again")
                job = None
            if job is None:
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_S):
                        await self._wake.wait()
                continue
            await self.send(job)

    async def send(self, job: ReleaseJob) -> None:
        try:
            body = await self._store.lead_body(job.lead_id)
            content = b"" if body is None else await body.read()
            headers = () if body is None else await self._headers_of(job.lead_id, content)
        except StoreError as error:  # it went away since the job was taken
            await self._close(job, False, None, f"not sent: {error}", self._again(job))
            return
        if body is None:
            await self._close(job, False, None, "the lead was erased")
            return
        site = body.lead.site
        upstream = self._upstream_of(site)
        if upstream is None:
            await self._close(job, False, None, f"no site is called {site} any more")
            return
        try:
            status, location, text = await deliver(body, content, upstream, headers)
        except UpstreamError as error:
            retry = None if error.sent else self._again(job)
            await self._close(job, False, None, f"delivery unknown: {error}" if error.sent else str(error), retry)
            return
        success = Success.model_validate_json(body.lead.success)
        if success.accepts(status, location, text):
            await self._close(job, True, status, f"the origin answered {status}")
            self._metrics.count("leadgate_leads", site, LeadState.DELIVERED)
        else:
            where = f" to {location.partition('?')[0]}" if location else ""
            await self._close(
                job, False, status, f"the origin answered {status}{where}, which does not match the form's success"
            )

    def _again(self, job: ReleaseJob) -> int | None:
        """When a lead that was not sent is tried again, in UTC microseconds; None: not by itself."""
        return now_us() + RETRY_S * job.attempt * 1_000_000 if job.attempt < MAX_ATTEMPTS else None

    async def _close(
        self, job: ReleaseJob, delivered: bool, status: int | None, detail: str, retry_at: int | None = None
    ) -> None:
        try:
            await self._store.release_result(job, delivered, status, detail, retry_at)
        except StoreError as error:
            log.error(
                "store failed",
                reason=str(error),
                remedy="the lead stays held as delivery unknown; look whether the origin has it",
            )
            return
        if delivered:
            log.info("lead released", lead=job.lead_id, by=job.by, detail=detail)
        else:
            log.warning("lead refused", lead=job.lead_id, by=job.by, detail=detail, attempt=job.attempt)


async def deliver(
    body: LeadBody, content: bytes, upstream: Upstream, headers: Sequence[Field] = ()
) -> tuple[int, str | None, str]:
    """Send a stored submission as it was received. Answers status, Location and the beginning of the body. Raises UpstreamError."""
    method, target, version, fields = parse_head(body.head)
    host = next((value for name, value in fields if name.lower() == b"host"), None)
    peer = body.peer.rpartition(":")[0]
    head = request_head(
        method,
        target,
        fields,
        version=version,
        forwarded=Forwarded(peer, body.lead.scheme, host, trusted=_was_trusted(peer, body.client)),
        add=headers,
        content_length=len(content),
    )
    answer = await upstream.send(method, head, content)
    try:
        return answer.status, _field(answer, b"location"), (await _beginning(answer)).decode("utf-8", "replace")
    finally:
        await answer.close()


def _was_trusted(peer: str, client: str | None) -> bool:
    """Was the connection one of a proxy that was believed when the lead came? Then the client is somebody else, and
    what the proxy said of it is passed on as it would have been then."""
    return client is not None and parse_address(client) != parse_address(peer)


def parse_head(head: bytes) -> tuple[str, bytes, tuple[int, int], list[tuple[bytes, bytes]]]:
    """Method, target, version and fields of a stored request head."""
    first, *lines = head.split(b"\r\n")
    method, target, version = first.split(b" ")
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines if line)]
    return method.decode("ascii"), target, (1, 1) if version.endswith(b"1") else (1, 0), fields


async def _beginning(answer: Answer) -> bytes:
    seen = bytearray()
    async for chunk in answer.chunks():
        seen += chunk
        if len(seen) >= ANSWER_BYTES:
            break
    return bytes(seen[:ANSWER_BYTES])


def _field(answer: Answer, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in answer.headers if key.lower() == name), None)
