"""The YAML reader's errors in plain words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ruamel.yaml.error import MarkedYAMLError

_KNOWN: tuple[tuple[str, str, str], ...] = (
    (r"cannot start any token", "a value cannot begin with this character", "put the value in quotes"),
    (
        r"mapping values are not allowed",
        "a colon stands where none can",
        'check the indentation; put a value that holds ": " in quotes',
    ),
    (
        r"could not find expected ':'",
        "this line is neither a setting nor part of one",
        "write name: value, with a space behind the colon",
    ),
    (r"unexpected end of stream|found unexpected document", "a quote is opened and never closed", "close it"),
    (
        r"undefined alias",
        "an alias (*) names nothing that was given a name before",
        "put a value that begins with * in quotes",
    ),
    (
        r"expected alphabetic or numeric",
        "& and * have a meaning of their own at the beginning of a value",
        "put the value in quotes",
    ),
    (
        r"unknown escape character|expected escape sequence",
        "the backslash has a meaning of its own inside double quotes",
        "use single quotes",
    ),
    (
        r"expected a single document|but found another document",
        "a second document begins here (---)",
        "keep one in each file",
    ),
    (
        r"expected ',' or '[\]}]'|expected the node content",
        "a bracket or brace is opened and not closed rightly",
        "close it, and put commas between the values",
    ),
    (
        r"expected <block end>|did not find expected",
        "this line does not fit the ones above it",
        "indent it like its neighbours: settings of one block begin in the same column",
    ),
    (r"undefined tag handle|tag", "! has a meaning of its own at the beginning of a value", "put the value in quotes"),
    (r"directive|version|<document start>", "a line that begins with % has a meaning of its own", "take it out"),
)

_QUOTED_AND_MORE = re.compile(r"""\s*(?:- )?[\w.-]+:\s+("[^"]*"|'[^']*')\s*[^\s#]""")


def explain(error: MarkedYAMLError, lines: Sequence[str]) -> tuple[str, str]:
    """What is wrong and what to do, for an error of the reader."""
    reason = f"{error.problem or ''} {error.context or ''}"
    mark = error.problem_mark or error.context_mark
    row = lines[mark.line] if mark and mark.line < len(lines) else ""
    if re.search("cannot start any token", reason) and mark and row[mark.column : mark.column + 1] == "\t":
        return "a tab stands here", "use spaces"
    above = lines[mark.line - 1] if mark and mark.line else ""
    if "mapping values" in reason and (joined := re.match(r"\s*(?:- )?([A-Za-z_]+):[^\s/]", above)):
        return f"a space is missing behind {joined[1]}: in line {mark.line if mark else 0}", "write name: value"
    if "expected <block end>" in reason and _QUOTED_AND_MORE.match(row):
        return "text stands behind a closing quote", "put the whole value in quotes of the other kind"
    opened = (
        f" (opened in line {error.context_mark.line + 1})"
        if error.context_mark and error.context_mark is not mark
        else ""
    )
    for pattern, what, remedy in _KNOWN:
        if re.search(pattern, reason):
            return what + (opened if "opened" in what else ""), remedy
    return (
        f"this is not YAML: {(error.problem or 'unknown').strip()}",
        "check indentation, quotes and brackets around this place",
    )
