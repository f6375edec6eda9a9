"""Asks sentinels who is master, and hears from them when another becomes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import hiredis

from gateway.stores.redis.connection import Connection, Reply, open_connection, refusal
from gateway.stores.redis.errors import Failure, away, unexpected
from gateway.stores.redis.settings import Address, RedisSettings
from gateway.stores.redis.wire import packed

CHECK_S = 5.0
"""How often the master is asked for although no sentinel spoke up: a connection to a sentinel may have died quietly."""

AGAIN_S = 1.0
"""Between attempts to hear a sentinel."""


class Sentinels:
    """on_switch is called when the master is not (or may not be) the one last answered by `master`; on_error with what should never happen."""

    def __init__(
        self,
        settings: RedisSettings,
        on_switch: Callable[[], None],
        on_error: Callable[[Failure], None] = lambda failure: None,
    ) -> None:
        self._settings, self._on_switch, self._on_error = settings, on_switch, on_error
        self._order = list(settings.nodes)
        self._log_in = settings.sentinel_username, settings.sentinel_password
        self._task: asyncio.Task[None] | None = None
        self._answered: Address | None = None

    def start(self) -> None:
        self._task = self._task or asyncio.create_task(self._listen())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def master(self) -> Address | Failure:
        """Asked of one after the other, the one that knew it last first."""
        found = await self._ask()
        if not isinstance(found, Failure):
            self._answered = found
        return found

    async def _ask(self) -> Address | Failure:
        name = self._settings.master
        failure: Failure | None = None
        for address in list(self._order):
            connection = await self._open(address)
            if isinstance(connection, Failure):
                failure = failure or connection
                continue
            try:
                reply = await connection.send(packed(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", name.encode()))
            finally:
                connection.drop(away("closed"))
            if isinstance(reply, list) and len(reply) == 2:
                self._order.remove(address)
                self._order.insert(0, address)
                return reply[0].decode(), int(reply[1])
            unknown = away(
                f"the sentinels know no master {name!r}", f"the sentinels know no master {name!r}: correct `state`"
            )
            failure = refusal(reply) or unknown
            if isinstance(reply, hiredis.ReplyError) and "unknown command" in str(reply):
                host, port = address
                failure = away(
                    "no sentinel there",
                    f"{host}:{port} is no sentinel: correct `state` (redis:// where it is a server)",
                )
        return failure._replace(reason=f"{failure.reason} (sentinel)") if failure else away("no sentinel")

    async def _open(self, address: Address) -> Connection | Failure:
        connection = await open_connection(self._settings, address, *self._log_in)
        if isinstance(connection, Failure) or self._log_in[1] or not self._settings.password:
            return connection
        failure = refusal(await connection.send(packed(b"PING")))
        if failure is None or failure.kind != "refused":
            return connection
        connection.drop(away("closed"))
        self._log_in = self._settings.username, self._settings.password
        return await open_connection(self._settings, address, *self._log_in)

    async def _listen(self) -> None:
        while True:
            for address in list(self._order):
                try:
                    await self._listen_to(address)
                except Exception as error:  # noqa: BLE001 - without this task no switch is heard of until a restart; counted by whoever is told
                    self._on_error(unexpected(error))
            await asyncio.sleep(AGAIN_S)

    async def _listen_to(self, address: Address) -> None:
        connection = await self._open(address)
        if isinstance(connection, Connection):
            try:
                await self._hear(connection)
            finally:
                connection.drop(away("closed"))

    async def _hear(self, connection: Connection) -> None:
        """Until the connection is lost or its sentinel differs from what it said."""
        lost = asyncio.Event()
        connection.on_lost = lambda _: lost.set()
        connection.on_push = self._pushed
        reply = await connection.send(packed(b"SUBSCRIBE", b"+switch-master"))
        if isinstance(reply, Failure | hiredis.ReplyError):
            return
        while not lost.is_set():
            try:
                await asyncio.wait_for(lost.wait(), CHECK_S)
            except TimeoutError:
                found = await self._ask()
                if not isinstance(found, Failure) and self._answered not in (None, found):
                    self._on_switch()

    def _pushed(self, reply: Reply) -> None:
        if isinstance(reply, list) and len(reply) == 3 and isinstance(reply[2], bytes):
            words = reply[2].split()
            if words and words[0] == self._settings.master.encode():
                self._on_switch()
