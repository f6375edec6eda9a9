"""One round of training: for each site and kind that is due, promote what was tried out long enough, train, publish, and note how it went.

Runs in the training process. What is not trained, and why, is noted like what is, so that `leadgate model status` can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from detectors.anomaly.model import Description, Model
from detectors.anomaly.trees import ModelProblem
from detectors.observation import Kind
from gateway.models.collect import Collected, Labelled, collect
from gateway.models.drift import RECENT, drift, percentiles
from gateway.models.files import FileProblem, Shelf, Signer, Standing
from gateway.models.notes import Note, keep
from gateway.stores.records import Store

HOUR_US = 3_600_000_000
WORSE_RANKING = 0.03
"""How much smaller the area under the curve of a new model may be: chance of so few examples."""
MORE_TELLING = 2.0
MOST_TELLING = 0.05
"""A new model may call this share of recent accepted traffic unusual, or MORE_TELLING times as much as the one in force, whichever is more: there may be
programs among what was accepted, and a model that knew better what is usual would have found them. A model that finds more is a nuisance to people."""

Told = Callable[[str, int, int], None]
"""What is being done, how far, of how much (0: not known)."""


class Plan(msgspec.Struct, frozen=True):
    """What the settings say. Times in microseconds."""

    directory: Path
    keys: Path
    minimum: int
    newest: int
    every: int
    shadow: int
    tell_from: float


def shelf_of(plan: Plan, site: str, kind: Kind) -> Shelf:
    """Raises FileProblem."""
    return Shelf(plan.directory, site, kind, Signer.open(plan.keys))


async def round_of(
    store: Store, plan: Plan, places: Sequence[tuple[str, Kind]], labels: Labelled, now: int, told: Told, force: bool
) -> list[Note]:
    """force: train whether due or not."""
    notes = []
    for site, kind in places:
        try:
            note = await _one(store, plan, shelf_of(plan, site, kind), labels, now, told, force)
        except FileProblem as error:
            note = Note(now, f"{site}/{kind.value}", "failed", str(error))
        notes.append(note)
        keep(plan.directory, site, kind, note)
    return notes


async def _one(store: Store, plan: Plan, shelf: Shelf, labels: Labelled, now: int, told: Told, force: bool) -> Note:
    told(f"{shelf.place}: reading", 0, plan.newest)
    found = await collect(
        store, shelf.site, shelf.kind, plan.newest, labels, lambda n: told(f"{shelf.place}: reading", n, plan.newest)
    )
    enough = len(found.rows)
    standing = _sound_standing(shelf)
    promoted, standing = promote(shelf, standing, found, plan, now)
    measured = _measured(shelf, standing, found, plan)
    if enough < plan.minimum:
        detail = f"{enough:,} of {plan.minimum:,} accepted requests are there; it begins by itself once they are"
        return Note(now, shelf.place, "waiting", detail, enough, *measured)
    newest = _newest(shelf)
    if not force and newest is not None and now - newest.made_at < plan.every:
        return Note(now, shelf.place, "not due", promoted or "the newest model is fresh enough", enough, *measured)
    told(f"{shelf.place}: training on {enough:,}", 0, 0)
    from gateway.models.training import Refused, Traffic, train

    traffic = Traffic(shelf.site, shelf.kind, found.rows, found.at, found.bad, found.good, found.read)
    try:
        trained = train(traffic, now)
        Model(trained.about, trained.onnx)  # what would not be loaded is not published
    except Refused as error:
        return Note(now, shelf.place, "refused", str(error), enough, *measured)
    except ModelProblem as error:
        return Note(now, shelf.place, "failed", f"what was trained is not sound: {error}", enough, *measured)
    shelf.publish(trained.about, trained.onnx)
    active = _sound_standing(
        shelf
    ).active  # read anew: another may have been put in force within the minutes that this took
    standing = Standing(shelf.place, active, trained.about.version, now)
    shelf.stand(standing)
    if plan.shadow == 0:
        promoted, standing = promote(shelf, standing, found, plan, now)
    detail = f"{trained.about.version}, from {trained.about.used:,} requests; it is tried out first"
    return Note(now, shelf.place, "trained", promoted or detail, enough, *_measured(shelf, standing, found, plan))


def _sound_standing(shelf: Shelf) -> Standing:
    """A standing that cannot be trusted counts as none: a new model takes its place."""
    try:
        return shelf.standing()
    except FileProblem:
        return Standing(shelf.place)


def promote(
    shelf: Shelf, standing: Standing, found: Collected, plan: Plan, now: int, *, force: bool = False
) -> tuple[str, Standing]:
    """Puts the model that is tried out in force, where its time is over and it is not worse. Answers what was done or why not ("": nothing to do)."""
    if standing.shadow is None or (not force and now - standing.shadow_since < plan.shadow):
        return "", standing
    try:
        new = shelf.load(standing.shadow)
        old = _loaded(shelf, standing.active)
        against = "" if force else worse(new, old, found, plan.tell_from)
    except FileProblem as error:
        return f"{standing.shadow} is not used: {error}", standing
    if against:
        return f"{standing.shadow} does not count yet: {against}", standing
    standing = Standing(shelf.place, standing.shadow)
    shelf.stand(standing)
    return f"{standing.active} counts from now on", standing


def worse(new: Model, old: Model | None, found: Collected, tell_from: float) -> str:
    """Why a new model should not take the place of the old one; "" where it may."""
    rows = found.rows[:RECENT]
    share = told_share(new, rows, tell_from)
    before = told_share(old, rows, tell_from) if old is not None else 0.0
    if share > max(MOST_TELLING, MORE_TELLING * before):
        return f"it calls {share:.1%} of recent accepted traffic unusual"
    if old is None:
        return ""
    was, now = old.about.direction, new.about.direction
    if now.known_bad < was.known_bad - WORSE_RANKING:
        return f"it ranks known bad traffic worse ({now.known_bad:.2f}, before {was.known_bad:.2f})"
    if was.labelled is not None and now.labelled is not None and now.labelled < was.labelled - WORSE_RANKING:
        return f"it ranks what people labelled worse ({now.labelled:.2f}, before {was.labelled:.2f})"
    return ""


def told_share(model: Model, rows: object, tell_from: float) -> float:
    found = percentiles(model, rows)  # type: ignore[arg-type]
    return sum(one >= tell_from for one in found) / max(1, len(found))


def _loaded(shelf: Shelf, version: str | None) -> Model | None:
    """None also where the file is not sound: then there is nothing to be worse than."""
    try:
        return None if version is None else shelf.load(version)
    except FileProblem:
        return None


def _measured(shelf: Shelf, standing: Standing, found: Collected, plan: Plan) -> tuple[dict[str, float], int]:
    model = _loaded(shelf, standing.active or standing.shadow)
    rows = found.rows[:RECENT]
    if model is None or not len(rows):
        return {}, -1
    indices = {name: round(index, 4) for name, index in drift(model.about, rows).items()}
    return indices, round(1_000_000 * told_share(model, rows, plan.tell_from))


def _newest(shelf: Shelf) -> Description | None:
    for version in reversed(shelf.versions()):
        try:
            return shelf.about(version)
        except FileProblem:
            continue
    return None
