"""One outage under load: before, during, after; what visitors got, how long the gateway took to be whole again, and what the books say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from books import Books, judge, read_books
from origin import Origin
from running import Gateway
from traffic import Traffic, answering

BEFORE_S, DURING_S, AFTER_S = 2.0, 4.0, 2.0
PATIENCE_S = 40.0
"""How long the test waits for the gateway to be whole again, so that it can say how long it took."""

WHOLE_WITHIN_S = 5.0
"""What is promised: whole again within five seconds of the server's return."""

SETTLED_S = 1.0
"""Left out on either side of an outage where its verdicts are told from others: requests under way, a pool that has to notice."""


@dataclass
class Outage:
    """What is known afterwards. began, ended: wall clock seconds of the outage; whole_s: seconds from the server's return until the gateway was
    whole, as /readyz and /metrics say; advice: what /readyz said meanwhile.
    """

    gateway: Gateway
    traffic: Traffic
    began: float
    ended: float
    whole_s: float
    advice: set[str]
    metrics: dict[str, float]
    books: Books
    counts: dict[str, int]

    def verdicts(self, begin: float, end: float) -> Counter[str]:
        """Records judged in that time: how many say that they were decided in part ("partial"), or not ("whole")."""
        return Counter(
            "partial" if reasons_of(record) else "whole"
            for record in self.books.records.values()
            if begin <= record.occurred_at / 1e6 < end
        )

    @property
    def before(self) -> Counter[str]:
        return self.verdicts(0, self.began)

    @property
    def during(self) -> Counter[str]:
        return self.verdicts(self.began + SETTLED_S, self.ended)

    @property
    def after(self) -> Counter[str]:
        return self.verdicts(self.ended + self.whole_s + SETTLED_S, float("inf"))

    @property
    def partial(self) -> int:
        return self.verdicts(0, float("inf"))["partial"]


def reasons_of(record: Any) -> list[str]:
    """Why facts could not be had whole, where shared state is the reason."""
    return [reason for _, reason in record.verdict.unavailable if "redis" in reason]


def whole(gateway: Gateway) -> bool:
    """Nothing to mend, nothing that waits in the spool, shared state in use."""
    ready = gateway.open("/readyz").json()
    assert isinstance(ready, dict)
    return (
        not ready["advice"]
        and gateway.metric("leadgate_spooled") == 0
        and gateway.metric("leadgate_hot_state_open") == 0
        and gateway.metric("leadgate_store_healthy") == 1
    )


NAMES = ("leadgate_hot_state_partial_total", "leadgate_spooled_leads_total", "leadgate_unjournaled_total",
         "leadgate_fail_open_total", "leadgate_records_dropped_total", "leadgate_handler_failures_total")  # fmt: skip


async def suffer(
    what: str, gateway: Gateway, origin: Origin, break_it: Callable[[], object], mend_it: Callable[[], object],
    during_s: float = DURING_S,
) -> Outage:  # fmt: skip
    """Runs the outage under load, stops the gateway, judges the books, prints the counts. Raises AssertionError where a visitor or a lead suffered.

    mend_it  returns when the server answers again
    """
    answering(origin)
    traffic = Traffic(gateway.port)
    advice: set[str] = set()
    with traffic.running():
        time.sleep(BEFORE_S)
        assert whole(gateway), gateway.open("/readyz").text
        began = time.time()
        try:
            break_it()
            end = time.monotonic() + during_s
            while time.monotonic() < end:
                advice |= set(gateway.open("/readyz").json()["advice"])  # type: ignore[index]
                time.sleep(0.2)
        finally:
            mend_it()
        ended, back = time.time(), time.monotonic()
        while not whole(gateway) and time.monotonic() - back < PATIENCE_S:
            time.sleep(0.05)
        whole_s = time.monotonic() - back
        is_whole = whole(gateway)
        time.sleep(AFTER_S + SETTLED_S)
    ready = gateway.open("/readyz").text
    metrics = {name: gateway.metric(name) for name in NAMES}
    assert gateway.stop() == 0
    books = await read_books(gateway.path, gateway.environ)
    counts = judge(books, traffic, origin)
    outage = Outage(gateway, traffic, began, ended, whole_s, advice, metrics, books, counts)
    tell(what, outage)
    assert traffic.errors == {}, "visitors saw errors"
    assert is_whole, f"it did not become whole again in {PATIENCE_S} s: {ready}"
    # The one time that is promised, measured on whatever machine this is; everything else here is counted.
    assert whole_s <= WHOLE_WITHIN_S, f"whole again only after {whole_s:.1f} s"
    assert books.unjournaled == 0, "with a spool nothing goes by unstored"
    for name in ("unjournaled", "fail_open", "records_dropped", "handler_failures"):
        assert metrics[f"leadgate_{name}_total"] == 0, name
    return outage


def tell(what: str, outage: Outage) -> None:
    traffic, began, ended = outage.traffic, outage.began, outage.ended
    rows: list[tuple[str, object]] = [
        ("requests answered", len(traffic.visits)),
        ("visitor errors", dict(traffic.errors) or 0),
        ("whole again after", f"{outage.whole_s:.2f} s"),
        ("slowest before / during / after", " / ".join(
            f"{traffic.slowest(a, b)} ms" for a, b in ((0, began), (began, ended), (ended, float("inf"))))),
        ("99 % before / during / after", " / ".join(
            f"{traffic.slowest(a, b, 0.99)} ms" for a, b in ((0, began), (began, ended), (ended, float("inf"))))),
        *outage.counts.items(),
        *((f"verdicts {name}", dict(found)) for name, found in
          (("before", outage.before), ("during", outage.during), ("after", outage.after))),
        *((name.removeprefix("leadgate_").removesuffix("_total"), int(value)) for name, value in outage.metrics.items()),
        ("advice meanwhile", "; ".join(sorted(outage.advice)) or "none"),
    ]  # fmt: skip
    print(f"\n{what}")
    for name, value in rows:
        print(f"  {name:34}{value}")
