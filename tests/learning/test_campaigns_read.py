"""Reading records for the report on campaigns."""

from __future__ import annotations

from types import SimpleNamespace

from gateway.learning.campaigns import tally
from gateway.stores.records import RecordFilter


async def test_a_record_that_cannot_be_read_does_not_end_the_report():
    class Store:
        async def records(self, where, limit, cursor):
            return SimpleNamespace(items=[SimpleNamespace(body=b'{"schema":9}')], next_cursor=None)

    assert (await tally(Store(), RecordFilter())).records == 0
