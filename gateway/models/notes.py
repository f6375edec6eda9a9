"""What the last round of training said of each site and kind: read by the serving process for metrics, and by `leadgate model status`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from detectors.observation import Kind
from gateway.models.files import write

NOTE = "last.json"
MOST_NOTE = 1_000_000
"""Bytes of a note that are read; it has a few thousand."""
DRIFTED = 0.25
"""From here on a feature has moved so far that the model should be trained anew; below 0.1 nothing has changed. The usual reading of the index."""


class Note(msgspec.Struct, frozen=True):
    """How the last round went for one site and kind.

    at        UTC microseconds
    result    "trained", "waiting" (too little traffic yet), "refused" (backwards), "failed", "not due"
    detail    in words, with what to do
    accepted  accepted records that could be learned from
    drift     stability index by feature, of the newest accepted records against the model in force
    unusual   share of them that it calls unusual, in millionths; -1 unknown
    """

    at: int
    place: str
    result: str
    detail: str
    accepted: int = 0
    drift: dict[str, float] = {}
    unusual: int = -1


def drifted(note: Note) -> list[str]:
    """Features that have moved too far, the furthest first."""
    return sorted((name for name, index in note.drift.items() if index >= DRIFTED), key=lambda name: -note.drift[name])


def keep(directory: Path, site: str, kind: Kind, note: Note) -> None:
    """Raises FileProblem."""
    write(directory / site / kind.value / NOTE, msgspec.json.encode(note))


def last(directory: Path, site: str, kind: Kind) -> Note | None:
    """What the last round said; None where there was none, or it cannot be read. It is shown and decides nothing."""
    try:
        with (directory / site / kind.value / NOTE).open("rb") as file:
            return msgspec.json.decode(file.read(MOST_NOTE), type=Note)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def notes(directory: Path, sites: Sequence[str]) -> Iterator[Note]:
    for site in sites:
        for kind in Kind:
            note = last(directory, site, kind)
            if note is not None:
                yield note
