from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import pytest

from detectors.observation import Click, Count, Observation, RenderToken, Unavailable, Velocity
from geoip.network import Network
from rules.expression import EvaluationError, Expression, ExpressionError
from rules.vocabulary import FACTS, VARIABLES

Make = Callable[..., Observation]
KNOWN = ("email.disposable", "velocity.address")


def holds(text: str, obs: Observation, signals: Mapping[str, float] | None = None) -> bool:
    return Expression(text, KNOWN).holds(signals or {}, obs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('signal("email.disposable")', True),
        ('signal("velocity.address")', False),
        ('signal("email.*") && !signal("velocity.*")', True),
        ('strength("email.disposable") > 0.4 && strength("email.disposable") < 0.6', True),
        ('strength("velocity.address") == 0.0', True),
        ('"email.disposable" in fired && fired.size() == 1', True),
        ('fired.exists(f, f.startsWith("velocity."))', False),
        ('kind == "landing" && site == "acme" && form == ""', True),
        ('page.host == "www.acme.example" && page.path.startsWith("/off")', True),
        ('"utm_source" in page.campaign && page.campaign["utm_source"] == "ads"', True),
        ('network.kind == "" && network.asn == 64496 && network.country in ["DE", "AT"]', True),
        ('network.organisation.matches("(?i)example mob")', True),
        ('session.kind == "derived" && session.age_s == 4 && session.landings == 1 && session.submissions == 0', True),
        ('!click.present && click.platform == "" && click.seen == 0 && click.first_seen_s == 0', True),
        ('token.state == "" && token.age_ms == -1', True),
        ('velocity["address/60"] == 5 && distinct["address/60"] == 3', True),
        ('velocity["email/60"] == 0', True),
        ("velocity.exists(key, velocity[key] == 50)", True),
        ('distinct.exists(key, key == "address/3600" && distinct[key] == 30)', True),
        ("headers.complete && headers.ordered", True),
        ('unavailable.size() == 0 && !("network" in unavailable)', True),
    ],
)
def test_conditions_read_signals_and_facts(landing: Make, text: str, expected: bool) -> None:
    assert holds(text, landing(), {"email.disposable": 0.5}) is expected


def test_facts_that_apply_are_read(submission: Make) -> None:
    obs = submission(
        click=Click("google", "gclid", "d", 20, seen=3, first_seen_s=9),
        token=RenderToken("valid", age_ms=2500),
        network=Network(labels=("hosting:A", "relay:B"), kind="relay"),
    )
    assert holds('click.present && click.platform == "google" && click.seen == 3 && click.first_seen_s == 9', obs)
    assert holds('form == "quote" && kind == "submission" && token.state == "valid" && token.age_ms == 2500', obs)
    assert holds('network.kind == "relay" && "hosting:A" in network.labels', obs)


def test_facts_that_could_not_be_had_read_as_nothing_and_are_named(submission: Make) -> None:
    gone = Unavailable("redis: timeout")
    obs = submission(network=gone, velocity=gone, session=gone, click=gone, token=gone, lead=gone)
    assert holds('network.kind == "" && network.asn == 0 && velocity["address/60"] == 0', obs)
    assert holds(
        'session.landings == 0 && session.kind == "" && !click.present && token.state == "" && form == ""', obs
    )
    assert holds('unavailable == ["network", "velocity", "session", "click", "lead", "token"]', obs)
    assert set(FACTS) >= {"network", "lead"}


def test_every_documented_word_compiles(landing: Make) -> None:
    for variable in VARIABLES:
        value = {"bool": "true", "int": "1", "string": '"x"', "list(string)": '["x"]'}.get(variable.type, "{}")
        assert holds(f"{variable.name} == {value} || true", landing())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('page.campaign["utm_term"] == "x"', "Key not found"),
        ("1 / session.submissions == 1", "divide by zero"),
        ("9223372036854775807 + session.landings == 1", "overflow"),
        (
            "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c, "
            "[1,2,3,4,5,6,7,8,9,0].all(d, [1,2,3,4,5,6,7,8,9,0].all(e, true)))))",
            "budget",
        ),
    ],
)
def test_a_condition_without_an_answer_says_why(landing: Make, text: str, why: str) -> None:
    with pytest.raises(EvaluationError, match=why):
        holds(text, landing())


def test_a_hostile_pattern_takes_linear_time(landing: Make) -> None:
    obs = landing(network=Network(organisation="a" * 2000 + "!"))
    assert not holds('network.organisation.matches("^(a+)+$")', obs)  # minutes in a backtracking matcher


def test_threads_do_not_see_each_others_signals(landing: Make) -> None:
    expression, obs = Expression('signal("velocity.address")', KNOWN), landing()
    answers: dict[bool, set[bool]] = {True: set(), False: set()}

    def work(fired: bool) -> None:
        for _ in range(300):
            answers[fired].add(expression.holds({"velocity.address": 1.0} if fired else {}, obs))

    threads = [threading.Thread(target=work, args=(fired,)) for fired in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {True: {True}, False: {False}}


def test_a_condition_may_name_a_counter_and_walk_all_of_them(landing: Make) -> None:
    obs = landing(velocity=Velocity.of({"email/60": Count(7, 2)}))
    assert holds('velocity["address/60"] == 0 && velocity.exists(key, velocity[key] == 7)', obs)


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ('signal("email.disposable") && strength("velocity.address") > 0.5', {"email.disposable", "velocity.address"}),
        ('signal("email.*")', {"email.disposable"}),
        ('kind == "landing"', set()),
        ('"email.disposable" in fired', None),
        ('["email.disposable"].exists(id, signal(id))', None),
    ],
)
def test_a_condition_knows_which_signals_can_move_it(text: str, mentions: set[str] | None) -> None:
    expression = Expression(text, KNOWN)
    assert expression.mentions == mentions
    assert expression.unmoved_by({"other.signal"}) is (mentions is not None)
    assert not mentions or not expression.unmoved_by(mentions)


def test_facts_known_in_part_are_named_and_read_as_what_is_known(landing: Make) -> None:
    obs = landing(partial=(("velocity", "redis: no answer"), ("session", "redis: no answer")))
    assert holds('partial == ["velocity", "session"] && unavailable.size() == 0', obs)
    assert holds('"session" in partial && !("click" in partial) && session.landings == 1', obs)
    assert holds("partial.size() == 0", landing())
    with pytest.raises(ExpressionError, match="velocty is no known fact"):
        Expression('"velocty" in partial', KNOWN)
