from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

from gateway import log as logging


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("lead from ada.lovelace+solar@example.co.uk refused", "lead from [e-mail] refused"),
        ("peer 203.0.113.77:4711", "peer 203.0.113.x:4711"),
        (
            "postgresql://10.0.0.5:5432/leads hung up on 203.0.113.77",
            "postgresql://10.0.0.5:5432/leads hung up on 203.0.113.x",
        ),
        ("add 10.0.0.0/8 under trusted_proxies", "add 10.0.0.0/8 under trusted_proxies"),
        ("call +44 1632 960961 now", "call [phone] now"),
        ("from 2001:db8:1:2:3:4:5:6", "from 2001:db8:1:x"),
        ("id 0198c5f2-7a3b-7c41-9d2e-5f6a7b8c9d0e", "id 0198c5f2-7a3b-7c41-9d2e-5f6a7b8c9d0e"),
        ("at 2026-11-22T09:30:00Z", "at 2026-11-22T09:30:00Z"),
    ],
)
def test_personal_values_are_masked_and_others_left(text: str, masked: str) -> None:
    assert logging.mask(text) == masked


def test_a_line_is_one_json_object_with_level_time_and_event() -> None:
    stream = io.StringIO()
    logging.configure("info", stream)
    logging.log.warning("origin failed", site="acme", error="no answer from bob@example.com")
    logging.log.debug("not shown")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["error"]) == ("origin failed", "warning", "no answer from [e-mail]")
    assert line["timestamp"].endswith("Z")


def test_a_line_that_cannot_be_written_costs_nothing_but_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "lost", logging.Lost())
    disk = Path("/dev/full").open("w", encoding="utf-8", buffering=1)  # noqa: SIM115 - closing it fails as well
    logging.configure("info", disk)
    logging.log.info("stopped", cut_off=0)
    logging.log.info("stopped", cut_off=0)
    with contextlib.suppress(OSError):
        disk.close()
    assert logging.lost.lines == 2
    gone = io.StringIO()
    logging.configure("info", gone)
    gone.close()
    logging.log.info("stopped", cut_off=0)
    assert logging.lost.lines == 3


def test_a_flood_of_one_kind_is_one_line_a_minute_that_tells_how_many_were_left_out() -> None:
    stream = io.StringIO()
    logging.configure("info", stream)
    now = 100.0
    seldom = logging.Seldom(60, lambda: now)
    for _ in range(5):
        seldom("origin failed", "acme", "ConnectFailed", site="acme")
    seldom("origin failed", "acme", "HeadTimeout", site="acme")
    seldom("origin failed", "other", "ConnectFailed", site="other")
    now = 159.9
    seldom("origin failed", "acme", "ConnectFailed", site="acme")
    now = 160.0
    seldom("origin failed", "acme", "ConnectFailed", site="acme")
    now = 220.0
    seldom("origin failed", "acme", "ConnectFailed", site="acme")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["site"], line.get("left_out")) for line in lines] == [
        ("acme", None),
        ("acme", None),
        ("other", None),
        ("acme", 5),
        ("acme", None),
    ]


def test_a_worker_says_which_it_is() -> None:
    stream = io.StringIO()
    logging.configure("info", stream, worker=2)
    logging.log.info("draining")
    logging.log.info("worker ended", worker=1)
    logging.configure("info", stream)
    logging.log.info("stopped")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("worker") for line in lines] == [2, 1, None]


def test_what_comes_and_goes_is_told_once_a_minute_and_what_stays_is_told_in_the_end() -> None:
    now = [0.0]
    spell = logging.Spell(60.0, lambda: now[0])
    assert [spell.begins(), spell.begins()] == [True, False]
    assert [spell.ends(), spell.ends()] == [True, False]
    for now[0] in (1.0, 30.0, 59.0):
        assert not spell.begins()
        assert not spell.ends()
    assert not spell.begins()
    now[0] = 60.0
    assert spell.begins(), "still there"
    assert spell.ends()
