"""Declared programs are named by their token; browsers for people, however odd, are not."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from detectors.agent_patterns import CACHE_SIZE, Agents

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data")) / "user-agents"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36"
)


@pytest.fixture(scope="module")
def agents() -> Agents:
    return Agents.builtin()


@pytest.mark.parametrize(
    ("agent", "kind", "token"),
    [
        ("curl/8.14.1", "http_library", "curl"),
        ("python-requests/2.34.0", "http_library", "python-requests"),
        ("Go-http-client/2.0", "http_library", "Go-http-client"),
        ("PostmanRuntime/7.43", "http_library", "PostmanRuntime"),
        ("okhttp/5.1.0", "http_library", "okhttp"),
        (CHROME.replace("Chrome/", "HeadlessChrome/"), "headless", "HeadlessChrome"),
        (CHROME + " Playwright/1.5", "headless", "Playwright"),
        ("sqlmap/1.9#stable", "scanner", "sqlmap"),
        (CHROME + "' AND 1=(select load_file('x'))", "scanner", "select load_file"),
        ("Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "monitor", "UptimeRobot"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "crawler", "Googlebot"),
        ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "crawler", "YandexBot"),
        ("Mozilla/5.0 (compatible; Unheard/1.0; +https://unheard.example)", "crawler", "https:"),
        ("", "empty", ""),
        ("   ", "empty", ""),
        ("SaferLeadGen/2.2", "unusual", "SaferLeadGen"),
        ("Mozilla/5.0", "unusual", "Mozilla"),
        (CHROME, "browser", ""),
        ("Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.8.9", "browser", ""),
        (CHROME.replace("Windows NT 10.0; Win64; x64", "Linux; Android 13; CUBOT P80"), "browser", ""),
        (
            "Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 (KHTML, like Gecko) CamScanner/6.7 Mobile Safari",
            "browser",
            "",
        ),
        ("Opera/9.80 (Android; Opera Mini/12.0.1987/37.7327; U; pl) Presto/2.12.423 Version/12.16", "browser", ""),
    ],
)
def test_what_agents_declare(agents: Agents, agent: str, kind: str, token: str) -> None:
    assert tuple(agents.declared(agent)) == (kind, token)


def test_only_the_first_part_is_read_and_evidence_stays_short(agents: Agents) -> None:
    assert agents.declared(CHROME + " " * 600 + "sqlmap/1").kind == "browser"
    for hostile in ("bot" * 5000, "a" * 8000, "-_" * 300 + "crawler", "\x00\xff" * 4000, "<script" + "x" * 500):
        assert len(agents.declared(hostile).token) <= 40


def test_answers_are_remembered_within_bounds(agents: Agents) -> None:
    for number in range(CACHE_SIZE + 50):
        agents.declared(f"{CHROME} {number}")
    assert agents.declared.cache_info().currsize <= CACHE_SIZE  # type: ignore[attr-defined]


@pytest.mark.skipif(not DATA.is_dir(), reason="LEADGATE_TEST_DATA has no user-agents folder")
class TestRealAgents:
    HARD = frozenset({"scanner", "http_library", "headless", "monitor", "crawler", "empty"})

    def share(self, agents: Agents, texts: list[str]) -> float:
        return sum(agents.declared(text).kind in self.HARD for text in texts) / len(texts)

    def test_bots(self, agents: Agents) -> None:
        rows = [line.split("\t", 1) for line in (DATA / "bots.tsv").read_text().splitlines()[1:]]
        for source in ("isbot", "monperrus"):
            assert self.share(agents, [agent for name, agent in rows if name == source]) > 0.9

    def test_people(self, agents: Agents) -> None:
        assert self.share(agents, (DATA / "odd_but_human.txt").read_text().splitlines()) < 0.02
        with gzip.open(DATA / "browser_profiles.jsonl.gz", "rt") as lines:
            assert self.share(agents, [json.loads(line)["userAgent"] for line in lines]) == 0
