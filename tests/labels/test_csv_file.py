"""Files of labels: read whole first, every problem with its line and column."""

from __future__ import annotations

import pytest

from gateway.labels import csv_file
from gateway.labels.csv_file import BadFile, read
from gateway.model import Label

ID = "0199c82c-c000-7000-8000-000000000001"
HEAD = "lead_id,label,value,currency,at\n"


def rows(tmp_path, content):
    path = tmp_path / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, by="ann", source="csv")


def mistakes(tmp_path, content):
    with pytest.raises(BadFile) as caught:
        rows(tmp_path, content)
    return [(each.line, each.column) for each in caught.value.mistakes]


def test_what_is_read(tmp_path):
    text = f'{HEAD}{ID},customer,1299.00,EUR,2026-01-02\n\n{ID.upper()},"bot",,,\n'
    first, second = rows(tmp_path, text)
    assert (first.line, first.id, first.label.label, first.label.value) == (2, ID, Label.CUSTOMER, "1299.00")
    assert (second.line, second.id, second.label.label, second.label.value) == (4, ID, Label.BOT, None)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_programs_make_of_csv(tmp_path, separator):
    text = separator.join(("Email", "Phone", "Outcome", "Note")) + "\r\n"
    text += separator.join(("Ann@Example.org", "+49 151", "Not Fit", '"two\r\nlines"')) + "\r\n"
    text += separator.join(("", "030 1", "junk", "")) + "\r\n"
    first, second = rows(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert (first.terms, first.label.note) == (("email:ann@example.org", "phone:49151"), "two\r\nlines")
    assert (second.line, second.terms) == (4, ("phone:0301",))


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("", [(0, "")]),
        ("label\nbot\n", [(1, "")]),
        ("id\n" + ID + "\n", [(1, "")]),
        ("id,label,colour\n", [(1, "colour")]),
        ("id,lead_id,label\n", [(1, "id"), (1, "lead_id")]),
        (HEAD + f"{ID},bot\n", [(2, "")]),
        (HEAD + "17,bot,,,\n", [(2, "id")]),
        (HEAD + ",bot,,,\n", [(2, "")]),
        (HEAD + f"{ID},vip,,,\n{ID},bot,,,soon\n", [(2, "label"), (3, "at")]),
        (HEAD + f"{ID},customer,12,,\n{ID},customer,x,EUR,\n", [(2, "currency"), (3, "value")]),
        (HEAD + f'{ID},"bot,,,\n', [(2, "")]),
        (HEAD.encode() + b"\xff\xfe,bot,,,\n", [(2, "")]),
        ("email,label\nnobody,bot\n", [(2, "")]),
    ],
)
def test_bad_files(tmp_path, content, where):
    assert mistakes(tmp_path, content) == where


def test_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "MAX_ROWS", 3)
    assert mistakes(tmp_path, HEAD + f"{ID},bot,,,\n" * 5) == [(5, "")]
    monkeypatch.setattr(csv_file, "MAX_PROBLEMS", 2)
    assert len(mistakes(tmp_path, HEAD + "x,y,,,\n" * 50)) <= 3
    monkeypatch.setattr(csv_file, "MAX_BYTES", 10)
    assert mistakes(tmp_path, HEAD) == [(0, "")]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadFile, match=r"^the file cannot be read"):
        read(tmp_path / "none.csv", by="ann", source="csv")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('"bot', "line 3: a quote begins here and never ends"),
        ('"bo"t', "line 3: a quote stands inside a cell"),
        ("b" * 10_001, "line 3: a cell has more than 10,000 characters"),
    ],
)
def test_a_row_that_is_no_csv_is_named_in_words(tmp_path, row, told):
    (tmp_path / "labels.csv").write_text(f"id,label\n{ID},bot\n{ID},{row}\n{ID},bot\n")
    with pytest.raises(BadFile, match=told):
        read(tmp_path / "labels.csv", by="ann", source="csv")


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x0c", "\x1e"])
def test_what_is_no_line_break_of_csv_breaks_no_line(tmp_path, separator):
    text = f"id,label,note\n{ID},bot,first{separator}second\n{ID},person,\n"
    found = rows(tmp_path, text)
    assert [(row.line, row.label.note) for row in found] == [(2, f"first{separator}second"), (3, None)]
