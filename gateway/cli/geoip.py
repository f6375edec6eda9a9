"""`leadgate geoip`: build the database of networks, fetch feeds, say what is known of an address."""

from __future__ import annotations

import asyncio
import datetime
import os
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway import config as configuration
from gateway.cli.common import BAD_USAGE, DONE, FAILED, ConfigOption, JsonOption, fail, in_words, load, print_json
from gateway.feeds.reading import open_networks
from gateway.feeds.refresh import Outcome
from gateway.feeds.refresh import refresh as refresh_feeds
from geoip import explain
from geoip.errors import GeoipError
from geoip.reader import NetworkReader

app = typer.Typer(
    help="What is known of addresses: look one up, fetch feeds, build the database.", no_args_is_help=True
)

PACKAGES = ("@ip-location-db/asn", "@ip-location-db/geo-whois-asn-country-mmdb")
"""Names in the npm registry: who announces a network, and in which country its holder is."""
FETCH_S = 300
"""Seconds npm may take for both packages, about 26 MB."""


@app.command()
def lookup(
    addresses: Annotated[list[str], typer.Argument(metavar="IP", help="IPv4 or IPv6 addresses.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is known of addresses, and who says so. Without settings: the shipped database and ranges."""
    try:
        reader = _reader(config)
    except GeoipError as error:
        fail(str(error), BAD_USAGE)
    found, wrong = [], []
    for address in addresses:
        try:
            reader.labels_of(address)
        except GeoipError as error:
            wrong.append(f"{address}: {error}. Write it like 192.0.2.7 or 2001:db8::7, without port and brackets")
            continue
        try:
            found.append(explain.explain(reader, address))
        except GeoipError as error:  # a database that is damaged at this place
            wrong.append(f"{address}: {error}")
    if as_json:
        print_json({"items": [one.as_json() for one in found], "problems": wrong})
    else:
        for one in found:
            typer.echo(_text(one))
        for line in dict.fromkeys(line for one in found for line in one.attribution):
            typer.echo(line)
    for line in wrong:
        typer.echo(line, err=True)
    raise typer.Exit(BAD_USAGE if wrong else DONE)


def _reader(config: Path | None) -> NetworkReader:
    """By the settings where there are some; those named must be there."""
    path = config or configuration.default_path()
    return open_networks(load(path)).reader if config is not None or path.exists() else NetworkReader((None,))


def _text(one: explain.Explanation) -> str:
    found = one.network
    rows = [("Kind", f"{found.kind or 'not known'}: {one.why}")]
    if one.statements:
        system = "" if found.asn is None else f"AS{found.asn} "
        rows += [
            ("Operator", f"{system}{found.organisation or 'not known'}"),
            ("Country", found.country or "not known"),
        ]
    for label, source, day in one.labels:
        rows.append(("Label", f"{label} ({source}{', ' + day if day else ''})"))
    for said in one.statements:
        rows.append(("Database", f"{said.database}, data of {said.date}: {said.network or 'does not know it'}"))
    return "\n".join([one.address, *(f"  {name:<9} {value}" for name, value in rows)])


@app.command()
def refresh(
    feed: Annotated[
        list[str] | None, typer.Option("--feed", metavar="NAME", help="This feed only; may be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Take lists that shrank by half or more, too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the feeds of the settings; running gateways take them up by themselves.

    A list that looks wrong is refused and the last good one stays. Exit code 1: at least one was refused.
    """
    settings = load(config)
    known = [one.name for one in settings.geoip.feeds]
    if unknown := sorted(set(feed or ()) - set(known)):
        fail(f"{', '.join(unknown)}: no such feed; the settings name {', '.join(known) or 'none'}", BAD_USAGE)
    if not known:
        fail("the settings name no feeds; add some under geoip.feeds", BAD_USAGE)
    done = asyncio.run(refresh_feeds(settings, feed or (), force=force))
    if as_json:
        print_json({"items": [one._asdict() for one in done]})
    else:
        for one in done:
            typer.echo(_told(one), err=one.result == "refused")
    raise typer.Exit(FAILED if any(one.result == "refused" for one in done) else DONE)


def _told(one: Outcome) -> str:
    if one.result == "refused":
        kept = (
            "there is no earlier one" if one.entries is None else f"the last good one ({one.entries:,} networks) stays"
        )
        return f"{one.name}: refused: {one.note}; {kept}"
    if one.result == "unchanged":
        return f"{one.name}: unchanged, {one.entries:,} networks"
    before = "" if one.before is None else f", {one.before:,} before"
    return f"{one.name}: {one.entries:,} networks{before}"


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="The file to write; .mmdb.xz packs it as it is shipped.")] = Path(
        "networks.mmdb"
    ),
    asn: Annotated[
        list[Path] | None,
        typer.Option("--asn", help=f"File, directory or npm tarball of {PACKAGES[0]}, or of its form."),
    ] = None,
    country: Annotated[
        list[Path] | None,
        typer.Option("--country", help=f"File, directory or npm tarball of {PACKAGES[1]}, or of its form."),
    ] = None,
    of: Annotated[
        datetime.datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Day of the data, where it does not say so."),
    ] = None,
    kinds: Annotated[
        bool, typer.Option("--kinds", help="Store kinds too, for other programs; the gateway decides by itself.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Take sources that are not the whole address space.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the database of networks from open data. What is not given as files is fetched with npm."""
    from geoip import sources  # mmdb-writer is wanted here only
    from geoip.build import ANYTHING, ATTRIBUTION, WHOLE
    from geoip.build import build as make
    from geoip.builtin import pack
    from geoip.kinds import Kinds

    if not out.parent.is_dir():
        fail(f"{out}: there is no directory {out.parent}. Make it, or name another file with --out", BAD_USAGE)
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        fail(f"{out}: no file can be written there. Name another one with --out", BAD_USAGE)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with ExitStack() as stack:
            bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            task = bar.add_task("fetching", total=1.0)

            def progress(step: str, share: float) -> None:
                bar.update(task, description=step, completed=share)

            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadgate-")))
            files = [asn or [_npm(PACKAGES[0], place)], country or [_npm(PACKAGES[1], place)]]
            read = [[sources.read(path, progress) for path in paths] for paths in files]
            days = [one.date for side in read for one in side if one.date is not None]
            if of is None and not days:
                fail("the files do not say of what day they are: add --date YYYY-MM-DD", BAD_USAGE)
            announced, held = ([span for one in side for span in one.spans] for side in read)
            day = of.date() if of is not None else min(days)
            target = place / "networks.mmdb" if out.name.endswith(".mmdb.xz") else out
            made = make(
                announced, held, target, day,
                kinds=Kinds.builtin() if kinds else None, demands=ANYTHING if force else WHOLE, progress=progress,
            )  # fmt: skip
            if target != out:
                progress("packing", 1.0)
                pack(target, out, day, ATTRIBUTION, tuple(path.name for paths in files for path in paths))
    except (GeoipError, OSError) as error:
        fail(in_words(error))
    told: dict[str, Any] = {**made._asdict(), "path": str(out), "date": day.isoformat(), "attribution": ATTRIBUTION}
    if as_json:
        print_json(told)
        return
    typer.echo(
        f"{out}: {made.networks:,} networks of {made.systems:,} systems in {made.countries} countries, {made.v4_share:.0%} of IPv4, "
        f"data of {day}\n{ATTRIBUTION}"
    )


def _npm(package: str, place: Path) -> Path:
    """The package's tarball, from the registry that npm is set up for. Raises GeoipError."""
    inside = place / package.partition("/")[2]
    inside.mkdir()
    command = ["npm", "pack", package, "--silent", "--ignore-scripts", "--pack-destination", str(inside)]
    remedy = "fetch the package by other means and name it with --asn and --country"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False, cwd=place)  # noqa: S603 - fixed names, no shell
    except FileNotFoundError as error:
        raise GeoipError(f"npm is not installed; {remedy}") from error
    except subprocess.TimeoutExpired as error:
        raise GeoipError(f"npm did not fetch {package} within {FETCH_S} seconds; {remedy}") from error
    found = sorted(inside.glob("*.tgz"))
    if done.returncode or not found:
        raise GeoipError(f"npm cannot fetch {package}: {done.stderr.strip()[-300:] or 'no file came'}; {remedy}")
    return found[0]
