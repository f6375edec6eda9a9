"""`leadgate leads`: look at stored submissions, release or reject held ones, say what they were."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from gateway.cli.common import (
    WHERE_IDS_STAND,
    ConfigOption,
    JsonOption,
    an_id,
    fail,
    load,
    person,
    print_json,
    say,
    with_store,
)
from gateway.cli.labelling import label as label_command
from gateway.console import views
from gateway.evidence.record import decode
from gateway.intake.forms import FormLimits, FormUnreadable, parse_form
from gateway.model import Label, LeadState
from gateway.reports.terminal import below, on_one_line
from gateway.stores.leads import LeadFilter, StoredLead
from gateway.stores.records import Store

app = typer.Typer(
    help="Look at stored submissions, release or reject held ones, say what they were.", no_args_is_help=True
)

app.command("label")(label_command)

LeadId = Annotated[str, typer.Argument(metavar="ID", help="Id of the lead, as `leads list` shows it.")]
ByOption = Annotated[
    str | None,
    typer.Option("--by", help="Your name, for the lead's history. Default: the system user.", show_default=False),
]

WAIT_S = 30.0


@app.command("list")
def list_leads(
    config: ConfigOption = None,
    state: Annotated[LeadState | None, typer.Option(help="Only leads in this state.")] = None,
    site: Annotated[str | None, typer.Option(help="Only leads of this site.")] = None,
    label: Annotated[Label | None, typer.Option(help="Only leads with this label in effect.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Stored submissions, newest first."""

    async def read(store: Store) -> tuple[list[tuple[StoredLead, int | None]], str | None]:
        page = await store.leads(LeadFilter(state=state, site=site, label=label), limit)
        rows: list[tuple[StoredLead, int | None]] = []
        for lead in page.items:
            entry = await store.get_record(lead.id)
            rows.append((lead, None if entry is None else decode(entry.body).verdict.quality))
        return rows, page.next_cursor

    rows, more = with_store(config, read)
    if as_json:
        print_json(
            {"items": [views.lead_summary(lead) | {"quality": quality} for lead, quality in rows], "next_cursor": more}
        )
        return
    if not rows:
        wanted = [f"{name} {value}" for name, value in (("state", state), ("site", site), ("label", label)) if value]
        say(f"No lead has {' and '.join(wanted)}." if wanted else "No leads yet.")
        names = [one.name for one in load(config).sites]
        if site is not None and site not in names:
            say(f"The settings have no site {site}; they have {', '.join(names)}.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("received", "site", "form", "state", "quality", "id", "note"):
        table.add_column(column, no_wrap=column != "note", justify="right" if column == "quality" else "left")
    for lead, quality in rows:
        shown = "–" if quality is None else str(quality)
        state_text = f"{lead.state} (releasing)" if lead.releasing else str(lead.state)
        received = views.when(lead.received_at)[:19].replace("T", " ")
        cells = (received, lead.site, lead.form, state_text, shown, lead.id, lead.note)
        table.add_row(*(Text(on_one_line(cell)) for cell in cells))  # as text: a note may hold what a site answered
    console = Console()
    Console(width=max(console.width, 120) if not console.is_terminal else None).print(table)
    if more is not None:
        say(f"These are the newest {limit}; there are more. --limit shows up to 500, the API all.")


@app.command()
def show(lead_id: LeadId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """One lead: what was sent, what became of it, and why it was judged as it was."""

    lead_id = an_id(lead_id)

    async def read(store: Store) -> dict[str, object]:
        lead = await store.lead(lead_id)
        if lead is None:
            fail(f"{lead_id}: no lead has this id. {WHERE_IDS_STAND}")
        found = views.lead_summary(lead)
        body = await store.lead_body(lead_id)
        found["fields"] = None if body is None else _fields(body.head, await body.read(), lead.content_type)
        events = await store.events(lead_id)
        found["events"] = [views.event(event) for event in events]
        found["labels"] = views.labels(events)
        found["label_lines"] = views.label_lines(events)
        entry = await store.get_record(lead_id)
        found["explanation"] = None if entry is None else views.explanation_of(decode(entry.body)).as_text()
        return found

    found = with_store(config, read)
    labels = found.pop("label_lines")
    if as_json:
        print_json(found)
        return
    say(f"{found['id']}  {found['state']}" + (f": {found['note']}" if found["note"] else ""))
    say(f"{found['site']}, form {found['form']}, received {found['received_at']}\n")
    fields = found["fields"]
    if isinstance(fields, list):
        for name, value in fields:
            say(f"  {on_one_line(name)}: {below(value, ' ' * 6)}")
    else:
        say("  (the content was erased)" if fields is None else f"  {fields}")
    for line in labels:  # type: ignore[attr-defined]
        say(f"  label: {line}")
    say("")
    for event in found["events"]:  # type: ignore[attr-defined]
        detail = ", ".join(f"{key} {value}" for key, value in event["data"].items())
        say(f"  {event['at']}  {event['event']}" + (f" ({detail})" if detail else ""))
    say(f"\n{found['explanation'] or 'It has not been judged.'}")


def _fields(head: bytes, body: bytes, content_type: str) -> list[tuple[str, str]] | str:
    fields = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    coding = next((value.strip() for name, _, value in fields if name.lower() == b"content-encoding"), None)
    try:
        return list(parse_form(content_type.encode("latin-1", "replace"), coding, body, FormLimits(), ()).fields)
    except FormUnreadable as error:
        return f"{len(body)} bytes that cannot be read as a form: {error.reason}"


@app.command()
def release(
    lead_id: LeadId,
    config: ConfigOption = None,
    by: ByOption = None,
    wait: Annotated[bool, typer.Option(help="Wait up to 30 seconds for the origin's answer.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Send a held lead to the origin as it was received. The running gateway sends it."""

    lead_id, who = an_id(lead_id), person(by)
    columns = SpinnerColumn(), TextColumn("{task.description}")
    waiting = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())

    async def ask(store: Store) -> StoredLead | None:
        await store.enqueue_release(lead_id, who)
        end = time.monotonic() + WAIT_S
        lead = await store.lead(lead_id)
        with waiting:
            waiting.add_task(f"waiting for the gateway and the origin, {WAIT_S:.0f} seconds at most", total=None)
            while wait and lead is not None and lead.releasing and time.monotonic() < end:
                await asyncio.sleep(0.25)
                lead = await store.lead(lead_id)
        return lead

    lead = with_store(config, ask)
    if as_json:
        print_json(None if lead is None else views.lead_summary(lead))
    elif lead is not None and lead.releasing:
        say(
            "It is queued. It goes out as soon as the gateway runs and the origin takes it: leadgate leads show "
            + lead_id
        )
    elif lead is not None:
        say(f"{lead.state}" + (f": {lead.note}" if lead.note else ""))
    if wait and lead is not None and not lead.releasing and lead.state is not LeadState.DELIVERED:
        raise typer.Exit(1)


@app.command()
def reject(lead_id: LeadId, config: ConfigOption = None, by: ByOption = None, as_json: JsonOption = False) -> None:
    """Reject a held lead. It is kept, and can still be released."""

    lead_id, who = an_id(lead_id), person(by)

    async def settle(store: Store) -> StoredLead | None:
        await store.settle(lead_id, LeadState.REJECTED, "rejected", {"by": who}, "rejected by a reviewer")
        return await store.lead(lead_id)

    lead = with_store(config, settle)
    if as_json:
        print_json(None if lead is None else views.lead_summary(lead))
    else:
        say("rejected")
