"""Statements are checked alike wherever they come from."""

from __future__ import annotations

import tracemalloc

import pytest

from gateway.labels.statement import BadLabel, contact_terms, moment, statement
from gateway.model import Label, now_us


def made(label="customer", **more):
    return statement(label, **({"by": "ann", "source": "crm", "at": 5} | more))


def wrong(label="customer", **more):
    with pytest.raises(BadLabel) as caught:
        made(label, **more)
    return [field for field, _ in caught.value.problems]


def test_what_is_written():
    told = made("Not Fit", note=" called twice ")
    assert (told.label, told.at, told.note) == (Label.NOT_FIT, 5, "called twice")
    assert made(value=1299, currency="eur").data()["value"] == "1299"
    assert (made(value="1299.50", currency="EUR").value, made(value=0.1, currency="EUR").value) == ("1299.50", "0.1")
    assert set(made("person").data()) == {"label", "by", "source", "at"}
    assert abs(made(at=None).at - now_us()) < 60_000_000


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"label": "vip"}, ["label"]),
        ({"label": ""}, ["label"]),
        ({"value": "1.299,00", "currency": "EUR"}, ["value"]),
        ({"value": "-5", "currency": "EUR"}, ["value"]),
        ({"value": "1e99", "currency": "EUR"}, ["value"]),
        ({"value": "NaN", "currency": "EUR"}, ["value"]),
        ({"value": True, "currency": "EUR"}, ["value"]),
        ({"value": "5"}, ["currency"]),
        ({"value": "5", "currency": "Euro"}, ["currency"]),
        ({"label": "person", "value": "5", "currency": "EUR"}, ["value"]),
        ({"by": ""}, ["by"]),
        ({"source": "My CRM"}, ["source"]),
        ({"note": "x" * 201}, ["note"]),
        ({"note": "call ann@example.org"}, ["note"]),
        ({"note": "tel. 0151 / 234-5678"}, ["note"]),
        ({"at": 2**60}, ["at"]),
        ({"label": "x", "value": "y", "currency": "z"}, ["label", "value", "currency"]),
    ],
)
def test_all_that_is_wrong_is_told_at_once(values, fields):
    assert wrong(**values) == fields


def test_times():
    assert moment("2026-11-22") == moment("2026-11-22T01:00:00+01:00") == 1_795_305_600_000_000
    with pytest.raises(ValueError, match="yesterday"):
        moment("yesterday")


def test_what_a_contact_is_found_by():
    assert contact_terms(" Ann@Example.org ", "0049 151/234") == (
        "email:ann@example.org",
        "phone:0049151234",
        "phone:49151234",
    )
    assert contact_terms("no address", "") == ()


@pytest.mark.parametrize("amount", ["1e80000000", "1e-80000000", "1e999999999999999999", "9" * 5000, 10**4000])
def test_an_amount_of_many_digits_is_refused_before_it_is_written_out(amount):
    """Ten bytes of a message that would take gigabytes as digits."""
    tracemalloc.start()
    try:
        with pytest.raises(BadLabel):
            statement("customer", by="a", source="crm", value=amount, currency="EUR")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
