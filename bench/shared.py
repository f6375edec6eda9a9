"""What a decision costs by store, by workers and by the way it is asked for; the work of Redis, PostgreSQL, wrk and the origin told apart.

    python bench/shared.py [--rounds 3] [--seconds 2] [--workers 1,2]

Every row is CPU time for one visit, in microseconds: of the gateway (all its processes), of Redis, of PostgreSQL, and of what is only there to
measure (wrk, the origin). `per core`: visits a second that one core of the gateway has room for, a million divided by its microseconds: what a gateway does
whose load, stores and origin run elsewhere. `measured`: what came through on this machine, where all of them share its cores. Where the cores do
not suffice for all of them, two workers cannot bring twice as much; the row says how many cores were busy.

Medians of interleaved rounds. Nothing here passes or fails. What is not installed is said and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import programs
from bench.load import Load, Missing, Traffic, cpu_seconds, free_port, running, settled
from bench.own_stores import own_stores

OUT = Path(__file__).parent / "out"
HOST = "derived.example"
LOADS = {
    "page that is no landing page": Load("landing", HOST, "/about"),
    "landing page": Load("landing", HOST),
    "auth (a proxy asks)": Load("auth", HOST),
    "assess, one at a time": Load("assess", HOST),
    "assess, 50 at a time": Load("batch", HOST),
}
ASKED = ("auth", "assess", "batch")


class Place(NamedTuple):
    """One gateway and what it stands on. stores: process ids by name."""

    label: str
    pid: int
    port: int
    admin: int
    stores: dict[str, int]


class Run(NamedTuple):
    """One load on one place. us: microseconds for one visit by who used them; busy: cores in use while it ran."""

    us: dict[str, float]
    rate: float
    failed: int
    busy: float


def measure(traffic: Traffic, place: Place, load: Load, seconds: int, origin: int) -> Run:
    watched = {"gateway": place.pid, **place.stores, "origin": origin}
    before = {name: settled(pid) for name, pid in watched.items()}
    sent = traffic.send(load, place.admin if load.kind in ASKED else place.port, seconds)
    at_once = sum(cpu_seconds(pid) - before[name] for name, pid in watched.items()) + sent.cpu
    used = {name: settled(pid) - before[name] for name, pid in watched.items()} | {"wrk": sent.cpu}
    visits = max(1, sent.visits)
    us = {name: seconds / visits * 1e6 for name, seconds in used.items()}
    return Run(us, sent.visits / sent.seconds, sent.refused + sent.broken, at_once / sent.seconds)


def places(stack: ExitStack, folder: Path, origin: int, workers: list[int]) -> tuple[list[Place], list[str]]:
    """Gateways that run, and what could not be had."""
    missing: list[str] = []
    wanted: list[tuple[str, dict[str, Any], dict[str, int]]] = [("memory, SQLite", {}, {})]
    for number in workers:
        try:
            stores = stack.enter_context(own_stores())
        except Missing as error:
            missing.append(f"rows with Redis and PostgreSQL: {error}")
            break
        label = f"Redis, PostgreSQL, {number} worker{'s' if number > 1 else ''}"
        wanted.append((label, {"state": stores.state, "store": stores.store, "workers": number}, stores.pids))
    found = []
    for place, (label, settings, pids) in enumerate(wanted):
        own = folder / f"gateway-{place}"
        own.mkdir()
        port, admin = free_port(), free_port()
        command = programs.leadgate(own, port, origin, admin, **settings)
        pid = stack.enter_context(running(command, port, own / "log"))
        found.append(Place(label, pid, port, admin, pids))
    return found, missing


def compare(
    rounds: int, seconds: int, workers: list[int]
) -> tuple[dict[tuple[str, str], list[Run]], list[str], dict[str, float]]:
    """Runs by (place, load), what is missing, and Caddy's and nginx' microseconds for the same visits passed on."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        traffic = Traffic(folder)
        origin = free_port()
        origin_pid = stack.enter_context(running(programs.nginx_origin(folder, origin), origin, folder / "origin.log"))
        found, missing = places(stack, folder, origin, workers)
        for name, starter in (("nginx", programs.nginx), ("Caddy", programs.caddy)):
            port = free_port()
            try:
                pid = stack.enter_context(running(starter(folder, port, origin), port, folder / f"{name}.log"))
            except Missing:
                missing.append(name)
            else:
                found.append(Place(name, pid, port, port, {}))
        cases = [
            (place, name)
            for place in found
            for name, load in LOADS.items()
            if place.label not in ("nginx", "Caddy") or name == "landing page"
        ]
        for place, name in cases:
            traffic.send(LOADS[name], place.admin if LOADS[name].kind in ASKED else place.port, 1)
        runs: dict[tuple[str, str], list[Run]] = {(place.label, name): [] for place, name in cases}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for place, name in cases:
                runs[place.label, name].append(measure(traffic, place, LOADS[name], seconds, origin_pid))
    plain = {
        name: median(run.us["gateway"] for run in runs.pop((name, "landing page")))
        for name in ("nginx", "Caddy")
        if (name, "landing page") in runs
    }
    return runs, missing, plain


def table(runs: dict[tuple[str, str], list[Run]], plain: dict[str, float]) -> list[str]:
    parts = ("gateway", "redis", "postgres", "wrk", "origin")
    lines = [f"{'':34}" + "".join(f"{name:>9}" for name in (*parts, "per core", "measured", "busy", "/ Caddy"))]
    last = ""
    for (place, name), found in runs.items():
        if place != last:
            lines.append(place)
            last = place
        us = {part: median(run.us.get(part, 0.0) for run in found) for part in parts}
        cells = "".join(f"{us[part]:>9.1f}" if us[part] else f"{'-':>9}" for part in parts)
        rate, busy = median(run.rate for run in found), median(run.busy for run in found)
        ratio = f"{us['gateway'] / plain['Caddy']:>9.2f}" if "Caddy" in plain else f"{'-':>9}"
        failed = sum(run.failed for run in found)
        cells += f"{1e6 / us['gateway'] if us['gateway'] else 0:>9.0f}{rate:>9.0f}{busy:>9.1f}{ratio}"
        lines.append(f"  {name:32}{cells}{f'  {failed} FAILED' if failed else ''}")
    lines += [f"{name} passing the landing page on: {us:.1f} us" for name, us in plain.items()]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of load in each round for each row")
    parser.add_argument("--workers", default="1,2", help="numbers of workers that share Redis and PostgreSQL")
    options = parser.parse_args()
    try:
        numbers = [int(number) for number in options.workers.split(",") if number]
        runs, missing, plain = compare(options.rounds, options.seconds, numbers)
    except Missing as error:
        print(f"{error} is not installed; `.ci/setup bench` installs it. Nothing was measured.")
        return 0
    load = os.getloadavg()[0]
    print(f"\n{os.cpu_count()} cores, load average {load:.1f}, {options.rounds} rounds of {options.seconds:g} s")
    print("\n".join(table(runs, plain)))
    for what in missing:
        print(f"Left out: {what}")
    OUT.mkdir(exist_ok=True)
    told = {
        "at": int(time.time()),
        "cores": os.cpu_count(),
        "load": load,
        "plain": plain,
        "rows": [
            {"place": place, "load": name, "runs": [run._asdict() for run in found]}
            for (place, name), found in runs.items()
        ],
    }
    (OUT / "shared.json").write_text(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
