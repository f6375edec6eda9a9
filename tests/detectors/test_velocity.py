"""Velocity: a bot is too many, a crowd is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.observation import WINDOWS, Client, Count, Kind, Observation, Page, Request, Unavailable, Velocity
from detectors.reference import Reference
from detectors.signal import Signal
from detectors.velocity import DISTINCT_CAP, LEAST, Limit, VelocityLimits, detect
from geoip.kinds import KINDS
from geoip.network import Network

GONE = Unavailable("test")
HOME = Network(asn=3320, organisation="Deutsche Telekom AG", country="DE")


@pytest.fixture(scope="module")
def ref() -> Reference:
    return Reference.builtin()


def found(
    ref: Reference,
    counts: dict[str, tuple[int, int]] | Unavailable,
    network: Network | Unavailable = HOME,
    kind: Kind = Kind.LANDING,
) -> list[Signal]:
    velocity = (
        counts
        if isinstance(counts, Unavailable)
        else Velocity.of({key: Count(*value) for key, value in counts.items()})
    )
    obs = Observation(
        kind,
        "acme",
        0,
        Page("acme.example", "/offer"),
        Client("192.0.2.1"),
        Request("GET", "/offer", ()),
        network=network,
        velocity=velocity,
    )
    return list(detect(obs, ref))


def test_one_bot_with_thirty_clicks_in_a_minute(ref: Reference) -> None:
    signals = found(
        ref, {"address/60": (30, 1), "address/600": (30, 1), "address/3600": (30, 1), "address/86400": (30, 1)}
    )
    assert signals == [Signal("velocity.address.landing", ("30", "a minute", "1"), 0.528)]


@pytest.mark.parametrize(
    "network",
    [
        Network(21928, "T-Mobile USA, Inc.", "US", (), "mobile"),
        Network(45609, "Bharti Airtel Limited", "IN", (), "mixed"),
    ],
)
def test_five_hundred_phones_behind_one_carrier_address(ref: Reference, network: Network) -> None:
    # most phones of one model look alike: far fewer browsers than people are told apart
    counts = {
        "address/60": (45, 12),
        "address/600": (420, 38),
        "address/3600": (1_900, 64),
        "address/86400": (9_000, 64),
    }
    counts |= {"prefix/60": (300, 64), "prefix/600": (2_500, 64), "session/600": (60, 1), "network/60": (5_000, 64)}
    assert found(ref, counts, network) == []


def test_an_unnamed_crowd_is_judged_by_its_size(ref: Reference) -> None:
    crowd = {
        "address/60": (80, 40),
        "address/600": (500, 64),
        "address/3600": (3_000, 64),
        "address/86400": (20_000, 64),
    }
    assert found(ref, crowd) == []
    assert found(ref, {"address/60": (1_200, 64)}) == [
        Signal("velocity.address.landing", ("1200", "a minute", "64 or more"), 0.528)
    ]


def test_rotating_agents_are_held_to_what_so_many_people_may_do(ref: Reference) -> None:
    """The limit of counting: 20 user agents may cause what 20 people may, and only beyond that are they seen."""
    assert found(ref, {"address/60": (80, 20)}) == []
    assert [signal.id for signal in found(ref, {"address/60": (300, 20)})] == ["velocity.address.landing"]


def test_a_university_with_three_hundred_students(ref: Reference) -> None:
    campus = Network(organisation="Technische Universität München", country="DE", kind="education")
    assert found(ref, {"address/60": (60, 5), "address/600": (300, 9), "address/3600": (900, 20)}, campus) == []


@pytest.mark.parametrize("kind", ["relay", "cdn", "crawler"])
def test_shared_by_thousands_or_judged_elsewhere(ref: Reference, kind: str) -> None:
    counts = {"address/60": (5_000, 64), "address/600": (5_000, 1), "prefix/60": (9_000, 64), "session/60": (900, 3)}
    assert found(ref, counts, Network(kind=kind)) == []


def test_the_strongest_window_speaks_for_its_dimension(ref: Reference) -> None:
    signals = found(ref, {"address/60": (12, 1), "address/600": (240, 1), "session/600": (240, 1)})
    assert [(signal.id, signal.evidence) for signal in signals] == [
        ("velocity.address.landing", ("240", "10 minutes", "1")),
        ("velocity.session.landing", ("240", "10 minutes", "1")),
    ]


def test_strength_starts_low_and_is_full_at_eight_times_the_limit(ref: Reference) -> None:
    def strength(count: int) -> float:
        return found(ref, {"address/60": (count, 1)})[0].strength

    assert found(ref, {"address/60": (10, 1)}) == []
    assert strength(11) == LEAST
    assert strength(40) == pytest.approx(2 / 3, abs=0.001)
    assert strength(80) == strength(100_000) == 1.0


def test_every_browser_behind_an_address_adds_to_its_allowance() -> None:
    assert [Limit(10, 4).allowed(distinct) for distinct in (0, 1, 2, 11)] == [10, 10, 14, 50]


def test_a_network_is_judged_only_where_no_people_live(ref: Reference) -> None:
    assert found(ref, {"network/60": (600, 1)}) == []
    assert [signal.id for signal in found(ref, {"network/60": (600, 1)}, Network(kind="hosting"))] == [
        "velocity.network.landing"
    ]


def test_a_common_browser_is_no_finding_a_spread_one_is(ref: Reference) -> None:
    kind = Kind.SUBMISSION
    assert found(ref, {"browser/600": (200, 3)}, kind=kind) == []
    assert found(ref, {"browser/600": (200, DISTINCT_CAP)}, kind=kind) == [
        Signal("velocity.browser.submission", ("200", "10 minutes", "64 or more"), 0.774)
    ]


def test_the_commonest_phone_of_a_busy_site_grows_with_it(ref: Reference) -> None:
    def told(browser: int, site: int, browser_day: int, site_day: int) -> bool:
        counts = {
            "browser/60": (browser, 64),
            "browser/86400": (browser_day, 64),
            "site/60": (site, 0),
            "site/86400": (site_day, 0),
        }
        return [signal.id for signal in found(ref, counts)] == ["velocity.browser.landing"]

    assert not told(900, 4300, 18_000, 90_000)  # a fifth of the site's visitors have it, always
    assert told(900, 1800, 1900, 90_000)  # one in a hundred has it, and now half of all
    assert not told(399, 500, 400, 90_000)  # too few to tell
    assert not told(900, 1000, 900, 2_500)  # the site's day tells nothing yet


def test_nothing_is_said_of_browsers_where_the_sites_own_traffic_is_not_known(ref: Reference) -> None:
    assert found(ref, {"browser/60": (9000, DISTINCT_CAP)}) == []


def test_one_address_in_many_forms(ref: Reference) -> None:
    counts = {"email/60": (4, 4), "email/600": (40, 30), "phone/600": (40, 30)}
    signals = found(ref, counts, kind=Kind.SUBMISSION)
    assert [(signal.id, signal.strength) for signal in signals] == [
        ("velocity.email.submission", 1.0),
        ("velocity.phone.submission", 1.0),
    ]
    assert found(ref, {"email/60": (2, 1), "email/600": (3, 2)}, kind=Kind.SUBMISSION) == []  # corrected and sent again


def test_submissions_have_limits_of_their_own(ref: Reference) -> None:
    assert found(ref, {"address/60": (9, 1)}) == []
    assert [signal.id for signal in found(ref, {"address/60": (9, 1)}, kind=Kind.SUBMISSION)] == [
        "velocity.address.submission"
    ]


def test_a_call_centre_is_told_from_a_script_by_its_pace(ref: Reference) -> None:
    agents = {"address/60": (3, 2), "address/600": (28, 2), "address/3600": (180, 2), "address/86400": (1_400, 2)}
    script = {"address/60": (14, 1), "address/600": (110, 1), "address/3600": (160, 1), "address/86400": (160, 1)}
    assert [signal.strength for signal in found(ref, agents, kind=Kind.SUBMISSION)] == [0.7]
    assert [signal.strength for signal in found(ref, script, kind=Kind.SUBMISSION)] == [1.0]


def test_silent_without_counters(ref: Reference) -> None:
    assert found(ref, Unavailable("redis: timeout")) == []
    assert found(ref, {}) == []
    assert found(ref, {"unknown/60": (900, 1)}) == []


SHIPPED = Reference.builtin()
LOOKED_THROUGH = replace(  # no counter is passed over as quiet
    SHIPPED,
    limits=replace(
        SHIPPED.limits,
        quiet={kind: dict.fromkeys(rows, -1) for kind, rows in SHIPPED.limits.counters.items()},
    ),
)
DIMENSIONS = sorted({"unknown", *SHIPPED.limits.counters["landing"], *SHIPPED.limits.counters["submission"]})


@given(
    st.dictionaries(
        st.sampled_from([f"{dimension}/{window}" for dimension in DIMENSIONS for window in WINDOWS]),
        st.tuples(st.integers(0, 60) | st.integers(0, 20_000), st.integers(0, DISTINCT_CAP)),
        max_size=8,
    ),
    st.sampled_from(Kind),
    st.sampled_from([HOME, Network(kind="hosting"), GONE]),
)
def test_counters_passed_over_would_have_said_nothing(
    counts: dict[str, tuple[int, int]], kind: Kind, network: Network | Unavailable
) -> None:
    assert found(SHIPPED, counts, network, kind) == found(LOOKED_THROUGH, counts, network, kind)


@pytest.mark.parametrize(("kind", "factor"), [("relay", 0), ("mobile", 20), ("hosting", 1), ("consumer", 1), ("", 1)])
def test_factor_by_kind_of_network(kind: str, factor: int) -> None:
    assert VelocityLimits.builtin().factor(kind) == factor


def test_factors_are_of_kinds_that_there_are() -> None:
    assert set(VelocityLimits.builtin().shared) <= set(KINDS)


def test_the_shipped_table_is_whole() -> None:
    limits = VelocityLimits.builtin()
    assert set(limits.counters) == {"landing", "submission"}
    for counters in limits.counters.values():
        bases: dict[str, list[int]] = {}
        for place, counter in ((p, c) for row in counters.values() for p, c in enumerate(row) if c is not None):
            assert counter.window == WINDOWS[place]
            assert 0 < counter.limit.most <= 1
            assert (
                counter.crowd is None or counter.crowd >= counter.limit.base
            )  # the detector's short cut rests on this
            bases.setdefault(counter.dimension, []).append(counter.limit.base)
        assert all(base == sorted(base) for base in bases.values())
    assert all(factor == 0 or factor >= 1 for factor in limits.shared.values())
    assert VelocityLimits.builtin() is limits
    assert len(limits.content_hash) == 64
