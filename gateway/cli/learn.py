"""`leadgate learn`: weights refitted on labels, written to a directory of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.backtest import Bar, on_store
from gateway.cli.common import BAD_USAGE, UNUSABLE, ConfigOption, JsonOption, fail, in_words, load, print_json, say
from gateway.cli.report import SinceOption, StoreOption, UntilOption, moment_option
from gateway.stores.records import Store

if TYPE_CHECKING:  # what learns is loaded by its commands alone
    from gateway.learning.backtest import Result
    from gateway.learning.learn import Learned


def learn(
    config: ConfigOption = None,
    store: StoreOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory for the rules with the new weights; made, or empty. Without: nothing is written."),
    ] = None,
    traffic: Annotated[
        int,
        typer.Option(
            min=0, help="So many of the newest records are judged by the new weights, to show what would change."
        ),
    ] = 20_000,
    as_json: JsonOption = False,
) -> None:
    """Refit the weights of signals on labels, with the shipped ones as prior, and say what would change. Never switches by itself."""
    import tempfile

    from gateway.learning.generations import Judges, in_force, reference_for
    from gateway.learning.learn import NotWritable, effect, evidence_of, write
    from gateway.learning.learn import learn as refit
    from gateway.learning.recorded import Span
    from gateway.learning.words import of_backtest, of_learned
    from rules import loader

    span = Span(moment_option("since", since), moment_option("until", until), site)
    settings = load(config)
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        fail(f"{out} has something in it; name a new directory with --out", BAD_USAGE)
    try:
        reference = reference_for(settings)
        judges = in_force(settings, reference)
    except UNUSABLE as error:
        fail(in_words(error), BAD_USAGE)
    bar = Bar()

    async def work(opened: Store) -> tuple[Learned, Result | None, list[Path]]:
        with bar.progress:
            bar.progress.update(bar.task, description="reading labelled")

            def seen(read: int, of: int) -> None:
                bar.progress.update(bar.task, completed=read, total=of)

            evidence, held_out = await evidence_of(opened, span, judges, seen)
            learned = refit(evidence, judges, held_out)
            if not learned.changed:
                return learned, None, []
            with tempfile.TemporaryDirectory(prefix="leadgate-learned-") as name:
                place = out or Path(name) / "rules"
                written = write(learned, judges, settings.rules_path, place)
                changed = Judges(settings, loader.load(local_dir=place), reference)
                bar.progress.reset(bar.task, description="judging", total=None)
                found = await effect(opened, span, judges, changed, traffic, bar) if traffic else None
            return learned, found, written if out is not None else []

    try:
        learned, found, written = on_store(settings, store, work)
    except NotWritable as error:
        fail(str(error), BAD_USAGE)
    except OSError as error:
        fail(in_words(error))
    if as_json:
        told: dict[str, Any] = learned.as_json()
        print_json(
            told | {"traffic": None if found is None else found.as_json(), "written": [str(path) for path in written]}
        )
        return
    for line in of_learned(learned):
        say(line)
    if found is not None:
        say("\nOn recorded traffic")
        for line in of_backtest(found):
            say(line)
    for path in written:
        say(f"written: {path}")
    if written:
        say(
            f"Nothing is in force yet. Try it: leadgate backtest {out}. Then name it in the settings, rules: {{directory: {out}}}."
        )
    elif learned.changed:
        say("Nothing was written: name a directory with --out.")
