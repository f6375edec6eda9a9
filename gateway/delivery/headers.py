"""What the receiver of a lead is told about it: the X-Lead-* header fields."""

from __future__ import annotations

from rules.verdict import Verdict

Field = tuple[bytes, bytes]


def lead_headers(lead_id: str, verdict: Verdict) -> list[Field]:
    """Id, quality (0-100), verdict, class of traffic, and the ids of the signals that spoke against it."""
    reasons = ",".join([reason.signal for reason in verdict.reasons if reason.counted > 0])
    return [
        (b"X-Lead-Id", lead_id.encode()),
        (b"X-Lead-Quality", b"%d" % verdict.quality),
        (b"X-Lead-Verdict", verdict.decision.value.encode()),
        (b"X-Lead-Ivt", verdict.ivt.value.encode()),
        (b"X-Lead-Reasons", reasons.encode()),
    ]
