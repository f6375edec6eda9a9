"""The servers a shared gateway needs, real ones, for tests and benchmarks: `with Redis() as redis: ...`, or the fixtures in tests/conftest.py.

Redis            .url .client() .call() .start/stop/kill/pause/resume/restart() .fill()/.room() .flush()
RedisCluster     .url .addresses .nodes .node_of(key) .wait_ok()
Sentinels        .url .addresses .master .replica .current
Postgres         .fresh_database() -> DSN, .sql(), .start/stop/kill/pause/resume/restart(), .fill_disk()/.free_disk()
PgBouncer        .dsn(database)
"""

from __future__ import annotations

from postgres_servers import ROLE, PgBouncer, Postgres
from redis_servers import Redis, RedisCluster, Sentinels
from server_process import Server, free_port, program

__all__ = ["ROLE", "PgBouncer", "Postgres", "Redis", "RedisCluster", "Sentinels", "Server", "free_port", "program"]
