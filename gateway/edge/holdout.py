"""Hold-outs: a random part of what would be held goes to the origin, so that it can be measured how often holding is wrong.

Drawn by lead id with a key of the installation: the same lead always falls on the same side, on every worker and at every try, and nobody outside
can choose an id that passes.
"""

from __future__ import annotations

import hmac

from gateway.labels.holdouts import EVENT as EVENT
from gateway.labels.holdouts import MILLION
from gateway.pipeline import Judged
from rules.verdict import Decision


def eligible(judged: Judged) -> bool:
    """Would the score alone hold it? Nothing that a list, a fact or an unread form decided is ever let through for the sake of measuring."""
    verdict = judged.verdict
    if verdict.decision is not Decision.REVIEW or any(reason.decisive for reason in verdict.reasons):
        return False
    return verdict.decided_by.startswith("threshold ")


def drawn(key: bytes, judged: Judged, share: float) -> bool:
    """share: 0 to 1."""
    return eligible(judged) and lot(key, judged.arrival.id) < share * MILLION


def lot(key: bytes, lead_id: str) -> int:
    """A number from 0 to MILLION - 1, even over all ids."""
    return int.from_bytes(hmac.digest(key, lead_id.encode(), "sha256")[:8], "big") % MILLION


def told(judged: Judged, share: float) -> dict[str, object]:
    """What the event says: the share in millionths, for what one such lead stands for, and the score."""
    return {"share": round(share * MILLION), "score": judged.verdict.score, "form": judged.arrival.form or ""}
