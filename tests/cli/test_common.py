"""Errors as one plain sentence, ids and names as people give them."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli.common import an_id, in_words, person, print_json
from gateway.cli.main import app

ID = "01a202cf-d310-71d8-8a1b-ae08ce869569"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOENT, "No such file or directory", "/x/y.db"), "/x/y.db: No such file or directory"),
        (
            OSError(errno.EADDRINUSE, "cannot listen on 127.0.0.1:80: in use"),
            "cannot listen on 127.0.0.1:80: in use. Stop what uses it, or name another address",
        ),
        (OSError("plain"), "plain"),
        (ValueError("no file"), "no file"),
    ],
)
def test_errors_in_words(error: Exception, told: str) -> None:
    assert in_words(error) == told


@pytest.mark.parametrize("text", [ID, ID.upper(), f" {ID}\n", ID.replace("-", "")])
def test_an_id_is_found_however_it_was_copied(text: str) -> None:
    assert an_id(text) == ID


def test_what_is_no_id_stays() -> None:
    assert an_id("nope") == "nope"


def test_a_system_user_without_a_name_is_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(typer.Exit):
        person(None)
    assert person("anna") == "anna"


def test_a_model_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a directory should be")
    settings = tmp_path / "leadgate.yaml"
    settings.write_text("""
sites: [{name: acme, origin: "http://127.0.0.1:9000", landing_pages: [{path: /offer}]}]
model: {directory: models}
store: sqlite:///r.db
keys: {directory: r.db.keys}
""")
    log = tmp_path / "access.log"
    log.write_text(
        '84.1.2.3 - - [01/Sep/2025:10:00:00 +0000] "GET /offer HTTP/1.1" 200 9 "-" "Mozilla/5.0 Firefox/140.0"\n'
    )
    assert CliRunner().invoke(app, ["replay", str(log), "--store", str(tmp_path / "r.db")]).exit_code == 0
    done = CliRunner().invoke(app, ["model", "train", "--config", str(settings)])
    assert done.exit_code == 1
    assert "it cannot be written (Not a directory). Make model.directory writable" in done.output, done.output


def test_json_is_json_on_a_terminal_of_another_alphabet(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `main` sets it up, where what cannot be shown is written out."""
    written = io.BytesIO()
    terminal = io.TextIOWrapper(written, encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr("sys.stdout", terminal)
    print_json({"name": "Zoë \U0001f600"})
    terminal.flush()
    assert json.loads(written.getvalue()) == {"name": "Zoë \U0001f600"}


SETTINGS = 'sites: [{name: acme, origin: "http://127.0.0.1:9000", landing_pages: [{path: /offer}]}]\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"pack: landing-page\nprior: [1\n",
            ":3:1: a bracket or brace is opened and not closed rightly (opened in line 2). Close it, and",
        ),
        (b"pack: x\n  group: y\n", ":2:8: a colon stands where none can. Check the indentation"),
        (b"pack: x\ntext: \xff\n", ":2:1: this line is not UTF-8. Save the file as UTF-8."),
    ],
)
def test_a_broken_pack_to_try_is_told_by_its_place(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "leadgate.yaml").write_text(SETTINGS)
    (tmp_path / "pack.yaml").write_bytes(content)
    words = ["backtest", str(tmp_path / "pack.yaml"), "--config", str(tmp_path / "leadgate.yaml")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert f"1 problem in the rules\n{tmp_path}/pack.yaml{told}" in done.output, done.output


def test_broken_rules_are_told_before_models_are_compared(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "landing-page.yaml").write_text("pack: landing-page\nprior: [1\n")
    (tmp_path / "leadgate.yaml").write_text(SETTINGS + "rules: {directory: rules}\n")
    words = ["model", "compare", "--kind", "landing", "--config", str(tmp_path / "leadgate.yaml")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "local/landing-page.yaml:3:1: a bracket" in done.output, done.output
