"""Labels where a spool stands in: none is promised that the shared store does not have."""

from __future__ import annotations

import asyncio

import pytest
from standing_in import StandIn

from gateway.labels.statement import statement
from gateway.model import LeadState
from gateway.stores.errors import StoreUnavailable, UnknownRecord
from gateway.stores.spool.keeper import SpoolSettings
from gateway.stores.spool.store import SpooledStore

QUICK = SpoolSettings(first_try_s=1, retry_s=0.05, hold_off_s=0.1, hand_over_s=0.05, adopt_s=0.1, reserve=0)
JUNK = statement("junk", by="ann", source="review", at=5)


@pytest.fixture
async def primary(tmp_path, keys):
    return StandIn.open(tmp_path / "shared.db", keys, writer="host-1")


@pytest.fixture
async def store(primary, tmp_path, keys):
    async def connect():
        return primary

    opened = await SpooledStore.open(connect, tmp_path / "spool", keys, writer="host-1", settings=QUICK)
    yield opened
    await opened.close()


async def test_the_shared_store_has_it(store, make_lead):
    lead = make_lead()
    await store.journal(lead, b"x")
    assert await store.label(lead.id, JUNK)
    assert not await store.label(lead.id, JUNK)
    assert [item.record for item in (await store.labels()).items] == [lead.id]
    assert (await store.noted(("label",))).items[0].data == JUNK.data()
    assert await store.find("email:none@example.org") == ()
    with pytest.raises(UnknownRecord):
        await store.label("0199c82c-c000-7000-8000-000000000001", JUNK)


async def test_while_it_is_away_nothing_is_promised(store, primary, make_lead):
    there, spooled = make_lead(), make_lead()
    await store.journal(there, b"x")
    primary.away = True
    await store.journal(spooled, b"y")
    for lead in (there, spooled):
        with pytest.raises(StoreUnavailable):
            await store.label(lead.id, JUNK)
    store.settle_soon(spooled.id, LeadState.DELIVERED, "delivered", {})  # what is under way is not carried
    primary.come_back()
    for _ in range(400):
        try:
            await store.label(spooled.id, JUNK)
            break
        except StoreUnavailable:
            await asyncio.sleep(0.05)
    assert "label" in [event.event for event in await store.events(spooled.id)]
    assert await store.events(there.id) == ()
