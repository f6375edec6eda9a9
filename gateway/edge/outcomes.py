"""The public address that a CRM calls: `outcomes/{source}` below the prefix. There is none until a source is configured."""

from __future__ import annotations

import asyncio

import orjson

from gateway.config import Config
from gateway.edge.answers import say
from gateway.intake.exchange import Exchange
from gateway.intake.refusal import BodyTooLarge
from gateway.labels.outcomes import MAX_BYTES, Outcomes, problem
from gateway.stores.errors import StoreUnavailable

PATH = "outcomes/"
_DEADLINE_S = 20.0
"""Senders wait 15 to 30 seconds; then they send again, and what was durable by then is known."""


async def answer(exchange: Exchange, config: Config, outcomes: Outcomes, name: str) -> None:
    """name: behind PATH."""
    source = next((each for each in config.outcomes if each.source == name), None)
    if source is None or exchange.method != "POST":
        await say(exchange, "not_found")
        return
    try:
        body = await exchange.read(MAX_BYTES)
        async with asyncio.timeout(_DEADLINE_S):
            found = await outcomes.take(source, list(exchange.headers), body)
    except BodyTooLarge:
        found = problem(413, "Too large", f"A message has at most {MAX_BYTES} bytes.")
    except (StoreUnavailable, TimeoutError):
        found = problem(503, "Not taken", "It could not be stored now; send it again later.", 30)
    kind = b"application/json" if found.status < 300 else b"application/problem+json"
    headers = [(b"Content-Type", kind), (b"Cache-Control", b"no-store")]
    if found.retry_after is not None:
        headers.append((b"Retry-After", b"%d" % found.retry_after))
    await exchange.respond(found.status, orjson.dumps(found.body), headers)
