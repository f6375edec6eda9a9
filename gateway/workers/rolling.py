"""What takes several steps: new settings for all workers, or new workers for all.

Each is a generator that the parent resumes whenever something happened, so that meanwhile workers that end are replaced and signals are heard. It
answers whether all went well.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from gateway.log import log
from gateway.workers.processes import Patience, Plan, Process, Slot
from gateway.workers.worker import APPLIED, LEAVE, RELOAD

Steps = Generator[None, None, bool]

KEEPS = "correct the file; the old settings stay in force"


class Parent(Protocol):
    """What is needed of the one that starts processes. edition: goes up with each change of the settings in force."""

    @property
    def slots(self) -> Sequence[Slot]: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def patience(self) -> Patience: ...

    @property
    def clock(self) -> Callable[[], float]: ...

    edition: int

    def spawn(self, predecessor: Process | None) -> Process:
        """Raises OSError."""

    def end(self, process: Process, word: str) -> None: ...


def roll(parent: Parent) -> Steps:
    """Every worker gets a successor, one after another."""
    log.info("workers rolling", reason="it was asked for")
    for slot in parent.slots:
        if not (yield from _replace(parent, slot)):
            log.error(
                "workers rolling", reason=f"a new worker does not serve: {slot.failure}", remedy="the others go on"
            )
            return False
    return True


def reload(parent: Parent) -> Steps:
    """New settings for all workers, or for none: the first one shows whether they can be used."""
    change = parent.plan.prepare()
    if change == "refused":
        return False
    if change == "swap":
        taken = yield from _swap_first(parent)
    else:
        taken = yield from _roll_first(parent)
    if not taken:
        return False
    for slot in parent.slots:
        if change == "swap" and slot.process is not None and slot.process.edition != parent.edition:
            yield from _tell(parent, slot.process)
        if slot.process is not None and slot.process.edition != parent.edition and not slot.process.ended:
            yield from _replace(parent, slot)  # if that fails too, it is tried again when the old one ends
    log.info("reloaded", generation=parent.plan.generation)
    return True


def _adopt(parent: Parent) -> None:
    parent.plan.adopt()
    parent.edition += 1


def _swap_first(parent: Parent) -> Steps:
    first = next((slot.process for slot in parent.slots if slot.process is not None and slot.process.serves), None)
    if first is not None and not (yield from _tell(parent, first, parent.edition + 1)):
        answer = "it ended" if first.ended else first.said[1] if first.said is not None else "it did not answer"
        log.error("reload refused", problems=[f"the first worker cannot take it up: {answer}"], remedy=KEEPS)
        return False
    _adopt(parent)
    return True


def _roll_first(parent: Parent) -> Steps:
    log.info("workers rolling", reason="the changed settings are for new processes")
    _adopt(parent)
    first = parent.slots[0]
    if (yield from _replace(parent, first)):
        return True
    parent.plan.revert()
    parent.edition -= 1
    log.error("reload refused", problems=[f"a worker on it does not serve: {first.failure}"], remedy=KEEPS)
    return False


def _replace(parent: Parent, slot: Slot) -> Steps:
    """Starts a successor, and once it serves, lets the old one leave and waits until it is gone. If it never serves, all is as before."""
    try:
        new = parent.spawn(slot.process)
    except OSError as error:  # too many processes, or no memory
        slot.failure = f"it cannot be started: {error.strerror}"
        return False
    while not new.ready:
        if new.ended:
            slot.failure = new.failure or slot.failure
            if slot.process is None or slot.process.ended:
                slot.due = parent.clock() + parent.patience.first
            return False
        slot.due = None  # if the old one ends meanwhile, its successor is on the way
        yield
    old, slot.process, slot.failures, slot.due = slot.process, new, 0, None
    if old is not None and not old.ended:
        parent.end(old, LEAVE)
        while not old.ended:
            yield
    return True


def _tell(parent: Parent, process: Process, edition: int | None = None) -> Steps:
    """Has the worker taken up the new settings? One that starts is waited for; the parent kills it if it takes too long."""
    while not (process.ready or process.ended):
        yield
    if process.ended:
        return False
    process.said = None
    process.line.say(RELOAD)
    until = parent.clock() + parent.patience.reload
    while process.said is None and not process.ended and parent.clock() < until:
        yield
    if process.ended or process.said is None or process.said[0] != APPLIED:
        return False
    process.edition = parent.edition if edition is None else edition
    return True
