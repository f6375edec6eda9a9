"""Before the first visitor: what would otherwise be built while he waits.

Matchers build their tables, packages read their data and Python specialises its code when they are used for the first
time; together that costs the first visitors of a fresh process a tenth of a second. A few made-up visits pay it.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from detectors.observation import Client, Kind, Page, Request, ReverseName, Unavailable
from gateway.evidence.record import Answered
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.generation import Generation
from gateway.intake.clicks import click_id
from gateway.intake.forms import FormLimits
from gateway.intake.target import parse
from gateway.metrics import Metrics
from gateway.model import new_id, now_us
from gateway.pipeline import Judgement, Pipeline
from gateway.stores.hot.memory import MemoryState
from gateway.visits.reading import Reading, understand
from geoip.network import Network

ROUNDS = 8  # Python specialises a function after a few calls
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
)
TARGET = b"/?utm_source=warm-up&gclid=CjwKCAjw-made-up-for-the-first-visitor"
FORM_TYPE = b"application/x-www-form-urlencoded"
BODY = {"email": "first.visitor@example.com", "phone": "+44 20 7946 0018", "full_name": "First Visitor"}


async def warm_up(
    generation: Generation,
    network: Callable[[str], Network | Unavailable],
    wants_reverse: Callable[[str, Network], bool],
) -> int:
    """Judge made-up visits, with counters, metrics and records that nobody will see; no name is looked up. Answers how many."""
    collector = Collector(bytes(32), MemoryState(64), network, _no_reverse, wants_reverse)
    pipeline = Pipeline(collector, lambda entry: True, Metrics(), source="replay")
    # Lists and matchers are shared by all routes, so one of each kind is enough.
    landing = next((route.judgement for site in generation.sites for route in site.landings), None)
    form = next((route for site in generation.sites for route in site.forms), None)
    done = 0
    for agent in AGENTS * ROUNDS:
        if landing is not None:
            await _visit(pipeline, landing, _arrival(Kind.LANDING, agent))
            done += 1
        if form is not None:
            fields = [(names[0], BODY.get(role, "made up")) for role, names in form.form.fields.mapping().items()]
            body = urlencode(fields).encode()
            reading = understand([form], FORM_TYPE, None, body, FormLimits(), parse(TARGET, "POST", ()))
            if reading is not None:
                await _visit(pipeline, form.judgement, _arrival(Kind.SUBMISSION, agent, reading))
                done += 1
    return done


async def _visit(pipeline: Pipeline, judgement: Judgement, arrival: Arrival) -> None:
    pipeline.record(await pipeline.judge(arrival, judgement), Answered(200, "origin"))


def _arrival(kind: Kind, agent: str, reading: Reading | None = None) -> Arrival:
    target = parse(TARGET, "GET", ())
    headers = (("Host", "warm-up.invalid"), ("User-Agent", agent), ("Accept", "text/html"), ("Accept-Language", "en"))
    return Arrival(
        id=new_id(),
        kind=kind,
        site="warm-up",
        at=now_us(),
        client=Client("192.0.2.1", 1),
        request=Request("GET", TARGET.decode(), headers),
        page=Page("warm-up.invalid", target.path),
        click=click_id(target.query),
        lead=None if reading is None else reading.lead,
        content=None if reading is None else reading.content,
        contacts=() if reading is None else reading.contacts,
        form=None if reading is None else reading.route.form.name,
    )


async def _no_reverse(address: str) -> ReverseName | Unavailable:
    return Unavailable("warm-up")
