"""Verification: every way of tampering is found at its place."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.evidence.chain import Head, verify
from gateway.model import new_id
from gateway.stores.canonical import canonical, chained, digest, event_parts
from gateway.stores.records import FIRST_PREV, StoredEntry


def chain_of(make_entry, count=6, writer="gateway-0"):
    """Records and events in turn."""
    links, prev = [], FIRST_PREV
    for seq in range(1, count + 1):
        if seq % 3:
            entry = make_entry()
            body, prev = chained(entry.parts, writer, seq, prev)
            groups = {group.group: group for group in entry.personal}
            links.append(StoredEntry("record", entry.id, writer, seq, prev, body, groups))
        else:
            event_id = new_id()
            body, prev = chained(event_parts(event_id, links[-1].id, 5, "answered", {"status": 200}), writer, seq, prev)
            links.append(StoredEntry("event", event_id, writer, seq, prev, body))
    return links


@pytest.fixture
def links(make_entry):
    return chain_of(make_entry)


replace = msgspec.structs.replace


def test_an_untouched_chain_holds(links):
    report = verify(links)
    assert report.ok
    assert (report.checked, report.heads) == (6, {"gateway-0": Head(1, 6, links[-1].hash)})


def test_writers_may_be_mixed(make_entry, links):
    other = chain_of(make_entry, 3, "operator")
    assert verify([links[0], other[0], links[1], other[1], other[2], *links[2:]]).heads.keys() == {
        "gateway-0",
        "operator",
    }


def test_nothing_is_a_chain_too():
    assert verify([]).ok


def broken_at(links, **options):
    report = verify(links, **options)
    assert not report.ok
    return report.broken.position, report.broken.why


def test_a_changed_byte_is_found(links):
    for position, link in enumerate(links):
        body = link.body[:-30] + bytes([link.body[-30] ^ 1]) + link.body[-29:]
        tampered = [*links[:position], replace(link, body=body), *links[position + 1 :]]
        assert broken_at(tampered) == (position + 1, "its content was changed: it does not match its hash")


def test_changed_with_its_hash_is_found_at_the_next_one(links):
    body = links[2].body.replace(b'"status":200', b'"status":503')
    links[2] = replace(links[2], body=body, hash=digest(body))
    position, why = broken_at(links)
    assert position == 4
    assert "entry 3 that stands there: that entry was replaced" in why


def test_removed_entries_are_named(links):
    position, why = broken_at([links[0], *links[3:]])
    assert (position, why) == (2, "entries 2 to 3 before it were removed, or the order was changed")


def test_a_missing_beginning_is_found(links):
    assert broken_at(links[2:]) == (1, "the chain begins with entry 3: the 2 before it were removed")
    assert verify(links[2:], from_start=False).ok


def test_a_missing_end_is_found_where_the_head_was_noted(links):
    noted = {"gateway-0": (6, links[-1].hash)}
    assert verify(links, heads=noted).ok
    assert "ends before its entry 6" in broken_at(links[:-1], heads=noted)[1]
    assert "ends before its entry 6" in broken_at([], heads=noted)[1]


def test_a_rewritten_chain_is_found_where_the_head_was_noted(make_entry, links):
    assert "rewritten" in broken_at(chain_of(make_entry), heads={"gateway-0": (6, links[-1].hash)})[1]


def test_a_changed_order_is_found(links):
    position, why = broken_at([links[0], links[2], links[1], *links[3:]])
    assert position == 2
    assert "order was changed" in why


def test_going_back_is_found(links):
    assert broken_at([*links[:4], links[1]]) == (5, "it stands behind entry 4: the order was changed")


def test_a_number_that_is_there_twice_is_found(links):
    assert broken_at([*links[:3], links[2], *links[3:]]) == (4, "the number 3 is there twice")


def test_a_swapped_in_entry_is_found(make_entry, links):
    links[1] = chain_of(make_entry)[1]
    assert "that entry was replaced" in broken_at(links)[1]


@pytest.mark.parametrize("group", ["network", "browser", "person"])
def test_a_changed_personal_value_is_found(links, group):
    kept = links[3].personal[group]
    links[3] = replace(links[3], personal={**links[3].personal, group: replace(kept, value=kept.value + b" ")})
    assert broken_at(links) == (4, f"its personal values ({group}) were changed")


def test_a_changed_salt_is_found(links):
    kept = links[0].personal["person"]
    links[0] = replace(links[0], personal={"person": replace(kept, salt=bytes(16))})
    assert broken_at(links) == (1, "its personal values (person) were changed")


def test_an_unpromised_personal_value_is_found(links):
    links[2] = replace(links[2], personal={"person": links[0].personal["person"]})
    assert "knows nothing of" in broken_at(links)[1]


def test_erased_and_withheld_groups_leave_the_chain_whole(links):
    assert verify([replace(link, personal={}) for link in links]).ok


@pytest.mark.parametrize("change", [{"writer": "other"}, {"seq": 2}, {"id": "x"}, {"type": "event"}])
def test_columns_that_say_something_else_are_found(links, change):
    assert "columns" in broken_at([replace(links[0], **change)])[1]


def test_a_false_beginning_is_found(make_entry):
    body, hash_ = chained(make_entry().parts, "w", 1, "ab" * 32)
    link = StoredEntry("record", json.loads(body)["id"], "w", 1, hash_, body)
    assert "names one before it" in broken_at([link], from_start=False)[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda body: b" " + body, "not in canonical form"),
        (lambda body: b"not json", "no record or event"),
        (lambda body: b"[]", "no record or event"),
        (lambda body: canonical({**json.loads(body), "schema": 2}), "schema is 2"),
    ],
)
def test_bytes_of_another_shape_are_found(links, change, why):
    body = change(links[0].body)
    assert why in broken_at([replace(links[0], body=body, hash=digest(body))])[1]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_single_byte_changed_is_found(data):
    links, prev = [], FIRST_PREV
    for seq in range(1, 5):
        body, prev = chained(event_parts(f"e{seq}", "r", seq, "seen", {"n": seq, "t": "ü"}), "w", seq, prev)
        links.append(StoredEntry("event", f"e{seq}", "w", seq, prev, body))
    place = data.draw(st.integers(0, 3))
    body = bytearray(links[place].body)
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    links[place] = replace(links[place], body=bytes(body))
    assert broken_at(links)[0] == place + 1
