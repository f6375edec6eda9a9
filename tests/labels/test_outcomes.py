"""Messages of a CRM where a running gateway is not needed: too many, a store that is away, hold-outs as gauges."""

from __future__ import annotations

import asyncio
import base64
import hmac
import time

import pytest

from gateway import config as configuration
from gateway.config.outcomes import OutcomeSource
from gateway.labels import outcomes as module
from gateway.labels.gauges import EVERY_S, HoldoutGauges
from gateway.labels.outcomes import Outcomes
from gateway.labels.statement import statement
from gateway.metrics import Metrics
from gateway.model import new_id
from gateway.stores.errors import StoreUnavailable
from gateway.stores.keys import KeyRing
from gateway.stores.leads import NewLead
from gateway.stores.sqlite.store import SqliteStore

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
SOURCE = OutcomeSource(source="crm", secret_env="CRM_SECRET", map={"Closed Won": "customer"})


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore.open(tmp_path / "leadgate.db", KeyRing.ephemeral())
    yield opened
    await opened.close()


def signed(body, message="m"):
    at = int(time.time())
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, f"{message}.{at}.".encode() + body, "sha256"))
    return [
        (b"webhook-id", message.encode()),
        (b"webhook-timestamp", b"%d" % at),
        (b"webhook-signature", b"v1," + digest),
    ]


async def lead_in(store):
    lead = NewLead(new_id(), "acme", "quote", time.time_ns() // 1000, b"POST / HTTP/1.1\r\n\r\n", "203.0.113.5:1")
    await store.journal(lead, b"x")
    return lead.id


def test_stages():
    assert SOURCE.label_of(" closed won ") == "customer"
    assert SOURCE.label_of("SQL") == "sql"
    assert SOURCE.label_of("Prospecting") is None


async def test_so_many_signed_messages_a_second_and_no_more(store, monkeypatch):
    monkeypatch.setattr(module, "BURST", 3.0)
    clock, metrics = Clock(), Metrics()
    outcomes = Outcomes(store, {"CRM_SECRET": SECRET}, metrics, clock)
    body = b'{"lead_id": "x", "outcome": "sql"}'
    for _ in range(50):  # what is not signed uses nothing up
        assert (await outcomes.take(SOURCE, signed(body + b" "), body)).status == 401
    told = [await outcomes.take(SOURCE, signed(body), body) for _ in range(5)]
    assert [each.status for each in told] == [200, 200, 200, 429, 429]
    assert told[-1].retry_after
    clock.now += 1
    assert (await outcomes.take(SOURCE, signed(body), body)).status == 200


async def test_nothing_is_promised_while_the_store_is_away(store):
    lead = await lead_in(store)
    await store.close()
    body = f'{{"lead_id": "{lead}", "outcome": "sql"}}'.encode()
    with pytest.raises(StoreUnavailable):
        await Outcomes(store, {"CRM_SECRET": SECRET}, Metrics()).take(SOURCE, signed(body), body)


async def test_hold_outs_as_gauges(store, tmp_path):
    path = tmp_path / "leadgate.yaml"
    text = "sites: [{name: acme, origin: 'http://127.0.0.1:9', forms: [{name: quote, path: /lead%s}]}]\n"
    path.write_text(text % "")
    without = configuration.load(path)
    path.write_text(text % ", holdout: {share: 0.1}")
    config = configuration.load(path)
    leads = [await lead_in(store) for _ in range(4)]
    for lead in leads:
        store.event(lead, "holdout", {"share": 100_000, "score": 700, "form": "quote"})
    await store.flush()
    clock, metrics = Clock(), Metrics()
    await HoldoutGauges(store, metrics, lambda: without, clock).look()
    assert not metrics.snapshot().gauges
    gauges = HoldoutGauges(store, metrics, lambda: config, clock)
    await gauges.look()
    assert metrics.snapshot().gauges == {"leadgate_holdout_followed": 0, "leadgate_holdout_good": 0}
    for lead, label in zip(leads, ("person", "bot", "junk"), strict=False):
        await store.label(lead, statement(label, by="t", source="review"))
    await gauges.look()
    assert metrics.snapshot().gauges["leadgate_holdout_followed"] == 0
    clock.now += EVERY_S
    await gauges.look()
    shown = metrics.snapshot().gauges
    assert (shown["leadgate_holdout_followed"], shown["leadgate_holdout_good"]) == (3, 1)
    assert shown["leadgate_holdout_rate"] == pytest.approx(1 / 3)
    assert 0 < shown["leadgate_holdout_rate_low"] < 1 / 3 < shown["leadgate_holdout_rate_high"] < 1


async def test_a_message_that_is_sent_again_labels_no_later_lead_of_the_same_address(store, monkeypatch):
    """Its answer was lost, the person wrote once more, and then the sender tries again."""
    leads = [await lead_in(store)]
    monkeypatch.setattr(store, "find", lambda term, limit=10: asyncio.sleep(0, tuple(reversed(leads))[:limit]))
    outcomes = Outcomes(store, {"CRM_SECRET": SECRET}, Metrics())
    body = b'{"email": "ann@example.org", "outcome": "unreachable"}'
    assert (await outcomes.take(SOURCE, signed(body), body)).body["taken"] == 1
    leads.append(await lead_in(store))
    again = await outcomes.take(SOURCE, signed(body), body)
    assert (again.body["taken"], again.body["known"]) == (0, 1)
    assert not await store.events(leads[1])
    another = await outcomes.take(SOURCE, signed(body, "m2"), body)
    assert another.body["taken"] == 1
    assert len(await store.events(leads[1])) == 1


async def test_a_body_without_bottom_is_not_understood(store):
    body = b'{"lead_id": "x", "outcome": "sql", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    outcomes = Outcomes(store, {"CRM_SECRET": SECRET}, Metrics())
    assert (await outcomes.take(SOURCE, signed(body), body)).status == 400
