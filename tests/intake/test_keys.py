from __future__ import annotations

import pytest

from gateway.intake.keys import Key, KeyRing


def test_ring_finds_current_and_older_keys() -> None:
    new, old = Key(b"n" * 32), Key(b"o" * 32)
    ring = KeyRing(new, [old])
    assert ring.find(new.tag) is new
    assert ring.find(old.tag) is old
    assert ring.find(b"none") is None
    assert KeyRing(new).find(old.tag) is None


def test_tag_depends_on_the_secret_alone() -> None:
    assert Key(b"n" * 32).tag == Key(b"n" * 32).tag != Key(b"o" * 32).tag


def test_macs_for_different_purposes_differ() -> None:
    key = Key(b"n" * 32)
    assert key.mac(b"a", b"bc") != key.mac(b"ab", b"c")
    assert len(key.mac(b"a", b"", 32)) == 32


def test_a_short_secret_is_refused_and_never_shown() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Key(b"short")
    assert "nnn" not in repr(Key(b"n" * 32))
