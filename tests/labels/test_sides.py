"""Which side labels speak for."""

from __future__ import annotations

from gateway.labels.sides import side_of
from gateway.model import Label
from gateway.stores.labels import StoredLabel


def said(label, source="review", at=0):
    return StoredLabel("r", Label(label), "ann", source, at, at, f"{source}{at}")


def side(*labels):
    found = side_of(labels)
    return None if found is None else (found.bad, found.weight)


def test_sides():
    assert side() is None
    assert [side(said(each)) for each in Label] == [
        (False, 1.0), (True, 1.0), (True, 1.0), (True, 0.4), (True, 0.4), (False, 1.0), (False, 1.0), (False, 1.0), (False, 1.0),
    ]  # fmt: skip


def test_the_latest_counts_and_a_proof_before_it():
    assert side(said("bot", at=1), said("person", at=2)) == (False, 1.0)
    assert side(said("person", at=2), said("junk", "crm", at=3)) == (True, 1.0)
    assert side(said("customer", "crm", at=1), said("junk", at=9)) == (False, 1.0)
    assert side(said("customer", "crm", at=1), said("junk", "crm", at=9)) == (True, 1.0)  # taken back
