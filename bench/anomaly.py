"""How well the anomaly model finds programs that keep below every limit, beside scikit-learn's isolation forest on the same features; and what it costs.

    python bench/anomaly.py [--people 1800] [--seeds 3]

Made-up days of one site (tests/support/anomaly_traffic.py): people from homes, carriers and offices, and four kinds of evasive programs. Models are
trained on one town and measured on another, with none to a tenth of programs among the traffic they learn from. And the access log of
LEADGATE_TEST_DATA (default ../shared/data): declared bots are the bad, all others the good, by behaviour alone, their user agents are not looked at;
declared bots are in the training traffic too, as they would be where nobody tells them apart.

Recall is at the threshold that 1 % or 0.1 % of the people measured on exceed: the forest's order, not the shipped threshold. "told" is what the shipped
threshold reports. Scores are no time; costs are processor time, the least of several runs, in microseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

import numpy as np
from anomaly_traffic import PERSON, Town, Visit, of_kind
from sklearn.ensemble import IsolationForest

from detectors.agent_patterns import Agents
from detectors.anomaly.explain import explain
from detectors.anomaly.model import Model, Models
from detectors.anomaly.reading import vector
from detectors.observation import Kind
from gateway.models.collect import observed
from gateway.models.training import Refused, Traffic, Trained, auc, fill, medians, train
from gateway.replay import session
from gateway.replay.files import LogFile
from gateway.replay.store import open_for_reading
from gateway.stores.records import RecordFilter

DECLARED = ("scanner", "http_library", "headless", "monitor", "crawler", "empty")
DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data"))
NOW = 1_790_000_000_000_000
PROGRAMS_A_DAY = 6
LEARNED_WITH = (0, 2, 4, 6, 8)
"""Programs of each kind a day among the traffic that is learned from: with 1,800 people a day 0, 3, 6, 8 and 11 % of page views."""
HEAD = (
    "measured on",
    "bad",
    "n",
    "AUC",
    "recall 1 %",
    "recall 0.1 %",
    "told",
    "people told",
    "plain AUC",
    "plain 1 %",
    "plain 0.1 %",
)

Scores = Callable[[Any], Any]


def plain(rows: Any) -> Scores:
    """scikit-learn as it comes: the same features as people read them, no trimming, no scale, no sides; gaps are medians."""
    middle = medians(rows)
    fitted = IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(fill(rows, middle))
    return lambda more: -fitted.score_samples(fill(more, middle))


def recall(bad: Any, good: Any, share: float) -> float:
    return float((bad > np.quantile(good, 1 - share)).mean())


def line(where: str, who: str, made: Trained, other: Scores, bad: Any, good: Any) -> tuple[str, ...]:
    ours, theirs = (made.scores(bad), made.scores(good)), (other(bad), other(good))
    reference = np.array(made.about.reference)
    tell = Models.builtin().limits.tell_from
    told = [float((np.searchsorted(reference, scores) / (len(reference) + 1) >= tell).mean()) for scores in ours]
    found = [
        auc(*ours),
        recall(*ours, 0.01),
        recall(*ours, 0.001),
        *told,
        auc(*theirs),
        recall(*theirs, 0.01),
        recall(*theirs, 0.001),
    ]
    return (where, who, str(len(bad)), *(f"{value:.3f}" for value in found))


def matrix(visits: list[Visit]) -> Any:
    return np.array([vector(visit.observation) for visit in visits], np.float32)


def towns(people: int, seed: int) -> list[tuple[str, ...]]:
    learned_from = [Town(people, 4, programs, seed).visits() for programs in LEARNED_WITH]
    fresh = Town(people, 4, PROGRAMS_A_DAY, seed + 1000).visits()
    rows = []
    for kind in Kind:
        test = list(of_kind(fresh, kind))
        good = matrix([visit for visit in test if visit.who == PERSON])
        for visits in learned_from:
            learned = list(of_kind(visits, kind))
            at = np.array([visit.observation.at for visit in learned], np.int64)
            made = train(Traffic("acme", kind, matrix(learned), at), NOW)
            share = sum(visit.who != PERSON for visit in learned) / len(learned)
            for who in sorted({visit.who for visit in test} - {PERSON}):
                bad = matrix([visit for visit in test if visit.who == who])
                rows.append(line(f"{kind}, {share:.0%} programs", who, made, plain(matrix(learned)), bad, good))
    return rows


def access_log() -> list[tuple[str, ...]]:
    path = DATA / "access-log" / "apache_logs.gz"
    if not path.is_file():
        return [("access log", "absent", *[""] * (len(HEAD) - 2))]
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "replay.db"
        session.run([LogFile(str(path))], store, None)
        observations = asyncio.run(_recorded(store))
    agents = Agents.builtin()
    declared = np.array(
        [agents.declared(obs.request.header("user-agent") or "").kind in DECLARED for obs in observations]
    )
    values, at = (
        np.array([vector(obs) for obs in observations], np.float32),
        np.array([obs.at for obs in observations], np.int64),
    )
    order = np.argsort(at)
    values, at, declared = values[order], at[order], declared[order]
    half = len(values) // 2
    try:
        made = train(Traffic("log", Kind.LANDING, values[:half], at[:half]), NOW)
    except Refused as error:
        return [("access log", f"refused: {error}", *[""] * (len(HEAD) - 2))]
    late, bots = values[half:], declared[half:]
    where = f"access log ({declared[:half].mean():.0%} declared)"
    return [line(where, "declared bots", made, plain(values[:half]), late[bots], late[~bots])]


async def _recorded(path: Path) -> list[Any]:
    store = open_for_reading(path)
    found, cursor = [], None
    try:
        while True:
            page = await store.records(RecordFilter(kind="landing"), 500, cursor)
            found += [obs for entry in page.items if (obs := observed(entry)) is not None]
            cursor = page.next_cursor
            if cursor is None:
                return found
    finally:
        await store.close()


def least(work: Callable[[], object], times: int = 2_000, runs: int = 7) -> float:
    best = float("inf")
    for _ in range(runs):
        begun = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - begun) / times)
    return best * 1e6


def costs() -> None:
    visits = Town(300, 3, 1, 5).visits()
    print("\ncost, us of processor time     features   score   explanation (only of the unusual)   plain scikit-learn")
    for kind in Kind:
        some = list(of_kind(visits, kind))
        rows = matrix(some)
        made = train(Traffic("acme", kind, rows, np.arange(len(rows))), NOW)
        model, obs = Model(made.about, made.onnx), some[3].observation
        values = vector(obs)
        one = rows[3:4]
        other = plain(rows)
        print(
            f"{kind:<30} {least(lambda o=obs: vector(o)):8.1f} {least(lambda m=model, v=values: m.judge(v)):7.1f} "
            f"{least(lambda m=model, v=values: explain(m, v), 100):13.1f} {least(lambda f=other, r=one: f(r), 10, 3):37.0f}"
        )


def table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[place]) for row in [HEAD, *rows]) for place in range(len(HEAD))]
    for row in (HEAD, *rows):
        print(
            "  ".join(
                cell.ljust(width) if place < 2 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=1800, help="visitors a day of the made-up towns")
    parser.add_argument("--seeds", type=int, default=1, help="towns; one table each")
    chosen = parser.parse_args()
    for seed in range(1, chosen.seeds + 1):
        table(towns(chosen.people, seed) + (access_log() if seed == 1 else []))
    costs()


if __name__ == "__main__":
    main()
