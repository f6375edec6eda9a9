"""User agents of programs against those of people: mainstream browsers as seen in traffic, and odd but human ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from crawlerdetect import CrawlerDetect

from bench.grounds import data
from bench.grounds.judge import Judge, landing
from bench.table import Ground, Row, Scorer
from detectors.observation import Kind

NO_PEOPLE = (
    "LWPrCa2l",
    "Mozilliqa",
    "Laravel Reaver",
    "GTmetrix",
    "Miniature.io",
    "Lucidworks-Anda",
    "Slurp",
    "amazon-kendra",
)
"""What stands in the list of odd but human agents and is none: two injections, a scanner for .env files, a speed monitor, two makers of screenshots
and copies, two crawlers."""


def people() -> list[str]:
    """User agents of people, as the lists label them."""
    profiles = [json.loads(line)["userAgent"] for line in data.lines("user-agents/browser_profiles.jsonl.gz")]
    return data.lines("user-agents/odd_but_human.txt") + profiles


def rows(judge: Judge) -> list[Row]:
    listed = [line.split("\t", 1) for line in data.lines("user-agents/bots.tsv")[1:] if "\t" in line]
    good = people()
    ours = judge.scorers(lambda agent: landing([("User-Agent", agent)]), ("bot",), Kind.LANDING)
    reviewed = [agent for agent in good if not any(word in agent for word in NO_PEOPLE)]
    scorers, found = (*ours, *peers()), []
    for source in ("isbot", "monperrus"):
        bad = [agent for name, agent in listed if name == source]
        found += Ground(f"user agents of programs: {source}", bad, good, scorers, "labels as they are").rows()
        note = f"without {len(good) - len(reviewed)} of the good that are programs"
        found += Ground(f"user agents of programs: {source}, labels reviewed", bad, reviewed, scorers, note).rows()
    return found


def peers() -> tuple[Scorer, ...]:
    return (
        Scorer("crawlerdetect", _crawlerdetect(), peer=True),
        Scorer("is-crawler", _is_crawler(), peer=True),
    )


def _crawlerdetect() -> Callable[[Any], float]:
    detector = CrawlerDetect()
    return cache(lambda agent: float(bool(detector.isCrawler(agent))))


def _is_crawler() -> Callable[[Any], float]:
    from is_crawler import is_crawler  # its names are made on demand

    return cache(lambda agent: float(bool(is_crawler(agent))))
