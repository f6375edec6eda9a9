"""Where a store is: its format, its chains, what waits in the spool, and room on the disks."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from gateway import backends
from gateway.cli.common import operator_store
from gateway.config import Config
from gateway.stores.errors import StoreError, StoreUnopenable
from gateway.stores.migrations import Migration, Standing
from gateway.stores.spool.file import SUFFIX, Content, content
from gateway.stores.sqlite import schema as sqlite_schema

LITTLE_ROOM = 1024 * 1024 * 1024
"""Bytes of free disk below which `db check` asks for more: some days of a busy site."""


class Waiting(msgspec.Struct, frozen=True):
    """A spool file. held: a gateway has it open; problem: why it cannot be read."""

    file: str
    held: bool
    content: Content = Content()
    pending: tuple[Migration, ...] = ()
    problem: str | None = None


class Report(msgspec.Struct):
    """What `db check` found. standing: None where the store cannot be reached; todo: what a person should do; notes: what is merely good to know."""

    store: str
    standing: Standing | None = None
    chains: dict[str, tuple[int, str]] = {}
    spools: tuple[Waiting, ...] = ()
    free: dict[str, int] = {}
    todo: list[str] = []
    notes: list[str] = []

    def as_json(self) -> dict[str, Any]:
        found = self.standing
        return {
            "ok": not self.todo,
            "store": self.store,
            "reachable": found is not None,
            "format": None if found is None else {"found": found.found, "wanted": found.wanted},
            "pending": [] if found is None else steps_json(found),
            "chains": {writer: {"seq": seq, "hash": digest} for writer, (seq, digest) in sorted(self.chains.items())},
            "spool": [
                {"file": spool.file, "held": spool.held, "problem": spool.problem}
                | msgspec.structs.asdict(spool.content)
                for spool in self.spools
            ],
            "free_bytes": self.free,
            "todo": self.todo,
            "notes": self.notes,
        }


def steps_json(standing: Standing) -> list[dict[str, Any]]:
    return [
        {"version": step.version, "name": step.name, "online": step_is_online(step, standing)}
        for step in standing.pending
    ]


def step_is_online(step: Migration, standing: Standing) -> bool:
    """May gateways of the format before go on running?"""
    return standing.found == 0 or step.oldest <= standing.found


def sqlite_standing(path: Path) -> Standing:
    """Raises StoreUnopenable."""
    with closing(sqlite_schema.connect_reading(path, 5_000)) as connection:
        try:
            return sqlite_schema.standing_of(path, connection)
        except sqlite3.Error as error:
            raise sqlite_schema.explained(path, error) from error


async def find(config: Config) -> Report:
    """Raises nothing that a store may raise: it stands in the report."""
    report = Report(config.store, chains={}, free={}, todo=[], notes=[])
    try:
        await _store(config, report)
    except StoreError as error:
        report.todo.append(str(error))
    if config.store_place.shared:
        _spools(config.spool_path, report)
        _room(config.spool_path, report)
    else:
        _room(config.store_path.parent, report)
    return report


async def _store(config: Config, report: Report) -> None:
    if config.store_place.shared:
        from gateway.stores.postgres import schema as postgres_schema

        report.standing = await postgres_schema.standing_at(backends.postgres_settings(config))
    elif not config.store_path.exists():
        report.standing = Standing(0, sqlite_schema.VERSION, ())
        report.notes.append("there is no store yet; it is made when the gateway first starts")
        return
    else:
        report.standing = sqlite_standing(config.store_path)
        if sqlite_schema.held(config.store_path):
            report.notes.append("a gateway has the store open")
    found = report.standing
    if found.found == 0:
        report.todo.append("There are no tables yet: leadgate db upgrade (or start the gateway, which makes them)")
    elif found.pending:
        told = "gateways may go on running meanwhile" if found.online else "stop the gateways first"
        report.todo.append(f"{len(found.pending)} step(s) are missing to today's format: leadgate db upgrade ({told})")
    if found.found and not found.pending:
        async with operator_store(config) as store:
            report.chains = await store.writers()
            sums = await store.conservation()
        if not sums.holds:
            report.todo.append(
                f"{sums.received} submissions were received, {sum(sums.by_state.values())} are there: restore the store from its backup and compare"
            )


def spool_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*" + SUFFIX))


def _spools(directory: Path, report: Report) -> None:
    report.spools = tuple(_spool(path) for path in spool_files(directory))
    for spool in report.spools:
        if spool.problem is not None:
            report.todo.append(f"{spool.problem} (keep the file: it may hold leads that are nowhere else)")
        elif spool.content and not spool.held:
            report.todo.append(
                f"{spool.file} holds {spool.content.leads} leads and {spool.content.entries} records, and no gateway of this machine has it open: start one"
            )
        elif spool.content:
            report.notes.append(
                f"{spool.file}: {spool.content.leads} leads and {spool.content.entries} records wait until PostgreSQL is back"
            )


def _spool(path: Path) -> Waiting:
    held = sqlite_schema.held(path)
    try:
        pending = sqlite_standing(path).pending
        if pending:
            return Waiting(str(path), held, pending=pending)
        with closing(sqlite_schema.connect_reading(path, 5_000)) as connection:
            return Waiting(str(path), held, content(connection))
    except StoreUnopenable as error:
        return Waiting(str(path), held, problem=str(error))
    except sqlite3.Error as error:
        return Waiting(str(path), held, problem=str(sqlite_schema.explained(path, error)))


def _room(directory: Path, report: Report) -> None:
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    found = os.statvfs(directory)
    free = found.f_bavail * found.f_frsize
    report.free[str(directory)] = free
    if free < LITTLE_ROOM:
        report.todo.append(f"{directory}: {free // 2**20} MB are free: make room")
