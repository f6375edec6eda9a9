"""Lists under LEADGATE_TEST_DATA (default ../shared/data). What each is and where it comes from stands in the SOURCE.md beside it."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from bench.table import Absent

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data"))

T = TypeVar("T")


def path(name: str) -> Path:
    """Raises Absent."""
    found = DATA / name
    if not found.is_file():
        raise Absent(f"{found} is not there; set LEADGATE_TEST_DATA to the folder that holds it")
    return found


def lines(name: str) -> list[str]:
    """Lines that are not empty; .gz is unpacked. Raises Absent."""
    found = path(name)
    if found.suffix == ".gz":
        with gzip.open(found, "rt", encoding="utf-8", errors="replace") as text:
            return [line.strip("\r\n") for line in text if line.strip()]
    return [line for line in found.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def table(name: str) -> list[dict[str, str]]:
    """Rows of a CSV file with a head. Raises Absent."""
    with path(name).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def thinned(items: Sequence[T], most: int) -> Sequence[T]:
    """At most `most` of them, evenly spread."""
    return items if len(items) <= most else [items[place * len(items) // most] for place in range(most)]
