"""Killed at any moment of an outage: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from spooled import Pair, names, sound

from gateway.model import LeadState
from gateway.stores.keys import KeyRing

ROOT = Path(__file__).parents[3]

CHILD = """
import asyncio, json, os, signal, sys
sys.path.insert(0, "tests/support"); sys.path.insert(0, "tests/stores")
from pathlib import Path
from conftest import new_entry, new_lead
from spooled import Pair
from gateway.model import LeadState, now_us
from gateway.stores.carry.carrying import Limits
from gateway.stores.keys import KeyRing
from gateway.stores.operations import make_event
from gateway.stores.spool.file import Spool

directory, step, call = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def say(**known):
    print(json.dumps(known), flush=True)

async def main():
    pair = Pair(directory, KeyRing.open(directory / "keys"), now_us)
    store = await pair.open(limits=Limits(rows=3))
    await pair.drained()
    early = new_lead()
    await store.journal(early, b"early")
    say(lead=early.id, state="held")
    pair.primary.away = True
    for number in range(8):
        lead = new_lead()
        await store.journal(lead, b"body of " + lead.id.encode())
        say(lead=lead.id, state="held")
        entry = new_entry(lead.id)
        store.record(entry)
        if number % 2:
            await store.settle(lead.id, LeadState.DELIVERED, "forwarded", {})
            say(lead=lead.id, state="delivered", record=entry.id)
    store.settle_soon(early.id, LeadState.DELIVERED, "forwarded", {})
    await store._spool.flush()
    say(lead=early.id, state="delivered")
    owner, name, where = step.split(":")
    kind = Spool if owner == "spool" else type(pair.primary)
    original, calls = getattr(kind, name), []

    async def killed(self, *args):
        calls.append(1)
        if len(calls) == call and where == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if len(calls) == call and where == "within":
            self._writer.fault = lambda: os.kill(os.getpid(), signal.SIGKILL)
        answer = await original(self, *args)
        if len(calls) == call and where == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(kind, name, killed)
    pair.primary.come_back()
    await pair.drained()
    say(not_killed=True)

asyncio.run(main())
"""

MOMENTS = ("before", "within", "after")
STEPS = [
    *((f"{place}:{moment}", 2) for place in ("primary:absorb", "spool:carried") for moment in MOMENTS),
    *((f"{place}:{moment}", 1) for place in ("primary:take_back", "spool:given_back") for moment in MOMENTS),
]
"""Whose call is killed when, and which of its calls."""


class TestKilled:
    @pytest.mark.parametrize(("step", "call"), STEPS)
    async def test_at_any_step_of_bringing_over(self, tmp_path, clock, step, call):
        keys = KeyRing.open(tmp_path / "keys")
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path), step, str(call)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert child.returncode == -signal.SIGKILL, child.stderr + child.stdout
        told = [json.loads(line) for line in child.stdout.splitlines() if line.startswith("{")]
        states = {item["lead"]: item["state"] for item in told}
        assert len(states) == 9
        pair = Pair(tmp_path, keys, clock)
        store = await pair.open()
        await pair.drained()
        try:
            for lead_id, state in states.items():
                body = await pair.primary.lead_body(lead_id)
                assert body.lead.state == state
                assert await body.read() in (b"body of " + lead_id.encode(), b"early")
                seen = await names(pair.primary, lead_id)
                assert [name for name in seen if name == "forwarded"] == ["forwarded"] * (state == "delivered")
            for item in told:
                assert "record" not in item or await pair.primary.get_record(item["record"]) is not None
            assert (await store.conservation()).received == 9
            await sound(pair.primary)
        finally:
            await store.close()
        assert pair.files() == []

    async def test_at_any_moment_of_an_outage(self, tmp_path, clock):
        """Leads are acknowledged all the time; the process is killed in between, again and again."""
        keys = KeyRing.open(tmp_path / "keys")
        script = (
            CHILD.split("    early = ")[0]
            + """
    pair.primary.away = True
    while True:
        lead = new_lead()
        await store.journal(lead, b"body of " + lead.id.encode())
        say(lead=lead.id, state="held")
        store.record(new_entry(lead.id))
        store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {})

asyncio.run(main())
"""
        )
        acknowledged = []
        for wait in (0.0, 0.05, 0.2):
            child = subprocess.Popen(
                [sys.executable, "-c", script, str(tmp_path), "-", "0"],
                cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            first = child.stdout.readline()
            time.sleep(wait)
            child.kill()
            lines = (first + child.stdout.read()).split("\n")[:-1]
            acknowledged += [json.loads(line)["lead"] for line in lines if line.startswith("{")]
            child.wait()
            child.stdout.close()
        pair = Pair(tmp_path, keys, clock)
        store = await pair.open()
        await pair.drained()
        try:
            assert len(acknowledged) > 10
            for lead_id in acknowledged:
                body = await pair.primary.lead_body(lead_id)
                assert body.lead.state in (LeadState.DELIVERED, LeadState.HELD)
                assert await body.read() == b"body of " + lead_id.encode()
            await sound(pair.primary)
        finally:
            await store.close()
