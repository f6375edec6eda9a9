"""One outage under load: before, during, after; what visitors got, how long the gateway took to be whole again, and what the books say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from books import Books, judge, read_books
from origin import Origin
from running import Gateway
from traffic import Traffic, answering

from gateway.evidence.record import Record
from gateway.workers.snapshots import EVERY_S

BEFORE_S, DURING_S, AFTER_S = 1.5, 3.0, 1.5
PATIENCE_S = 40.0
"""How long the test waits for the gateway to be whole again, so that it can say how long it took."""

WHOLE_WITHIN_S = 5.0
"""What is promised: whole again within five seconds of the server's return."""

PUBLISHED_S = 1.5 * EVERY_S
"""A worker tells the others what it counted every second; whoever is asked adds up what was told."""

SETTLED_S = 1.0
"""Left out on either side of an outage where its verdicts are told from others: requests under way, a pool that has to notice."""


WHOLE = "whole"
MOSTLY = 0.9
"""Share of the verdicts that must be whole while Redis is well. The others missed its deadline of 10 ms, as happens on a machine that is busy with
the test itself, and they say so.
"""


@dataclass
class Outage:
    """What is known afterwards. began, ended: wall clock seconds of the outage; whole_s: seconds from the server's return until the gateway was
    whole, as /readyz and /metrics say; parts: until which of it was; advice: what /readyz said meanwhile.
    """

    gateway: Gateway
    traffic: Traffic
    began: float
    ended: float
    whole_s: float
    parts: dict[str, float]
    advice: set[str]
    metrics: dict[str, float]
    books: Books
    counts: dict[str, int] = field(default_factory=dict)

    def verdicts(self, begin: float, end: float) -> Counter[str]:
        """Records judged in that time, by why they were decided in part; "whole" where they were not."""
        return Counter(
            reason_of(record) or WHOLE
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
        """How many verdicts in all were decided in part."""
        return sum(reason_of(record) is not None for record in self.books.records.values())


def share(found: Counter[str], part: str) -> float:
    """Of the verdicts counted, how many say this, from 0 to 1."""
    assert found, "nothing was judged in that time"
    return sum(times for reason, times in found.items() if part in reason) / found.total()


def reason_of(record: Record) -> str | None:
    """Why facts could not be had whole, where shared state is the reason."""
    return next((reason for _, reason in record.verdict.unavailable if "redis" in reason.lower()), None)


def lacking(gateway: Gateway) -> set[str]:
    """What is not as it should be: something to mend, something that waits in the spool, shared state that is left alone. Empty: whole."""
    ready = gateway.open("/readyz").json()
    assert isinstance(ready, dict)
    found = {
        "advice": bool(ready["advice"]),
        "spool": gateway.metric("leadgate_spooled") != 0,
        "state": gateway.metric("leadgate_hot_state_open") != 0,
        "store": gateway.metric("leadgate_store_healthy") != 1,
    }
    return {name for name, true in found.items() if true}


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
        until = time.monotonic() + PATIENCE_S
        while len(traffic.visits) < traffic.visitors and time.monotonic() < until:
            time.sleep(0.05)  # the first visitors wait for their lists to be read
        time.sleep(BEFORE_S)
        assert not lacking(gateway), gateway.told
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
        parts: dict[str, float] = {}
        whole_s = 0.0
        while (lack := lacking(gateway)) and whole_s < PATIENCE_S:
            whole_s = time.monotonic() - back
            parts.update(dict.fromkeys(lack, whole_s))
            time.sleep(0.05)
        time.sleep(AFTER_S + SETTLED_S)
    time.sleep(PUBLISHED_S)
    told = gateway.told
    metrics = {name: gateway.metric(name) for name in NAMES}
    assert gateway.stop() == 0
    books = await read_books(gateway.path, gateway.environ)
    outage = Outage(gateway, traffic, began, ended, whole_s, parts, advice, metrics, books)
    tell(what, outage)
    outage.counts = judge(books, traffic, origin)
    print(f"  {'in the books':34}{outage.counts}")
    assert traffic.errors == {}, "visitors saw errors"
    assert not lack, f"it did not become whole again in {PATIENCE_S} s: {told}"
    # The one time that is promised: submissions and counters go where they belong again. What waits in the spool is brought over meanwhile; how long
    # that takes depends on how much it is, and is printed.
    served_s = max((took for name, took in parts.items() if name != "spool"), default=0.0)
    assert served_s <= WHOLE_WITHIN_S, f"whole again only after {served_s:.1f} s"
    assert books.unjournaled == 0, "with a spool nothing goes by unstored"
    for name in ("unjournaled", "fail_open", "records_dropped", "handler_failures"):
        assert metrics[f"leadgate_{name}_total"] == 0, name
    return outage


def tell(what: str, outage: Outage) -> None:
    traffic, began, ended = outage.traffic, outage.began, outage.ended
    rows: list[tuple[str, object]] = [
        ("requests answered", len(traffic.visits)),
        ("visitor errors", dict(traffic.errors) or 0),
        ("whole again after", f"{outage.whole_s:.2f} s (" + ", ".join(
            f"{name} {took:.2f}" for name, took in outage.parts.items()) + ")"),
        ("slowest before / during / after", " / ".join(
            f"{traffic.slowest(a, b)} ms" for a, b in ((0, began), (began, ended), (ended, float("inf"))))),
        ("99 % before / during / after", " / ".join(
            f"{traffic.slowest(a, b, 0.99)} ms" for a, b in ((0, began), (began, ended), (ended, float("inf"))))),
        *((f"verdicts {name}", f"{times} {reason}") for name, found in
          (("before", outage.before), ("during", outage.during), ("after", outage.after))
          for reason, times in found.most_common()),
        *((name.removeprefix("leadgate_").removesuffix("_total"), int(value)) for name, value in outage.metrics.items()),
        ("advice meanwhile", max(outage.advice, key=len) if outage.advice else "none"),
    ]  # fmt: skip
    print(f"\n{what} ({outage.ended - outage.began:.1f} s away)")
    for name, value in rows:
        print(f"  {name:34}{value}")
