"""Forward-confirmed reverse DNS: the name an address claims, and whether the name admits it. Cached, with a deadline, never blocking the loop."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

import aiodns

from detectors.observation import ReverseName, Unavailable

CACHE_SIZE = 4096
FAILURE_TTL_S = (
    60.0  # a resolver that failed is asked again after a minute, so that a flood of claims is not a flood of queries
)
ANSWER_TTL_S = 3600.0  # operators move crawlers by the week, not by the minute


class ReverseDns:
    """Resolver for `ReverseName` facts.

    servers     DNS servers as "ip" or "ip:port"; empty means the system's
    deadline_s  for both look-ups together; passed, the fact is Unavailable and the answer still fills the cache
    """

    def __init__(self, servers: Sequence[str] = (), deadline_s: float = 0.5) -> None:
        self._resolver = aiodns.DNSResolver(list(servers) or None, timeout=deadline_s, tries=2)
        self._deadline_s = deadline_s
        self._cache: dict[str, tuple[float, ReverseName | Unavailable]] = {}
        self._running: dict[str, asyncio.Task[ReverseName | Unavailable]] = {}

    async def __call__(self, address: str) -> ReverseName | Unavailable:
        now = asyncio.get_running_loop().time()
        known = self._cache.get(address)
        if known is not None and known[0] > now:
            return known[1]
        task = self._running.get(address)
        if task is None:
            if len(self._running) >= CACHE_SIZE:
                return Unavailable("reverse DNS: too many look-ups under way")
            task = self._running[address] = asyncio.ensure_future(self._ask(address))
            task.add_done_callback(lambda _: self._running.pop(address, None))
        try:
            return await asyncio.wait_for(asyncio.shield(task), self._deadline_s)
        except TimeoutError:
            return Unavailable(f"reverse DNS: no answer within {round(self._deadline_s * 1000)} ms")

    async def _ask(self, address: str) -> ReverseName | Unavailable:
        answer = await self._look_up(address)
        ttl = FAILURE_TTL_S if isinstance(answer, Unavailable) else ANSWER_TTL_S
        if len(self._cache) >= CACHE_SIZE:
            self._cache.pop(next(iter(self._cache)))
        self._cache[address] = (asyncio.get_running_loop().time() + ttl, answer)
        return answer

    async def _look_up(self, address: str) -> ReverseName | Unavailable:
        ip = ipaddress.ip_address(address)
        try:
            pointers = await self._resolver.query_dns(ip.reverse_pointer, "PTR")
        except aiodns.error.DNSError as error:
            return _failure(error) or ReverseName("", False)
        names = [record.data.dname for record in pointers.answer if hasattr(record.data, "dname")][
            :4
        ]  # more than four names is noise
        for name in names:
            try:
                found = await self._resolver.query_dns(name, "A" if ip.version == 4 else "AAAA")
            except aiodns.error.DNSError as error:
                failure = _failure(error)
                if failure is not None:
                    return failure
                continue
            if any(
                ipaddress.ip_address(record.data.addr) == ip for record in found.answer if hasattr(record.data, "addr")
            ):
                return ReverseName(name.rstrip(".").lower(), True)
        return ReverseName(names[0].rstrip(".").lower() if names else "", False)

    async def close(self) -> None:
        for task in tuple(self._running.values()):
            task.cancel()
        await self._resolver.close()


def _failure(error: aiodns.error.DNSError) -> Unavailable | None:
    """None where the answer is a plain "no such name", which is a fact."""
    code, message = (*error.args, "")[:2]
    if code in (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA):
        return None
    return Unavailable(f"reverse DNS: {message or 'failed'}")
