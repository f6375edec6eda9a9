"""Conditions of composite rules: CEL, checked for types, names and signal ids when the rules are loaded, so that a typo never waits for traffic.

The work one evaluation may do is bounded: the text by `MAX_CHARS`, nesting by the parser's limit of 32, loops by the library's iteration
budget, regular expressions by RE2. An evaluation costs 3-8 us, so only conditions whose signals fired are evaluated.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

from cel_expr_python import cel

from detectors.observation import Observation, Velocity
from rules.problems import suggest
from rules.vocabulary import COUNTERS, FACTS, VARIABLES, Value

MAX_CHARS = 2_000

_SCAN = re.compile(
    r"""
      \b(?P<call>signal|strength)\s*\(\s*(?P<q1>["'])(?P<id>[^"'\\\n]*)(?P=q1)\s*\)
    | \b(?P<map>velocity|distinct)\s*\[\s*(?P<q2>["'])(?P<key>[^"'\\\n]*)(?P=q2)\s*\]
    | (?P<q3>["'])(?P<member>[^"'\\\n]*)(?P=q3)\s+in\s+(?P<list>fired|unavailable|partial)\b
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | //[^\n]*
    | (?P<name>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)
    | (?P<operator>&(?!&)(?<!&&) | \|(?!\|)(?<!\|\|))
    """,
    re.VERBOSE,
)
_ERROR = re.compile(r"^(?:[A-Z_]+: )?ERROR: <input>:(\d+):(\d+): (.*?)(?: \[[A-Z_]+\])?$", re.MULTILINE)
_HINTS = {"and": "Write && for and.", "or": "Write || for or.", "not": "Write ! for not."}


class ExpressionError(ValueError):
    """A condition that cannot be used: (offset of the character in the text, what, remedy) for each thing found."""

    def __init__(self, found: list[tuple[int, str, str]]) -> None:
        self.found = found
        super().__init__("; ".join(what for _, what, _ in found))


class EvaluationError(Exception):
    """A condition without a result, such as a division by zero. The composite then does not apply, and the verdict says so."""


class _Now(threading.local):
    """The signals of the observation in hand, read by the CEL functions. Per thread, because an evaluation never leaves its thread."""

    signals: Mapping[str, float] = {}


_NOW = _Now()


def _reported(name: str) -> bool:
    """Was the signal, or any of a group written `group.*`, reported?"""
    if name.endswith(".*"):
        return any(signal.startswith(name[:-1]) for signal in _NOW.signals)
    return name in _NOW.signals


@cache
def _environment() -> Any:
    kinds = cel.Type
    types = {
        "bool": kinds.BOOL,
        "int": kinds.INT,
        "string": kinds.STRING,
        "list(string)": kinds.List(kinds.STRING),
        "map(string, int)": kinds.Map(kinds.STRING, kinds.INT),
        "map(string, string)": kinds.Map(kinds.STRING, kinds.STRING),
    }

    def function(name: str, result: Any, impl: Callable[[str], object]) -> Any:
        return cel.FunctionDecl(name, [cel.Overload(f"{name}_string", result, [kinds.STRING], False, impl)])

    return cel.NewEnv(
        variables={"fired": types["list(string)"], **{v.name: types[v.type] for v in VARIABLES}},
        functions=[
            function("signal", kinds.BOOL, _reported),
            function("strength", kinds.DOUBLE, lambda name: float(_NOW.signals.get(name, 0.0))),
        ],
    )


def _counts(name: str, keys: tuple[str, ...], whole: bool) -> Callable[[Observation], Value]:
    """The counters that a condition asks for by key, 0 where there is none, and the others only if it walks them: handing over the whole map costs
    three times the evaluation."""
    field = "count" if name == "velocity" else "distinct"

    def read(obs: Observation) -> Value:
        counts = obs.velocity.flat() if isinstance(obs.velocity, Velocity) else {}
        found = {key: getattr(counts[key], field) if key in counts else 0 for key in keys}
        return found | {key: getattr(count, field) for key, count in counts.items()} if whole else found

    return read


class Expression:
    """A compiled condition. Immutable; `text` is what the file says, `mentions` the signals it asks for, None where it may ask for any."""

    __slots__ = ("_fired", "_program", "_reads", "mentions", "text")

    def __init__(self, text: str, known_signals: Collection[str]) -> None:
        """Raises ExpressionError with everything that is wrong in `text`."""
        self.text = text
        found: list[tuple[int, str, str]] = []
        if len(text) > MAX_CHARS:
            raise ExpressionError(
                [(0, f"the condition has more than {MAX_CHARS:,} characters", "Split it into several composites.")]
            )
        names, keys, mentioned, hints = _scan(text, known_signals, found)
        try:
            program = _environment().compile(text)
        except RuntimeError as error:
            found += _translate(text, str(error), hints)
        else:
            if program.return_type() != cel.Type.BOOL:
                what = f"the condition yields {program.return_type().name().lower()}, not true or false"
                found.append((0, what, "Compare it with something."))
            self._program = program
        if found:
            raise ExpressionError(sorted(found))
        self._fired = "fired" in names
        self.mentions = None if names & {"fired", "signal", "strength"} else mentioned
        reads: list[tuple[str, Callable[[Observation], Value]]] = []
        for variable in VARIABLES:
            if variable.name in keys:
                whole = variable.name in names
                reads.append((variable.name, _counts(variable.name, tuple(sorted(keys[variable.name])), whole)))
            elif variable.name in names:
                reads.append((variable.name, variable.read))
        self._reads = tuple(reads)

    def unmoved_by(self, gone: Collection[str]) -> bool:
        """Is the answer the same without these signals?"""
        return self.mentions is not None and self.mentions.isdisjoint(gone)

    def holds(self, signals: Mapping[str, float], obs: Observation) -> bool:
        """Is the condition true for these signals (id → strength) and facts? Raises EvaluationError where there is no answer."""
        data: dict[str, Any] = {name: read(obs) for name, read in self._reads}
        if self._fired:
            data["fired"] = list(signals)
        _NOW.signals = signals
        try:
            answer = self._program.eval(data=data).value()
        except RuntimeError as error:
            raise EvaluationError(" ".join(str(error).split())) from None
        finally:
            _NOW.signals = {}
        if answer is True or answer is False:
            return bool(answer)
        raise EvaluationError(" ".join(str(answer).split()))


def _scan(
    text: str, known: Collection[str], found: list[tuple[int, str, str]]
) -> tuple[set[str], dict[str, set[str]], frozenset[str], dict[int, str]]:
    """Names used, counters used by key, signals asked for, and hints by offset; unknown ids, counters and facts go to `found`.

    Over-approximates the names (a loop variable may look like one), which costs an unneeded look-up, nothing else.
    """
    names: set[str] = set()
    keys: dict[str, set[str]] = {}
    mentioned: set[str] = set()
    hints: dict[int, str] = {}

    def check(word: str, kind: str, allowed: Collection[str], offset: int) -> None:
        if word not in allowed:
            found.append((offset, f"{word} is no known {kind}", suggest(word, allowed, "See the reference of rules.")))

    for match in _SCAN.finditer(text):
        if match["call"]:
            ids = _ids(match["id"], match["call"], known)
            mentioned |= ids
            if not ids:
                check(match["id"], "signal", known, match.start("id"))
        elif match["map"]:
            check(match["key"], "counter", COUNTERS, match.start("key"))
            keys.setdefault(match["map"], set()).add(match["key"])
        elif match["list"]:
            fired = match["list"] == "fired"
            check(match["member"], "signal" if fired else "fact", known if fired else FACTS, match.start("member"))
            names.add(match["list"])
        elif match["name"]:
            name = re.sub(r"\s", "", match["name"])
            if name in _HINTS:
                hints[match.start()] = _HINTS[name]
            parts = name.split(".")
            names |= {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
        elif match["operator"]:
            hints[match.start()] = "Write && for and, || for or."
    return names, keys, frozenset(mentioned), hints


def _ids(text: str, function: str, known: Collection[str]) -> set[str]:
    """Known ids that the argument of a call stands for; a group may be given as `group.*` to signal()."""
    if function == "signal" and text.endswith(".*"):
        return {signal for signal in known if signal.startswith(text[:-1])}
    return {text} & set(known)


def _translate(text: str, message: str, hints: Mapping[int, str]) -> list[tuple[int, str, str]]:
    """The library's message as (offset, what, remedy), with a remedy that fits."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found = []
    for line, column, what in _ERROR.findall(message):
        offset = min(starts[min(int(line), len(starts)) - 1] + int(column) - 1, max(len(text) - 1, 0))
        remedy = "Conditions are written in CEL; see the reference of rules for the names it knows."
        unknown = re.search(r"undeclared reference to '([\w.]+)'", what)
        if hint := next((text for at, text in hints.items() if abs(at - offset) <= 1), None):
            remedy = hint
        elif unknown:
            remedy = suggest(unknown[1], [v.name for v in VARIABLES] + ["signal", "strength", "fired"], remedy)
        elif "no matching overload" in what:
            remedy = "The two sides have different types; numbers stand without quotes, texts in quotes."
        what = re.sub(r"expecting \{.*\}", "expecting a value or operator", what).replace(" (in container '')", "")
        found.append((offset, what, remedy))
    if not found:
        what = "nested too deeply (32 levels at most)" if "recursion" in message.lower() else " ".join(message.split())
        found.append((0, what, "Split it into several composites."))
    return found
