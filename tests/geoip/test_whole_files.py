"""A file takes its place whole, or nothing of it is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from geoip.files import replaced


def test_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with replaced(path) as name:
        name.write_bytes(b"content")
        assert not path.exists() and name.parent == path.parent
    assert path.read_bytes() == b"content" and path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_not_at_all(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def half() -> None:
        with replaced(path) as name:
            name.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        half()
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]
