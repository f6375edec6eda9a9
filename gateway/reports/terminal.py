"""What strangers wrote, shown on an operator's terminal."""

from __future__ import annotations

import re

# C0 but the line end, DEL, C1; line separators; what turns the direction of the text around it; halves of characters, which cannot be printed.
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def plain(text: str) -> str:
    """The text with everything that a terminal would obey, instead of show, written out: ESC becomes \\x1b, a tab a space. Line ends stay."""
    return _UNSAFE.sub(_written_out, text) if _UNSAFE.search(text) else text


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return " " if found[0] == "\t" else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def below(text: str, indent: str = "  ") -> str:
    """The same for a value that stands behind its name: further lines are indented, so that none looks like a line of ours."""
    return plain(text.replace("\r\n", "\n").replace("\r", "\n")).replace("\n", f"\n{indent}")


def on_one_line(text: str) -> str:
    """The same for a cell of a table."""
    return plain(" ".join(text.splitlines()))
