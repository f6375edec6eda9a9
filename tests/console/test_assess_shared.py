"""Two gateways on one Redis and one PostgreSQL: a key stands for one question in both."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asking import Asking
from forking import ForkedGateway, Forker
from origin import Origin
from running import Gateway, site
from shared_stores import SharedStores, merged
from visitor import new_address, person


@pytest.fixture(scope="module")
def pair(
    shared_stores: SharedStores, origin: Origin, forker: Forker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Asking, Asking]]:
    settings = shared_stores.settings() | {"keys": {"directory": str(tmp_path_factory.mktemp("keys") / "keys")}}
    patient = {
        "redis": {"deadline_ms": 1_000}
    }  # on a busy machine ten milliseconds are missed, and each then counts for itself
    config = merged(settings, patient | {"sites": [site(origin, "tag", session="derived")]})
    made: list[Gateway] = []
    for name in ("one", "two"):
        folder: Path = tmp_path_factory.mktemp(name)
        gateway = ForkedGateway(folder, config, shared_stores.env, forker)
        made.append(gateway)
        gateway.start()
    yield Asking(made[0]), Asking(made[1])
    for gateway in made:
        gateway.kill()


def test_a_repeat_in_the_other_process_gives_the_same_answer_and_one_record(pair: tuple[Asking, Asking]) -> None:
    one, two = pair
    question = {"ip": new_address(), "fields": person(), "idempotency_key": "order-7"}
    first = one.assess(**question)
    assert two.assess(**question) == first
    assert two.assess(409, **(question | {"ip": new_address()}))["status"] == 409
    assert [item["id"] for item in two.records(q=question["ip"])] == [first["id"]]


def test_both_at_once_make_one_record(pair: tuple[Asking, Asking]) -> None:
    for number in range(5):
        question = {"ip": new_address(), "fields": person(), "idempotency_key": f"race-{number}"}
        with ThreadPoolExecutor(2) as both:
            answers = list(both.map(lambda asking: asking.assess(**question), pair))  # noqa: B023 - ends within the loop
        assert answers[0] == answers[1]
        pair[0].gateway.record(answers[0]["id"])
        assert len(pair[0].records(q=question["ip"])) == 1


def test_a_lead_assessed_in_one_is_known_in_the_other(pair: tuple[Asking, Asking]) -> None:
    fields = person()
    pair[0].assess(ip=new_address(), fields=fields)
    answer = pair[1].assess(ip=new_address(), fields=fields)
    assert pair[1].gateway.record(answer["id"])["facts"]["duplicate"]["body_seen"] == 2


def test_a_dry_run_counts_nothing_in_redis(pair: tuple[Asking, Asking]) -> None:
    fields = person()
    for _ in range(3):
        pair[0].assess(ip=new_address(), fields=fields, dry_run=True)
    answer = pair[1].assess(ip=new_address(), fields=fields)
    assert pair[1].gateway.record(answer["id"])["facts"]["duplicate"]["body_seen"] == 1
