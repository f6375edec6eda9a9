from __future__ import annotations

import os
import stat

import pytest

from gateway.stores.errors import KeyProblem
from gateway.stores.keys import HASH, PASSPORT, PURPOSES, SEAL, KeyRing


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "var" / "keys"


def modes(directory):
    return {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_made_at_first_start_for_the_owner_alone(directory):
    ring = KeyRing.open(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert modes(directory) == {0o600}
    assert sorted(path.name for path in directory.iterdir()) == sorted(
        f"{purpose}-{ring.current(purpose).id}.key" for purpose in PURPOSES
    )


def test_read_back_the_same(directory):
    first, second = KeyRing.open(directory), KeyRing.open(directory)
    assert [second.current(purpose) for purpose in PURPOSES] == [first.current(purpose) for purpose in PURPOSES]


def test_no_two_purposes_or_uses_share_a_secret(directory):
    ring = KeyRing.open(directory)
    secrets = {ring.current(purpose).secret for purpose in PURPOSES}
    secrets |= {ring.current(HASH).derive(use) for use in ("blind", "network", "browser")}
    assert len(secrets) == len(PURPOSES) + 3


def test_secrets_are_not_shown(directory):
    key = KeyRing.open(directory).current(SEAL)
    assert repr(key) == f"Key(seal-{key.id})"


def test_rotation_adds_a_key_and_keeps_the_old_one(directory):
    ring = KeyRing.open(directory)
    old = ring.current(SEAL)
    new = ring.add(SEAL)
    for seen in (ring, KeyRing.open(directory)):
        assert seen.current(SEAL) == new
        assert seen.get(SEAL, old.id) == old
        assert seen.all(SEAL) == (new, old)


def test_passports_are_signed_by_the_current_key(directory):
    ring = KeyRing.open(directory)
    key_id, private = ring.passport()
    assert key_id == ring.current(PASSPORT).id
    private.public_key().verify(private.sign(b"x"), b"x")


@pytest.mark.parametrize("place", ["directory", "file"])
def test_readable_by_others_is_refused(directory, place):
    KeyRing.open(directory)
    target = directory if place == "directory" else next(directory.iterdir())
    target.chmod(0o755 if place == "directory" else 0o644)
    with pytest.raises(KeyProblem, match=r"others can read it.*chmod 0(700|600)"):
        KeyRing.open(directory)


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"{}", b'{"purpose":"seal","id":"00000000","created_at":1,"secret":"AAAA"}']
)
def test_a_damaged_file_is_named(directory, content):
    KeyRing.open(directory)
    target = next(directory.glob("seal-*.key"))
    target.write_bytes(content)
    with pytest.raises(KeyProblem, match=rf"{target.name}.*damaged.*backup"):
        KeyRing.open(directory)


def test_a_flipped_bit_is_noticed(directory):
    KeyRing.open(directory)
    target = next(directory.glob("hash-*.key"))
    text = target.read_text()
    at = text.index('"secret":"') + 12
    target.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    with pytest.raises(KeyProblem, match="damaged"):
        KeyRing.open(directory)


def test_a_renamed_file_is_noticed(directory):
    KeyRing.open(directory)
    next(directory.glob("hash-*.key")).rename(directory / "hash-12345678.key")
    with pytest.raises(KeyProblem, match="do not agree"):
        KeyRing.open(directory)


def test_a_missing_key_that_was_used_is_never_replaced(directory):
    ring = KeyRing.open(directory)
    used = {(SEAL, ring.current(SEAL).id)}
    next(directory.glob("seal-*.key")).unlink()
    with pytest.raises(
        KeyProblem, match=rf"seal-{ring.current(SEAL).id}, which the store has used, is missing.*backup"
    ):
        KeyRing.open(directory, used)
    assert not list(directory.glob("seal-*.key"))


def test_a_missing_directory_is_not_made_anew_when_the_store_has_data(directory):
    with pytest.raises(KeyProblem, match=r"gone.*backup"):
        KeyRing.open(directory, {(SEAL, "12345678")})
    assert not directory.exists()


def test_a_second_gateway_of_a_shared_store_is_told_to_copy_the_keys(directory):
    with pytest.raises(KeyProblem, match=r"no keys here.*Copy the directory from another gateway"):
        KeyRing.open(directory, {(SEAL, "12345678")}, shared=True)
    assert not directory.exists()
    KeyRing.open(directory)  # its own
    with pytest.raises(KeyProblem, match=r"seal-12345678.*Copy the directory from another gateway"):
        KeyRing.open(directory, {(SEAL, "12345678")}, shared=True)


def test_looking_makes_nothing(directory):
    KeyRing.check(directory, set())
    with pytest.raises(KeyProblem, match="gone"):
        KeyRing.check(directory, {(SEAL, "12345678")})
    assert not directory.exists()


def test_leftovers_of_an_interrupted_write_do_no_harm(directory):
    ring = KeyRing.open(directory)
    (directory / ".seal-deadbeef.key.1.new").write_bytes(b"half")
    assert KeyRing.open(directory).current(SEAL) == ring.current(SEAL)


def test_a_directory_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyProblem, match=r"cannot be made.*keys.directory"):
        KeyRing.open(tmp_path / "file" / "keys")


def test_a_write_that_fails_leaves_nothing(directory, monkeypatch):
    ring = KeyRing.open(directory)
    before = sorted(directory.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyProblem, match="No space left"):
        ring.add(SEAL)
    assert sorted(directory.iterdir()) == before
    assert len(ring.all(SEAL)) == 1


def test_nothing_is_made_while_the_store_cannot_be_asked(directory):
    with pytest.raises(KeyProblem, match=r"no keys yet, and the store .* cannot be reached"):
        KeyRing.open(directory, None)
    assert not directory.exists()
    ring = KeyRing.open(directory)
    assert KeyRing.open(directory, None).current(SEAL) == ring.current(SEAL)
    next(directory.glob("hash-*.key")).unlink()
    with pytest.raises(KeyProblem, match="no hash key"):
        KeyRing.open(directory, None)
