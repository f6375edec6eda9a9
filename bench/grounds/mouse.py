"""Recorded pointers: people with a mouse, and in a virtual machine, against two generators."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.grounds import data
from bench.grounds.judge import Judge, post
from bench.table import Ground, Row
from detectors.observation import Kind, Observation
from gateway.intake.pointer import Event, pointer_of

KINDS = {
    "Pressed": "down",
    "Released": "up",
    "Move": "move",
    "TouchStart": "down",
    "TouchEnd": "up",
    "TouchMove": "move",
}
SHARE = 2.0
"""Where no coordinate exceeds it, coordinates are shares of the screen."""


def rows(judge: Judge) -> list[Row]:
    recordings = [json.loads(line) for line in data.lines("mouse/trajectories.jsonl.gz")]
    groups: dict[str, list[bytes]] = {}
    for recording in recordings:
        groups.setdefault(recording["group"], []).append(msgspec.json.encode(_events(recording)))
    good = groups["human_pc1"] + groups["human_vm"]
    scorers = judge.scorers(_observe, ("pointer",), Kind.SUBMISSION)
    found = []
    for name in ("bot_pynput", "bot_pyhm"):
        found += Ground(
            f"pointer: {name.removeprefix('bot_')}", groups[name], good, scorers, "one task: round a circle"
        ).rows()
    return found


def _observe(events: bytes) -> Observation:
    read = msgspec.json.decode(events, type=list[Event])
    return msgspec.structs.replace(post((), {"email": "maria.keller@web.de"}), pointer=pointer_of(read))


def _events(recording: dict[str, Any]) -> list[Event]:
    raw: Sequence[Any] = recording["events"]
    shares = max((max(event[2], event[3]) for event in raw), default=0) <= SHARE
    width, height = recording["resolution"] if shares else (1.0, 1.0)
    return [(at, KINDS[kind], x * width, y * height) for at, kind, x, y in raw if kind in KINDS]
