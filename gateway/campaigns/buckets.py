"""Sums of all processes in the hot state: for each ten minutes so many keys, each of which holds a part of the cells.

A server answers in turn, and who waits behind a long answer is a visitor. So a bucket's fields are spread over several keys, and a call asks for so many
fields as are read in a millisecond or two.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from zlib import crc32

from gateway.campaigns.history import BUCKET_S, SPAN
from gateway.stores.hot import Add, HotState, Sums

SHARDS = 16
"""Keys of one bucket."""

BATCH = 60
"""Operations, or fields that are added, of one call."""

READ = 256
"""Fields that are asked for in one call, by what the same keys held last time."""

LEAST = 64
"""Fields that a key is taken to hold at least, since it may have filled up since it was read last."""

KEEP_S = SPAN * BUCKET_S + 86_400

_KEY = struct.Struct(">BQB")


class Buckets:
    """Times in microseconds; a bucket is numbered by BUCKET_S since 1970. Fields end in a letter; what stands before it is the cell."""

    def __init__(self, hot: HotState) -> None:
        self._hot = hot
        self._sizes = [LEAST] * SHARDS

    async def add(self, bucket: int, counts: Mapping[bytes, int], now: int) -> None:
        """A cell's fields in the order in which they are given: where there is no more room, the later ones are left out."""
        shards: dict[int, list[tuple[bytes, int]]] = {}
        for field, number in counts.items():
            shards.setdefault(crc32(field[:-1]) % SHARDS, []).append((field, number))
        for shard, fields in shards.items():
            for at in range(0, len(fields), BATCH):
                await self._hot.observe([Add(_key(bucket, shard), tuple(fields[at : at + BATCH]), KEEP_S)], now)

    async def read(self, bucket: int, now: int) -> list[Mapping[bytes, int]] | None:
        """None where not all of it was told: what stands in knows too little."""
        found: list[Mapping[bytes, int]] = []
        while len(found) < SHARDS:
            start = len(found)
            end, fields = start + 1, self._sizes[start]
            while end < SHARDS and fields + self._sizes[end] <= READ:
                fields += self._sizes[end]
                end += 1
            answers = await self._hot.observe([Sums(_key(bucket, shard)) for shard in range(start, end)], now)
            if answers.partial:
                return None
            for shard, sums in enumerate(answers.results, start):
                if not isinstance(sums, Mapping):
                    return None
                # A bucket that has just begun is small, and the one before it may be full: what was large once is forgotten slowly.
                self._sizes[shard] = max(len(sums), self._sizes[shard] * 3 // 4, LEAST)
                found.append(sums)
        return found


def _key(bucket: int, shard: int) -> bytes:
    return _KEY.pack(ord("Z"), bucket, shard)
