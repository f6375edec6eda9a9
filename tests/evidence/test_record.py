"""Canonical records: equal to an independent RFC 8785 writer whatever they hold, and readable back into what was judged."""

from __future__ import annotations

import hashlib
import json
import os

import msgspec
import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.observation import (
    PERSONAL,
    Click,
    Client,
    Count,
    Duplicate,
    Kind,
    Lead,
    Observation,
    Page,
    RenderToken,
    Request,
    ReverseName,
    Session,
    Unavailable,
    Velocity,
)
from detectors.signal import Signal
from gateway.evidence import record
from gateway.evidence.personal import Salts
from gateway.evidence.record import (
    ERASED,
    ERASED_REQUEST,
    Answered,
    Facts,
    build,
    columns_of,
    decode,
    observation_of,
    peer_of,
)
from gateway.model import Mode
from gateway.stores.canonical import Unencodable, chained
from gateway.stores.records import FIRST_PREV
from geoip.network import Network
from rules.verdict import Applied, Decision, GroupSum, Ivt, Reason, Verdict


class Shapes:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    hard_text = st.one_of(
        text, st.sampled_from(["\x00\x1f\x7f\x80", "\U0001f600", "\ue000\uffff", '"\\/\b\f\n\r\t', "\u2028"])
    )
    small = st.integers(0, 10**6)
    gone = st.builds(Unavailable, hard_text)
    texts = st.lists(hard_text, max_size=3).map(tuple)
    pairs = st.lists(st.tuples(hard_text, hard_text), max_size=4).map(tuple)
    flag = st.one_of(st.none(), st.booleans())

    client = st.builds(Client, st.ip_addresses().map(str), st.one_of(st.none(), st.integers(0, 65535)))
    lead = st.builds(
        Lead,
        hard_text,
        pairs,
        st.dictionaries(st.sampled_from(["email", "phone", "ü", "\U0001f600", "\ue000"]), texts, max_size=4),
        texts,
    )
    count = st.builds(Count, small, st.integers(0, 64))
    counts = st.dictionaries(st.sampled_from(["address", "email", "click"]), st.tuples(count, count, count, count))
    observations = st.builds(
        Observation,
        kind=st.sampled_from(Kind),
        site=hard_text,
        at=st.integers(0, 2**53 - 1),
        page=st.builds(Page, hard_text, hard_text, st.dictionaries(hard_text, hard_text, max_size=3)),
        client=st.one_of(client, gone),
        request=st.builds(Request, hard_text, hard_text, pairs, hard_text, hard_text, st.booleans(), st.booleans()),
        network=st.one_of(
            st.builds(Network, st.one_of(st.none(), small), st.one_of(st.none(), hard_text), st.just("DE"), texts), gone
        ),
        velocity=st.one_of(st.builds(Velocity, counts), gone),
        session=st.one_of(st.none(), gone, st.builds(Session, hard_text, hard_text, small, small, small)),
        click=st.one_of(
            st.none(), gone, st.builds(Click, hard_text, hard_text, hard_text, small, small, small, flag, flag)
        ),
        reverse=st.one_of(st.none(), gone, st.builds(ReverseName, hard_text, st.booleans())),
        lead=st.one_of(st.none(), gone, lead),
        token=st.one_of(
            st.none(), gone, st.builds(RenderToken, hard_text, st.integers(-1, 10**9), small, flag, flag, flag)
        ),
        duplicate=st.one_of(st.none(), gone, st.builds(Duplicate, small, small, small)),
        partial=pairs,
    )
    reasons = st.builds(
        Reason, hard_text, hard_text, hard_text, texts, small, st.integers(-9999, 9999), small, hard_text
    )
    verdicts = st.builds(
        Verdict,
        decision=st.sampled_from(Decision),
        quality=st.integers(0, 100),
        confidence=st.integers(0, 100),
        ivt=st.sampled_from(Ivt),
        category=st.one_of(st.none(), hard_text),
        score=st.integers(-99999, 99999),
        decided_by=hard_text,
        reasons=st.lists(reasons, max_size=2).map(tuple),
        groups=st.lists(st.builds(GroupSum, hard_text, small, st.one_of(st.none(), small), small), max_size=2).map(
            tuple
        ),
        composites=st.lists(st.builds(Applied, hard_text, hard_text, texts), max_size=2).map(tuple),
        unavailable=pairs,
        nearest=hard_text,
    )
    signals = st.lists(st.builds(Signal, hard_text, texts, st.floats(0, 1)), max_size=3)
    answers = st.one_of(st.none(), st.builds(Answered, st.integers(100, 599), st.sampled_from(["origin", "gateway"])))


PREV = "ab" * 32
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def stored(entry, writer="gateway-0", seq=7, prev=PREV):
    return chained(entry.parts, writer, seq, prev)


def by_group(entry):
    return {group.group: group for group in entry.personal}


@many
@given(
    obs=Shapes.observations,
    verdict=Shapes.verdicts,
    signals=Shapes.signals,
    answered=Shapes.answers,
    word=Shapes.hard_text,
)
def test_bytes_are_canonical_and_give_back_what_was_judged(obs, verdict, signals, answered, word):
    entry = build(
        obs,
        id="id",
        mode=Mode.TAG,
        recorded_at=obs.at,
        signals=signals,
        verdict=verdict,
        generation=word,
        form=word,
        route=word,
        answered=answered,
        peer=word,
        source="replay",
    )
    body, digest = stored(entry)
    assert body == rfc8785.dumps(json.loads(body))
    assert digest == hashlib.sha256(body).hexdigest()
    read = decode(body)
    assert observation_of(read, by_group(entry)) == obs
    assert peer_of(by_group(entry)) == word
    assert (read.verdict, read.answered, read.route, read.generation) == (verdict, answered, word, word)
    assert (read.writer, read.seq, read.prev_hash, read.type, read.schema) == ("gateway-0", 7, PREV, "record", 1)
    assert [(s.id, s.evidence, s.strength) for s in read.signals] == [
        (s.id, s.evidence, round(s.strength * 1000)) for s in signals
    ]
    for group in entry.personal:
        assert group.value == rfc8785.dumps(json.loads(group.value))
        assert hashlib.sha256(group.salt + group.value).hexdigest() == read.digests[group.group]
        assert len(group.salt) == 16
    assert columns_of(body) == entry.columns


def test_no_personal_value_stands_in_the_record(make_entry):
    body, _ = stored(make_entry())
    for personal in (b"203.0.113.5", b"4711", b"127.0.0.1", b"Mozilla", b"gclid=x", b"Example.org", b"(30)"):
        assert personal not in body


def test_the_same_values_have_another_digest_each_time(make_entry):
    first, second = decode(stored(make_entry())[0]), decode(stored(make_entry())[0])
    assert not set(first.digests.values()) & set(second.digests.values())


def test_groups_exist_only_where_there_is_something(make_entry, make_observation):
    obs = make_observation(kind=Kind.LANDING, lead=None, client=Unavailable("proxy not trusted"))
    entry = make_entry(obs=obs, peer=None)
    read = decode(stored(entry)[0])
    assert set(read.digests) == {"browser"}
    assert read.facts.client == Unavailable("proxy not trusted")
    assert observation_of(read, by_group(entry)) == obs


@pytest.mark.parametrize(
    ("group", "fact", "becomes"),
    [("network", "client", ERASED), ("browser", "request", ERASED_REQUEST), ("person", "lead", ERASED)],
)
def test_an_erased_group_is_unavailable_and_the_rest_is_whole(make_entry, make_observation, group, fact, becomes):
    assert PERSONAL[group] == fact
    entry = make_entry()
    left = {name: value for name, value in by_group(entry).items() if name != group}
    assert observation_of(decode(stored(entry)[0]), left) == msgspec.structs.replace(
        make_observation(), **{fact: becomes}
    )


def test_what_can_be_looked_up(make_entry):
    terms = {group.group: group.terms for group in make_entry().personal}
    assert terms == {
        "network": ("address:203.0.113.5",),
        "browser": (),
        "person": ("email:ann@example.org", "phone:493012"),
    }


def test_what_a_search_looks_in(make_entry):
    columns = make_entry().columns
    assert columns.search.split("\n") == ["/lead", "newsletter", "email.relay", "de", "example net"]
    assert (columns.kind, columns.verdict, columns.ivt, columns.asn) == ("submission", "accept", "valid", 64500)


def test_lone_surrogates_do_not_lose_a_record(make_entry, make_observation):
    lead = Lead("quote", (("message", "half \ud800 pair"),))
    page = Page("h", "/p", {"utm_source": "\udcff"})
    entry = make_entry(obs=make_observation(lead=lead, page=page))
    body, _ = stored(entry)
    assert body == rfc8785.dumps(json.loads(body))
    back = observation_of(decode(body), by_group(entry))
    assert back.lead.fields == (("message", "half \ufffd pair"),)
    assert entry.columns == columns_of(body)


@pytest.mark.parametrize("at", [-1, 2**53])
def test_times_that_json_cannot_carry_are_refused(make_entry, make_observation, at):
    with pytest.raises(Unencodable):
        make_entry(obs=make_observation(at=at))


def test_the_facts_are_the_observation_without_what_stands_elsewhere():
    assert set(Facts.__struct_fields__) == set(Observation.__struct_fields__) - {"kind", "site", "at", "request"}


def test_a_record_of_another_shape_is_refused(make_entry):
    body, _ = chained(make_entry().parts, "w", 1, FIRST_PREV)
    with pytest.raises(msgspec.ValidationError):
        decode(body.replace(b'"mode":', b'"mood":'))


def test_no_two_records_share_a_salt_and_a_forked_process_draws_its_own():
    salts = Salts()
    drawn = [salt for _ in range(3 * Salts.RECORDS) for salt in salts.three()]
    assert len(set(drawn)) == len(drawn)
    assert {len(salt) for salt in drawn} == {16}
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, salts.three()[0])
        os._exit(0)
    os.wait()
    assert os.read(reading, 16) not in [*drawn, *salts.three()]
    os.close(reading)
    os.close(writing)


def test_facts_known_in_part_are_kept_and_a_record_without_them_has_the_bytes_it_always_had(
    make_entry, make_observation
):
    assert b"partial" not in stored(make_entry())[0]
    obs = make_observation(partial=(("velocity", "redis: no answer within 10 ms; counted in this process only"),))
    entry = make_entry(obs=obs)
    body, _ = stored(entry)
    assert json.loads(body)["facts"]["partial"] == [list(pair) for pair in obs.partial]
    assert observation_of(decode(body), by_group(entry)) == obs


def test_a_verdict_that_many_visitors_share_takes_nothing_else_along(make_entry, make_observation):
    verdict = decode(stored(make_entry())[0]).verdict
    first, second = Signal("a.one", ("1",)), Signal("b.two", ("2",), 0.5)
    told = [
        decode(stored(make_entry(obs=make_observation(site=site), verdict=verdict, signals=found, source=source))[0])
        for site, found, source in (
            ("shop", [first], "live"),
            ("shop", [first, second], "live"),
            ("other", [first], "live"),
            ("shop", [first], "replay"),
            ("shop", [first], "live"),
        )
    ]
    assert [(r.site, r.source, [s.id for s in r.signals]) for r in told] == [
        ("shop", "live", ["a.one"]),
        ("shop", "live", ["a.one", "b.two"]),
        ("other", "live", ["a.one"]),
        ("shop", "replay", ["a.one"]),
        ("shop", "live", ["a.one"]),
    ]
    assert all(record.verdict == verdict for record in told)


def test_the_bytes_remembered_are_bounded(make_entry, monkeypatch):
    monkeypatch.setattr(record, "FINDINGS_KEPT", 3)
    kept = record._findings_kept
    kept.clear()
    for _ in range(8):
        make_entry(verdict=decode(stored(make_entry())[0]).verdict)
        assert len(kept) <= 3
