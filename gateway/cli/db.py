"""`leadgate db`: is the store as this version needs it, bring it up to date, move it to PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from gateway import backends
from gateway.cli import db_standing
from gateway.cli.common import BAD_USAGE, DONE, FAILED, ConfigOption, JsonOption, fail, load, print_json
from gateway.cli.db_copying import copy_store
from gateway.config import Config
from gateway.stores.errors import StoreError
from gateway.stores.migrations import Migration, Standing
from gateway.stores.sqlite import schema as sqlite_schema

app = typer.Typer(help="Check the store, bring it up to date, move it to PostgreSQL.", no_args_is_help=True)


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say where the store is: format, missing steps, chains, what waits in the spool, room on the disk.

    Changes nothing. Exit code 1: there is something to do.
    """
    report = asyncio.run(db_standing.find(load(config)))
    if as_json:
        print_json(report.as_json())
        raise typer.Exit(FAILED if report.todo else DONE)
    typer.echo(report.store)
    found = report.standing
    if found is not None and (found.found or found.pending):
        typer.echo(f"  format {found.found} of {found.wanted}" + ("" if found.pending else ", up to date"))
        for step in found.pending:
            may = "gateways may run" if db_standing.step_is_online(step, found) else "gateways must be stopped"
            typer.echo(f"  missing: step {step.version}, {step.name} ({may})")
    for writer, (seq, digest) in sorted(report.chains.items()):
        typer.echo(f"  chain {writer}: {seq:,} entries, the last one {digest[:16]}…")
    for spool in report.spools:
        waiting = spool.content
        typer.echo(
            f"  spool {spool.file}: {waiting.leads} leads, {waiting.entries} records, {waiting.loose} changes"
            + (" (in use)" if spool.held else "")
        )
    for directory, free in report.free.items():
        typer.echo(f"  free in {directory}: {free // 2**20:,} MB")
    for line in report.notes:
        typer.echo(f"  {line}")
    for line in report.todo:
        typer.echo(f"To do: {line}")
    raise typer.Exit(FAILED if report.todo else DONE)


@app.command()
def upgrade(
    config: ConfigOption = None,
    stopped: Annotated[
        bool,
        typer.Option(
            "--stopped", help="All gateways of the older version are stopped; needed where `db check` says so."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the steps that are missing to this version's format. Can be run twice, and broken off: each step is whole or not there."""
    settings = load(config)
    made: list[Migration] = []

    def tell(step: Migration) -> None:
        made.append(step)
        if not as_json:
            typer.echo(f"step {step.version}: {step.name}")

    try:
        work = _upgrade_postgres(settings, stopped, tell) if settings.store_place.shared else None
        found = asyncio.run(work) if work is not None else _upgrade_sqlite(settings.store_path, tell)
        if settings.store_place.shared:
            for path in db_standing.spool_files(settings.spool_path):
                _upgrade_sqlite(path, tell)
    except StoreError as error:
        fail(str(error))
    if as_json:
        print_json({"format": None if found is None else found.found, "made": [step.version for step in made]})
    elif found is None:
        typer.echo("There is no store yet: it is made in today's format when the gateway first starts.")
    else:
        typer.echo(f"{settings.store}: format {found.found}, up to date")


def _upgrade_sqlite(path: Path, tell: Callable[[Migration], None]) -> Standing | None:
    """None where there is no file. Raises StoreUnopenable."""
    if not path.exists():
        return None
    found = db_standing.sqlite_standing(path)
    if not found.pending:
        return found
    with ExitStack() as stack:
        if not found.online:
            stack.callback(os.close, sqlite_schema.lock(path))
        connection = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None, timeout=60)))
        try:
            for step in sqlite_schema.upgrade(connection):
                tell(step)
        except sqlite3.Error as error:
            raise sqlite_schema.explained(path, error) from error
    return db_standing.sqlite_standing(path)


async def _upgrade_postgres(config: Config, stopped: bool, tell: Callable[[Migration], None]) -> Standing:
    """Raises StoreUnopenable."""
    from gateway.stores.postgres import schema as postgres_schema

    place = backends.postgres_settings(config)
    found = await postgres_schema.standing_at(place)
    if not found.online and not stopped:
        names = "; ".join(step.name for step in found.pending if not db_standing.step_is_online(step, found))
        fail(
            f"{place.place}: gateways of the version before cannot go on running after this ({names}). Stop them all, then: leadgate db upgrade --stopped"
        )
    return await postgres_schema.upgrade(place, tell)


@app.command()
def copy(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="STORE",
            help="The SQLite store as settings name it, sqlite:///var/leadgate.db (a path from the settings file), or a path from here.",
        ),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy an SQLite store into the PostgreSQL store that the settings name, then compare the two by their checksums.

    Broken off, it goes on where it was when it is run again. No gateway may have the SQLite store open; gateways on PostgreSQL may run.
    """
    settings = load(config)
    if not settings.store_place.shared:
        fail(
            f"{settings.store}: the settings still name an SQLite store. Set store: postgresql://HOST:5432/NAME, and copy into it with --from sqlite:///…",
            BAD_USAGE,
        )
    path = settings.resolve(source.removeprefix("sqlite:///")) if source.startswith("sqlite:///") else Path(source)
    if "://" in source and not source.startswith("sqlite:///"):
        fail(f"{source}: this is not an SQLite store: sqlite:///var/leadgate.db", BAD_USAGE)
    if not path.is_file():
        fail(f"{path}: there is no such file. Name the SQLite store with --from.", BAD_USAGE)
    try:
        parts = asyncio.run(copy_store(settings, path.absolute()))
    except StoreError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("stopped; run it again to go on from there")
    same = all(part.same for part in parts)
    if as_json:
        print_json(
            {
                "same": same,
                "parts": [
                    {
                        "name": part.name,
                        "rows": part.here,
                        "rows_there": part.there,
                        "sha256": part.sum_here,
                        "sha256_there": part.sum_there,
                    }
                    for part in parts
                ],
            }
        )
        raise typer.Exit(DONE if same else FAILED)
    for part in parts:
        told = f"  {part.name}: {part.here:,} rows, SHA-256 {part.sum_here[:16]}…"
        typer.echo(
            f"{told} on both sides" if part.same else f"{told}, but {part.there:,} rows, {part.sum_there[:16]}… there"
        )
        if not part.same:
            typer.echo(f"    the first difference: {part.first}")
    if same:
        typer.echo(f"{path} is in {settings.store}, the same on both sides. The keys directory stays as it is.")
        return
    fail(
        "The two are not the same. Where a gateway has worked on the copied leads already, their states went on and that is why; "
        "if not, run the command again, and keep the SQLite store"
    )
