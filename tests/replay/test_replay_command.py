"""`leadgate replay` as people run it: real files, the real pipeline, the real store."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.replay.arrivals import record_id

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data"))
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


def line(
    path: str = "/offer", *, ip: str = "84.46.10.9", agent: str = BROWSER, at: str = "10:05:03", day: str = "17/May/2025",
    method: str = "GET", status: int = 200, tail: str = "",
) -> str:  # fmt: skip
    return f'{ip} - - [{day}:{at} +0000] "{method} {path} HTTP/1.1" {status} 512 "-" "{agent}"{tail}\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEADGATE_CONFIG", raising=False)
    return tmp_path


def run(*args: str, code: int = 0) -> str:
    found = CliRunner().invoke(app, ["replay", *args])
    assert found.exit_code == code, found.output
    assert found.exception is None or isinstance(found.exception, SystemExit)
    return found.output


def report(*args: str, code: int = 0) -> dict[str, Any]:
    """The JSON report; lines on standard error stand behind it."""
    text = run(*args, "--json", code=code)
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
    return found


def test_page_views_are_told_from_the_rest(here: Path) -> None:
    Path("access.log").write_text(
        line()
        + line("/")
        + line("/index.php?x=1.css")
        + line("/v1.2")
        + line("/img/logo.PNG")
        + line("/robots.txt")
        + line("/old", status=301)
        + line("/offer", status=304)
        + line(method="POST")
        + line(method="HEAD")
        + line(agent="-", path="/offer2")
        + "nonsense\n\n"
    )
    found = report("access.log")
    assert found["page_views"] == 6
    assert found["lines"] == 13
    assert found["unreadable"]["count"] == 1
    assert found["unreadable"]["first"] == [
        {"file": "access.log", "line": 12, "reason": "it does not begin with an address and a user"}
    ]
    assert sum(found["not_page_views"].values()) == 6
    assert found["not_page_views"]["images"] == found["not_page_views"]["robots.txt"] == 1
    assert (
        found["totals"]["valid"] == 5
    )  # what a log does not tell is not suspicious; that there was no user agent, it tells


def test_a_second_run_adds_nothing_and_explain_finds_the_records(here: Path) -> None:
    agent = "python-requests/2.32.3"
    text = line() + line() + line(agent=agent) + line("/x?gclid=" + "a" * 60 + "&utm_campaign=spring&utm_source=google")
    Path("access.log").write_text(text)
    first = report("access.log")
    assert first["store"] == {"path": "leadgate-replay.db", "new": 4, "known": 0}
    packed = Path("access.log.1.gz")
    packed.write_bytes(gzip.compress(text.encode()))
    again = report("access.log.1.gz")  # the same log, rotated
    assert again["store"] == {"path": "leadgate-replay.db", "new": 0, "known": 4}
    assert again["totals"] == first["totals"]
    assert [row["name"] for row in first["campaigns"]] == ["spring (google)"]
    assert first["ad_clicks"]["page_views"] == 1
    run("access.log", "--csv", "flagged.csv")
    rows = list(csv.DictReader(Path("flagged.csv").read_text("utf-8-sig").splitlines()))
    assert [row["user_agent"] for row in rows] == [agent]
    explained = CliRunner().invoke(app, ["explain", rows[0]["record_id"], "--store", "leadgate-replay.db"])
    assert explained.exit_code == 0, explained.output
    assert "made by a program (python-requests)" in explained.output
    assert Path("leadgate-replay.db").stat().st_mode & 0o077 == 0


def test_ids_are_version_7_of_the_logs_time() -> None:
    found = record_id(1_431_857_103_999_000, (1 << 80) - 1)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", found)
    assert int(found.replace("-", "")[:12], 16) == 1_431_857_103_999


def test_logs_are_merged_by_time_and_named_once(here: Path) -> None:
    Path("b.log").write_text(line("/late", at="11:00:00"))
    Path("a.log").write_text(line("/early", at="10:00:00") + line("/later", at="12:00:00"))
    found = report("b.log", "a.log", "./b.log")
    assert found["page_views"] == 3
    assert found["notes"] == []  # the clock never ran backwards
    assert {row["name"] for row in found["sites"]} == {"a", "b"}


def test_clocks_that_jump_are_told(here: Path) -> None:
    Path("a.log").write_text(line(at="12:00:00") + line(at="10:00:00") + line(day="17/May/2095") + line())
    found = report("a.log")
    assert found["page_views"] == 4
    assert any("older than lines before" in note for note in found["notes"])


def test_mixed_formats_in_one_file(here: Path) -> None:
    flat = {
        "time_iso8601": "2025-05-17T10:05:04+00:00",
        "remote_addr": "84.46.10.9",
        "request": "GET /j HTTP/1.1",
        "status": 200,
    }
    caddy = {
        "ts": 1747476305.5,
        "request": {"remote_ip": "84.46.10.9", "method": "GET", "uri": "/c", "headers": {}},
        "status": 200,
    }
    Path("a.log").write_text("cut off line\n" + line() + json.dumps(flat) + "\n" + json.dumps(caddy) + "\n")
    found = report("a.log")
    assert (found["page_views"], found["unreadable"]["count"]) == (3, 1)


def test_private_addresses_are_nobodys(here: Path) -> None:
    Path("a.log").write_text("".join(line(ip="10.0.0.5", at=f"10:{n // 60:02}:{n % 60:02}") for n in range(300)))
    found = report("a.log")
    assert found["totals"]["givt"] == found["totals"]["sivt"] == found["totals"]["review"] == 0
    assert found["totals"]["undecided"] == 300
    assert "trusted_proxies" in found["notes"][0]


CONFIG = """
listen: 127.0.0.1:8080
trusted_proxies: [10.0.0.0/8]
sites:
  - name: shop
    hosts: [www.shop.example]
    origin: http://127.0.0.1:9000
    landing_pages: [{path: "/offer*"}]
    forms: [{name: quote, path: /lead, fields: {email: email}}]
  - {name: blog, hosts: [blog.example], origin: "http://127.0.0.1:9001", landing_pages: [{path: /}]}
"""


def test_settings_decide_what_is_judged(here: Path) -> None:
    Path("leadgate.yaml").write_text(CONFIG)
    host = "www.shop.example:443 "
    Path("a.log").write_text(
        host + line("/offer/roof", ip="10.0.0.1", tail=' "203.0.113.9"')
        + host + line("/about")
        + host + line("/lead", method="POST", status=302)
        + "blog.example " + line("/")
        + "other.example " + line("/")
    )  # fmt: skip
    found = report("a.log", "--config", "leadgate.yaml")
    assert (found["page_views"], found["form_posts"]) == (2, 1)
    assert {row["name"] for row in found["sites"]} == {"shop", "blog"}
    assert found["not_page_views"] == {
        "pages that are no landing page in the settings": 1,
        "hosts that no site names": 1,
    }
    assert found["totals"]["undecided"] == 0  # the address behind the trusted proxy is known
    assert any("never become leads" in note for note in found["notes"])
    one = report("a.log", "--config", "leadgate.yaml", "--site", "blog", "--store", "other.db")
    assert {row["name"] for row in one["sites"]} == {"blog"}
    assert "name no site shap; known: shop, blog" in run("a.log", "--config", "leadgate.yaml", "--site", "shap", code=2)


def test_other_rules_are_told(here: Path) -> None:
    Path("leadgate.yaml").write_text(CONFIG)
    Path("a.log").write_text("www.shop.example " + line("/offer"))
    run("a.log")
    found = report("a.log", "--config", "leadgate.yaml")
    assert any("judged by other rules" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("binary.log", random.Random(1).randbytes(50_000), 1, "does not look like an access log"),
        ("nul.log", b"\0" * 5000, 1, "does not look like an access log"),
        ("other.log", b"May 17 10:05:03 host sshd[1]: x\n" * 100, 1, "no time in square brackets|the time is not as"),
        ("damaged.gz", b"\x1f\x8b\x08\0" + b"x" * 500, 1, "damaged"),
        ("long.log", b"x" * 10_000_000, 1, "does not look like an access log"),
        ("empty.log", b"", 0, "the file is empty"),
        ("blank.log", b"\n\n\n", 0, "the file is empty"),
    ],
)
def test_files_that_are_no_logs(here: Path, name: str, content: bytes, code: int, said: str) -> None:
    Path(name).write_bytes(content)
    text = run(name, code=code)
    assert re.search(said, text), text
    assert name in text


def test_one_bad_file_spoils_no_others(here: Path) -> None:
    Path("good.log").write_text(line() * 20)
    whole = gzip.compress("".join(line(f"/{n}", at=f"11:{n % 60:02}:00") for n in range(5000)).encode())
    Path("cut.log.gz").write_bytes(whole[: len(whole) // 2])
    found = report("good.log", "cut.log.gz", code=1)
    assert found["page_views"] > 1000
    assert "ends too early" in found["notes"][0]


def test_bad_usage(here: Path) -> None:
    assert "no such file" in run("none.log", code=2)
    assert "directory" in run(".", code=2)
    Path("a.log").write_text(line())
    assert "SQLite" in run("a.log", "--store", "postgresql://x/y", code=2)
    assert "cannot be written" in run("a.log", "--csv", "no/where.csv", code=2)
    assert "--config" in run("a.log", "--site", "x", code=2)
    run("a.log", "--config", "none.yaml", code=2)
    Path("text.db").write_text("this is no database, and long enough to be seen as none" * 100)
    assert "text.db" in run("a.log", "--store", "text.db", code=1)


def test_the_page_cuts_addresses(here: Path) -> None:
    Path("a.log").write_text(line(agent="curl/8", ip="84.46.10.9") * 3)
    run("a.log", "--html", "r.html")
    page = Path("r.html").read_text()
    assert "84.46.10.0/24" in page
    assert "84.46.10.9" not in page
    run("a.log", "--html", "r.html", "--full-addresses")
    assert "84.46.10.9" in Path("r.html").read_text()


def test_real_log(here: Path, request: pytest.FixtureRequest) -> None:
    log = (request.config.rootpath / DATA / "access-log/apache_logs.gz").resolve()
    if not log.exists():
        pytest.skip(f"{log} is not there; set LEADGATE_TEST_DATA")
    found = report(str(log))
    assert (found["lines"], found["unreadable"]["count"]) == (10_000, 1)
    assert found["unreadable"]["first"][0]["line"] == 8899
    assert 0.24 < found["declared_requests"] / 10_000 < 0.28
    proved = {row["name"].lower(): row["views"] for row in found["crawlers"] if row["how"] == "proved"}
    assert proved["googlebot"] > 400
    assert found["totals"]["reject"] == 0
    assert found["totals"]["decision_rate"] == 1
    people = [row["name"] for row in found["agents"] if "Firefox" in row["name"] or "MSIE" in row["name"]]
    assert people == []  # browsers of 2015 are old, not flagged
