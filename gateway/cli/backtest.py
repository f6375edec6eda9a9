"""`leadgate backtest`: changed rules tried on recorded traffic."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from gateway.cli.common import (
    BAD_USAGE,
    UNUSABLE,
    ConfigOption,
    JsonOption,
    fail,
    in_words,
    load,
    operator_store,
    print_json,
    say,
)
from gateway.cli.report import SinceOption, StoreOption, UntilOption, moment_option
from gateway.config import Config
from gateway.replay.store import open_for_reading
from gateway.stores.errors import StoreError
from gateway.stores.records import Store

if TYPE_CHECKING:  # what learns is loaded by its commands alone
    from gateway.evidence.record import Record
    from gateway.learning.backtest import Result

T = TypeVar("T")


def on_store(config: Config, other: Path | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """Run `work` on the store of the settings or on another file; what is wrong ends the command in one sentence."""

    async def run() -> T:
        if other is None:
            async with operator_store(config) as store:
                return await work(store)
        opened = open_for_reading(other)
        try:
            return await work(opened)
        finally:
            await opened.close()

    try:
        return asyncio.run(run())
    except StoreError as error:
        fail(str(error))


class Bar:
    """How many records were dealt with, and of which day the last one is, on a terminal."""

    def __init__(self) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.completed:,} records"),
            TextColumn("{task.fields[day]}"),
        )
        self.progress = Progress(
            *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
        )
        self.task = self.progress.add_task("judging", total=None, day="")

    def __call__(self, record: Record) -> None:
        from gateway.console.views import when

        self.progress.update(self.task, advance=1, day="back to " + when(record.occurred_at)[:10])


def backtest(
    change: Annotated[
        Path | None,
        typer.Argument(
            metavar="PACK|DIR",
            help="A pack or weights file to lay over the rules in force, or a directory of local rules to take their place.",
        ),
    ] = None,
    config: ConfigOption = None,
    changed_config: Annotated[
        Path | None, typer.Option("--with-config", help="Other settings to try: thresholds, lists, forms.")
    ] = None,
    model: Annotated[
        Literal["shadow", "off"] | None,
        typer.Option(help="Let models count that are only tried out, or none at all. Default: those in force."),
    ] = None,
    store: StoreOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many records, newest first.")] = None,
    reproduce: Annotated[
        bool,
        typer.Option(
            help="Also judge each record by the rules of its time, and say how many verdicts come out the same."
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Judge recorded traffic by changed rules and show the difference. Nothing that is in force changes.

    Without PACK or DIR: how exactly recorded verdicts come out again.
    """
    from gateway.learning.backtest import backtest as run
    from gateway.learning.generations import BadChange, Judges, Past, changed_rules, in_force, reference_for
    from gateway.learning.recorded import Span
    from gateway.learning.words import of_backtest
    from rules import loader

    span = Span(moment_option("since", since), moment_option("until", until), site)
    settings = load(config)
    other = settings if changed_config is None else load(changed_config)
    bar = Bar()
    try:
        reference, tried = reference_for(settings), reference_for(other, model or "")
        old = in_force(settings, reference)
        with changed_rules(other, change) as rules:
            new = Judges(other, loader.load(local_dir=rules), tried)
    except BadChange as error:
        fail(str(error), BAD_USAGE)
    except UNUSABLE as error:
        fail(in_words(error), BAD_USAGE)

    async def work(opened: Store) -> Result:
        past = Past(opened, settings, reference) if reproduce else None
        with bar.progress:
            return await run(opened, span, old, new, past, most=limit, seen=bar)

    result = on_store(settings, store, work)
    if as_json:
        print_json(result.as_json())
        return
    for line in of_backtest(result):
        say(line)
