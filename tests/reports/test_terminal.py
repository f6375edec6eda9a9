"""What strangers wrote is shown on a terminal, and obeyed by none."""

from __future__ import annotations

import pytest

from gateway.reports.terminal import below, on_one_line, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\x07\x00\x7f\x9b31m", "a\\x07\\x00\\x7f\\x9b31m"),
        ("a\tb\nc", "a b\nc"),
        ("invoice\u202egpj.exe", "invoice\\u202egpj.exe"),
        ("half \ud800", "half \\ud800"),
        (
            "\u05e9\u05dc\u05d5\u05dd \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u00a0 \U0001f469\u200d\U0001f33e",
            None,
        ),
    ],
)
def test_plain(text: str, shown: str | None) -> None:
    assert plain(text) == (text if shown is None else shown)


def test_further_lines_of_a_value_are_indented() -> None:
    assert below("one\r\ntwo\rthree", "    ") == "one\n    two\n    three"


def test_a_cell_is_one_line() -> None:
    assert on_one_line("one\r\ntwo\u2028three\x1b") == "one two three\\x1b"
