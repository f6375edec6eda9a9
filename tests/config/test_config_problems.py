"""Every broken file is refused with the place and the remedy of each of its problems."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import ConfigError, Problem, parse, render

DATA = Path(__file__).parent.parent / "testdata"
BAD = sorted((DATA / "bad").glob("*.yaml"))
GOOD = sorted((DATA / "good").glob("*.yaml"))
NOWHERE = Path(
    "/nowhere"
)  # relative paths of the broken files count from here, so that messages are the same on every machine


def problems_of(raw: bytes | str, **options: object) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(raw, name="leadgate.yaml", base=NOWHERE, **options)  # type: ignore[arg-type]
    return caught.value.problems


def test_there_are_enough_broken_files() -> None:
    assert len(BAD) >= 40
    assert len(GOOD) >= 8


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_broken_file(path: Path) -> None:
    found = [re.sub("^leadgate.yaml:? ?", "", str(problem)) for problem in problems_of(path.read_bytes())]
    assert found == path.with_suffix(".txt").read_text().splitlines()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_problem_can_be_read_by_people(path: Path) -> None:
    for problem in problems_of(path.read_bytes()):
        assert problem.what
        assert problem.remedy
        text = f"{problem.what} {problem.remedy}"
        assert not re.search(
            r"pydantic|Input should|validation|\bNone\b|tuple|dict\b|NoneType|does not fit here|<class", text
        ), text
        assert not problem.what.endswith(".")
        assert text.isprintable()


def test_problems_come_in_the_order_of_the_file() -> None:
    places = [(p.line, p.column) for p in problems_of((DATA / "bad/unknown-keys.yaml").read_bytes())]
    assert places == sorted(places)
    assert len(places) == 6


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("secret-token", "s3cr3t"),
        ("secret-in-url", "hunter2"),
        ("secret-in-store", "hunter2"),
        ("secret-look", "whsec_"),
        ("origins", "token@"),
    ],
)
def test_secrets_are_never_shown(name: str, secret: str) -> None:
    raw = (DATA / f"bad/{name}.yaml").read_bytes()
    assert secret in raw.decode()
    problems = problems_of(raw)
    assert secret not in render(problems)
    assert secret not in repr(problems)


def test_secrets_stay_hidden_beside_another_problem_on_the_line() -> None:
    text = render(problems_of("admin: {token: s3cr3t, listn: 127.0.0.1:1}\nsites: [{name: main, origin: http://o}]\n"))
    assert "listn" in text
    assert "s3cr3t" not in text


def test_render_marks_the_place() -> None:
    text = render(
        problems_of(
            "sites:\n  - name: main\n    origin: http://127.0.0.1:9000\n    mode: enforced\n    forms: [{name: a, path: /a, fields: {email: e}}]\n"
        )
    )
    assert text == (
        "leadgate.yaml:4:11: error at sites[0].mode\n"
        "    4 |     mode: enforced\n"
        "      |           ^^^^^^^^\n"
        '  "enforced" is not one of the choices\n'
        "  → write enforce (the choices are monitor, tag or enforce)\n"
    )


def test_render_keeps_the_place_of_a_long_line_in_view() -> None:
    raw = (
        "sites: [{name: main, origin: http://127.0.0.1:9000, "
        + " " * 3000
        + "mdoe: tag, landing_pages: [{path: /}]}]\n"
    )
    row, mark = render(problems_of(raw), width=80).splitlines()[1:3]
    assert len(row) <= 80
    assert row[mark.index("^") :].startswith("mdoe")


def test_control_characters_never_reach_the_terminal() -> None:
    text = render(problems_of('sites: [{name: "a\\e[2Jb", origin: "http://127.0.0.1:9000", "\\x1b]0;x": 1}]\n'))
    assert "\x1b" not in text
    assert "\\x1b" in text


def test_cross_checks_run_beside_broken_values() -> None:
    """A site whose origin is missing is still searched for forms that hide each other."""
    found = [p.path for p in problems_of((DATA / "bad/origin-missing.yaml").read_bytes())]
    assert found == ["sites[0].origin", "sites[0].mode", "sites[0].forms[1].name", "sites[0].forms[1].path"]


def test_what_was_cut_out_causes_no_further_problem() -> None:
    """A reviewer with a broken address is a reviewer: `enforce` is not refused for lack of one."""
    assert [p.path for p in problems_of((DATA / "bad/reviewer-address.yaml").read_bytes())] == ["reviewer.email"]


def test_places_are_those_of_the_file_after_earlier_entries_were_cut_out() -> None:
    raw = (
        "sites:\n  - 7\n  - {name: a, hosts: [a.example], origin: http://127.0.0.1:8080, landing_pages: [{path: /}]}\n"
    )
    assert [(p.line, p.path) for p in problems_of(raw)] == [(2, "sites[0]"), (3, "sites[1].origin")]


@pytest.mark.timeout(60)  # expanding them would take hours, or the whole stack
@pytest.mark.parametrize("name", ["alias-bomb", "deep"])
def test_hostile_files_are_refused_at_once(name: str) -> None:
    assert problems_of((DATA / f"bad/{name}.yaml").read_bytes())


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b"a: " * 50_000, b"- " * 50_000, b"{a: " * 20_000, b"? " * 20_000], ids=len
)
def test_deeply_nested_files_end_in_a_problem(raw: bytes) -> None:
    assert problems_of(raw)


def test_a_file_that_is_too_large_is_not_read() -> None:
    (problem,) = problems_of(b"#" * (1024 * 1024 + 1))
    assert "1,048,576" in problem.what


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_damage_ends_in_settings_or_problems(data: st.DataObject) -> None:
    """Bytes of good files are cut, doubled and replaced: the outcome is always a Config or a ConfigError that can be shown."""
    raw = bytearray(data.draw(st.sampled_from(GOOD)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 40)))
        raw[start:end] = data.draw(
            st.binary(max_size=12)
            | st.sampled_from([b"\t", b": ", b"- ", b"{", b"[", b"*a", b"&a ", b"!x ", b"|\n", b'"', b"~", b"<<: "])
        )
    try:
        config = parse(bytes(raw), base=NOWHERE)
    except ConfigError as error:
        shown = render(error.problems)
    else:
        shown = f"{config.addresses}"
    assert shown
