"""The store of a replay: a file of its own, with its keys in a directory beside it, so that its records can be explained and verified later."""

from __future__ import annotations

from pathlib import Path

from gateway.stores.errors import StoreMissing
from gateway.stores.keys import KeyRing
from gateway.stores.sqlite.store import OPERATOR, SqliteSettings, SqliteStore

DEFAULT = Path("leadgate-replay.db")
WRITER = "replay"


class BadStore(ValueError):
    """The name of a store that replay cannot write."""


def store_path(text: str) -> Path:
    """The file of a store given as path or as sqlite:///path. Raises BadStore."""
    for prefix in ("sqlite:///", "sqlite://"):
        if text.startswith(prefix):
            text = text.removeprefix(prefix)
            break
    if "://" in text:
        raise BadStore(f"{text}: replay writes to SQLite files; give a path, or sqlite:///path")
    if not text:
        raise BadStore("--store is empty: give the path of a file")
    return Path(text).expanduser()


def keys_path(store: Path) -> Path:
    """Where the keys of a store lie: "<store>.keys" for a replay's own, "keys" beside it for a gateway's."""
    own = store.with_name(store.name + ".keys")
    beside = store.with_name("keys")
    return beside if not own.is_dir() and store.exists() and beside.is_dir() else own


def open_store(path: Path, keys: Path | None = None) -> tuple[SqliteStore, KeyRing]:
    """For writing, made where there is none. Raises StoreUnopenable.

    keys  directory of the keys, where it is not the usual one
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)  # addresses and user agents: for its owner alone
    ring = KeyRing.open(keys or keys_path(path), SqliteStore.keys_used(path))
    return SqliteStore.open(path, ring, writer=WRITER, settings=SqliteSettings(durable=False)), ring


def open_for_reading(path: Path) -> SqliteStore:
    """As an operator beside whoever writes. Raises StoreUnopenable."""
    if not path.exists():
        raise StoreMissing(path, "there is no such store", "Name the file that `leadgate replay` said it wrote to")
    return SqliteStore.open(path, KeyRing.open(keys_path(path), SqliteStore.keys_used(path)), writer=OPERATOR)
