"""Fetching from real servers on loopback that do everything wrong a server can do."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from authority import certificates

from gateway.config.feeds import Feed
from gateway.feeds.errors import FeedRefused
from gateway.feeds.fetch import Fetched, Patience, fetch

BODY = b"162.247.74.201\n171.25.193.77\n"
QUICK = Patience(total_s=3.0, connect_s=1.0, still_s=0.5, max_bytes=100_000)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server that answers everything by `handler`; answers its base URL."""
    runners = []

    async def start(handler: Handler) -> str:
        application = web.Application()
        application.router.add_get("/{tail:.*}", handler)
        runner = web.AppRunner(application)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def feed(url: str, **more: Any) -> Feed:
    return Feed(**{"name": "x", "kind": "tor", "url": url, "allow_http": True, "allow_private": True} | more)


async def get(url: str, known: dict[str, str] | None = None, **more: Any) -> Fetched:
    return await fetch(feed(url, **more), known or {}, None, QUICK)


async def refused(url: str, match: str, **more: Any) -> None:
    with pytest.raises(FeedRefused, match=match):
        await get(url, **more)


async def test_fetched_then_unchanged(serve: Serve) -> None:
    asked: list[tuple[str | None, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")))
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        return web.Response(body=BODY, headers={"ETag": '"1"', "Last-Modified": "Sun, 22 Nov 2026 07:00:00 GMT"})

    base = await serve(handler)
    first = await get(f"{base}/list?key=secret")
    assert first.body == BODY and "secret" not in str(first.validators)
    again = await get(f"{base}/list?key=secret", first.validators)
    assert again == Fetched(None, first.validators)
    assert (await get(f"{base}/another", first.validators)).body == BODY  # validators are of one address
    assert asked == [(None, None), ('"1"', "Sun, 22 Nov 2026 07:00:00 GMT"), (None, None)]
    # what was stored was read in the format of then
    assert (await get(f"{base}/list?key=secret", first.validators, format="csv")).body == BODY


@pytest.mark.parametrize("status", [204, 206, 304, 403, 404, 429, 500])
async def test_other_answers(serve: Serve, status: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status)

    await refused(await serve(handler) + "/l?key=secret", rf"http://127.0.0.1:\d+/l: the server answers {status}")


async def test_redirects_are_followed_by_the_same_rules(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/list":
            return web.Response(body=BODY)
        to = {
            "/relative": "list",
            "/meta": "http://169.254.169.254/latest/",
            "/round": "/round",
            "/file": "file:///etc/passwd",
            "/named": "ftp://somebody:secret@lists.example/l?key=secret",
        }
        return web.Response(status=302, headers={"Location": to[request.path]})

    base = await serve(handler)
    assert (await get(f"{base}/relative")).body == BODY
    await refused(f"{base}/meta", "169.254.169.254 is a link-local address.*none on a link-local one")
    await refused(f"{base}/round", "more than 5 redirects")
    await refused(f"{base}/file", "which is not https")
    with pytest.raises(FeedRefused, match=r"ftp://lists\.example/l, which") as told:
        await get(f"{base}/named")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
async def test_private_places_are_refused_however_written(serve: Serve, host: str) -> None:
    reached = []

    async def handler(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response(body=BODY)

    port = (await serve(handler)).rpartition(":")[2]
    await refused(f"http://{host}:{port}/l", "not a public address|cannot be fetched", allow_private=False)
    assert not reached


async def test_slow_and_broken_bodies(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={} if request.path == "/trickle" else {"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(BODY)
        if request.path == "/cut":
            assert request.transport is not None
            request.transport.abort()
        elif request.path == "/still":
            await asyncio.sleep(5)
        else:
            for _ in range(60):
                await answer.write(b"#\n")
                await asyncio.sleep(0.1)
        return answer

    base = await serve(handler)
    await refused(f"{base}/cut", "broke off|cannot be fetched")
    await refused(f"{base}/still", "no whole answer")
    await refused(f"{base}/trickle", "no whole answer within 3 seconds")


async def test_nobody_listens(serve: Serve, unused_tcp_port: int) -> None:
    await refused(f"http://127.0.0.1:{unused_tcp_port}/", "cannot be fetched")
    await refused("http://no.such.host.invalid/", "cannot be fetched")


async def test_sizes_are_bounded_also_unpacked(serve: Serve) -> None:
    bodies = {
        "/large": (b"1.2.3.4\n" * 20_000, {}),
        "/bomb": (gzip.compress(bytes(50_000_000)), {"Content-Encoding": "gzip"}),
        "/bomb.gz": (gzip.compress(bytes(50_000_000)), {}),
        "/packed": (gzip.compress(BODY), {"Content-Encoding": "gzip"}),
        "/packed.gz": (gzip.compress(BODY), {}),
        "/half": (gzip.compress(BODY)[:-6], {"Content-Encoding": "gzip"}),
        "/twice": (gzip.compress(BODY) + b"more", {"Content-Encoding": "gzip"}),
        "/damaged": (gzip.compress(BODY)[:12] + b"\xff" * 30, {"Content-Encoding": "gzip"}),
        "/br": (BODY, {"Content-Encoding": "br"}),
    }  # fmt: skip

    async def handler(request: web.Request) -> web.Response:
        body, headers = bodies[request.path]
        return web.Response(body=body, headers=headers)

    base = await serve(handler)
    assert (await get(f"{base}/packed")).body == (await get(f"{base}/packed.gz")).body == BODY
    for path in ("/large", "/bomb", "/bomb.gz"):
        await refused(base + path, "more than 100000 bytes")
    await refused(f"{base}/half", "cut off")
    await refused(f"{base}/twice", "followed by other data")
    await refused(f"{base}/damaged", "cut off|cannot be fetched")
    await refused(f"{base}/br", "packed as br")


async def test_https_and_its_authority(tmp_path: Path) -> None:
    made = certificates(tmp_path)

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/down":
            return web.Response(status=301, headers={"Location": "http://127.0.0.1:1/"})
        return web.Response(body=BODY)

    application = web.Application()
    application.router.add_get("/{tail:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    base = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        mine = feed(f"{base}/list", allow_http=False)
        assert (await fetch(mine, {}, made.ca, QUICK)).body == BODY
        with pytest.raises(FeedRefused, match="certificate"):
            await fetch(mine, {}, None, QUICK)
        with pytest.raises(FeedRefused, match="not a certificate authority"):
            await fetch(mine, {}, tmp_path / "nowhere.pem", QUICK)
        with pytest.raises(FeedRefused, match="not https"):
            await fetch(feed(f"{base}/down", allow_http=False), {}, made.ca, QUICK)
    finally:
        await runner.cleanup()


async def test_proxies_of_the_environment_are_not_asked(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=BODY)

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert (await get(await serve(handler))).body == BODY
