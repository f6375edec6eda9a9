"""Files as they lie about: packed, cut off, binary, endless lines, pipes."""

from __future__ import annotations

import bz2
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.replay.files import CHUNK, BadUsage, Broken, LogFile, source_of
from gateway.replay.lines import MAX_LINE


def _lines(path: Path) -> list[bytes | None]:
    return list(LogFile(str(path)).lines(lambda _: None))


def _until_broken(lines: Iterator[bytes | None]) -> tuple[int, str]:
    count = 0
    try:
        for _ in lines:
            count += 1
    except Broken as error:
        return count, str(error)
    raise AssertionError("the file was read to its end")


def test_plain_and_packed_give_the_same(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(60_000)) + b"no end"
    plain, packed, twice = tmp_path / "a.log", tmp_path / "a.log.gz", tmp_path / "b.gz"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    twice.write_bytes(gzip.compress(text[:1000]) + gzip.compress(text[1000:]) + b"\0" * 64)
    found = _lines(plain)
    assert len(found) == 60_001
    assert found[-1] == b"no end"
    assert _lines(packed) == found == _lines(twice)


def test_progress_counts_the_bytes_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(os.urandom(400_000)))
    seen: list[int] = []
    list(LogFile(str(path)).lines(seen.append))
    assert sum(seen) == LogFile(str(path)).size == path.stat().st_size


def test_a_line_of_ten_megabytes_is_told_and_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"first\n" + b"x" * 10_000_000 + b"\nlast\n" + b"y" * (MAX_LINE + 1) + b"\n" + b"z" * MAX_LINE)
    assert _lines(path) == [b"first", None, b"last", None, b"z" * MAX_LINE]


def test_a_chunk_may_end_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for shift in (-1, 0, 1):
        first = b"a" * 1000 + b"\n"
        text = first * (CHUNK // len(first)) + b"b" * (CHUNK % len(first) + shift) + b"\nend\n"
        path.write_bytes(text)
        assert _lines(path) == text.split(b"\n")[:-1]


def test_cut_off_and_damaged_gzip_give_what_can_be_had(tmp_path: Path) -> None:
    text = b"".join(b"line %d %d\n" % (number, number * 2_654_435_761 % 2**32) for number in range(50_000))
    packed = gzip.compress(text)
    path = tmp_path / "a.gz"
    path.write_bytes(packed[: len(packed) // 2])
    count, said = _until_broken(LogFile(str(path)).lines(lambda _: None))
    assert 10_000 < count < 50_000
    assert said.startswith(f"{path}: the gzip data ends too early")
    path.write_bytes(packed[: len(packed) // 2] + os.urandom(1000) + packed[len(packed) // 2 :])
    count, said = _until_broken(LogFile(str(path)).lines(lambda _: None))
    assert count > 10_000
    assert "damaged" in said
    path.write_bytes(b"\x1f\x8b")
    assert "ends too early" in _until_broken(LogFile(str(path)).lines(lambda _: None))[1]


def test_other_packings_are_named_with_the_way_in(tmp_path: Path) -> None:
    path = tmp_path / "a.bz2"
    path.write_bytes(bz2.compress(b"x"))
    said = _until_broken(LogFile(str(path)).lines(lambda _: None))[1]
    assert "bzcat" in said
    assert "leadgate replay -" in said


def test_what_is_no_file_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="no such file"):
        LogFile(str(tmp_path / "none.log"))
    with pytest.raises(BadUsage, match="directory"):
        LogFile(str(tmp_path))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(gzip.compress(b"one\r\ntwo"))

    monkeypatch.setattr("sys.stdin", Stdin)
    file = LogFile("-")
    assert (file.name, file.source, file.size) == ("standard input", "stdin", 0)
    assert list(file.lines(lambda _: None)) == [b"one\r", b"two"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("access.log", "access"),
        ("access.log.2.gz", "access"),
        ("access.log-20260131.gz", "access"),
        ("shop-access.log.1", "shop-access"),
        ("apache_logs.gz", "apache_logs"),
        (".log", ".log"),
        ("2024", "2024"),
    ],
)
def test_rotated_files_belong_to_one_log(name: str, source: str) -> None:
    assert source_of(name) == source
