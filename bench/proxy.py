"""CPU time of one request through Leadgate, beside nginx, HAProxy, Caddy and plain aiohttp, in one run.

    python bench/proxy.py [--rounds 4] [--seconds 2] [--only leadgate]

Every program stands before the same origin (nginx, a constant page of 1 kB) and gets the same requests (wrk, 32 keep-alive
connections; visitors as in bench/visitors.py). The rounds are interleaved, so that a busy neighbour on the machine hits
all alike; medians of the rounds are shown. What is counted is user and system time of the program's whole process tree, what
it does after the last answer included. Ratios travel from machine to machine, microseconds do not; nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import programs
from bench.load import CONNECTIONS, Load, Missing, Traffic, free_port, running, settled
from bench.visitors import FLOOD

OUT = Path(__file__).parent / "out"
PAGE, FORM = "page view", "form post"

Starter = Callable[[Path, int, int], list[str]]


class Case(NamedTuple):
    """One line of the table: which program, under which load."""

    label: str
    program: str
    load: Load
    kind: str = PAGE


DERIVED, COOKIE, FORMS = "derived.example", "cookie.example", "forms.example"
CASES = (
    Case("nginx", "nginx", Load()),
    Case("HAProxy", "haproxy", Load()),
    Case("Caddy", "caddy", Load()),
    Case("aiohttp, plain pass-through", "aiohttp", Load()),
    Case("Leadgate, a page that is no landing page", "leadgate", Load(host=DERIVED, path="/about")),
    Case("Leadgate, landing page judged and recorded", "leadgate", Load(host=DERIVED)),
    Case("  the same with session cookies", "leadgate", Load(host=COOKIE)),
    Case("  the same with a token put into the form", "leadgate", Load(host=FORMS)),
    Case("  a flood: one browser, one address", "leadgate", Load(host=DERIVED, traffic=FLOOD)),
    Case("nginx", "nginx", Load("submission", path="/lead"), FORM),
    Case("Caddy", "caddy", Load("submission", path="/lead"), FORM),
    Case("aiohttp, plain pass-through", "aiohttp", Load("submission", path="/lead"), FORM),
    Case("Leadgate, form kept, judged and passed on", "leadgate", Load("submission", FORMS, "/lead"), FORM),
)


class Run(NamedTuple):
    """One case in one round. us: microseconds of CPU for one request."""

    us: float
    rate: float
    failed: int


def measure(traffic: Traffic, case: Case, pid: int, port: int, seconds: int) -> Run:
    before = settled(pid)
    sent = traffic.send(case.load, port, seconds)
    used = settled(pid) - before
    return Run(used / max(1, sent.visits) * 1e6, sent.visits / sent.seconds, sent.refused + sent.broken)


def compare(rounds: int, seconds: int, only: str | None) -> tuple[dict[Case, list[Run]], list[str], dict[str, float]]:
    """Runs by case, the programs that are missing, and what Leadgate's own counters say."""
    missing: list[str] = []
    started: dict[str, tuple[int, int]] = {}
    admin = free_port()
    starters: dict[str, Starter] = {
        "nginx": programs.nginx,
        "haproxy": programs.haproxy,
        "caddy": programs.caddy,
        "aiohttp": programs.aiohttp,
        "leadgate": lambda folder, port, origin: programs.leadgate(folder, port, origin, admin),
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        traffic = Traffic(folder)
        origin = free_port()
        stack.enter_context(running(programs.nginx_origin(folder, origin), origin, folder / "programs.log"))
        for name, starter in starters.items():
            if only not in (None, name):
                continue
            port = free_port()
            try:
                command = starter(folder, port, origin)
            except Missing:
                missing.append(name)
                continue
            started[name] = stack.enter_context(running(command, port, folder / f"{name}.out")), port
        cases = [case for case in CASES if case.program in started]
        for case in cases:  # connections are opened, caches filled, Python's hot code specialised
            traffic.send(case.load, started[case.program][1], 1)
        runs: dict[Case, list[Run]] = {case: [] for case in cases}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for case in cases:
                runs[case].append(measure(traffic, case, *started[case.program], seconds))
        own = counters(admin) if "leadgate" in started else {}
    return runs, missing, own


def counters(admin: int) -> dict[str, float]:
    """The sums of those of Leadgate's counters that must be zero for its numbers to stand."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10).read().decode()
    names = ("records_dropped", "unjournaled", "handler_failures", "detector_failures", "fail_open")
    found = dict.fromkeys(names, 0.0)
    for line in text.splitlines():
        for name in names:
            if line.startswith((f"leadgate_{name}_total ", f"leadgate_{name}_total{{")):
                found[name] += float(line.rpartition(" ")[2])
    return found


def table(runs: dict[Case, list[Run]]) -> list[str]:
    lines = [f"{'':44}{'us of CPU':>10}{'spread':>14}{'/ nginx':>9}{'/ Caddy':>9}"]
    for kind in (PAGE, FORM):
        middle = {case: median(run.us for run in found) for case, found in runs.items() if case.kind == kind}
        base = {case.program: us for case, us in middle.items() if case.program in ("nginx", "caddy")}
        if middle:
            lines.append(f"One {kind}")
        for case, us in middle.items():
            found = [run.us for run in runs[case]]
            ratios = "".join(f"{us / base[name]:>9.2f}" if name in base else f"{'-':>9}" for name in ("nginx", "caddy"))
            failed = sum(run.failed for run in runs[case])
            spread = f"{min(found):.0f}-{max(found):.0f}"
            lines.append(f"  {case.label:42}{us:>10.1f}{spread:>14}{ratios}{f'  {failed} FAILED' if failed else ''}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=2, help="of load in each round for each line")
    parser.add_argument("--only", help="one program alone: nginx, haproxy, caddy, aiohttp, leadgate")
    options = parser.parse_args()
    try:
        runs, missing, own = compare(options.rounds, options.seconds, options.only)
    except Missing as error:
        print(f"{error} is not installed; `.ci/setup bench` installs it. Nothing was measured.")
        return 0
    versions = programs.versions()
    load = os.getloadavg()[0]
    print(
        f"\n{os.cpu_count()} cores, load average {load:.1f}, {options.rounds} rounds of {options.seconds} s, {CONNECTIONS} connections"
    )
    print(", ".join(f"{name} {number}" for name, number in versions.items()) + "\n")
    print("\n".join(table(runs)))
    for name in missing:
        print(f"{name} is not installed and was left out.")
    wrong = {name: count for name, count in own.items() if count}
    if wrong:
        print("Leadgate's own counters: " + ", ".join(f"{name} {count:.0f}" for name, count in wrong.items()))
    OUT.mkdir(exist_ok=True)
    told = {
        "at": int(time.time()),
        "cores": os.cpu_count(),
        "load": load,
        "versions": versions,
        "counters": own,
        "cases": [
            {"kind": case.kind, "case": case.label.strip(), "runs": [run._asdict() for run in found]}
            for case, found in runs.items()
        ],
    }
    (OUT / "proxy.json").write_text(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
