"""`leadgate report`: pages are written beside the text, and a place that cannot be written is told before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app

LINE = '84.1.2.{0} - - [01/Sep/2025:10:00:{0:02} +0000] "GET /offer?utm_campaign=spring&gclid=a{0} HTTP/1.1" 200 9 "-" "Mozilla/5.0 Firefox/140.0"'


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("report")
    (where / "access.log").write_text("\n".join(LINE.format(number) for number in range(20)))
    done = CliRunner().invoke(app, ["replay", str(where / "access.log"), "--store", str(where / "r.db")])
    assert done.exit_code == 0, done.output
    return where / "r.db"


@pytest.mark.parametrize(("name", "expected"), [("campaigns", "campaign spring"), ("false-positives", "How to begin")])
def test_a_page_is_written(store: Path, tmp_path: Path, name: str, expected: str) -> None:
    page = tmp_path / "report.html"
    done = CliRunner().invoke(
        app, ["report", name, "--store", str(store), "--html", str(page), "--since", "2025-09-01"]
    )
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f"HTML: {page}\n")
    text = page.read_text("utf-8")
    assert expected in text
    assert "From 2025-09-01 00:00 UTC" in text


@pytest.mark.parametrize("name", ["campaigns", "false-positives"])
def test_a_page_that_cannot_be_written_is_told_at_once(tmp_path: Path, name: str) -> None:
    page = tmp_path / "no-such-directory" / "report.html"
    done = CliRunner().invoke(app, ["report", name, "--store", "not-even-there.db", "--html", str(page)])
    assert done.exit_code == 2
    assert done.output == f"{page}: it cannot be written (No such file or directory)\n"


@pytest.mark.parametrize("words", [["report", "campaigns"], ["report", "false-positives"], ["replay", "access.log"]])
def test_a_command_that_fails_leaves_no_empty_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "access.log").write_text(LINE.format(1))
    words = [*words, "--store", "none/r.db", "--html", "page.html"]
    (tmp_path / "none").write_text("a file where a directory should be")
    done = CliRunner().invoke(app, words)
    assert done.exit_code != 0
    assert not (tmp_path / "page.html").exists()
    (tmp_path / "page.html").write_text("of yesterday")
    assert CliRunner().invoke(app, words).exit_code != 0
    assert (tmp_path / "page.html").read_text() == "of yesterday"
