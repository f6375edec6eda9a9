"""Feeds of the settings, from fetching to look-ups: what is wrong leaves the last good one, readers never see half."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from gateway.config import Config
from gateway.config.load import parse
from gateway.feeds.reading import credit, described, networks_in_words, open_networks, stale
from gateway.feeds.refresh import refresh
from gateway.reload import fingerprint
from geoip import stored
from geoip.reader import NetworkReader

SITE = "sites: [{name: main, origin: 'http://127.0.0.1:9000'}]\n"


def settings(base: Path, *feeds: str) -> Config:
    return parse(f"{SITE}geoip: {{feeds: [{', '.join(feeds)}]}}\n", base=base)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "exits.txt").write_text("185.220.101.1\n185.220.101.7\n2a0b:f4c2::1\n")
    (tmp_path / "own.csv").write_text("62.1.2.0/24,office\n")
    return settings(
        tmp_path, "{name: exits, kind: tor, file: exits.txt}", "{name: own, kind: proxy, file: own.csv, format: csv}"
    )


async def test_taken_and_looked_up(config: Config) -> None:
    done = await refresh(config)
    assert [(one.name, one.result, one.entries, one.before) for one in done] == [
        ("exits", "taken", 3, None),
        ("own", "taken", 1, None),
    ]
    reader, troubles = open_networks(config)
    assert troubles == ()
    assert "tor:exits" in reader.lookup("185.220.101.7").labels
    assert reader.lookup("62.1.2.3").kind == "proxy"
    told = described(reader)
    assert [one["label"] for one in told["feeds"]] == ["tor:exits", "proxy:own"]
    lines = networks_in_words(told)
    assert lines[0].startswith("builtin database (Leadgate-Networks), data of 2026-")
    assert lines[1] == f"feed tor:exits, content {told['feeds'][0]['sha256'][:12]}"
    assert "https://db-ip.com/" in credit(told)
    assert [path.name for path in config.feed_files[0].parent.iterdir()].count("exits.feed") == 1


async def test_fetched_again_with_the_same_content_is_the_same(config: Config) -> None:
    """The day it was fetched is no part of a generation's content."""
    await refresh(config, now=lambda: 1_790_000_000.0)
    before = described(open_networks(config).reader)
    await refresh(config, now=lambda: 1_790_900_000.0)
    reader = open_networks(config).reader
    assert reader.feeds[0].fetched_at == 1_790_900_000
    assert described(reader) == before


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("", "holds no network"),
        ("185.220.101.1\n", "shrank from 3 to 1 networks"),
        ("0.0.0.0/0\n", "wider than /8"),
        ("185.220.101.1\n10.0.0.1\n185.220.101.9\n", "reserved"),
        ("<html>", "web page"),
        (None, "cannot be read"),
    ],
)
async def test_refused_and_the_last_good_one_stays(config: Config, tmp_path: Path, text: str | None, note: str) -> None:
    await refresh(config)
    before = config.feed_files[0].read_bytes()
    (tmp_path / "exits.txt").unlink()
    if text is not None:
        (tmp_path / "exits.txt").write_text(text)
    (one,) = await refresh(config, ["exits"])
    assert (one.result, one.entries) == ("refused", 3) and note in one.note
    assert config.feed_files[0].read_bytes() == before
    (forced,) = await refresh(config, ["exits"], force=True)
    assert forced.result == ("taken" if "shrank" in note else "refused")


async def test_a_damaged_stored_feed_is_left_out_told_and_replaced(config: Config) -> None:
    await refresh(config)
    before = fingerprint(Path("x"), config)
    config.feed_files[0].write_bytes(b"half of it")
    assert fingerprint(Path("x"), config) != before
    reader, troubles = open_networks(config)
    assert len(troubles) == 1 and "the feed exits is left out" in troubles[0]
    assert reader.lookup("62.1.2.3").kind == "proxy"
    (one,) = await refresh(config, ["exits"])
    assert one.result == "taken"
    assert open_networks(config).troubles == ()


async def test_never_fetched_and_old(config: Config, tmp_path: Path) -> None:
    assert "never fetched: leadgate geoip refresh --feed exits" in open_networks(config).troubles[0]
    long_ago = 1_790_000_000
    await refresh(config, now=lambda: long_ago)
    reader = open_networks(config).reader
    assert stale(config, reader.feeds, long_ago + 7 * 86_400) == []
    old = stale(config, reader.feeds, long_ago + 7 * 86_400 + 1)
    assert len(old) == 2 and "the feed exits is 7 days old, 7 are allowed" in old[0]
    assert reader.oldest_feed_s > 0


async def test_a_changed_kind_in_the_settings_holds_without_fetching(config: Config, tmp_path: Path) -> None:
    await refresh(config)
    changed = settings(tmp_path, "{name: exits, kind: vpn, file: exits.txt}")
    assert "vpn:exits" in open_networks(changed).reader.lookup("185.220.101.7").labels


async def test_a_directory_that_cannot_be_written(config: Config, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where the directory should be")
    done = await refresh(config)
    assert [one.result for one in done] == ["refused", "refused"] and "cannot be written" in done[0].note


async def test_readers_see_whole_feeds_while_they_are_swapped(config: Config, tmp_path: Path) -> None:
    await refresh(config)
    path, stop, wrong, seen = config.feed_files[0], threading.Event(), [], set()

    def read() -> None:
        while not stop.is_set():
            try:
                feed = stored.read(path)
                found = NetworkReader(ranges=(), feeds=[feed]).lookup("185.220.101.1").labels
                seen.add(feed.entries)
                if found != ("tor:exits",):
                    wrong.append(found)
            except Exception as error:  # whatever happens in the thread is looked for
                wrong.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(40):
        (tmp_path / "exits.txt").write_text(
            "185.220.101.1\n" + "185.220.102.0/24\n" * (number % 2) + "8.8.8.8\n9.9.9.9\n"
        )
        (one,) = await refresh(config, ["exits"], force=True)
        assert one.result == "taken", one.note
    stop.set()
    thread.join()
    assert wrong == [] and seen
    assert not [name for name in os.listdir(path.parent) if name.startswith(".")]


async def test_the_metadata_is_what_was_fetched(config: Config) -> None:
    await refresh(config, now=lambda: 1_790_000_000)
    head = json.loads(config.feed_files[0].read_text().partition("\n")[0])
    assert (head["source"], head["fetched_at"], head["entries"], head["addresses"]) == (
        "exits.txt",
        1_790_000_000,
        3,
        3,
    )
    assert len(head["sha256"]) == 64
