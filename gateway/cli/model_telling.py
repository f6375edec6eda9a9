"""What `leadgate model` tells: where models stand, in words and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from detectors.observation import Kind
from gateway.cli.common import fail
from gateway.config import Config
from gateway.model import now_us
from gateway.models.files import FileProblem, Shelf, Signer
from gateway.models.notes import DRIFTED, Note, drifted, last

if TYPE_CHECKING:
    from gateway.models.compare import Comparison, Side

NEVER = "never trained"


def open_shelf(config: Config, site: str, kind: Kind) -> Shelf:
    try:
        return Shelf(config.models_path, site, kind, Signer.open(config.keys_path))
    except FileProblem as error:
        fail(str(error))


def round_told(note: Note) -> dict[str, Any]:
    return {
        "place": note.place,
        "at": note.at,
        "result": note.result,
        "detail": note.detail,
        "accepted": note.accepted,
        "unusual": None if note.unusual < 0 else note.unusual / 1e6,
        "drift": note.drift,
        "drifted": drifted(note),
    }


def standing_of(config: Config, site: str, kind: Kind) -> dict[str, Any]:
    note = last(config.models_path, site, kind)
    found: dict[str, Any] = {
        "site": site,
        "kind": kind.value,
        "active": None,
        "shadow": None,
        "last": None,
        "problems": [],
    }
    if note is not None:
        found["last"] = round_told(note)
    if (config.models_path / site / kind.value).is_dir() and config.keys_path.is_dir():
        shelf = open_shelf(config, site, kind)
        try:
            standing = shelf.standing()
        except FileProblem as error:
            return found | {"problems": [str(error)], "abstains": True, "next": "leadgate model train"}
        for role, version in (("active", standing.active), ("shadow", standing.shadow)):
            if version is not None:
                try:
                    found[role] = _about(shelf, version, standing.shadow_since if role == "shadow" else 0)
                except FileProblem as error:
                    found["problems"].append(str(error))
    found["abstains"] = found["active"] is None or not config.model.enabled
    found["next"] = _next(config, found, note)
    return found


def _about(shelf: Shelf, version: str, since: int) -> dict[str, Any]:
    about = shelf.load(version).about
    direction = about.direction
    return {
        "version": version,
        "made_at": about.made_at,
        "age_hours": round((now_us() - about.made_at) / 3_600e6, 1),
        "from": about.first_at,
        "to": about.last_at,
        "read": about.read,
        "learned_from": about.used,
        "left_out": about.trimmed,
        "compared_with": about.reference_size,
        "ranks_known_bad": round(direction.known_bad, 3),
        "ranks_labelled": None if direction.labelled is None else round(direction.labelled, 3),
        "labels": [direction.bad, direction.good],
    } | ({"tried_out_since": since} if since else {})


def _next(config: Config, found: dict[str, Any], note: Note | None) -> str:
    if not config.model.enabled:
        return "Set model.enabled: true to use models."
    if found["problems"]:
        return "Train anew: leadgate model train"
    if found["shadow"] is not None:
        left = config.model.shadow_hours - (now_us() - found["shadow"]["tried_out_since"]) / 3_600e6
        when = f"in {left:.0f} hours" if left > 0 else "in the next round"
        return f"{found['shadow']['version']} is tried out; it counts {when} if it is not worse. See for yourself: leadgate model compare"
    if note is not None and note.result in ("refused", "failed", "waiting"):
        return note.detail
    if note is not None and drifted(note):
        return f"Traffic has moved ({', '.join(drifted(note)[:3])}). Train anew: leadgate model train"
    if found["active"] is None:
        return f"The gateway trains by itself once {config.model.minimum:,} accepted requests are there. Now: leadgate model train"
    return "Nothing."


def in_words(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['site']}/{found['kind']}"]
    for role, word in (("active", "counts"), ("shadow", "is tried out, counts nothing")):
        about = found[role]
        if about is not None:
            lines += [
                f"  {about['version']} {word}: {about['age_hours']} hours old, learned from {about['learned_from']:,} accepted requests "
                f"({about['left_out']:,} left out as the most unusual), compared with {about['compared_with']:,}",
                f"    ranks known bad traffic above usual traffic in {about['ranks_known_bad']:.0%} of comparisons"
                + (
                    ""
                    if about["ranks_labelled"] is None
                    else f", labelled bad above good in {about['ranks_labelled']:.0%}"
                ),
            ]
    if found["abstains"]:
        lines.append("  no model counts: nothing is said of visitors, and confidence is not lowered")
    note = found["last"]
    if note is not None:
        lines.append(f"  last round: {note['result']} ({note['detail']})")
        if note["unusual"] is not None:
            worst = max(note["drift"].values(), default=0.0)
            far = f": {', '.join(note['drifted'])}" if note["drifted"] else ""
            lines.append(
                f"  of recent accepted traffic {note['unusual']:.2%} is unusual; drift at most {worst:.2f} ({DRIFTED} is a lot){far}"
            )
    else:
        lines.append(f"  {NEVER}")
    return [*lines, *(f"  {problem}" for problem in found["problems"]), f"  next: {found['next']}"]


def comparison(found: Comparison) -> dict[str, Any]:
    def side(one: Side) -> dict[str, Any]:
        return {"version": one.version, "unusual": one.told, "ranks_labelled": one.labelled}

    return {
        "read": found.read,
        "rank_correlation": round(found.correlation, 4),
        "a": side(found.one),
        "b": side(found.other),
        "both_unusual": found.both,
        "changed": [{"before": x, "after": y, "count": n} for (x, y), n in sorted(found.changes.items())],
        "examples": [{"id": i, "before": x, "after": y} for i, x, y in found.examples],
    }


def compared(found: Comparison) -> Sequence[str]:
    lines = [f"{found.read:,} recorded requests; they rank alike by {found.correlation:.2f} (1 is the same order)"]
    for one in (found.one, found.other):
        labelled = "too few labels" if one.labelled is None else f"labelled bad above good in {one.labelled:.0%}"
        lines.append(f"  {one.version}: {one.told:,} unusual; {labelled}")
    lines.append(f"  both call {found.both:,} unusual")
    lines += [f"  {n:,} verdicts would change from {x} to {y}" for (x, y), n in sorted(found.changes.items())]
    lines += [f"    {i}: {x} to {y}" for i, x, y in found.examples] or ["  no verdict would change"]
    return lines


def model_then(generation: bytes | None, site: str, kind: Kind) -> str:
    """Which model had an opinion when a request was judged, by the generation it was judged under."""
    try:
        versions = orjson.loads(generation or b"{}").get("models", {})
    except orjson.JSONDecodeError:
        versions = {}
    version = versions.get(f"{site}/{kind.value}")
    if version is None:
        return "none was there yet for this site and kind of request; that counts neither for nor against anybody"
    return f"{version}; where it is not named above, it found the request usual"
