"""Arrivals become observations: what is counted, what is sealed, and what cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from servers import free_port

from detectors.behaviour import Company, Journey
from detectors.observation import (
    Click,
    Client,
    Duplicate,
    Kind,
    Lead,
    Page,
    RenderToken,
    Request,
    ReverseName,
    Session,
    Unavailable,
    Velocity,
)
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.intake.clicks import FoundClick
from gateway.intake.render_token import TokenReading
from gateway.model import new_id
from gateway.stores.hot import Answers, HotState, Operation
from gateway.stores.hot.guarded import GuardedState
from gateway.stores.hot.memory import MemoryState
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.state import RedisState
from geoip.network import Network

START = 1_780_000_000_000_000
SECOND = 1_000_000
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/155.0.0.0 Safari/537.36"
)


def request(agent: str = CHROME, language: str = "en-GB") -> Request:
    return Request("GET", "/offer", (("Host", "acme.example"), ("User-Agent", agent), ("Accept-Language", language)))


def arrival(**changes: Any) -> Arrival:
    given: dict[str, Any] = {
        "id": new_id(),
        "kind": Kind.LANDING,
        "site": "acme",
        "at": START,
        "client": Client("198.51.100.7", 4711),
        "request": request(),
        "page": Page("acme.example", "/offer"),
    }
    return Arrival(**(given | changes))


class Facts:
    """A collector on a state of its own, with a network of AS 64500 and a name service that is counted."""

    def __init__(
        self,
        wants_reverse: bool = False,
        network: Network | Unavailable | None = None,
        hot: HotState | None = None,
    ) -> None:
        self.asked: list[str] = []

        async def reverse(address: str) -> ReverseName:
            self.asked.append(address)
            return ReverseName("crawl.example", True)

        found = Network(64500, "Example ISP", "GB") if network is None else network
        hot = MemoryState() if hot is None else hot
        self.gather = Collector(b"k" * 32, hot, lambda _: found, reverse, lambda *_: wants_reverse).gather


def counts(velocity: Velocity | Unavailable) -> dict[str, tuple[int, int]]:
    assert isinstance(velocity, Velocity)
    return {key: (c.count, c.distinct) for key, c in velocity.flat().items() if key.endswith("/60")}


async def test_counts_rise_with_each_event_and_tell_browsers_apart() -> None:
    facts = Facts()
    await facts.gather(arrival())
    await facts.gather(arrival(request=request("other browser")))
    found = counts((await facts.gather(arrival())).velocity)
    assert found["address/60"] == (3, 2)
    assert found["prefix/60"] == (3, 2)
    assert found["network/60"] == (3, 2)
    assert found["browser/60"] == (2, 1)  # distinct addresses, for a browser


async def test_landings_and_submissions_and_sites_are_counted_apart() -> None:
    facts = Facts()
    await facts.gather(arrival())
    await facts.gather(arrival(site="other"))
    submitted = await facts.gather(arrival(kind=Kind.SUBMISSION, lead=Lead("quote", ())))
    assert counts(submitted.velocity)["address/60"] == (1, 1)


async def test_an_unknown_address_makes_address_facts_unavailable_not_suspicious() -> None:
    facts = Facts(wants_reverse=True)
    unknown = Unavailable("client address: a proxy nobody trusts")
    for _ in range(40):
        found = await facts.gather(arrival(client=unknown))
    assert found.network == unknown
    assert found.session == unknown
    assert not {"address/60", "prefix/60", "network/60", "browser/60"} & counts(found.velocity).keys()
    assert facts.asked == []


async def test_a_derived_session_counts_landings_and_sees_them_at_the_submission() -> None:
    facts = Facts()
    await facts.gather(arrival())
    await facts.gather(arrival(at=START + 5 * SECOND))
    found = await facts.gather(arrival(at=START + 60 * SECOND, kind=Kind.SUBMISSION, lead=Lead("quote", ())))
    assert isinstance(found.session, Session)
    assert (found.session.kind, found.session.landings, found.session.submissions) == ("derived", 2, 1)
    assert found.session.age_s == 60


async def test_a_derived_session_ends_with_the_day_and_differs_by_site() -> None:
    facts = Facts()
    one = (await facts.gather(arrival())).session
    next_day = (await facts.gather(arrival(at=START + 86_400 * SECOND))).session
    elsewhere = (await facts.gather(arrival(site="other"))).session
    assert isinstance(one, Session) and isinstance(next_day, Session) and isinstance(elsewhere, Session)
    assert len({one.id, next_day.id, elsewhere.id}) == 3


async def test_a_cookie_session_is_as_old_as_its_cookie_and_never_the_cookie_itself() -> None:
    found = (await Facts().gather(arrival(session_mode="cookie", cookie=("a" * 32, START - 90 * SECOND)))).session
    assert isinstance(found, Session)
    assert (found.kind, found.age_s, found.landings) == ("cookie", 90, 1)
    assert "a" * 32 not in found.id


async def test_sessions_can_be_off() -> None:
    assert (await Facts().gather(arrival(session_mode="off"))).session is None


async def test_a_click_id_is_sealed_where_it_was_first_seen() -> None:
    facts = Facts()
    click = FoundClick("google", "gclid", "Cj0KCQ-example", 1, 14)
    first = (await facts.gather(arrival(click=click))).click
    again = (await facts.gather(arrival(click=click, at=START + 3 * SECOND))).click
    other = await facts.gather(
        arrival(click=click, at=START + 9 * SECOND, client=Client("203.0.113.9"), request=request("another"))
    )
    assert first is not None and not isinstance(first, Unavailable) and first.seen == 1 and first.same_network is None
    assert again is not None and not isinstance(again, Unavailable)
    assert (again.seen, again.first_seen_s, again.same_network, again.same_browser) == (2, 3, True, True)
    assert other.click is not None and not isinstance(other.click, Unavailable)
    assert (other.click.seen, other.click.same_network, other.click.same_browser) == (3, False, False)
    assert "Cj0KCQ" not in first.digest


def submission(body: bytes = b"b" * 16, **changes: Any) -> Arrival:
    token = TokenReading("valid", None, START - 8 * SECOND, "00112233445566ff", 8000)
    given: dict[str, Any] = {
        "kind": Kind.SUBMISSION,
        "lead": Lead("quote", ()),
        "token": token,
        "content": body,
        "form": "quote",
    }
    return arrival(**(given | changes))


async def test_a_token_used_again_tells_body_session_and_network_apart() -> None:
    facts = Facts()
    first = (await facts.gather(submission())).token
    retry = (await facts.gather(submission())).token
    back_button = (await facts.gather(submission(b"c" * 16))).token
    stolen = (await facts.gather(submission(b"d" * 16, client=Client("203.0.113.9")))).token
    assert first is not None and not isinstance(first, Unavailable)
    assert (first.state, first.age_ms, first.uses, first.same_body) == ("valid", 8000, 1, None)
    for found, expected in (
        (retry, (2, True, True, True)),
        (back_button, (3, False, True, True)),
        (stolen, (4, False, False, False)),
    ):
        assert found is not None and not isinstance(found, Unavailable)
        assert (found.uses, found.same_body, found.same_session, found.same_network) == expected


async def test_where_the_network_is_unknown_a_token_says_so() -> None:
    facts = Facts()
    unknown = Unavailable("client address: unknown")
    await facts.gather(submission(client=unknown))
    found = (await facts.gather(submission(client=unknown))).token
    assert found is not None and not isinstance(found, Unavailable)
    assert (found.same_session, found.same_network) == (None, None)


async def test_bodies_and_contacts_seen_before_are_told_apart() -> None:
    facts = Facts()
    contacts = (("email", "ada@example.com"), ("phone", "+441632960961"))
    await facts.gather(submission(contacts=contacts))
    same = (await facts.gather(submission(contacts=contacts, at=START + 60 * SECOND))).duplicate
    other_text = (
        await facts.gather(submission(b"e" * 16, contacts=contacts[:1], at=START + 3 * 86_400 * SECOND))
    ).duplicate
    assert same is not None and not isinstance(same, Unavailable)
    assert (same.body_seen, same.contact_seen, same.contact_days) == (2, 2, 0)
    assert other_text is not None and not isinstance(other_text, Unavailable)
    assert (other_text.body_seen, other_text.contact_seen, other_text.contact_days) == (1, 3, 3)


async def test_reverse_dns_is_asked_only_where_it_is_wanted() -> None:
    facts = Facts(wants_reverse=True)
    assert (await facts.gather(arrival())).reverse == ReverseName("crawl.example", True)
    assert facts.asked == ["198.51.100.7"]
    quiet = Facts()
    assert (await quiet.gather(arrival())).reverse is None
    assert quiet.asked == []


async def test_a_company_is_named_and_its_host_name_asked_for_only_where_wanted() -> None:
    office = Network(64500, "Example Steel Inc.", "GB", (), "business")
    asked: list[str] = []

    async def reverse(address: str) -> ReverseName:
        asked.append(address)
        return ReverseName("gw.steelworks.example", True)

    def collector(names: bool) -> Collector:
        return Collector(
            b"k" * 32, MemoryState(), lambda _: office, reverse, lambda *_: False, names_company=lambda _: names
        )

    quiet = await collector(False).gather(arrival())
    assert (quiet.company, quiet.reverse, asked) == (Company("Example Steel Inc."), None, [])
    told = await collector(True).gather(arrival())
    # a host name that was not asked for a crawler's sake is no fact about one
    assert (told.company, told.reverse) == (Company("Example Steel Inc.", "steelworks.example"), None)
    assert asked == ["198.51.100.7"]
    assert (await Facts().gather(arrival())).company is None


async def test_hot_state_never_holds_an_address_or_a_contact() -> None:
    state = MemoryState()
    collector = Collector(b"k" * 32, state, lambda _: Network(), _no_reverse, lambda *_: False)
    await collector.gather(submission(contacts=(("email", "ada@example.com"),)))
    held = repr(vars(state))
    assert "ada@" not in held and "198.51.100.7" not in held


async def _no_reverse(_: str) -> Unavailable:
    return Unavailable("not asked")


REASON = "redis: no answer within 10 ms; counted in this process only"


class Half(MemoryState):
    """A state that answers from what it has, and says of the operations that `touches` picks that they may know too little."""

    def __init__(self, touches: Callable[[Operation], bool] = lambda _: True, why: str = REASON) -> None:
        super().__init__()
        self.touches, self.why, self.away = touches, why, False

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        results = list((await super().observe(ops, now, dry=dry)).results)
        places = [place for place, op in enumerate(ops) if self.touches(op)]
        for place in places if self.away else ():
            results[place] = Unavailable(self.why)
        return Answers(results, {place: f"{self.why} ({ops[place].key[:1].decode()})" for place in places})


def of(letters: bytes) -> Callable[[Operation], bool]:
    """Operations by the letter of their key: a address, s session, c click; S, C, T, B, K seals of session, click, token, body, contact."""
    return lambda op: op.key[:1] in letters


CLICK = FoundClick("google", "gclid", "Cj0KCQ-example", 1, 14)
CONTACTS = (("email", "ada@example.com"), ("phone", "+441632960961"))


@pytest.mark.parametrize(
    ("letters", "facts"),
    [
        (b"n", {"velocity": "n"}),
        (b"cs", {"velocity": "s"}),  # the first reason
        (b"S", {"session": "S"}),
        (b"C", {"click": "C"}),
        (b"SCa", {"velocity": "a", "session": "S", "click": "C"}),
    ],
)
async def test_which_facts_of_a_landing_are_known_in_part(letters: bytes, facts: dict[str, str]) -> None:
    found = await Facts(hot=Half(of(letters))).gather(arrival(click=CLICK))
    assert found.partial == tuple((fact, f"{REASON} ({letter})") for fact, letter in facts.items())
    assert isinstance(found.velocity, Velocity) and isinstance(found.session, Session)


@pytest.mark.parametrize(
    ("letters", "facts"),
    [
        (b"k", {"velocity": "k"}),
        (b"T", {"token": "T"}),
        (b"K", {"duplicate": "K"}),
        (b"BK", {"duplicate": "B"}),
        (b"STB", {"session": "S", "token": "T", "duplicate": "B"}),
    ],
)
async def test_which_facts_of_a_submission_are_known_in_part(letters: bytes, facts: dict[str, str]) -> None:
    found = await Facts(hot=Half(of(letters))).gather(submission(contacts=CONTACTS))
    assert found.partial == tuple((fact, f"{REASON} ({letter})") for fact, letter in facts.items())


async def test_where_all_is_well_nothing_is_partial() -> None:
    assert (await Facts().gather(submission(contacts=CONTACTS, click=CLICK))).partial == ()


async def test_a_fact_that_cannot_be_had_at_all_is_not_called_partial() -> None:
    state = Half(of(b"S"))
    state.away = True
    found = await Facts(hot=state).gather(arrival(click=CLICK))
    assert found.session == Unavailable(REASON)
    assert found.partial == ()


async def test_nothing_is_said_to_be_here_for_the_first_time_where_that_is_not_known() -> None:
    facts = Facts(hot=Half())
    landing = (await facts.gather(arrival(click=CLICK))).click
    lead = await facts.gather(submission(contacts=CONTACTS))
    assert isinstance(landing, Click) and landing.seen == 0
    assert isinstance(lead.token, RenderToken) and (lead.token.uses, lead.token.age_ms) == (0, 8000)
    assert lead.duplicate == Duplicate(0, 0, 0)


@pytest.mark.parametrize(("letters", "second"), [(b"P", None), (b"z", False)])
async def test_a_second_page_that_may_have_been_missed_is_not_called_missing(
    letters: bytes, second: bool | None
) -> None:
    journey = (await Facts(hot=Half(of(letters))).gather(submission())).journey
    assert isinstance(journey, Journey) and journey.second is second


async def test_what_was_seen_is_said_where_there_may_have_been_more() -> None:
    facts = Facts(hot=Half())
    await facts.gather(arrival(click=CLICK))
    await facts.gather(submission(contacts=CONTACTS))
    landing = (await facts.gather(arrival(click=CLICK, at=START + 5 * SECOND))).click
    lead = await facts.gather(submission(contacts=CONTACTS, at=START + 5 * SECOND))
    assert isinstance(landing, Click) and (landing.seen, landing.first_seen_s) == (2, 5)
    assert isinstance(lead.token, RenderToken) and (lead.token.uses, lead.token.same_body) == (2, True)
    assert lead.duplicate == Duplicate(2, 2, 0)
    assert counts(lead.velocity)["address/60"] == (2, 1)


@pytest.mark.parametrize(
    ("letters", "duplicate"), [(b"B", Duplicate(0, 1, 0)), (b"K", Duplicate(1, 0, 0)), (b"T", Duplicate(1, 1, 0))]
)
async def test_what_is_known_in_whole_is_said_in_whole(letters: bytes, duplicate: Duplicate) -> None:
    found = await Facts(hot=Half(of(letters))).gather(submission(contacts=CONTACTS))
    assert found.duplicate == duplicate


async def test_times_from_another_clock_never_lie_in_the_future() -> None:
    """A shared state translates its times to the caller's clock, and may be off by what the answer took."""

    class Ahead(MemoryState):
        async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
            return await super().observe(ops, now + 2 * SECOND, dry=dry)

    facts = Facts(hot=Ahead())
    await facts.gather(arrival(click=CLICK))
    await facts.gather(submission(contacts=CONTACTS))
    landing = await facts.gather(arrival(click=CLICK, at=START + SECOND))
    lead = await facts.gather(submission(contacts=CONTACTS, at=START + SECOND))
    assert isinstance(landing.click, Click) and landing.click.first_seen_s == 0
    assert isinstance(landing.session, Session) and landing.session.age_s == 0
    assert isinstance(lead.duplicate, Duplicate) and lead.duplicate.contact_days == 0


async def test_the_day_of_a_derived_session_is_that_of_the_arrival_whatever_the_state_s_clock_says() -> None:
    day = 86_400 * SECOND
    last, first = START // day * day + day - 1, START // day * day + day

    class Behind(MemoryState):
        async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
            return await super().observe(ops, now - 3600 * SECOND, dry=dry)

    found = [
        (await Facts(hot=state).gather(arrival(at=at))).session
        for state in (MemoryState(), Behind())
        for at in (last, first)
    ]
    ids = [session.id for session in found if isinstance(session, Session)]
    assert ids[:2] == ids[2:] and ids[0] != ids[1]


async def test_visitors_whose_browser_nobody_told_are_not_taken_for_one() -> None:
    facts = Facts()
    bare = Request("GET", "/offer", (), complete=False, ordered=False)
    click = FoundClick("google", "gclid", "CjwKCAjw-one", 1, 12)
    for number in range(3):
        found = await facts.gather(arrival(request=bare, client=Client(f"198.51.{number}.7"), click=click))
    assert isinstance(found.velocity, Velocity)
    assert {key: count for key, count in counts(found.velocity).items() if not key.startswith("network")} == {
        "address/60": (1, 0),
        "prefix/60": (1, 0),
        "click/60": (3, 0),
        "paid/60": (1, 1),
        "site/60": (3, 0),
    }
    assert found.session == Unavailable("no user agent is known that would tell one browser from another")
    assert isinstance(found.click, Click)
    assert (found.click.seen, found.click.same_network, found.click.same_browser) == (3, False, None)


async def test_without_a_redis_the_process_counts_and_the_observation_says_so() -> None:
    nobody = RedisSettings("single", (("127.0.0.1", free_port()),))
    hot = GuardedState(RedisState(nobody), MemoryState())
    await hot.start()
    try:
        facts = Facts(hot=hot)
        for _ in range(8):  # before and after it is left alone
            landing = await facts.gather(arrival(click=CLICK))
            lead = await facts.gather(submission(contacts=CONTACTS))
        assert hot.open
    finally:
        await hot.close()
    why = "redis: connection refused; counted in this process only"
    assert landing.partial == (("velocity", why), ("session", why), ("click", why), ("journey", why))
    assert lead.partial == (("velocity", why), ("session", why), ("token", why), ("duplicate", why), ("journey", why))
    assert counts(landing.velocity)["address/60"] == (8, 1)
    assert isinstance(landing.click, Click) and landing.click.seen == 8
