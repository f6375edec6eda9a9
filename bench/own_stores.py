"""Redis and PostgreSQL of our own, for as long as something is measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.load import Missing

SERVERS = Path(__file__).parent.parent / "tests" / "support"


class Stores(NamedTuple):
    """`state` and `store` as settings name them, and the process ids of the servers by name."""

    state: str
    store: str
    pids: dict[str, int]


@contextmanager
def own_stores() -> Iterator[Stores]:
    """Raises Missing where a server is not installed."""
    sys.path.insert(0, str(SERVERS))
    try:
        from servers import Postgres, Redis

        redis, postgres = Redis(), Postgres()
    except (AssertionError, ImportError) as error:
        raise Missing(str(error)) from error
    finally:
        sys.path.remove(str(SERVERS))
    with redis, postgres:
        assert redis.pid is not None
        assert postgres.pid is not None
        store = f"postgresql://127.0.0.1:{postgres.port}/{postgres.new_database()}"
        yield Stores(redis.url, store, {"redis": redis.pid, "postgres": postgres.pid})
