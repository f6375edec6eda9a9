"""One statement about a record, checked the same way wherever it comes from: command, file, API, CRM."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from gateway.model import Label, now_us
from gateway.stores.labels import NewLabel

MAX_BY, MAX_NOTE = 100, 200
MAX_AMOUNT = 40
"""Characters of an amount, and powers of ten it may lie from one: far more than money has."""
AHEAD_S = 86_400
"""A statement may lie this far ahead: clocks and time zones are wrong by so much, not by more."""

_VALUE = re.compile(r"\d{1,12}(\.\d{1,4})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_SOURCE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PERSONAL = re.compile(r"\S@\S|(?:\d[\s()./+-]{0,2}){7,}")


class BadLabel(ValueError):
    """What is wrong with a statement: (field, what is wrong and what to write) each."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {what}" for field, what in problems))
        self.problems = tuple(problems)


def statement(
    label: str,
    *,
    by: str,
    source: str,
    at: int | None = None,
    value: str | int | float | None = None,
    currency: str | None = None,
    note: str | None = None,
    ref: str | None = None,
) -> NewLabel:
    """at: UTC microseconds, now where it is left out. Raises BadLabel with everything that is wrong."""
    problems: list[tuple[str, str]] = []
    word = label.strip().lower().replace("-", "_").replace(" ", "_")
    known = word in {each.value for each in Label}
    if not known:
        problems.append(("label", f'"{label[:60]}" is none of {", ".join(Label)}'))
    amount = None if value is None or str(value).strip() == "" else _amount(value, problems)
    code = (currency or "").strip().upper() or None
    if code is not None and not _CURRENCY.fullmatch(code):
        problems.append(("currency", f'"{code[:20]}" is no currency; write three letters, for example EUR'))
    if amount is not None and known and word != Label.CUSTOMER:
        problems.append(("value", f"only a customer has a value, not {word}"))
    if amount is not None and code is None:
        problems.append(("currency", "a value needs its currency, for example EUR"))
    if not 1 <= len(by) <= MAX_BY:
        problems.append(("by", f"write a name of 1 to {MAX_BY} characters"))
    if not _SOURCE.fullmatch(source):
        problems.append(("source", "write small letters, digits and dashes, at most 63, for example crm"))
    words = (note or "").strip() or None
    if words is not None and len(words) > MAX_NOTE:
        problems.append(("note", f"at most {MAX_NOTE} characters"))
    elif words is not None and _PERSONAL.search(words):
        problems.append(("note", "it holds an e-mail address or a telephone number; a note can never be erased"))
    now = now_us()
    if at is not None and not 0 <= at <= now + AHEAD_S * 1_000_000:
        problems.append(("at", "it lies in the future"))
    if problems:
        raise BadLabel(problems)
    return NewLabel(Label(word), by, source, now if at is None else at, amount, code if amount else None, words, ref)


def _amount(value: str | int | float, problems: list[tuple[str, str]]) -> str | None:
    """Decimal text as people and programs write amounts: 1299, 1299.00, "1299.5"."""
    plain = ""
    try:
        text = str(value).strip()
        number = Decimal(text[: MAX_AMOUNT + 1])
        # An exponent of a few digits would be written out as gigabytes.
        if len(text) <= MAX_AMOUNT and number.is_finite() and abs(number.adjusted()) <= MAX_AMOUNT:
            plain = format(number, "f")
    except InvalidOperation:
        pass
    except ValueError:  # a number of thousands of digits, which Python does not write out
        text = "…"
    if isinstance(value, bool) or not _VALUE.fullmatch(plain):
        told = "write it like 1299.00: a point before at most four decimals, no sign, no thousands separators"
        problems.append(("value", f'"{text[:30]}" is no amount; {told}'))
        return None
    return plain


def moment(text: str) -> int:
    """UTC microseconds of a date or an RFC 3339 time; UTC where no zone is given. Raises ValueError."""
    found = datetime.fromisoformat(text.strip().replace(" ", "T", 1))
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def contact_terms(email: str | None, phone: str | None) -> tuple[str, ...]:
    """What a lead with this address or number is found by (see records.Personal.terms); the number as it was typed, and without the international
    prefix spelled 00."""
    terms = []
    if email and "@" in email:
        terms.append(f"email:{email.strip().lower()}")
    digits = "".join(filter(str.isdigit, phone or ""))
    if digits:
        terms += [f"phone:{each}" for each in dict.fromkeys((digits, digits.removeprefix("00")))]
    return tuple(terms)
