"""`leadgate model train|status|compare`: models of what is usual at each site."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from detectors.anomaly.model import Models
from detectors.observation import Kind
from gateway.cli.common import BAD_USAGE, DONE, FAILED, ConfigOption, JsonOption, fail, load, print_json, with_store
from gateway.cli.model_telling import compared, comparison, in_words, open_shelf, round_told, standing_of
from gateway.config import Config
from gateway.evidence.record import Record
from gateway.model import now_us
from gateway.models.files import FileProblem, Shelf, Standing
from gateway.models.notes import Note
from gateway.stores.records import Store

if TYPE_CHECKING:
    from gateway.models.compare import Comparison
    from gateway.models.job import Plan
    from rules.ruleset import Ruleset
    from rules.score import Policy

app = typer.Typer(help="Models of what is usual at each site: train them, see where they stand, compare two of them.")

DAY_US = 86_400_000_000
LABELS_OF_DAYS = 180
LOWEST_PRIORITY = 19

SiteOption = Annotated[str | None, typer.Option("--site", help="Only this site. Default: all.")]
KindOption = Annotated[
    Kind | None, typer.Option("--kind", help="Only page views (landing) or form posts (submission).")
]


@app.command()
def train(
    config: ConfigOption = None,
    site: SiteOption = None,
    kind: KindOption = None,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model for each site and kind of request from its accepted traffic, and try it out beside the one in force.

    A model that ranks known bad traffic as usual is refused. A new one counts once it was tried out for `model.shadow_hours` and is not worse.
    """
    settings = load(config)
    if background:
        _stay_small(settings)
    from gateway.models.collect import labelled
    from gateway.models.job import round_of

    places, plan = _places(settings, site, kind), _plan(settings)
    if not settings.keys_path.is_dir():
        fail(
            f"{settings.keys_path}: there are no keys to sign a model with. They are made when the gateway first starts: leadgate serve"
        )

    async def work(store: Store) -> list[Note]:
        now = now_us()
        labels = await labelled(store, now - LABELS_OF_DAYS * DAY_US)
        with _progress(as_json or background) as told:
            return await round_of(store, plan, places, labels, now, told, force=not background)

    try:
        notes = with_store(config, work)
    except FileProblem as error:
        fail(str(error))
    if as_json:
        print_json([round_told(one) for one in notes])
    elif not background:
        for one in notes:
            typer.echo(f"{one.place}: {one.result}. {one.detail}")
    broken = [one for one in notes if one.result == "failed" or (one.result == "refused" and not background)]
    if background and broken:
        fail("; ".join(f"{one.place}: {one.detail}" for one in broken))
    raise typer.Exit(FAILED if broken else DONE)


@app.command()
def status(
    config: ConfigOption = None, site: SiteOption = None, kind: KindOption = None, as_json: JsonOption = False
) -> None:
    """Say which models count or are tried out, how old and how good they are, how far traffic has moved since, and what to do next."""
    settings = load(config)
    found = [standing_of(settings, name, of) for name, of in _places(settings, site, kind)]
    if as_json:
        print_json(found)
        return
    if not settings.model.enabled:
        typer.echo(
            "Models are off (model.enabled: false): nothing is trained and nothing is held against visitors by one."
        )
    for one in found:
        typer.echo("\n".join(in_words(one)))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A version, or `active`.")] = "active",
    b: Annotated[str, typer.Argument(metavar="B", help="A version, or `shadow`.")] = "shadow",
    config: ConfigOption = None,
    site: SiteOption = None,
    kind: KindOption = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="Let B count from now on, whatever the comparison says.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two models on recorded traffic: do they rank alike, whose verdict would change, which knows the labelled better."""
    settings = load(config)
    places = _places(settings, site, kind)
    if len(places) != 1:
        fail("Say which model: --site and --kind.", BAD_USAGE)
    from rules import loader
    from rules.problems import RulesError

    try:
        ruleset = loader.load(local_dir=settings.rules_path)
    except RulesError as error:
        fail(str(error), BAD_USAGE)
    shelf = open_shelf(settings, *places[0])
    try:
        standing = shelf.standing()
        named = {"active": standing.active, "shadow": standing.shadow}
        versions = [named.get(name, name) for name in (a, b)]
        for name, version in zip((a, b), versions, strict=True):
            if version is None or version not in shelf.versions():
                fail(
                    f"There is no {name} model of {shelf.place}. There are: {', '.join(shelf.versions()) or 'none yet'}",
                    BAD_USAGE,
                )
        models = shelf.load(str(versions[0])), shelf.load(str(versions[1]))
    except FileProblem as error:
        fail(str(error))
    from gateway.models.collect import labelled
    from gateway.models.compare import compare as of_two

    async def work(store: Store) -> Comparison:
        labels = await labelled(store, now_us() - LABELS_OF_DAYS * DAY_US)
        with _progress(as_json) as told:
            return await of_two(
                store, shelf.site, shelf.kind, models, ruleset, _policies(settings, shelf, ruleset), labels,
                lambda done: told("reading", done, 0),
            )  # fmt: skip

    found = with_store(config, work)
    if promote:
        try:
            shelf.stand(Standing(shelf.place, models[1].version))
        except FileProblem as error:
            fail(str(error))
    if as_json:
        print_json(comparison(found) | {"promoted": promote})
        return
    typer.echo("\n".join(compared(found)))
    if promote:
        typer.echo(
            f"{models[1].version} counts from now on. To go back: leadgate model compare {b} {models[0].version} --promote"
        )


# how it is done


def _stay_small(config: Config) -> None:
    import resource

    os.nice(LOWEST_PRIORITY)
    most = config.model.max_memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # Whoever started it ends it in time, but may be killed before.
    resource.setrlimit(resource.RLIMIT_CPU, (config.model.max_seconds, config.model.max_seconds))


def _places(config: Config, site: str | None, kind: Kind | None) -> list[tuple[str, Kind]]:
    names = [one.name for one in config.sites]
    if site is not None and site not in names:
        fail(f"There is no site {site}. There are: {', '.join(names)}", BAD_USAGE)
    return [(name, one) for name in names if site in (None, name) for one in Kind if kind in (None, one)]


def _plan(config: Config) -> Plan:
    from gateway.models.job import HOUR_US, Plan

    model = config.model
    return Plan(
        config.models_path,
        config.keys_path,
        model.minimum,
        model.newest,
        model.every_hours * HOUR_US,
        model.shadow_hours * HOUR_US,
        Models.builtin().limits.tell_from,
    )


def _policies(config: Config, shelf: Shelf, ruleset: Ruleset) -> Callable[[Record], Policy]:
    """What each record's route is judged by now."""
    site = next(one for one in config.sites if one.name == shelf.site)
    pages = {page.path: page.review_below for page in site.landing_pages}
    forms = {form.name: form.review_below for form in site.forms}
    known: dict[int | None, Policy] = {}

    def policy(record: Record) -> Policy:
        below = forms.get(record.form or "") if shelf.kind is Kind.SUBMISSION else pages.get(record.route or "")
        if below not in known:
            known[below] = ruleset.policy(shelf.kind, review_below=below)
        return known[below]

    return policy


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal; nothing elsewhere, where a line for each site follows anyway."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total or None)
