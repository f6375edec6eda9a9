"""`leadgate replay`: access logs through the pipeline, with a report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from gateway.cli.common import (
    BAD_USAGE,
    DONE,
    FAILED,
    UNUSABLE,
    JsonOption,
    fail,
    in_words,
    load,
    print_json,
    writable,
    write_page,
)
from gateway.replay import report, session
from gateway.replay.files import BadUsage, LogFile
from gateway.replay.progress import Progress
from gateway.replay.store import DEFAULT, BadStore, open_for_reading, store_path
from gateway.reports.flagged_csv import ENCODING, FlaggedCsv
from gateway.stores.errors import StoreError
from gateway.stores.sqlite.store import SqliteStore

T = TypeVar("T")


def with_replay_store(path: Path, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """Run `work` on the store that a replay wrote (or any other file, with its keys beside it); what is wrong ends the command in one sentence."""

    async def run() -> T:
        store = open_for_reading(path)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except StoreError as error:
        fail(str(error))


def replay(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Access logs, plain or gzip; - reads standard input. Several are merged by time."
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Judge by the sites, landing pages, rules and lists of this settings file. Without: every page, built-in rules.",
        ),
    ] = None,
    store: Annotated[
        str, typer.Option(help="Store the records go to, a path or sqlite:///path; made where there is none.")
    ] = str(DEFAULT),
    site: Annotated[
        str | None, typer.Option(help="With --config: the site all lines belong to, for logs that name no host.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the flagged page views to this file, one row each.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the report as one self-contained page with charts.")
    ] = None,
    full_addresses: Annotated[
        bool,
        typer.Option(
            "--full-addresses", help="Show whole addresses in the page, not only their neighbourhood (/24, /48)."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge the page views of access logs, by the log's own clock, and report what the traffic is worth.

    Formats are recognised: combined and common (Apache, nginx), with virtual host or X-Forwarded-For, Caddy's JSON, nginx JSON.
    """
    try:
        logs = _logs(files)
        path = store_path(store)
    except (BadUsage, BadStore) as error:
        fail(str(error), BAD_USAGE)
    settings = None if config is None else load(config)
    writable(html)
    with ExitStack() as stack:
        table = None
        try:
            if csv is not None:
                table = FlaggedCsv(stack.enter_context(csv.open("w", encoding=ENCODING, newline="")))
        except OSError as error:
            fail(f"{csv}: it cannot be written ({error.strerror})", BAD_USAGE)
        progress = stack.enter_context(Progress(sum(log.size for log in logs)))
        try:
            done = session.run(
                logs,
                path,
                settings,
                site=site,
                flagged=None if table is None else table.write,
                read=progress.advance,
            )
        except session.BadSite as error:
            fail(str(error), BAD_USAGE)
        except (StoreError, *UNUSABLE) as error:
            fail(in_words(error))
        except KeyboardInterrupt:
            fail("stopped; what was judged so far is in the store, and a second run adds only what is missing")
    written = {"csv": csv, "html": html}
    if html is not None:
        write_page(html, report.page(done, full_addresses=full_addresses))
    if as_json:
        print_json(report.as_json(done))
    else:
        sys.stdout.write(report.text(done, {name: str(path) for name, path in written.items() if path is not None}))
    problems = [source.problem for source in done.result.sources if source.problem is not None]
    for problem in problems:
        print(problem, file=sys.stderr)
    raise typer.Exit(DONE if all(problem.endswith(": the file is empty") for problem in problems) else FAILED)


def _logs(names: list[str]) -> list[LogFile]:
    """Raises BadUsage."""
    found: dict[object, LogFile] = {}
    for name in names:
        log = LogFile(name)
        found.setdefault(log.identity, log)  # named twice, by two patterns of the shell say: read once
    return list(found.values())
