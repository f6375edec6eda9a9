"""A CSV file of labels: read and checked whole before anything is written, every problem with its line and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import msgspec

from gateway.labels.statement import BadLabel, contact_terms, moment, statement
from gateway.stores.labels import NewLabel

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 500_000
MAX_CELL = 10_000
"""A file of labels is an export of a CRM; one beyond this is another file."""

MAX_PROBLEMS = 1000
"""Told at once; a file with more has one cause."""

_NAMES = {
    "id": "id",
    "lead_id": "id",
    "record_id": "id",
    "email": "email",
    "phone": "phone",
    "label": "label",
    "outcome": "label",
} | {each: each for each in ("value", "currency", "at", "note")}
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Row(msgspec.Struct, frozen=True):
    """One line: whom it is about (an id, or terms to look up) and what it says."""

    line: int
    id: str | None
    terms: tuple[str, ...]
    label: NewLabel


class Mistake(msgspec.Struct, frozen=True):
    """line: 1 is the header, 0 the file itself; column: its name, "" for the whole line."""

    line: int
    column: str
    what: str

    def __str__(self) -> str:
        if not self.line:
            return self.what
        return f"line {self.line}" + (f", column {self.column}" if self.column else "") + f": {self.what}"


class BadFile(Exception):
    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


def read(path: Path, *, by: str, source: str) -> list[Row]:
    """All rows. Raises BadFile with every problem of the file (the first MAX_PROBLEMS)."""
    mistakes: list[Mistake] = []
    rows: list[Row] = []
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadFile([Mistake(0, "", f"the file is larger than {MAX_BYTES // 2**20} MiB; split it")])
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _lines(file.read())
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise BadFile([Mistake(number, "", "it is not UTF-8; save the file as CSV UTF-8")]) from error
    except OSError as error:
        raise BadFile([Mistake(0, "", f"the file cannot be read: {error.strerror}")]) from error
    columns: list[str | None] | None = None
    try:
        for line, cells in lines:
            if columns is None:
                columns = _header(line, cells, mistakes)
                if mistakes:
                    break
            elif any(cell.strip() for cell in cells):
                found = _row(line, columns, cells, by, source, mistakes)
                if found is not None:
                    rows.append(found)
                if len(rows) > MAX_ROWS:
                    mistakes.append(Mistake(line, "", f"more than {MAX_ROWS:,} rows; split the file"))
                    break
            if len(mistakes) >= MAX_PROBLEMS:
                break
    except _Broken as error:
        mistakes.append(Mistake(error.line, "", error.what))
    if columns is None and not mistakes:
        mistakes.append(Mistake(0, "", "the file is empty; its first line names the columns, for example id,label"))
    if mistakes:
        raise BadFile(mistakes)
    return rows


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line it starts in, cells); the separator is the one of comma, semicolon and tab that the first line has most of."""
    first = text.split("\n", 1)[0]
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise _Broken(start, str(error)) from error


class _Broken(Exception):
    """Where a row that cannot be read begins, and why, in words of ours for what happens to people."""

    def __init__(self, line: int, told: str) -> None:
        super().__init__(told)
        self.line, self.what = line, f"it is no CSV: {told}"
        if "unexpected end" in told:
            self.what = "a quote begins here and never ends; take it out, or write it twice"
        elif "field larger" in told:
            self.what = f"a cell has more than {MAX_CELL:,} characters; is a closing quote missing?"
        elif "expected after" in told:
            self.what = "a quote stands inside a cell; write it twice"


def _header(line: int, cells: list[str], mistakes: list[Mistake]) -> list[str | None]:
    names = [cell.strip().lower().replace(" ", "_") for cell in cells]
    columns = [_NAMES.get(name) for name in names]
    known = "known columns: id (or lead_id), email, phone, label (or outcome), value, currency, at, note"
    for cell, column in zip(cells, columns, strict=True):
        if column is None:
            mistakes.append(Mistake(line, cell.strip()[:40], f"it is not known; take it out or rename it ({known})"))
        elif columns.count(column) > 1:
            mistakes.append(Mistake(line, cell.strip(), f"{column} is there twice; keep one"))
    if "label" not in columns:
        mistakes.append(Mistake(line, "", "there is no column label"))
    if not {"id", "email", "phone"} & set(columns):
        mistakes.append(Mistake(line, "", "there is no column that says whom a row is about: id, email or phone"))
    return columns


def _row(
    line: int, columns: list[str | None], cells: list[str], by: str, source: str, mistakes: list[Mistake]
) -> Row | None:
    if len(cells) != len(columns):
        told = f"{len(cells)} cells where the first line names {len(columns)} columns; is a comma or quote too many?"
        mistakes.append(Mistake(line, "", told))
        return None
    values = {column: cell.strip() for column, cell in zip(columns, cells, strict=True) if column is not None}
    before = len(mistakes)
    at: int | None = None
    if values.get("at"):
        try:
            at = moment(values["at"])
        except (ValueError, OverflowError):
            mistakes.append(
                Mistake(line, "at", f'"{values["at"][:40]}" is no time; write 2026-11-22 or 2026-11-22T09:30:00Z')
            )
    lead_id = values.get("id", "").lower() or None
    if lead_id is not None and not _ID.fullmatch(lead_id):
        mistakes.append(
            Mistake(line, "id", f'"{lead_id[:40]}" is no id; one looks like 0198c5f2-7a3b-7c41-9d2e-5f6a7b8c9d0e')
        )
    terms = contact_terms(values.get("email"), values.get("phone")) if lead_id is None else ()
    if lead_id is None and not terms:
        mistakes.append(
            Mistake(line, "", "neither an id nor an e-mail address or telephone number says whom it is about")
        )
    try:
        label = statement(
            values.get("label", ""), by=by, source=source, at=at,
            value=values.get("value"), currency=values.get("currency"), note=values.get("note"),
        )  # fmt: skip
    except BadLabel as error:
        mistakes += [Mistake(line, column, what) for column, what in error.problems]
        return None
    return Row(line, lead_id, terms, label) if len(mistakes) == before else None
