"""`leadgate report`: what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from gateway.cli.common import BAD_USAGE, ConfigOption, JsonOption, fail, print_json, with_store
from gateway.cli.replaying import with_replay_store
from gateway.console.labels import as_json as estimates
from gateway.labels.holdouts import ByForm, in_words, measured
from gateway.labels.statement import moment
from gateway.stores.records import RecordFilter, Store

app = typer.Typer(help="What was measured.", no_args_is_help=True)

SinceOption = Annotated[str | None, typer.Option(help="Not before this date or time (UTC where no zone is given).")]
UntilOption = Annotated[str | None, typer.Option(help="Before this date or time.")]
StoreOption = Annotated[Path | None, typer.Option(help="Another store file, for example that of a replay.")]


@app.callback()
def report() -> None:
    """What was measured."""


def moment_option(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return moment(text)
    except (ValueError, OverflowError):
        fail(f'--{name}: "{text}" is no time; write 2026-11-22 or 2026-11-22T09:30:00Z', BAD_USAGE)


@app.command("false-positives")
def false_positives(
    config: ConfigOption = None,
    store: StoreOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """How often holding is wrong, measured on submissions that were forwarded although they would have been held."""
    first, last = moment_option("since", since), moment_option("until", until)

    async def read(opened: Store) -> ByForm:
        return await measured(opened, first, last)

    found = with_replay_store(store, read) if store is not None else with_store(config, read)
    if as_json:
        print_json(estimates(found))
        return
    for line in in_words(found.total):
        typer.echo(line)
    for name, each in found.forms.items():
        if len(found.forms) > 1:
            typer.echo(f"\nForm {name or '?'}")
            for line in in_words(each):
                typer.echo(f"  {line}")


@app.command()
def campaigns(
    config: ConfigOption = None,
    store: StoreOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What campaigns, publishers, creatives and forms brought, by class of traffic, and when each of them was flooded."""
    from gateway.learning import campaigns as counted  # what learns is loaded by its commands alone

    where = RecordFilter(site=site, since=moment_option("since", since), until=moment_option("until", until))
    columns = SpinnerColumn(), TextColumn("{task.completed:,} records")
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task("reading", total=None)

    async def read(opened: Store) -> counted.CampaignTally:
        with progress:
            return await counted.tally(opened, where, lambda _: progress.advance(task))

    found = with_replay_store(store, read) if store is not None else with_store(config, read)
    if as_json:
        print_json(counted.as_json(found))
        return
    for line in counted.in_text(found):
        typer.echo(line)
