"""Fetches the feeds of the settings, checks them and puts them in place; what is refused leaves the last good one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal, NamedTuple

from gateway.config import Config
from gateway.config.feeds import Feed as FeedSettings
from gateway.feeds.errors import FeedRefused
from gateway.feeds.fetch import MAX_BYTES, Fetched, Patience, fetch, shown
from gateway.feeds.formats import networks
from gateway.feeds.judge import judge
from geoip import stored
from geoip.errors import GeoipError
from geoip.files import replaced
from geoip.stored import Feed

AT_ONCE = 4
"""Feeds fetched at the same time."""


class Outcome(NamedTuple):
    """What became of one feed. entries: networks in force now, None where there is no good one."""

    name: str
    result: Literal["taken", "unchanged", "refused"]
    entries: int | None
    before: int | None
    note: str = ""


async def refresh(
    config: Config,
    only: Collection[str] = (),
    *,
    force: bool = False,
    patience: Patience | None = None,
    now: Callable[[], float] = time.time,
) -> list[Outcome]:
    """In the order of the settings. only: names, all where empty. force: lists that shrank are taken."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(feed: FeedSettings, path: Path) -> Outcome:
        async with gate:
            return await _refreshed(config, feed, path, force, patience, int(now()))

    chosen = [(f, p) for f, p in zip(config.geoip.feeds, config.feed_files, strict=True) if not only or f.name in only]
    return list(await asyncio.gather(*(one(feed, path) for feed, path in chosen)))


async def _refreshed(
    config: Config, feed: FeedSettings, path: Path, force: bool, patience: Patience | None, now: int
) -> Outcome:
    last, damaged = await asyncio.to_thread(_last, path)
    before = None if last is None else last.entries
    try:
        known = last.validators if last is not None and not force else {}
        got = await _fetched(config, feed, known, patience)
        label = f"{feed.kind}:{feed.name}"
        source = shown(feed.url) if feed.url is not None else str(feed.file)
        if got.body is None and last is not None:
            await asyncio.to_thread(_put, path, last._replace(label=label, checked_at=now))
            return Outcome(feed.name, "unchanged", last.entries, before)
        judged = await asyncio.to_thread(lambda: judge(networks(got.body or b"", feed.format), last, force=force))
        made = Feed(
            label, source, now, now, len(judged.networks), judged.addresses, stored.digest(judged.networks),
            got.validators, judged.networks,
        )  # fmt: skip
        await asyncio.to_thread(_put, path, made)
    except FeedRefused as error:
        return Outcome(feed.name, "refused", before, before, f"{error}" + (f" ({damaged})" if damaged else ""))
    except OSError as error:
        return Outcome(feed.name, "refused", before, before, f"{path}: cannot be written ({error.strerror}); mend it")
    return Outcome(feed.name, "taken", made.entries, before)


async def _fetched(config: Config, feed: FeedSettings, known: dict[str, str], patience: Patience | None) -> Fetched:
    if feed.file is not None:
        return Fetched(await asyncio.to_thread(_read, config.resolve(feed.file)), {})
    return await fetch(feed, known, config.resolve(feed.ca) if feed.ca is not None else None, patience)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FeedRefused(f"{path}: cannot be read ({error.strerror})", "correct geoip.feeds") from error
    if len(body) > MAX_BYTES:
        raise FeedRefused(f"{path}: more than {MAX_BYTES} bytes", "this is no list of networks")
    return body


def _last(path: Path) -> tuple[Feed | None, str]:
    try:
        return stored.read(path), ""
    except FileNotFoundError:
        return None, ""
    except GeoipError as error:
        return None, str(error)


def _put(path: Path, feed: Feed) -> None:
    with replaced(path) as name:
        name.write_bytes(stored.write(feed))
