from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.observation import Click, Client, Lead, Observation, Request, Session, Unavailable
from geoip.network import Network
from rules.lists import Entry, Lists, _Ranges, domain_of

Make = Callable[..., Observation]


def test_nothing_is_on_empty_lists(landing: Make) -> None:
    assert Lists().match(landing()) is None
    assert Lists(allow=[Entry("nobody")]).match(landing()) is None


@pytest.mark.parametrize(
    ("entry", "facts", "by"),
    [
        (Entry("e", addresses=("192.0.2.0/24",)), {}, "range /24"),
        (Entry("e", addresses=("192.0.2.7",)), {}, "address"),
        (Entry("e", addresses=("::ffff:192.0.2.0/120",)), {}, "range /24"),
        (Entry("e", addresses=("2001:db8::/32",)), {"client": Client("2001:db8::1")}, "range /32"),
        (Entry("e", addresses=("0.0.0.0/0",)), {}, "range /0"),
        (Entry("e", asns=(64496,)), {}, "network AS64496"),
        (Entry("e", countries=("de",)), {}, "country DE"),
        (Entry("e", organisations=("example MOB",)), {}, "organisation"),
        (Entry("e", user_agents=("MOZILLA/5.0 test",)), {}, "user agent"),
        (Entry("e", sessions=("ab12",)), {}, "session"),
        (Entry("e", click_ids=("d1",)), {"click": Click("google", "gclid", "d1", 9)}, "click id"),
    ],
)
def test_each_kind_of_value_matches_and_is_named(
    landing: Make, entry: Entry, facts: dict[str, object], by: str
) -> None:
    hit = Lists(deny=[entry]).match(landing(**facts))
    assert hit is not None
    assert (hit.name, hit.by, hit.allow, str(hit)) == ("e", by, False, f"deny list e ({by})")


@pytest.mark.parametrize(
    "entry",
    [
        Entry("e", addresses=("192.0.3.0/24", "192.0.2.8", "2001:db8::/32")),
        Entry("e", asns=(64497,), countries=("FR",), organisations=("other",)),
        Entry("e", user_agents=("curl",), sessions=("ab",), click_ids=("d1",)),
        Entry("e", emails=("a@b.example",), email_domains=("b.example",)),
    ],
)
def test_what_is_not_listed_passes(landing: Make, entry: Entry) -> None:
    assert Lists(deny=[entry]).match(landing()) is None


def test_facts_that_are_missing_match_nothing(landing: Make) -> None:
    gone = Unavailable("x")
    entry = Entry(
        "e", addresses=("0.0.0.0/0",), asns=(64496,), sessions=("ab12",), click_ids=("d",), emails=("a@b.example",)
    )
    obs = landing(client=gone, network=gone, session=gone, click=gone, lead=gone, request=Request("GET", "/", ()))
    assert Lists(deny=[entry]).match(obs) is None
    assert (
        Lists(deny=[Entry("e", asns=(1,), countries=("DE",), organisations=("x",))]).match(landing(network=Network()))
        is None
    )


def lead(*emails: str) -> Lead:
    return Lead("quote", tuple(("email", email) for email in emails), {"email": emails})


@pytest.mark.parametrize(
    ("entry", "email", "by"),
    [
        (Entry("e", emails=("Anna@Shop.example",)), " anna@shop.EXAMPLE", "e-mail address"),
        (Entry("e", email_domains=("shop.example",)), "anna@Shop.example.", "e-mail domain shop.example"),
        (
            Entry("e", email_domains=("bücher.example",)),
            "a@xn--bcher-kva.example",
            "e-mail domain xn--bcher-kva.example",
        ),
        (
            Entry("e", email_domains=("xn--bcher-kva.example",)),
            "a@BÜCHER.example",
            "e-mail domain xn--bcher-kva.example",
        ),
    ],
)
def test_mail_is_compared_without_case_and_in_ascii(submission: Make, entry: Entry, email: str, by: str) -> None:
    hit = Lists(deny=[entry]).match(submission(lead=lead(email)))
    assert hit is not None
    assert hit.by == by


def test_a_domain_does_not_cover_what_lies_below_it(submission: Make) -> None:
    lists = Lists(deny=[Entry("e", email_domains=("shop.example",))])
    assert lists.match(submission(lead=lead("a@mail.shop.example"))) is None
    assert lists.match(submission(lead=lead("not an address"))) is None
    assert domain_of("a@" + "ü" * 300) == "ü" * 300  # no name that can be written in ASCII: compared as it is


def test_every_value_of_a_doubled_field_is_judged(submission: Make) -> None:
    friend = Entry("friend", email_domains=("friend.example",))
    obs = submission(lead=lead("a@friend.example", "b@pest.example"))
    assert Lists(allow=[friend]).match(obs) is None
    assert Lists(allow=[friend]).match(submission(lead=lead("a@friend.example", "b@friend.example"))) is not None
    assert Lists(allow=[friend]).match(submission(lead=lead())) is None
    hit = Lists(allow=[friend], deny=[Entry("pest", email_domains=("pest.example",))]).match(obs)
    assert hit is not None
    assert hit.name == "pest"


def test_allow_beats_deny_and_the_note_comes_along(landing: Make) -> None:
    lists = Lists(allow=[Entry("office", asns=(64496,), note="us")], deny=[Entry("pest", addresses=("192.0.2.0/24",))])
    hit = lists.match(landing())
    assert hit is not None
    assert (hit.allow, hit.name, hit.note) == (True, "office", "us")


def test_the_narrowest_range_names_the_entry_and_the_first_of_equals(landing: Make) -> None:
    wide, narrow = Entry("wide", addresses=("192.0.0.0/16",)), Entry("narrow", addresses=("192.0.2.0/28",))
    hit = Lists(deny=[wide, narrow, Entry("same", addresses=("192.0.2.0/28",))]).match(landing())
    assert hit is not None
    assert hit.name == "narrow"


def test_what_is_no_range_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Lists(deny=[Entry("e", addresses=("300.1.1.1",))])


networks = st.builds(
    lambda number, length: ip_network(((number >> (32 - length)) << (32 - length), length)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(st.lists(networks, min_size=1, max_size=30), st.integers(0, 2**32 - 1), st.booleans())
def test_ranges_agree_with_looking_at_each(found: list, number: int, inside: bool) -> None:  # type: ignore[type-arg]
    from ipaddress import IPv4Address

    address = found[0].network_address if inside else IPv4Address(number)
    hit = _Ranges([Entry(str(at), addresses=(str(network),)) for at, network in enumerate(found)]).find(str(address))
    holding = [(-network.prefixlen, at) for at, network in enumerate(found) if address in network]
    assert (hit[0].name if hit else None) == (str(min(holding)[1]) if holding else None)


def test_a_single_persons_address_is_not_repeated(landing: Make, submission: Make) -> None:
    hit = Lists(deny=[Entry("e", addresses=("192.0.2.7",), emails=("a@b.example",))]).match(landing())
    assert "192.0.2.7" not in str(hit)
    assert "a@b.example" not in str(Lists(deny=[Entry("e", emails=("a@b.example",))]).match(submission()))
    assert isinstance(landing().session, Session)
