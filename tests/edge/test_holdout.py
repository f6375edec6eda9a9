"""Who is drawn: the same share of all ids, always the same ones, never what was decided otherwise than by score."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest

from gateway.edge.holdout import drawn, lot, told
from gateway.model import new_id
from rules.verdict import Decision, Ivt, Reason, Verdict

KEY = b"k" * 32
VERDICT = Verdict(Decision.REVIEW, 40, 100, Ivt.UNDECIDED, None, 500, "threshold review_below 65", (), (), (), (), "")


def judged(record_id=None, **changes):
    verdict = msgspec.structs.replace(VERDICT, **changes)
    return SimpleNamespace(verdict=verdict, arrival=SimpleNamespace(id=record_id or new_id(), form="quote"))


def test_the_share_is_what_was_asked_for():
    ids = [f"0199c82c-c000-7000-8000-{number:012x}" for number in range(20_000)]
    for share in (0.01, 0.1, 0.2):
        count = sum(drawn(KEY, judged(each), share) for each in ids)
        spread = 4 * (20_000 * share * (1 - share)) ** 0.5
        assert abs(count - 20_000 * share) < spread
    assert [drawn(KEY, judged(each), 0.1) for each in ids[:500]] == [
        drawn(KEY, judged(each), 0.1) for each in ids[:500]
    ]
    assert [lot(KEY, each) for each in ids[:9]] != [lot(b"other", each) for each in ids[:9]]


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": Decision.REJECT},
        {"decision": Decision.ACCEPT},
        {"decided_by": "undecided: the form could not be read"},
        {"decided_by": "undecided: confidence 40 below 50"},
        {"decided_by": "deny list test"},
        {"decided_by": "decisive form.honeypot"},
        {"reasons": (Reason("form.honeypot", "form", "", (), 1000, 8000, 8000, "", decisive=True),)},
    ],
)
def test_only_what_the_score_alone_would_hold(changes):
    ids = [new_id() for _ in range(200)]
    assert not any(drawn(KEY, judged(each, **changes), 1.0) for each in ids)
    assert all(drawn(KEY, judged(each), 1.0) for each in ids)


def test_what_is_told():
    assert told(judged(), 0.05) == {"share": 50_000, "score": 500, "form": "quote"}
