"""`leadgate leads label`: say what leads and page views were, one by one or from a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from gateway.cli.common import BAD_USAGE, ConfigOption, JsonOption, an_id, fail, person, print_json, say, with_store
from gateway.console import views
from gateway.labels.csv_file import BadFile, Row, read
from gateway.labels.statement import BadLabel, moment, statement
from gateway.model import Label
from gateway.stores.errors import UnknownRecord
from gateway.stores.labels import OPERATOR_SOURCE
from gateway.stores.records import Store

AT_ONCE = 100
"""Labels in one commit: enough to be quick, few enough that nobody else waits."""

UNKNOWN_SHOWN = 100


class Counts(msgspec.Struct):
    """written, known (said before), unknown: lines of rows whose lead is not there."""

    written: int = 0
    known: int = 0
    unknown: list[int] = msgspec.field(default_factory=list)


def label(
    record_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Id of the lead or page view. Left out with --csv.")
    ] = None,
    what: Annotated[str | None, typer.Argument(metavar="LABEL", help=f"What it was: {', '.join(Label)}.")] = None,
    config: ConfigOption = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Many at once: columns id, email or phone; label; and if known value, currency, at, note.",
        ),
    ] = None,
    value: Annotated[str | None, typer.Option(help="What a customer is worth, like 1299.00.")] = None,
    currency: Annotated[str | None, typer.Option(help="Its currency, like EUR.")] = None,
    note: Annotated[str | None, typer.Option(help="A few words, nothing personal: they can never be erased.")] = None,
    at: Annotated[str | None, typer.Option(help="When it was so. Default: now.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Where it comes from. Default: review, or csv for a file.", show_default=False)
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Your name. Default: the system user.", show_default=False)
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Write the others where leads of some rows are not there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a lead or page view was: this is what weights are learned from. The same twice is once."""
    who = person(by)
    if csv is not None:
        if any(each is not None for each in (record_id, what, value, currency, note, at)):
            fail("With --csv all is in the file: leave out id, label, --value, --currency, --note and --at.", BAD_USAGE)
        _many(config, csv, who, source or "csv", skip_unknown, as_json)
        return
    if record_id is None or what is None:
        fail(f"Give an id and a label ({', '.join(Label)}), or a file with --csv.", BAD_USAGE)
    try:
        when = None if at is None else moment(at)
        told = statement(
            what, by=who, source=source or OPERATOR_SOURCE, at=when, value=value, currency=currency, note=note
        )
    except BadLabel as error:
        fail("\n".join(f"{field}: {problem}" for field, problem in error.problems), BAD_USAGE)
    except (ValueError, OverflowError):
        fail(f'at: "{at}" is no time; write 2026-11-22 or 2026-11-22T09:30:00Z', BAD_USAGE)
    wanted = an_id(record_id)

    async def write(store: Store) -> tuple[bool, dict[str, object]]:
        added = await store.label(wanted, told)
        return added, {"id": wanted, "added": added, "labels": views.labels(await store.events(wanted))}

    added, found = with_store(config, write)
    if as_json:
        print_json(found)
    else:
        say(told.label if added else f"{told.label}: this was said before, nothing was added")


def _many(config: Path | None, csv: Path, by: str, source: str, skip_unknown: bool, as_json: bool) -> None:
    try:
        rows = read(csv, by=by, source=source)
    except BadFile as error:
        if as_json:
            print_json({"written": 0, "problems": [msgspec.to_builtins(each) for each in error.mistakes]})
        fail(f"{csv}: nothing was written.\n{error}", BAD_USAGE)

    quiet = as_json or not sys.stderr.isatty()

    async def work(store: Store) -> Counts:
        counts = Counts()
        with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
            found = await _whose(store, rows, counts, progress)
            if counts.unknown and not skip_unknown:
                return counts
            await _write(store, found, counts, progress)
        return counts

    counts = with_store(config, work)
    if as_json:
        print_json(msgspec.to_builtins(counts))
    refused = bool(counts.unknown) and not skip_unknown
    if counts.unknown:
        shown = ", ".join(str(line) for line in counts.unknown[:UNKNOWN_SHOWN])
        more = f" and {len(counts.unknown) - UNKNOWN_SHOWN} more" if len(counts.unknown) > UNKNOWN_SHOWN else ""
        rows_of = "row (line" if len(counts.unknown) == 1 else "rows (lines"
        told = f"No lead or record is there for {len(counts.unknown)} {rows_of} {shown}{more})."
        remedy = " Nothing was written; correct them, or leave them out with --skip-unknown." if refused else ""
        say(told + remedy, err=True)
    if refused:
        raise typer.Exit(1)
    if not as_json:
        say(f"Labels written: {counts.written}. There before: {counts.known}.")


async def _whose(store: Store, rows: list[Row], counts: Counts, progress: Progress) -> list[Row]:
    """The rows whose record is there, each with its id."""
    task = progress.add_task("looking up", total=len(rows))
    found: list[Row] = []
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        there = await store.known([row.id for row in part if row.id is not None])
        for row in part:
            record = row.id if row.id in there else None
            if row.id is not None and record is None and await store.lead(row.id) is not None:
                record = row.id
            for term in row.terms:
                if record is None:
                    record = next(iter(await store.find(term, 1)), None)
            if record is None:
                counts.unknown.append(row.line)
            else:
                found.append(msgspec.structs.replace(row, id=record))
        progress.advance(task, len(part))
    return found


async def _write(store: Store, found: list[Row], counts: Counts, progress: Progress) -> None:
    async def one(row: Row) -> None:
        try:
            if await store.label(row.id or "", row.label):
                counts.written += 1
            else:
                counts.known += 1
        except UnknownRecord:  # the id is that of an event, which labels nothing
            counts.unknown.append(row.line)

    task = progress.add_task("writing", total=len(found))
    for start in range(0, len(found), AT_ONCE):
        part = found[start : start + AT_ONCE]
        await asyncio.gather(*(one(row) for row in part))
        progress.advance(task, len(part))
