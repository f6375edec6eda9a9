"""One key, one answer: in two processes, and where the state that knows the keys is away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from detectors.observation import Unavailable
from gateway.console.problems import Problem
from gateway.console.repeats import TTL_S, WAITS_S, Repeats
from gateway.model import new_id, now_us
from gateway.stores.errors import StoreUnavailable
from gateway.stores.hot import Answers, HotState, Operation
from gateway.stores.hot.memory import MemoryState
from gateway.stores.keys import KeyRing

BODY = {"ip": "203.0.113.5", "idempotency_key": "k"}


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return KeyRing.open(tmp_path / "keys", {})


def repeats(keys: KeyRing, hot: HotState, store: object = None) -> Repeats:
    running: Any = SimpleNamespace(keys=keys, hot=hot, store=store)
    return Repeats(running)


class Away:
    """A hot state that answers nothing, or only from this process."""

    def __init__(self, partial: str | None = None) -> None:
        self._partial, self._local = partial, MemoryState()

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        if self._partial is None:
            return Answers([Unavailable("redis: no answer within 10 ms") for _ in ops])
        answers = await self._local.observe(ops, now)
        return Answers(answers.results, dict.fromkeys(range(len(ops)), self._partial))

    async def close(self) -> None: ...

    @property
    def trouble(self) -> str | None:
        return "away"


async def test_two_processes_share_a_key(keys: KeyRing) -> None:
    hot = MemoryState()
    one, two = repeats(keys, hot), repeats(keys, hot)
    first, at = new_id(), now_us()
    assert (await one.claim("acme", "k", BODY, first, at)).repeated is False
    again = await two.claim("acme", "k", dict(reversed(BODY.items())), new_id(), at + 1_000_000)
    assert (again.id, again.repeated, again.unsure) == (first, True, None)
    assert (await two.claim("other", "k", BODY, new_id(), at)).repeated is False
    assert (await two.claim("acme", "k2", BODY, new_id(), at)).repeated is False
    with pytest.raises(Problem) as caught:
        await two.claim("acme", "k", BODY | {"ip": "203.0.113.6"}, new_id(), at)
    assert caught.value.status == 409
    assert (await one.claim("acme", "k", BODY, new_id(), at + (TTL_S + 60) * 1_000_000)).repeated is False


async def test_where_the_state_is_away_the_question_is_judged_and_the_answer_says_so(keys: KeyRing) -> None:
    mine = new_id()
    claim = await repeats(keys, Away()).claim("acme", "k", BODY, mine, now_us())
    assert (claim.id, claim.repeated, claim.unsure) == (mine, False, "redis: no answer within 10 ms")
    alone = repeats(keys, Away("counted in this process only"))
    first = await alone.claim("acme", "k", BODY, mine, now_us())
    again = await alone.claim("acme", "k", BODY, new_id(), now_us())
    assert (first.repeated, again.repeated, again.id) == (False, True, mine)
    assert first.unsure == again.unsure == "counted in this process only"


async def test_keys_and_bodies_are_kept_as_hashes_only(keys: KeyRing) -> None:
    seen: list[Operation] = []

    class Watched(MemoryState):
        async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
            seen.extend(ops)
            return await super().observe(ops, now, dry=dry)

    await repeats(keys, Watched()).claim("acme", "mail@example.com", BODY, new_id(), now_us())
    assert len(seen) == 1
    assert b"example" not in repr(seen).encode()
    assert b"203.0.113" not in repr(seen).encode()


class Slow:
    """A store in which the record appears after some looks, or never."""

    def __init__(self, after: int, away: bool = False) -> None:
        self._after, self._away = after, away
        self.looks = 0

    async def get_record(self, record_id: str) -> str | None:
        self.looks += 1
        return record_id if self.looks > self._after else None

    async def flush(self) -> None:
        if self._away:
            raise StoreUnavailable("disk full")


async def test_a_repeat_waits_for_the_first_calls_record_and_not_for_ever(keys: KeyRing) -> None:
    assert await repeats(keys, MemoryState(), Slow(3)).recorded("a") == "a"  # type: ignore[comparison-overlap]
    never = Slow(1000)
    assert await repeats(keys, MemoryState(), never).recorded("a") is None
    assert never.looks <= 2 * len(WAITS_S) + 2
    assert await repeats(keys, MemoryState(), Slow(1000, away=True)).recorded("a") is None
