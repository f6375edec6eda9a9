"""Origins that lie, stall, vanish or break, and what becomes of the visitor's answer and the connection."""

from __future__ import annotations

import asyncio
import ssl
import subprocess

import pytest

from gateway.upstream.errors import BrokenAnswer, ConnectFailed, HeadTimeout, OriginClosed, TlsFailed
from gateway.upstream.settings import UpstreamSettings

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ],
)
async def test_a_short_answer_is_seen_to_be_truncated(rig, origin, answer):
    made = await rig(origin(answer, close=True))
    reader, writer = await made.open()
    writer.write(GET)
    data = b""
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):  # noqa: PT012
        data = await asyncio.wait_for(reader.read(1000), 10)
        while True:
            data += await reader.readexactly(1)
    assert not data.endswith(b"0\r\n\r\n")
    assert (await made.settled()).error
    writer.close()


async def test_bytes_beyond_the_length_are_dropped_and_the_connection_is_not_used_again(rig):
    async def script(side):
        while (await side.request())[0]:
            await side.send(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    made = await rig(script)
    out = await made.talk(GET + GET)
    assert out.count(b"\r\n\r\nok") == 2
    assert b"evil" not in out
    assert made.connections == 2
    assert made.upstream.pool.idle == 0


async def test_late_bytes_spoil_the_pooled_connection(rig):
    sent = asyncio.Event()

    async def script(side):
        await side.request()
        await side.send(OK)
        if side.number == 1:
            await asyncio.sleep(0.05)
            await side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            sent.set()
        await side.reader.read()

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(GET)
    await reader.readuntil(b"ok")
    await sent.wait()
    await asyncio.sleep(0.05)
    writer.write(GET)
    assert b"evil" not in await reader.readuntil(b"ok")
    assert made.connections == 2
    writer.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nA: b\x00c\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000,
        b"HTTP/1.1 103 Early\r\n\r\n" * 40 + OK,
        b"HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\nok" + OK,
    ],
)
async def test_a_broken_answer_is_an_error_before_anything_final_is_written(rig, origin, answer):
    made = await rig(origin(answer))
    out = await made.talk(GET)
    assert out.endswith(b"\r\n\r\nBrokenAnswer"), out
    assert isinstance(made.failures[0], BrokenAnswer)
    assert made.failures[0].sent
    assert made.upstream.pool.idle == 0


async def test_endless_trailers_are_cut(rig):
    async def script(side):
        await side.request()
        await side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
        while True:
            await side.send(b"X-Trailer: " + b"x" * 1000 + b"\r\n")

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(GET)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 10)
    assert "trailer" in (await made.settled()).error
    writer.close()


def closing_second(seen, *, reset=False):
    """Keeps its first connection for one request only, as an origin whose idle timeout just struck: the next dies unanswered."""

    async def script(side):
        head, body = await side.request()
        seen.append((side.number, head.split(b" ", 1)[0], body))
        await side.send(OK)
        if side.number == 1:
            head, body = await side.request()
            seen.append((side.number, head.split(b" ", 1)[0], body))
            if reset:
                side.reset()
            return
        await side.request()

    return script


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS"])
async def test_a_stale_connection_is_retried_for_idempotent_methods(rig, method, reset):
    seen = []
    made = await rig(closing_second(seen, reset=reset))
    out = await made.talk(GET + method + b" / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert out.count(b"200 OK") == 2
    assert [s[:2] for s in seen] == [(1, b"GET"), (1, method), (2, method)]
    assert made.failures == []


async def test_a_post_that_may_have_been_seen_is_never_sent_again(rig):
    seen = []
    made = await rig(closing_second(seen), _body=lambda exchange: exchange.read(100))
    out = await made.talk(GET + b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
    assert out.endswith(b"OriginClosed")
    assert [s[:2] for s in seen] == [(1, b"GET"), (1, b"POST")]
    assert isinstance(made.failures[0], OriginClosed)
    assert made.failures[0].sent


async def test_a_put_from_a_stream_is_not_sent_again_and_one_in_bytes_is(rig):
    seen = []
    made = await rig(closing_second(seen))
    put = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
    assert (await made.talk(GET + put)).endswith(b"OriginClosed")
    seen.clear()
    made = await rig(closing_second(seen), _body=lambda exchange: exchange.read(100))
    assert (await made.talk(GET + put)).endswith(b"ok")
    assert seen[1:] == [(1, b"PUT", b"x"), (2, b"PUT", b"x")]


async def test_a_connection_that_dies_within_its_answer_is_not_retried(rig):
    async def script(side):
        await side.request()
        await side.send(OK)
        await side.request()
        await side.send(b"HTTP/1.1 200 O")

    made = await rig(script)
    assert (await made.talk(GET + GET)).endswith(b"OriginClosed")
    assert made.connections == 1


async def test_a_fresh_connection_that_dies_is_not_retried(rig):
    async def script(side):
        await side.request()

    made = await rig(script)
    assert (await made.talk(GET)).endswith(b"OriginClosed")
    assert made.connections == 1


async def test_a_post_takes_no_long_idle_connection(rig, origin):
    made = await rig(origin(OK), UpstreamSettings(unsafe_reuse=0.0))
    post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    await made.talk(GET + GET + post)
    assert made.connections == 2


async def test_a_closed_idle_connection_is_noticed_and_nothing_is_sent_on_it(rig, origin):
    made = await rig(origin(OK, close=True))
    reader, writer = await made.open()
    for _ in range(3):
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"ok"), 10)).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.05)
    assert made.connections == 3
    writer.close()


async def test_connection_close_and_keep_alive_hints_are_heeded(rig, origin):
    made = await rig(origin(b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok"))
    await made.talk(GET)
    assert made.upstream.pool.idle == 0
    made = await rig(origin(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=5\r\nContent-Length: 2\r\n\r\nok"))
    assert b"Keep-Alive" not in await made.talk(GET)
    assert made.upstream.pool.idle == 0


async def test_idle_connections_age_out_and_are_bounded(rig):
    together = asyncio.Barrier(3)

    async def script(side):
        await side.request()
        await together.wait()
        await side.send(OK)
        await side.request()

    made = await rig(script, UpstreamSettings(pool_size=2, keepalive_timeout=0.2))
    await asyncio.gather(*(made.talk(GET) for _ in range(3)))
    assert made.connections == 3
    assert made.upstream.pool.idle == 2
    async with asyncio.timeout(10):
        while made.upstream.pool.open:
            await asyncio.sleep(0.01)
    assert made.upstream.pool.idle == 0


async def test_more_requests_than_connections_wait_their_turn(rig, origin):
    made = await rig(origin(OK), UpstreamSettings(max_connections=2))
    outs = await asyncio.gather(*(made.talk(GET) for _ in range(20)))
    assert all(out.endswith(b"ok") for out in outs)
    assert made.upstream.pool.open <= 2


async def test_no_free_connection_within_the_timeout(rig):
    async def script(side):
        await side.request()
        await asyncio.sleep(5)

    made = await rig(script, UpstreamSettings(max_connections=1, connect_timeout=0.2))
    first = asyncio.create_task(made.talk(GET))
    await asyncio.sleep(0.05)
    assert (await made.talk(GET)).endswith(b"ConnectFailed")
    assert not made.failures[0].sent
    first.cancel()


async def test_a_silent_origin_times_out_before_and_in_the_answer(rig):
    async def silent(side):
        await side.request()
        await side.reader.read()

    made = await rig(silent, UpstreamSettings(head_timeout=0.2))
    assert (await made.talk(GET)).endswith(b"HeadTimeout")
    assert isinstance(made.failures[0], HeadTimeout)
    assert made.failures[0].sent

    async def stalling(side):
        await side.request()
        await side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await side.reader.read()

    made = await rig(stalling, UpstreamSettings(idle_timeout=0.2))
    reader, writer = await made.open()
    writer.write(GET)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readuntil(b"whole"), 10)
    assert "middle of a transfer" in (await made.settled()).error
    writer.close()


async def test_refused_and_unknown(rig, origin, unused_tcp_port):
    made = await rig(origin(OK), origin_url=f"http://127.0.0.1:{unused_tcp_port}")
    assert (await made.talk(GET)).endswith(b"ConnectFailed")
    assert str(made.failures[0]).startswith(f"no connection to http://127.0.0.1:{unused_tcp_port}:")
    assert not made.failures[0].sent


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    place = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", place / "key.pem", "-out", place / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return place / "cert.pem", place / "key.pem"


async def test_https_origin_with_certificate_and_name_checked(rig, origin, certificate):
    cert, key = certificate
    names = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    trusting = UpstreamSettings(ca_file=str(cert))
    made = await rig(origin(OK), trusting, origin_ssl=context, origin_url="https://localhost:{port}")
    out = await made.talk(GET + GET)
    assert out.count(b"\r\n\r\nok") == 2
    assert names == ["localhost"]
    assert made.connections == 1
    for url, settings in (("https://127.0.0.1:{port}", trusting), ("https://localhost:{port}", UpstreamSettings())):
        made = await rig(origin(OK), settings, origin_ssl=context, origin_url=url)
        assert (await made.talk(GET)).endswith(b"TlsFailed")
        assert isinstance(made.failures[0], TlsFailed | ConnectFailed)
        assert "certificate" in str(made.failures[0])


async def test_the_visitors_broken_body_is_raised_and_closes_the_origin(rig):
    got = asyncio.Future()

    async def script(side):
        await side.head()
        got.set_result(await side.reader.read())

    made = await rig(script)
    out = await made.talk(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
    assert out.startswith(b"HTTP/1.1 400")
    assert b"0\r\n\r\n" not in await asyncio.wait_for(got, 10)
    assert made.upstream.pool.idle == 0
