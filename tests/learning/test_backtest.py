"""Recorded traffic judged again: exactly as it was by the rules of its time, otherwise by changed ones, erased records apart."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from msgspec.structs import replace

import detectors
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import Reference
from gateway import config as configuration
from gateway.evidence.record import build, decode, observation_of
from gateway.labels.statement import statement
from gateway.learning.backtest import backtest, essence
from gateway.learning.evidence import Evidence
from gateway.learning.fit import Fit
from gateway.learning.generations import BadChange, Judges, Past, changed_rules, in_force
from gateway.learning.learn import Learned, NotWritable, evidence_of, learn, write
from gateway.learning.recorded import Span
from gateway.learning.words import of_backtest, of_learned
from gateway.model import Mode
from gateway.stores.keys import KeyRing
from gateway.stores.sqlite.store import SqliteStore
from geoip.network import Network
from rules import loader

NOW = 1_760_000_000_000_000
DAY = 86_400_000_000
CONFIG = """
sites:
  - name: acme
    origin: http://127.0.0.1:9
    mode: enforce
    landing_pages: [{path: "/offer*"}]
    forms: [{name: quote, path: /lead, fields: {email: email}}]
lists:
  deny: [{name: rude, emails: [rude@example.org]}, {name: range, addresses: [198.51.100.0/24]}]
reviewer: {email: leads@acme.example}
"""
HEADERS = (
    ("Host", "www.acme.example"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
)


@pytest.fixture(scope="module")
def reference():
    return Reference.builtin()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "leadgate.yaml"
    path.write_text(CONFIG)
    return configuration.load(path)


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore.open(tmp_path / "leadgate.db", KeyRing.ephemeral())
    yield opened
    await opened.close()


def record_id(number, at):
    text = f"{at // 1000:012x}7{number % 4096:03x}8{number:015x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


def lead(email, at, address="203.0.113.5"):
    return Observation(
        Kind.SUBMISSION, "acme", at, Page("www.acme.example", "/lead", {"utm_campaign": "autumn"}), Client(address, 4711),
        Request("POST", "/lead", HEADERS), Network(64500, "Example Net", "DE"), Unavailable("not counted"),
        lead=Lead("quote", (("email", email),), {"email": (email,)}),
    )  # fmt: skip


async def recorded(store, judges, emails, start=0):
    """Records of leads with these addresses, judged and kept as a gateway does."""
    entries = []
    for number, email in enumerate(emails, start):
        at = NOW + number * DAY // 40
        obs, site = lead(email, at), judges.generation.sites[0]
        by = site.forms[0].judgement
        signals, _ = detectors.run(obs, by.reference)
        signals = by.policy.noted(signals)
        verdict = by.ruleset.judge(signals, obs, by.policy, by.lists.match(obs))
        entries.append(
            build(
                obs, id=record_id(number, at), mode=Mode.ENFORCE, recorded_at=at, signals=signals, verdict=verdict,
                generation=judges.generation.id, form="quote", route="quote", peer="203.0.113.5:1",
            )
        )  # fmt: skip
    await store.put_generation(judges.generation.id, judges.generation.content)
    await store.add(entries)
    await store.flush()
    return [entry.id for entry in entries]


async def test_rules_of_the_time_give_the_recorded_verdict(store, config, reference, tmp_path):
    judges = in_force(config, reference)
    emails = ["ann@example.org", "bob@mailinator.com", "not an address", "no-reply@example.org"] * 20
    ids = await recorded(store, judges, emails)
    rules = tmp_path / "rules"
    (rules / "weights").mkdir(parents=True)
    (rules / "weights" / "email.yaml").write_text("group: email\nsignals:\n  email.disposable: {weight: 0.1}\n")
    with changed_rules(config, rules) as place:
        changed = Judges(config, loader.load(local_dir=place), reference)
    seen = []
    past = Past(store, config, reference)
    result = await backtest(store, Span(), judges, changed, past, seen=seen.append)
    assert (len(seen), result.read, result.comparison.judged) == (80, 80, 80)
    assert (result.reproduction.exact, result.reproduction.same, result.reproduction.different) == (80, 0, 0)
    assert past.unusable == {}
    matrix = result.comparison.matrix
    assert matrix["review", "accept"] == 20
    assert matrix["accept", "accept"] + matrix["review", "review"] == 60
    told = result.as_json()
    assert told["signals"][0] == {
        "signal": "email.disposable",
        "records": 20,
        "counted_differently": 20,
        "verdicts_changed": 20,
    }
    assert told["forms"] == [{"form": "acme/quote", "records": 80, "changes": {"review → accept": 20}}]
    assert told["campaigns"][0]["campaign"] == "autumn"
    example = told["examples"][0]
    assert example["id"] in ids
    assert example["why"][0] == ("email.disposable", 2500, 100) or example["why"][0] == ["email.disposable", 2500, 100]
    words = "\n".join(of_backtest(result))
    assert "100.00% of 80 records get exactly the recorded verdict" in words
    assert "email.disposable: +2.50 → +0.10" in words


async def test_records_of_other_rules_are_reproduced_by_theirs_not_by_ours(store, config, reference, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "lead-form.yaml").write_text("pack: lead-form\nprior: -1.0\nthresholds: {review_below: 80}\n")
    then = Judges(config, loader.load(local_dir=rules), reference)
    await recorded(store, then, ["ann@example.org", "bob@mailinator.com"] * 5)
    now = in_force(config, reference)
    result = await backtest(store, Span(), now, now, Past(store, config, reference))
    assert result.reproduction.exact == 10
    assert result.comparison.changed == 0
    # The same, as if the records had been made by the rules in force.
    result = await backtest(store, Span(), now, now, Forgetful(now))
    assert result.reproduction.exact == 0
    assert result.reproduction.same + result.reproduction.different == 10


class Forgetful(Past):
    """Takes every record for one of `judges`."""

    def __init__(self, judges):
        self.unusable = {}
        self._judges = judges

    async def judges(self, digest):
        return self._judges


async def test_erased_records_are_counted_apart_and_unknown_generations_too(store, config, reference, tmp_path):
    judges = in_force(config, reference)
    await recorded(store, judges, ["ann@example.org"] * 6)
    with closing(sqlite3.connect(tmp_path / "leadgate.db")) as connection:
        connection.execute("DELETE FROM personal_person WHERE n <= 2")
        connection.execute("DELETE FROM generations")
        connection.commit()
    past = Past(store, config, reference)
    result = await backtest(store, Span(), judges, judges, past)
    assert (result.read, result.erased, result.comparison.judged) == (6, 2, 4)
    assert result.reproduction.unknown == 4
    assert list(past.unusable.values()) == ["the store does not have its content"]


async def test_a_part_of_the_traffic(store, config, reference):
    judges = in_force(config, reference)
    await recorded(store, judges, ["ann@example.org"] * 90)
    for span, count in ((Span(since=NOW + DAY), 50), (Span(until=NOW + DAY), 40), (Span(site="other"), 0)):
        assert (await backtest(store, span, judges, judges, None)).read == count
    assert (await backtest(store, Span(), judges, judges, None, most=7)).read == 7


def test_what_is_no_change(config, tmp_path):
    for name, text in (
        ("a.yaml", "x: 1"),
        ("c.yaml", "pack: ../../c\n"),
        ("d.txt", "pack: x"),
        ("none.yaml", None),
    ):
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        with pytest.raises(BadChange), changed_rules(config, path):
            pass


async def test_learned_weights_are_written_and_tried(store, config, reference, tmp_path):
    """Customers of this site use throw-away addresses; its bots mistype theirs."""
    judges = in_force(config, reference)
    emails = [f"c{number}@mailinator.com" if number % 2 else f"x{number} at example.org" for number in range(480)]
    ids = await recorded(store, judges, emails)
    for number, each in enumerate(ids):
        await store.label(each, statement("customer" if number % 2 else "bot", by="t", source="crm", at=NOW))
    evidence, held_out = await evidence_of(store, Span(), judges)
    assert (evidence.bad, evidence.good, held_out) == (240, 240, 0)
    learned = learn(evidence, judges)
    assert learned.changed["email.disposable"] == pytest.approx(1.8)
    rows = {row.signal: row for row in learned.signals}
    assert (rows["email.disposable"].s_o, rows["email.disposable"].good_hits) == (0.0, 240)
    assert rows["email.syntax"].s_o == 1.0
    assert rows["email.syntax"].new >= rows["email.syntax"].old
    assert "Only records that somebody looked at" in "\n".join(of_learned(learned))
    local = tmp_path / "local"
    (local / "weights").mkdir(parents=True)
    (local / "weights" / "email.yaml").write_text("group: email\nsignals:\n  email.relay: {band: hint}  # ours\n")
    out = tmp_path / "out"
    [path] = write(learned, judges, local, out)
    assert "# ours" in path.read_text()
    made = loader.load(local_dir=out).weights
    assert (made["email.disposable"].millis, made["email.relay"].millis) == (1800, 300)
    assert made["email.disposable"].text == judges.ruleset.weights["email.disposable"].text
    with pytest.raises(NotWritable):
        write(learned, judges, None, out)
    result = await backtest(store, Span(), judges, Judges(config, loader.load(local_dir=out), reference), None)
    assert result.comparison.after.good_flagged <= result.comparison.before.good_flagged


async def test_a_record_is_judged_again_as_it_was(store, config, reference):
    judges = in_force(config, reference)
    [only] = await recorded(store, judges, ["bob@mailinator.com"])
    entry = await store.get_record(only)
    record = decode(entry.body)
    verdict, _ = judges.judge(record, observation_of(record, entry.personal))
    assert verdict == record.verdict


async def test_the_order_of_findings_is_no_difference_and_all_else_is(store, config, reference):
    judges = in_force(config, reference)
    [only] = await recorded(store, judges, ["bob@mailinator.com"])
    verdict = decode((await store.get_record(only)).body).verdict
    assert len(verdict.reasons) >= 2
    assert essence(replace(verdict, reasons=verdict.reasons[::-1])) == essence(verdict)
    weaker = replace(verdict.reasons[0], counted=verdict.reasons[0].counted + 1)
    for change in (
        {"reasons": (weaker, *verdict.reasons[1:])},
        {"score": 1},
        {"decided_by": "x"},
        {"reasons": verdict.reasons[1:]},
    ):
        assert essence(replace(verdict, **change)) != essence(verdict)


@pytest.mark.parametrize("place", [".", "new", "weights/new"])
def test_rules_are_not_written_among_those_in_force(config, reference, tmp_path, place):
    """A gateway that watches its rules would take them up, and a copy of a directory into itself has no end."""
    judges = in_force(config, reference)
    local = tmp_path / "local"
    (local / "weights").mkdir(parents=True)
    out = local / place
    out.mkdir(parents=True, exist_ok=True)
    fitted = Fit({"email.relay": 0.4}, "", 100.0, 100.0)
    with pytest.raises(NotWritable):
        write(Learned(Evidence(), fitted, (), 0), judges, local, out)


async def test_a_record_that_cannot_be_read_is_counted_and_the_others_are_judged(store, config, reference, tmp_path):
    """Written by a version to come, or changed by hand."""
    judges = in_force(config, reference)
    ids = await recorded(store, judges, ["ann@example.org"] * 6)
    for each in ids:
        await store.label(each, statement("person", by="t", source="review"))
    with closing(sqlite3.connect(tmp_path / "leadgate.db")) as connection:
        connection.execute("UPDATE entries SET body = CAST('{\"schema\":9}' AS BLOB) WHERE id IN (?, ?)", ids[:2])
        connection.commit()
    result = await backtest(store, Span(), judges, judges, None)
    assert (result.read, result.unreadable, result.comparison.judged) == (6, 2, 4)
    assert result.as_json()["unreadable"] == 2
    assert "2 were left out: they cannot be read" in "\n".join(of_backtest(result))
    evidence, _ = await evidence_of(store, Span(), judges)
    assert (evidence.good, evidence.unreadable) == (4, 2)
