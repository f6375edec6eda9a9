"""`leadgate report`: what was measured."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from gateway.cli.common import (
    BAD_USAGE,
    ConfigOption,
    JsonOption,
    fail,
    print_json,
    say,
    with_store,
    writable,
    write_page,
)
from gateway.cli.replaying import with_replay_store
from gateway.console.labels import as_json as estimates
from gateway.labels.holdouts import ByForm, in_words, measured
from gateway.labels.statement import moment
from gateway.stores.records import RecordFilter, Store

app = typer.Typer(help="What was measured.", no_args_is_help=True)

SinceOption = Annotated[str | None, typer.Option(help="Not before this date or time (UTC where no zone is given).")]
UntilOption = Annotated[str | None, typer.Option(help="Before this date or time.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write the report as one self-contained page.")]
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


def _period(first: int | None, last: int | None) -> str:
    """The time that was asked for."""
    since, until = (None if at is None else datetime.fromtimestamp(at / 1_000_000, UTC) for at in (first, last))
    told = [f"{word} {at:%Y-%m-%d %H:%M} UTC" for word, at in (("from", since), ("until", until)) if at is not None]
    words = " ".join(told)
    return words[:1].upper() + words[1:] or "All that is recorded"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


@app.command("false-positives")
def false_positives(
    config: ConfigOption = None,
    store: StoreOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """How often holding is wrong, measured on submissions that were forwarded although they would have been held."""
    from gateway.reports import holdouts_page  # the templates are loaded for a page only

    first, last = moment_option("since", since), moment_option("until", until)
    writable(html)

    async def read(opened: Store) -> ByForm:
        return await measured(opened, first, last)

    found = with_replay_store(store, read) if store is not None else with_store(config, read)
    if html is not None:
        bounded = first is not None or last is not None
        write_page(html, holdouts_page.render(found, _period(first, last), _now(), bounded=bounded))
    if as_json:
        print_json(estimates(found))
        return
    for line in in_words(found.total):
        say(line)
    for name, each in found.forms.items():
        if len(found.forms) > 1:
            say(f"\nForm {name or '?'}")
            for line in in_words(each):
                say(f"  {line}")
    if html is not None:
        say(f"HTML: {html}")


@app.command()
def campaigns(
    config: ConfigOption = None,
    store: StoreOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What campaigns, publishers, creatives and forms brought, by class of traffic, and when each of them was flooded."""
    from gateway.learning import campaigns as counted  # what learns is loaded by its commands alone
    from gateway.learning import campaigns_page

    where = RecordFilter(site=site, since=moment_option("since", since), until=moment_option("until", until))
    writable(html)
    columns = SpinnerColumn(), TextColumn("{task.completed:,} records")
    progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    task = progress.add_task("reading", total=None)

    async def read(opened: Store) -> counted.CampaignTally:
        with progress:
            return await counted.tally(opened, where, lambda _: progress.advance(task))

    found = with_replay_store(store, read) if store is not None else with_store(config, read)
    if html is not None:
        write_page(html, campaigns_page.render(found, site or "All sites", _period(where.since, where.until), _now()))
    if as_json:
        print_json(counted.as_json(found))
        return
    for line in counted.in_text(found):
        say(line)
    if html is not None:
        say(f"HTML: {html}")
