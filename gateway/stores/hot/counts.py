"""Small counters, made once: an observation answers about forty, and nearly all are small."""

from __future__ import annotations

from detectors.observation import Count, Counts
from gateway.stores.hot import DISTINCT_CAP

SMALL = 128
COUNTS = tuple(tuple(Count(n, d) for n in range(SMALL)) for d in range(DISTINCT_CAP + 1))
"""By distinct members, then by count."""

FIRST_BARE: Counts = (COUNTS[0][1], COUNTS[0][1], COUNTS[0][1], COUNTS[0][1])
FIRST: Counts = (COUNTS[1][1], COUNTS[1][1], COUNTS[1][1], COUNTS[1][1])


def count_of(count: int, distinct: int) -> Count:
    return COUNTS[distinct][count] if count < SMALL else Count(count, distinct)
