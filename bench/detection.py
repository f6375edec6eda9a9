"""Which share of known bots, bad addresses and dated lists each detector and the whole verdict finds where 0.1 % and 1 % of the good are hit,
beside packages that do the same.

    python -m bench.detection [part ...]         reads LEADGATE_TEST_DATA (default ../shared/data); parts by name, all without

Ratios only, no time. Absent data is said, never guessed. Rows marked "=" are peers. Behind each share stands its 95 % interval.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

from bench.grounds import data
from bench.grounds.judge import Judge
from bench.table import HEAD, Absent, Row, lines

PARTS = {
    "agents": "bench.grounds.agents",
    "copies": "bench.grounds.copies",
    "referrers": "bench.grounds.referrers",
    "networks": "bench.grounds.networks",
    "emails": "bench.grounds.emails",
    "names": "bench.identity",
    "texts": "bench.grounds.texts",
    "mouse": "bench.grounds.mouse",
    "log": "bench.grounds.log",
    "forest": "bench.grounds.forest",
    "cases": "bench.grounds.cases",
}
"""Module of each part, in the order of the table."""

Part = Callable[[Judge], list[Row]]


def part(name: str) -> Part:
    """Raises Absent where its module is not there."""
    try:
        found: Part = import_module(PARTS[name]).rows
    except ModuleNotFoundError as error:
        raise Absent(f"{error.name} is not there") from error
    return found


def main(names: list[str]) -> int:
    if unknown := set(names) - set(PARTS):
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    judge = Judge.shipped()
    print(f"lists {judge.reference.content_hash[:12]}, rules {judge.rules.content_hash()[:12]}, data {data.DATA}")
    print(HEAD)
    for name in names or list(PARTS):
        try:
            print("\n".join(lines(part(name)(judge))), flush=True)
        except Absent as absent:
            print(f"\n{name}: not measured, {absent}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
