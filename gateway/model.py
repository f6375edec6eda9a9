"""Ids, times and the words for what becomes of a lead."""

from __future__ import annotations

import time
from enum import StrEnum

from uuid_utils import uuid7


def new_id() -> str:
    """A UUIDv7 in its canonical text form; shared by observation, record and lead. Its time names the partition."""
    return str(uuid7())


def now_us() -> int:
    """Integer UTC microseconds."""
    return time.time_ns() // 1000


class Mode(StrEnum):
    MONITOR = "monitor"  # judge and record
    TAG = "tag"  # also tell the origin, in headers
    ENFORCE = "enforce"  # also act


class LeadState(StrEnum):
    PENDING = "pending"  # journaled, not yet decided or on its way to the origin
    HELD = "held"  # waits for a person
    DELIVERED = "delivered"  # the origin took it
    REJECTED = "rejected"  # declined by a decisive signal, a deny list or a reviewer; kept
    REFUSED = "refused"  # the origin answered 4xx: its own validation; kept, not counted as a lead
    EXPIRED = "expired"  # held longer than the retention allows
    ERASED = "erased"  # personal values deleted on request


class Label(StrEnum):
    """What a person or a CRM says a record was, or what became of a lead: one list for both."""

    PERSON = "person"  # somebody looked: a person
    BOT = "bot"  # a program
    JUNK = "junk"  # spam, nonsense, a prank
    UNREACHABLE = "unreachable"  # nobody answers under what was given
    WRONG_PERSON = "wrong_person"  # somebody answers and never asked for anything
    NOT_FIT = "not_fit"  # a person, but not a customer for us
    MQL = "mql"  # marketing-qualified lead
    SQL = "sql"  # sales-qualified lead
    CUSTOMER = "customer"  # bought; may carry a value with its currency
