"""Bounded load of visitors who look and post, each answered or not: what they got is kept, to be compared with what the books say."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from origin import Origin, Received, Side, response
from visitor import Browser, Response

PAGE = "<html>the roof offer</html>"
REFERENCE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
LANDING, FORWARDED, HELD, DECLINED = "landing", "forwarded", "held", "declined"
KINDS = (LANDING, FORWARDED, LANDING, HELD, FORWARDED, DECLINED)
STATUS = {LANDING: 200, FORWARDED: 303, HELD: 200, DECLINED: 403}
FINAL = {FORWARDED: "delivered", HELD: "held", DECLINED: "rejected"}
_NUMBER = re.compile(rb"%3C(\d+)%3E")


@dataclass(frozen=True)
class Visit:
    """One request and its answer. at: seconds since the epoch when it was sent; trouble: why it was not what a visitor should get, or empty."""

    number: int
    kind: str
    at: float
    took: float
    reference: str | None
    trouble: str


def answering(origin: Origin) -> None:
    """The origin answers as the visitors of this load expect it."""

    def page(side: Side, request: Received) -> bytes:
        return response(PAGE, "200 OK", ("Cache-Control", "no-store"))

    origin.default = response("", "303 See Other", ("Location", "/thanks"))
    origin.scripts["/offer"] = page


def number_of(body: bytes) -> int:
    found = _NUMBER.search(body)
    assert found, body[:200]
    return int(found[1])


GIVEN = (
    "Martha",
    "Anna",
    "Karl",
    "Ingrid",
    "Peter",
    "Sofia",
    "Lars",
    "Clara",
    "Nils",
    "Emma",
    "Jonas",
    "Helene",
    "Otto",
)
FAMILY = ("Lindqvist", "Berger", "Holm", "Keller", "Sandberg", "Wagner", "Dahl", "Schreiber", "Nyman", "Fischer", "Ek")
"""People of their own: one name with hundreds of addresses, or one text from everywhere, is what floods look like."""


@dataclass
class Traffic:
    """`visitors` threads, together at most `rate` requests a second; every visitor has an address, a click and a contact of their own."""

    port: int
    visitors: int = 4
    rate: float = 40.0
    timeout: float = 15.0
    visits: list[Visit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers: Iterator[int] = count(1)
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    @contextmanager
    def running(self) -> Iterator[Traffic]:
        self._threads = [threading.Thread(target=self._visit_on, daemon=True) for _ in range(self.visitors)]
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._done.set()
            for thread in self._threads:
                thread.join(self.timeout + 5)

    def _visit_on(self) -> None:
        pause = self.visitors / self.rate
        while not self._done.is_set():
            began = time.monotonic()
            self.visits.append(self._visit(next(self._numbers)))
            self._done.wait(max(0.0, pause - (time.monotonic() - began)))

    def _visit(self, number: int) -> Visit:
        kind = KINDS[number % len(KINDS)]
        browser, at, began = Browser(self.port), time.time(), time.monotonic()
        try:
            if kind == LANDING:
                answer = browser.get(f"/offer?gclid=Cj0KCQiA{number:012d}traffic")
            else:
                answer = browser.post("/lead", self._form(number, kind), timeout=self.timeout)
            trouble = self._trouble(kind, answer)
            found = REFERENCE.search(answer.text)
        except Exception as error:
            trouble, found = f"{type(error).__name__}: {error}", None
        return Visit(number, kind, at, time.monotonic() - began, found[0] if found else None, trouble)

    @staticmethod
    def _trouble(kind: str, answer: Response) -> str:
        if answer.status != STATUS[kind]:
            return f"answered {answer.status} instead of {STATUS[kind]}"
        if kind == LANDING and PAGE not in answer.text:
            return "not the origin's page"
        if kind in (HELD, DECLINED) and not REFERENCE.search(answer.text):
            return "no reference"
        return ""

    @staticmethod
    def _form(number: int, kind: str) -> dict[str, str]:
        form = {
            "full_name": f"{GIVEN[number % len(GIVEN)]} {FAMILY[number // len(GIVEN) % len(FAMILY)]}",
            "email": f"n{number}@" + ("mailinator.com" if kind == HELD else "lindqvist-consult.se"),
            "message": f"Please call me, house <{number}>.",
        }
        return form | ({"lg_note_k7": "x"} if kind == DECLINED else {})

    # what came of it

    def of(self, *kinds: str) -> list[Visit]:
        return [visit for visit in list(self.visits) if visit.kind in kinds]

    @property
    def errors(self) -> Counter[str]:
        return Counter(f"{visit.kind}: {visit.trouble}" for visit in self.visits if visit.trouble)

    def slowest(self, since: float, until: float, share: float = 1.0) -> float:
        """Milliseconds: of the visits sent in this time, that share was answered faster."""
        took = sorted(visit.took for visit in self.visits if since <= visit.at < until)
        return round(1000 * took[min(len(took) - 1, int(share * len(took)))], 1) if took else 0.0
