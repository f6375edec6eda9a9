"""The keys directory: made at first start, must be backed up, rotated by adding a key.

Each key is one file, `<purpose>-<id>.key`, readable by its owner alone. The id is derived from the key, so a damaged
file is noticed. The newest key of a
purpose is used for new work; older ones stay for what they wrote. A key is never replaced: what a lost key encrypted
or hashed stays lost, so a store
that has used a key that is not there is refused instead of being given a fresh one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.model import now_us
from gateway.stores.errors import KeyProblem

HASH = "hash"  # keyed hashes of hot state, blind indexes
TOKEN = "token"  # render tokens, session cookies
SEAL = "seal"  # AES-256-GCM of raw heads and bodies at rest
PASSPORT = "passport"  # Ed25519, signs X-Lead-Passport
PURPOSES = (HASH, TOKEN, SEAL, PASSPORT)

KEY_BYTES = 32
_RESTORE = "Restore the directory from its backup; without the key, what it protected cannot be read"
_COPY = "Copy the directory from another gateway of this store, or restore it from its backup; without the key, what it protected cannot be read"
_SHARED = "Copy the directory from another gateway of this store, or start once while the store can be reached"


class Key(msgspec.Struct, frozen=True):
    """One key. id: 8 hexadecimal digits, safe to show; secret: 32 bytes, never to be shown."""

    purpose: str
    id: str
    created_at: int
    secret: bytes

    def __repr__(self) -> str:
        return f"Key({self.purpose}-{self.id})"

    def derive(self, use: str) -> bytes:
        """A 32-byte key for one use only, so that two uses of a key never share a secret."""
        return hmac.digest(self.secret, b"leadgate " + use.encode(), "sha256")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    purpose: str
    id: str
    created_at: int
    secret: bytes


def _id_of(purpose: str, secret: bytes) -> str:
    return hashlib.sha256(b"leadgate key id " + purpose.encode() + b" " + secret).hexdigest()[:8]


def _new_key(purpose: str, created_at: int) -> Key:
    secret = secrets.token_bytes(KEY_BYTES)
    return Key(purpose, _id_of(purpose, secret), created_at, secret)


class KeyRing:
    """All keys by purpose and id."""

    def __init__(self, keys: Iterable[Key], directory: Path | None = None) -> None:
        self._directory = directory
        self._keys: dict[str, list[Key]] = {purpose: [] for purpose in PURPOSES}
        for key in sorted(keys, key=lambda key: (key.created_at, key.id), reverse=True):
            self._keys[key.purpose].append(key)

    @classmethod
    def open(
        cls, directory: str | Path, used: Iterable[tuple[str, str]] | None = (), *, shared: bool = False
    ) -> KeyRing:
        """Read the directory, making what does not exist yet.

        used  (purpose, id) of every key that the store has used (`keys_used` of the store): a purpose without a file
              is given its first key
              only if the store has never used one for it. None where the store cannot be asked now: then nothing is made
        shared  other gateways may use the store too, and have the keys
        Raises KeyProblem.
        """
        path = Path(directory)
        if used is None:
            return cls._complete(path)
        used = set(used)
        cls.check(path, used, shared=shared)
        if not path.is_dir():
            _make_directory(path)
        ring = cls(_read_all(path), path)
        for purpose in PURPOSES:
            if not ring._keys[purpose]:
                ring.add(purpose)
        return ring

    @classmethod
    def check(cls, path: Path, used: Iterable[tuple[str, str]], *, shared: bool = False) -> None:
        """Would `open` succeed? Makes nothing. Raises KeyProblem."""
        used = set(used)
        if not path.is_dir():
            if not used:
                return
            if shared:
                raise KeyProblem(path, "there are no keys here, and the store has data that needs them", _COPY)
            raise KeyProblem(path, "the keys directory is gone, and the store has data that needs it", _RESTORE)
        _check_private(path, "0700")
        ring = cls(_read_all(path), path)
        for purpose, key_id in sorted(used):
            if ring._find(purpose, key_id) is None:
                remedy = _COPY if shared else _RESTORE
                raise KeyProblem(path, f"the key {purpose}-{key_id}, which the store has used, is missing", remedy)

    @classmethod
    def _complete(cls, path: Path) -> KeyRing:
        """The directory as it is, where it holds a key for each purpose."""
        if not path.is_dir():
            raise KeyProblem(
                path, "there are no keys yet, and the store that may have used some cannot be reached", _SHARED
            )
        _check_private(path, "0700")
        ring = cls(_read_all(path), path)
        for purpose in PURPOSES:
            if not ring._keys[purpose]:
                raise KeyProblem(
                    path, f"there is no {purpose} key, and the store that may have used one cannot be reached", _SHARED
                )
        return ring

    @classmethod
    def ephemeral(cls) -> KeyRing:
        """Keys that are never written: for replay without a store and for tests."""
        return cls([_new_key(purpose, now_us()) for purpose in PURPOSES])

    def current(self, purpose: str) -> Key:
        """The key for new work."""
        return self._keys[purpose][0]

    def all(self, purpose: str) -> tuple[Key, ...]:
        """Newest first: look-ups try each of them."""
        return tuple(self._keys[purpose])

    def get(self, purpose: str, key_id: str) -> Key:
        """Raises KeyProblem where there is none."""
        key = self._find(purpose, key_id)
        if key is None:
            raise KeyProblem(self._directory or "keys", f"the key {purpose}-{key_id} is missing", _RESTORE)
        return key

    def _find(self, purpose: str, key_id: str) -> Key | None:
        return next((key for key in self._keys.get(purpose, ()) if key.id == key_id), None)

    def add(self, purpose: str) -> Key:
        """Rotate: a new key becomes the current one, durable before it is used. Raises KeyProblem."""
        newest = self._keys[purpose][0].created_at if self._keys[purpose] else 0
        key = _new_key(purpose, max(now_us(), newest + 1))
        if self._directory is not None:
            _write(self._directory, key)
        self._keys[purpose].insert(0, key)
        return key

    def passport(self) -> tuple[str, Ed25519PrivateKey]:
        """Id and private key that sign lead passports."""
        key = self.current(PASSPORT)
        return key.id, Ed25519PrivateKey.from_private_bytes(key.secret)


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise KeyProblem(
            path, f"the keys directory cannot be made ({error.strerror})", "Set keys.directory to a writable place"
        ) from error


def _check_private(path: Path, mode: str) -> None:
    try:
        bits = path.stat().st_mode
    except OSError as error:
        raise KeyProblem(
            path, f"it cannot be read ({error.strerror})", "Let the user that runs Leadgate own it"
        ) from error
    if bits & 0o077:
        raise KeyProblem(path, f"others can read it (mode {bits & 0o777:04o})", f"Run: chmod {mode} {path}")


def _read_all(directory: Path) -> list[Key]:
    try:
        names = sorted(directory.glob("*.key"))
    except OSError as error:
        raise KeyProblem(
            directory, f"it cannot be read ({error.strerror})", "Let the user that runs Leadgate own it"
        ) from error
    return [_read(path) for path in names]


def _read(path: Path) -> Key:
    _check_private(path, "0600")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KeyProblem(
            path, f"it cannot be read ({error.strerror})", "Let the user that runs Leadgate own it"
        ) from error
    try:
        found = msgspec.json.decode(data, type=_File)
    except msgspec.MsgspecError as error:
        raise KeyProblem(path, "the key file is damaged", _RESTORE) from error
    sound = found.purpose in PURPOSES and len(found.secret) == KEY_BYTES
    if not sound or found.id != _id_of(found.purpose, found.secret) or path.name != f"{found.purpose}-{found.id}.key":
        raise KeyProblem(path, "the key file is damaged (its name, id and content do not agree)", _RESTORE)
    return Key(found.purpose, found.id, found.created_at, found.secret)


def _write(directory: Path, key: Key) -> None:
    """Whole or not at all: written aside, synced, then linked under its name, which fails where the name is taken."""
    path = directory / f"{key.purpose}-{key.id}.key"
    aside = directory / f".{path.name}.{os.getpid()}.new"
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(_File(key.purpose, key.id, key.created_at, key.secret)) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(aside, path)
        aside.unlink()
        folder = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise KeyProblem(
            path, f"the key cannot be written ({error.strerror})", "Make the directory writable, with room"
        ) from error
