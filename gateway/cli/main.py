"""The `leadgate` command: what it is made of, and the commands that have no file of their own."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway import config as configuration
from gateway.cli import checking, db, geoip, leads, model, replaying, report
from gateway.cli.backtest import backtest
from gateway.cli.common import (
    BAD_USAGE,
    DONE,
    FAILED,
    UNUSABLE,
    WHERE_IDS_STAND,
    ConfigOption,
    JsonOption,
    an_id,
    fail,
    in_words,
    print_json,
    say,
    with_store,
)
from gateway.cli.crawlers import compare
from gateway.cli.learn import learn
from gateway.cli.model_telling import model_then
from gateway.console import views
from gateway.evidence.record import decode
from gateway.feeds.reading import networks_in_words
from gateway.stores.leads import StoredLead
from gateway.stores.records import Store, StoredEntry, StoredEvent

app = typer.Typer(
    help="Tells people from invalid traffic in front of lead forms and ad landing pages.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(leads.app, name="leads")
app.add_typer(db.app, name="db")
app.add_typer(geoip.app, name="geoip")
app.add_typer(model.app, name="model")
app.add_typer(report.app, name="report")
app.command()(replaying.replay)
app.command()(backtest)
app.command()(learn)


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. SIGHUP and a changed file reload the settings."""
    from gateway.intake.server import ExtensionsMissing
    from gateway.serving import serve as run
    from gateway.workers.processes import WorkersFailed

    try:
        code = run(config or configuration.default_path())
    except configuration.ConfigError as error:
        fail(configuration.render(error.problems), BAD_USAGE)
    except (*UNUSABLE, ExtensionsMissing, WorkersFailed) as error:
        fail(in_words(error))
    raise typer.Exit(code)


@app.command()
def init(
    config: ConfigOption = None,
    origin: Annotated[
        str | None, typer.Option(help="Address of your web server, for example http://127.0.0.1:9000.")
    ] = None,
) -> None:
    """Write a first settings file, with every choice explained."""
    text, code = configuration.init(config, origin)
    typer.echo(text, nl=False, err=code != DONE)
    raise typer.Exit(code)


@app.command()
def check(
    config: ConfigOption = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the settings file, for editors.")
    ] = False,
    crawlers: Annotated[
        bool, typer.Option("--crawlers", help="Show what a verified ad crawler and a person get on each landing page.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with the settings, and with the rules, databases and servers they name. Starts nothing.

    Exit code 2: a gateway would not start with them. Servers that are away only, while it would start all the same, are told with exit code 0.
    """
    if schema:
        typer.echo(configuration.schema_text(), nl=False)
        return
    checked = configuration.check(config)
    found, code = [], checked.code
    problems: list[str] = []
    noted: list[str] = []
    data: list[str] = []
    advice: list[str] = []
    if checked.config is not None:
        unusable, noted = checking.servers(checked.config)
        problems = [*checking.problems(checked.config), *unusable]
        advice = checking.advice(checked.config)
        data, old = checking.networks(checked.config)
        noted += [*old, *checking.models(checked.config)]
        if problems:
            code = BAD_USAGE
        elif crawlers:
            found = compare(checked.config)
            code = FAILED if any(not row.same for row in found) else code
    if as_json:
        more = {
            "used": problems,
            "advice": [*noted, *advice],
            "networks": data,
            "crawlers": [row.as_json() for row in found],
        }
        answer = checked.as_json() | more
        print_json(answer | {"ok": answer["ok"] and not problems})
        raise typer.Exit(code)
    typer.echo(checked.text, nl=False, err=checked.config is None)
    for problem in problems:
        typer.echo(problem, err=True)
    for line in (*data, *noted):
        typer.echo(line)
    for line in advice:
        typer.echo(f"The running gateway advises: {line}")
    for row in found:
        typer.echo(row.as_text())
    raise typer.Exit(code)


@app.command()
def explain(
    record_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a record or lead, as X-Lead-Id and the reports show it.")
    ],
    config: ConfigOption = None,
    store: Annotated[Path | None, typer.Option(help="Another store file, for example that of a replay.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a page view or a lead was judged as it was, and what would have altered it."""

    record_id = an_id(record_id)

    async def read(
        opened: Store,
    ) -> tuple[StoredEntry | None, tuple[StoredEvent, ...], StoredLead | None, bytes | None]:
        found = await opened.get_record(record_id)
        content = None if found is None else await opened.generation(decode(found.body).generation)
        return found, await opened.events(record_id), await opened.lead(record_id), content

    entry, events, lead, content = (
        replaying.with_replay_store(store, read) if store is not None else with_store(config, read)
    )
    if entry is None and lead is None:
        fail(f"{record_id}: no record has this id. {WHERE_IDS_STAND}")
    if as_json:
        print_json(views.record_detail(entry, events, lead, content) if entry is not None else views.lead_summary(lead))  # type: ignore[arg-type]
        return
    if entry is not None:
        record = decode(entry.body)
        what = f"Form {record.form}" if record.form else f"Page view of {record.facts.page.path}"
        say(f"{what} on {record.site}, {views.when(record.occurred_at)}")
        say(views.explanation_of(record).as_text())
        if (data := views.data_of(content)) is not None:
            say("\nNetworks looked up in")
            for line in (*networks_in_words(data), data["credit"]):
                say(f"  {line}")
        say(f"\nAnomaly model\n  {model_then(content, record.site, record.kind)}")
    labels = views.label_lines(events)
    if labels:
        say("\nLabels")
    for line in labels:
        say(f"  {line}")
    if lead is not None:
        say(f"\nThe lead\n  {lead.state}" + (f": {lead.note}" if lead.note else ""))
    for found in events:
        detail = ", ".join(f"{key} {value}" for key, value in found.data.items())
        say(f"  {views.when(found.at)}  {found.event}" + (f" ({detail})" if detail else ""))


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal of another alphabet shows what it can
    app()
