"""One replay: logs merged by time, each page view judged, reported and recorded."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from operator import itemgetter
from typing import Protocol

import msgspec

from detectors import crawlers
from detectors.observation import Client, Kind, ReverseName, Unavailable
from detectors.reference import Reference
from gateway.facts.collect import Collector
from gateway.intake.client_ip import TrustedProxies
from gateway.metrics import Metrics
from gateway.pipeline import Judged, Pipeline
from gateway.replay.arrivals import BEHIND_PROXY, NO_ADDRESS, Arrivals, Routes
from gateway.replay.files import Broken, LogFile, Probe, parse
from gateway.replay.lines import MAX_LINE, LogLine, Unreadable
from gateway.reports.traffic import Tally
from gateway.reports.views import View
from gateway.stores.hot.memory import MemoryState
from gateway.stores.records import Entry, StoredEntry
from geoip.network import Network

BATCH = 500
EXAMPLES = 8
JUMP_US = 600_000_000  # servers write lines when requests end: minutes of disorder are usual

NO_DNS = Unavailable("replay does not ask DNS")
_DECLARED = frozenset({"crawler", "monitor", "http_library", "headless", "scanner"})
_TOO_LONG = f"it is longer than {MAX_LINE:,} bytes"

Item = tuple[int, int, int, bytes, LogLine]
"""(time, place of its file, number of the line, raw line, what it says): times that are equal keep the order of the files."""


class Store(Protocol):
    async def add(self, entries: list[Entry]) -> None: ...
    async def known(self, record_ids: list[str]) -> set[str]: ...
    async def get_record(self, record_id: str) -> StoredEntry | None: ...
    async def flush(self) -> None: ...


class Source(msgspec.Struct):
    """One file as it was read. problem: why it could not be read, or not to its end."""

    name: str
    format: str = ""
    lines: int = 0
    unreadable: int = 0
    problem: str | None = None


class Result(msgspec.Struct):
    """What came of a replay.

    judged       page views; form_posts: submissions seen, whose contents no log holds
    other        lines that are neither, by what they are
    unreadable   lines by why they could not be read; examples: (file, line number, why) of the first
    declared     requests of any kind whose user agent declares a program
    stored       records that are new in the store; known: those an earlier run had written, `outdated` of them judged by other rules
    backwards    lines more than ten minutes older than one before them
    proxied      page views whose logged address is a proxy's or none
    """

    sources: list[Source]
    lines: int = 0
    judged: int = 0
    form_posts: int = 0
    suspicious_posts: int = 0
    other: Counter[str] = msgspec.field(default_factory=Counter)
    unreadable: Counter[str] = msgspec.field(default_factory=Counter)
    examples: list[tuple[str, int, str]] = msgspec.field(default_factory=list)
    declared: int = 0
    stored: int = 0
    known: int = 0
    outdated: bool = False
    backwards: int = 0
    proxied: int = 0


class Replay:
    """Everything one run needs.

    hash_key  32 bytes: hashes of sessions and click ids in records are the same in every run with the same key
    network   address → Network, or Unavailable
    store     where records go, None to write none
    generation  id of the rules and lists, stands in each record
    flagged   is given each flagged page view, in the order of time
    read      is told of bytes taken from files, and of lines dealt with
    """

    def __init__(
        self,
        reference: Reference,
        routes: Routes,
        trusted: TrustedProxies,
        hash_key: bytes,
        network: Callable[[str], Network | Unavailable],
        store: Store | None,
        tally: Tally,
        generation: str,
        *,
        flagged: Callable[[View], None] = lambda _: None,
        read: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._routes, self._trusted, self._network, self._store, self._tally = routes, trusted, network, store, tally
        self._generation = f'"generation":"{generation}"'.encode()
        self._flagged, self._read, self._declared = flagged, read, reference.agents.declared
        collector = Collector(hash_key, MemoryState(), network, _no_dns, _wants_reverse)
        self._pipeline = Pipeline(collector, lambda _: True, Metrics(), source="replay")
        self.result = Result([])

    async def run(self, files: Iterable[LogFile]) -> Result:
        """Judge all lines of all files. Files that cannot be read are told in the result. Raises StoreUnavailable."""
        result = self.result
        streams: list[Iterator[Item]] = []
        readers: list[Arrivals] = []
        for place, file in enumerate(files):
            source = Source(file.name)
            result.sources.append(source)
            readers.append(Arrivals(self._routes, file.source, self._trusted, self._network))
            streams.append(self._items(place, source, file))
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=itemgetter(0))
        latest = 0
        batch: list[Entry] = []
        for at, place, _, raw, line in merged:
            if at < latest - JUMP_US:
                result.backwards += 1
            latest = max(latest, at)
            agent = line.agent
            if agent and self._declared(agent).kind in _DECLARED:
                result.declared += 1
            found = readers[place].read(line, raw)
            if isinstance(found, str):
                result.other[found] += 1
                continue
            judged = await self._pipeline.judge(*found)
            self._report(judged)
            if self._store is not None:
                batch.append(self._pipeline.entry(judged))
                if len(batch) >= BATCH:
                    await self._write(batch)
                    batch = []
        if self._store is not None:
            await self._write(batch)
            await self._store.flush()
        self._read(0, 0)
        return result

    def _items(self, place: int, source: Source, file: LogFile) -> Iterator[Item]:
        result, read = self.result, self._read
        lines = file.lines(lambda count: read(count, 0))
        probe, begin = Probe(file), []
        try:
            for raw in lines:
                begin.append(raw)
                if probe.look(raw):
                    break
            if probe.begins is None:
                source.problem = f"{file.name}: the file is empty" if probe.empty else probe.refusal
                return
            source.format = probe.format
            for number, raw in enumerate(chain(begin, lines), 1):
                source.lines = number
                result.lines += 1
                if not number % 1000:
                    read(0, 1000)
                try:
                    if raw is None:
                        raise Unreadable(_TOO_LONG)
                    if raw[-1:] == b"\r":
                        raw = raw[:-1]
                    line = parse(raw)
                except Unreadable as error:
                    if raw is None or raw.strip():
                        self._unreadable(source, number, str(error))
                    else:
                        result.other["empty lines"] += 1
                    continue
                yield line.at, place, number, raw, line
        except Broken as error:
            source.problem = str(error) + (f" ({source.lines:,} lines)" if source.lines else "")

    def _unreadable(self, source: Source, number: int, why: str) -> None:
        source.unreadable += 1
        self.result.unreadable[why] += 1
        if len(self.result.examples) < EXAMPLES:
            self.result.examples.append((source.name, number, why))

    def _report(self, judged: Judged) -> None:
        arrival, verdict = judged.arrival, judged.verdict
        client, network, click = arrival.client, judged.observation.network, arrival.click
        if arrival.kind is Kind.SUBMISSION:
            self.result.form_posts += 1
            self.result.suspicious_posts += any(reason.counted > 0 for reason in verdict.reasons)
            return
        self.result.judged += 1
        if client is BEHIND_PROXY or client is NO_ADDRESS:
            self.result.proxied += 1
        view = View(
            arrival.id,
            arrival.at,
            arrival.site,
            arrival.page.path,
            arrival.page.campaign,
            None if click is None else (click.platform, click.value),
            client.address if isinstance(client, Client) else None,
            network if isinstance(network, Network) else None,
            arrival.request.header("user-agent"),
            verdict,
        )
        self._tally.add(view)
        if view.flagged:
            self._flagged(view)

    async def _write(self, batch: list[Entry]) -> None:
        store, result = self._store, self.result
        if store is None or not batch:
            return
        known = await store.known([entry.id for entry in batch])
        if known:
            fresh = [entry for entry in batch if entry.id not in known]
            if not result.known and (earlier := await store.get_record(min(known))) is not None:
                result.outdated = self._generation not in earlier.body
            result.known += len(known)
            batch = fresh
        result.stored += len(batch)
        await store.add(batch)
        await asyncio.sleep(0)  # Ctrl-C and the store's thread get their turn


async def _no_dns(_: str) -> ReverseName | Unavailable:
    return NO_DNS


def _wants_reverse(agent: str, network: Network) -> bool:
    return crawlers.needs_reverse(agent, network.labels)
