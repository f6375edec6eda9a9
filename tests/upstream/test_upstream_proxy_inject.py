"""Injected pages through the whole path: what changes in both heads, and when nothing may."""

from __future__ import annotations

import asyncio

from gateway.upstream.inject import Injector

FIELD = b"<input type=hidden name=_lg>"
PAGE = b"<html><form action=/lead><input></form></html>"
REQUEST = (
    b"%b / HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\nAccept-Encoding: gzip, br\r\nIf-None-Match: x\r\nif-modified-since: y\r\n"
    b"If-Range: x\r\nX-A: 1\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nETag: x\r\nContent-Type: text/html\r\nCache-Control: no-store\r\nlast-modified: y\r\nAccept-Ranges: bytes\r\n"
    b"Content-Length: %d\r\nExpires: 0\r\nContent-MD5: q\r\nDigest: q\r\nContent-Digest: q\r\nRepr-Digest: q\r\nX-B: 2\r\n%b\r\n"
)


def injector(exchange):
    return Injector("http://h/", {"/lead": FIELD})


async def test_an_injected_page(rig, origin):
    seen = []
    made = await rig(origin(ANSWER % (len(PAGE), b"") + PAGE, seen), _inject=injector)
    out = await made.talk(REQUEST % b"GET")
    head = seen[0][0]
    assert b"\r\nHost: h\r\nAccept-Encoding: identity\r\nX-A: 1\r\nVia" in head
    changed = PAGE.replace(b"/lead>", b"/lead>" + FIELD)
    assert out == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nX-B: 2\r\nVia: 1.1 leadgate\r\n"
        b"Cache-Control: private, no-cache, no-store\r\n\r\n%b" % (len(changed), changed)
    )
    assert made.outcomes[0].injected == 1


async def test_an_injected_page_that_arrives_in_pieces(rig):
    async def script(side):
        await side.request()
        await side.send(ANSWER % (len(PAGE), b"") + PAGE[:12])
        await asyncio.sleep(0.05)
        await side.send(PAGE[12:])

    made = await rig(script, _inject=injector)
    head, _, body = (await made.talk(REQUEST % b"GET")).partition(b"\r\n\r\n")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert b"Content-Length" not in head
    changed = PAGE.replace(b"/lead>", b"/lead>" + FIELD)
    assert dechunked(body) == changed
    assert made.outcomes[0].injected == 1


def dechunked(body):
    page = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        page, body = page + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return page


async def test_what_may_not_be_changed_passes_untouched(rig, origin):
    for extra in (b"Content-Encoding: gzip\r\n", b"CDN-Cache-Control: public\r\n"):
        answer = ANSWER % (len(PAGE), extra)
        made = await rig(origin(answer + PAGE), _inject=injector)
        assert await made.talk(REQUEST % b"GET") == answer[:-2] + b"Via: 1.1 leadgate\r\n\r\n" + PAGE
        assert made.outcomes[0].injected is None


async def test_other_methods_are_left_alone(rig, origin):
    seen = []
    made = await rig(origin(ANSWER % (len(PAGE), b"") + PAGE, seen), _inject=injector)
    out = await made.talk(REQUEST % b"POST")
    assert out.endswith(PAGE)
    assert b"Accept-Encoding: gzip, br\r\nIf-None-Match: x\r\n" in seen[0][0]


async def test_hooks_and_additions(rig, origin):
    seen, data = [], []

    def on_head(status, headers):
        seen.append((status, list(headers)))
        return [(b"Set-Cookie", b"_lg_s=1")]

    made = await rig(
        origin(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok"),
        on_head=on_head, on_data=data.append, response_add=[(b"X-Ours", b"1")], add_headers=[(b"X-Lead-Id", b"7")], strip=frozenset((b"x-gone",)),
    )  # fmt: skip
    out = await made.talk(b"GET / HTTP/1.1\r\nHost: h\r\nX-Gone: 1\r\n\r\n")
    assert out.endswith(b"Via: 1.1 leadgate\r\nX-Ours: 1\r\nSet-Cookie: _lg_s=1\r\n\r\nok")
    assert seen == [(200, [(b"X-A", b"1"), (b"Content-Length", b"2")])]
    assert data == [b"ok"]
