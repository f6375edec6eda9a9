"""docs/reference/records.md says what each of the facts that may be left out holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from detectors import behaviour
from gateway.evidence.record import Facts

PAGE = (Path(__file__).parents[2] / "docs/reference/records.md").read_text("utf-8")
OPTIONAL = tuple(
    field.name
    for field in msgspec.structs.fields(Facts)
    if field.default is msgspec.UNSET and field.name != "partial"  # explained with `facts`
)
TYPES = (
    behaviour.MailDomain,
    behaviour.Similar,
    behaviour.Journey,
    behaviour.Campaign,
    behaviour.Cell,
    behaviour.Company,
    behaviour.Pointer,
)


def test_there_are_such_facts() -> None:
    assert {"mail", "similar", "journey", "campaign", "company"} <= set(OPTIONAL)


@pytest.mark.parametrize("name", OPTIONAL)
def test_when_a_fact_is_left_out_is_said(name: str) -> None:
    rows = [
        line.split(" | ") for line in PAGE.splitlines() if line.startswith(f"| `{name}` | ") and line.count("|") == 4
    ]
    assert len(rows) == 1
    assert all(len(cell.strip(" |")) > 10 for cell in rows[0][1:])


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_field_is_explained(kind: type[msgspec.Struct]) -> None:
    told = {
        cell
        for line in PAGE.splitlines()
        if line.startswith("| `")
        for cell in line.split("|")[1].replace("`", "").replace(" ", "").split(",")
    }
    assert [field.name for field in msgspec.structs.fields(kind) if field.name not in told] == []
