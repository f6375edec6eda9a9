"""The pointer: movements that no hand makes.

Each finding has innocent causes and a generator that avoids it, so each is weak; several together say more. Who moves no pointer (keyboard,
touch, screen reader) has no such fact and is not looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Self

from detectors.behaviour import Pointer
from detectors.data_files import load
from detectors.observation import (
    Observation,
)
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference


@dataclass(frozen=True, slots=True)
class PointerLimits:
    """data/pointer_limits.yaml; shares and spreads in thousandths."""

    least_moves: int
    even_timing: int
    even_moves: int
    even_steps: int
    still: int
    reversals: int
    turn_mrad: int
    hold_ms: int
    arrival_speed: int
    flat_spread: int
    flat_arrival_speed: int
    straight: int
    content_hash: str

    @classmethod
    def build(cls, table: Mapping[str, int]) -> Self:
        return cls(**table, content_hash=hashlib.sha256(repr(sorted(table.items())).encode()).hexdigest())

    @classmethod
    @cache
    def builtin(cls) -> Self:
        return cls.build(load("pointer_limits.yaml")[0])


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    seen = obs.pointer
    if not isinstance(seen, Pointer):
        return
    limits = ref.pointer
    # A tap on a screen has no length, and no movement leads to it.
    if seen.movements and 0 <= seen.hold_ms < limits.hold_ms:
        yield Signal("pointer.no_hold", evidence=(str(seen.hold_ms),))
    if seen.moves < limits.least_moves:
        return
    yield from _path(seen, limits)
    yield from _movements(seen, limits)


def _path(seen: Pointer, limits: PointerLimits) -> Iterator[Signal]:
    if seen.moves >= limits.even_moves and seen.interval_spread < limits.even_timing:
        yield Signal("pointer.even_timing", evidence=(_percent(seen.interval_spread), str(seen.moves)))
    if 0 <= seen.step_spread < limits.even_steps:
        yield Signal("pointer.even_steps", evidence=(_percent(seen.step_spread), str(seen.moves)))
    if seen.still > limits.still:
        yield Signal("pointer.still", evidence=(_percent(seen.still), str(seen.moves)))
    if seen.reversals > limits.reversals or seen.turn_mrad > limits.turn_mrad:
        yield Signal("pointer.jitter", evidence=(_percent(seen.reversals), str(seen.moves)))


def _movements(seen: Pointer, limits: PointerLimits) -> Iterator[Signal]:
    if seen.straight >= limits.straight and seen.straight == seen.oblique:
        yield Signal("pointer.straight", evidence=(str(seen.straight),))
    # Somebody who steers by a stick keeps one speed too, but slows down at the end.
    fastest = limits.arrival_speed if seen.arrival_spread >= limits.flat_spread else limits.flat_arrival_speed
    if seen.arrival_speed > fastest:
        yield Signal("pointer.full_stop", evidence=(_percent(seen.arrival_speed), str(seen.arrivals)))


def _percent(thousandths: int) -> str:
    return f"{thousandths / 10:g} %"
