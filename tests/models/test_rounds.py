"""A round of training on a real store: what it waits for, learns from, leaves out, publishes, promotes and notes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_observations import counts, observation

from detectors.anomaly.feature_sets import NAMES
from detectors.observation import Kind, Observation, Velocity
from gateway.evidence.record import build
from gateway.model import Label, Mode, new_id
from gateway.models import training
from gateway.models.collect import collect, labelled
from gateway.models.compare import compare
from gateway.models.drift import drift, rank_correlation, stability_index
from gateway.models.files import Shelf, Signer, Standing
from gateway.models.job import Plan, round_of
from gateway.models.notes import drifted, last
from gateway.models.training import bins
from gateway.stores.keys import KeyRing
from gateway.stores.labels import NewLabel
from gateway.stores.sqlite.store import SqliteStore
from rules import loader

RULES = loader.load()
NOW = 1_790_000_000_000_000
HOUR = 3_600_000_000
KIND = Kind.LANDING
COUNT = 600


def visit(number: int, busy: float, site: str = "acme") -> Observation:
    chance = np.random.default_rng(number)
    velocity = observation().velocity
    assert isinstance(velocity, Velocity)
    rows = velocity.flat()
    for key in ("address/3600", "address/86400", "session/86400", "prefix/3600", "session/60"):
        count = 1 + int(busy * chance.exponential(1.5))
        rows[key] = counts(key, count, 1).flat()[key]
    return observation(velocity=Velocity.of(rows), at=NOW - (10_000 - number) * 1_000_000, site=site)


def entry(obs: Observation, rid: str | None = None):  # type: ignore[no-untyped-def]
    verdict = RULES.judge([], obs, RULES.policy(obs.kind))
    return build(
        obs, id=rid or new_id(), mode=Mode.MONITOR, recorded_at=obs.at, signals=[], verdict=verdict, generation="0" * 16
    )


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    KeyRing.open(tmp_path / "keys")
    return Plan(tmp_path / "models", tmp_path / "keys", 500, 2_000, 24 * HOUR, 24 * HOUR, 0.98)


@pytest.fixture
async def store(tmp_path: Path, plan: Plan):  # type: ignore[no-untyped-def]
    opened = SqliteStore.open(tmp_path / "store.db", KeyRing.open(plan.keys), writer="gateway-0")
    yield opened
    await opened.close()


async def fill(store: SqliteStore, count: int = COUNT, busy: float = 1.0, start: int = 0) -> list[str]:
    entries = [entry(visit(start + number, busy)) for number in range(count)]
    await store.add(entries)
    await store.flush()
    return [one.id for one in entries]


async def one_round(store: SqliteStore, plan: Plan, now: int = NOW, force: bool = False):  # type: ignore[no-untyped-def]
    labels = await labelled(store)
    [note] = await round_of(store, plan, [("acme", KIND)], labels, now, lambda what, done, total: None, force)
    return note, Shelf(plan.directory, "acme", KIND, Signer.open(plan.keys)).standing()


async def test_it_waits_tries_out_promotes_and_is_quiet_in_between(store: SqliteStore, plan: Plan) -> None:
    await fill(store, 300)
    note, standing = await one_round(store, plan)
    assert (note.result, note.accepted, standing.active, standing.shadow) == ("waiting", 300, None, None)
    assert "300 of 500" in note.detail
    await fill(store, 300, start=300)
    note, standing = await one_round(store, plan)
    assert (note.result, standing.active) == ("trained", None)
    first = standing.shadow
    assert first is not None
    note, standing = await one_round(store, plan, NOW + HOUR)
    assert (note.result, standing.active, standing.shadow) == ("not due", None, first)
    note, standing = await one_round(store, plan, NOW + 25 * HOUR)
    assert (note.result, standing.active) == ("trained", first)
    assert standing.shadow not in (None, first)
    assert last(plan.directory, "acme", KIND) == note
    assert note.drift
    assert drifted(note) == []
    assert 0 <= note.unusual < 50_000


async def test_what_people_called_bad_and_what_is_not_accepted_is_not_learned_from(
    store: SqliteStore, plan: Plan
) -> None:
    ids = await fill(store, 40)
    for rid, label in zip(ids[:4], (Label.BOT, Label.JUNK, Label.CUSTOMER, Label.UNREACHABLE), strict=True):
        await store.label(rid, NewLabel(label, "ann", "review", NOW))
    await store.add([entry(visit(900, 1.0, site="other"))])
    rejected = msgspec.structs.replace(
        entry(visit(901, 1.0)), columns=msgspec.structs.replace(entry(visit(901, 1.0)).columns, verdict="review")
    )
    await store.add([rejected])
    await store.flush()
    found = await collect(store, "acme", KIND, 1_000, await labelled(store))
    assert (len(found.rows), found.read) == (38, 40)
    assert (len(found.bad), len(found.good)) == (2, 1)
    assert list(found.at) == sorted(found.at, reverse=True)
    few = await collect(store, "acme", KIND, 10, await labelled(store))
    assert len(few.rows) == 10
    assert few.at.min() > found.at[12]


async def test_a_shadow_that_finds_too_much_unusual_does_not_count(store: SqliteStore, plan: Plan) -> None:
    await fill(store)
    _, standing = await one_round(store, plan)
    await fill(store, 1_000, busy=30.0, start=COUNT)  # the traffic has changed since
    note, later = await one_round(store, plan, NOW + 25 * HOUR)
    assert later.active is None
    assert "%" in note.detail or later.shadow != standing.shadow


async def test_drift_is_seen_where_traffic_moves(store: SqliteStore, plan: Plan) -> None:
    await fill(store)
    _, standing = await one_round(store, plan)
    about = Shelf(plan.directory, "acme", KIND, Signer.open(plan.keys)).about(str(standing.shadow))
    same = await collect(store, "acme", KIND, 1_000, await labelled(store))
    moved = same.rows.copy()
    place = NAMES[KIND].index("address.1h")
    moved[:, place] = moved[:, place] * 6 + 3
    before, after = drift(about, same.rows), drift(about, moved)
    assert max(before.values()) < 0.1
    assert after["address.1h"] > 1
    assert {name for name in after if after[name] != before[name]} == {"address.1h"}
    assert stability_index(bins(same.rows[:, place]), same.rows[:100, place]) is None


async def test_two_models_are_compared_on_what_was_recorded(store: SqliteStore, plan: Plan) -> None:
    ids = await fill(store)
    await one_round(store, plan)
    await one_round(store, plan, NOW + HOUR, force=True)
    for number, rid in enumerate(ids[:50]):
        await store.label(rid, NewLabel(Label.BOT if number < 25 else Label.PERSON, "ann", "review", NOW))
    shelf = Shelf(plan.directory, "acme", KIND, Signer.open(plan.keys))
    one, other = (shelf.load(version) for version in shelf.versions())
    found = await compare(
        store, "acme", KIND, (one, other), RULES, lambda record: RULES.policy(record.kind), await labelled(store)
    )
    assert found.read == COUNT
    assert found.correlation > 0.9
    assert found.one.labelled is not None
    assert 0 <= found.both <= min(found.one.told, found.other.told)
    assert found.changes == {}


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0
    assert rank_correlation([], []) == 0


def test_a_round_that_cannot_write_says_so_and_goes_on(tmp_path: Path) -> None:
    """The keys are gone: nothing is trained, and the note tells the remedy."""

    async def run() -> None:
        KeyRing.open(tmp_path / "keys")
        store = SqliteStore.open(tmp_path / "store.db", KeyRing.open(tmp_path / "keys"), writer="gateway-0")
        plan = Plan(tmp_path / "models", tmp_path / "none", 500, 2_000, HOUR, HOUR, 0.997)
        labels = await labelled(store)
        notes = await round_of(store, plan, [("acme", kind) for kind in Kind], labels, NOW, lambda *_: None, False)
        await store.close()
        assert [note.result for note in notes] == ["failed", "failed"]
        assert "keys" in notes[0].detail

    asyncio.run(run())


async def test_what_was_promoted_while_it_trained_stays_in_force(
    store: SqliteStore, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody promotes by hand, or another training ends, within the minutes that this one takes."""
    await fill(store)
    _, standing = await one_round(store, plan)
    shadow, shelf = standing.shadow, Shelf(plan.directory, "acme", KIND, Signer.open(plan.keys))
    assert shadow is not None
    real = training.train

    def slow(traffic: training.Traffic, now: int) -> training.Trained:
        shelf.stand(Standing(shelf.place, shadow))
        return real(traffic, now)

    monkeypatch.setattr(training, "train", slow)
    note, standing = await one_round(store, plan, NOW + HOUR, force=True)
    assert (note.result, standing.active) == ("trained", shadow)


async def test_labels_of_one_record_on_two_pages_are_one_story(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called a bot, then corrected: of each source the last counts, wherever a page of labels ends."""
    [record] = await fill(store, 1)
    for number, said in enumerate((Label.BOT, Label.PERSON)):
        await store.label(record, NewLabel(said, "ann", "review", NOW + number))
    pages = store.labels

    async def one_each(since: int | None = None, until: int | None = None, cursor: str | None = None, limit: int = 1):  # type: ignore[no-untyped-def]
        return await pages(since, until, cursor, 1)

    monkeypatch.setattr(store, "labels", one_each)
    found = await labelled(store)
    assert (found.bad, found.good) == (frozenset(), {record})


def test_a_training_that_is_left_alone_ends() -> None:
    """Its gateway may be killed, and then nobody ends it."""
    code = (
        "import resource; from types import SimpleNamespace as N; from gateway.cli.model import _stay_small; "
        "_stay_small(N(model=N(max_memory_mb=2000, max_seconds=77))); print(resource.getrlimit(resource.RLIMIT_CPU))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(77, 77)"
