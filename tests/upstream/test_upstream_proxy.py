"""Requests and answers through the real listener and `forward`, compared byte for byte at raw sockets."""

from __future__ import annotations

OURS = (
    b"Via: 1.1 leadgate\r\nX-Forwarded-For: 127.0.0.1\r\n"
    b'Forwarded: for=127.0.0.1;host="h";proto=http\r\n'
    b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"
)
VIA = b"Via: 1.1 leadgate\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_OUT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVia: 1.1 leadgate\r\n\r\nok"


async def test_request_head_keeps_order_case_duplicates_and_bytes(rig, origin):
    seen = []
    made = await rig(origin(OK, seen))
    fields = b"Host: h\r\nX-b: 1\r\nuser-AGENT: x\r\nx-B: 2\r\nCookie: a=1\r\nX-Latin: gr\xfc\xdf \xff\r\nAccept: */*\r\ncookie: b=2\r\nX-Empty: \r\n"
    out = await made.talk(b"GET /a%2Fb//c;d?gclid=A%2bB+&&x=%zz&q=\"'|{} HTTP/1.1\r\n" + fields + b"\r\n")
    assert out.startswith(b"HTTP/1.1 200 OK"), out
    assert seen == [(b"GET /a%2Fb//c;d?gclid=A%2bB+&&x=%zz&q=\"'|{} HTTP/1.1\r\n" + fields + OURS + b"\r\n", b"")]


async def test_answer_head_keeps_order_case_duplicates_bytes_and_reason(rig, origin):
    made = await rig(origin(
        b"HTTP/1.1 299 Gr\xfc\xdf dich\r\nx-B: 1\r\nSet-Cookie: a=1\r\nX-b: 2\r\nset-cookie: b=2\r\nX-Latin: \xe4\xff\r\n"
        b"content-LENGTH: 3\r\nX-Empty:\r\nContent-Encoding: br\r\n\r\n\x00\xff\x01"
    ))  # fmt: skip
    assert await made.talk(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") == (
        b"HTTP/1.1 299 Gr\xfc\xdf dich\r\nx-B: 1\r\nSet-Cookie: a=1\r\nX-b: 2\r\nset-cookie: b=2\r\nX-Latin: \xe4\xff\r\n"
        b"content-LENGTH: 3\r\nX-Empty: \r\nContent-Encoding: br\r\n" + VIA + b"\r\n\x00\xff\x01"
    )


async def test_keep_alive_on_both_sides(rig, origin):
    made = await rig(origin(OK))
    out = await made.talk(b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert out == OK_OUT + OK_OUT
    assert made.connections == 1
    assert [o.reused for o in made.outcomes] == [False, True]


async def test_post_with_length(rig, origin):
    seen = []
    made = await rig(origin(OK, seen))
    out = await made.talk(b"POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\nX-After: 1\r\n\r\na\r\n\x00b")
    assert out == OK_OUT
    assert seen == [
        (b"POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\nX-After: 1\r\n" + OURS + b"\r\n", b"a\r\n\x00b")
    ]
    assert made.outcomes[0].bytes_in == 5
    assert made.outcomes[0].bytes_out == 2
