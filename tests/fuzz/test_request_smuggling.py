"""Request smuggling: each mutation, sent raw, is refused or reaches the origin as one request that nobody can read in two ways.

A raw-socket origin records every byte the real forwarding code sends. What it recorded is read by h11 and by eight lenient readers,
which repair what sloppy servers repair (bare LF, folded lines, odd names, the last of two lengths ...). They must all find the same
requests, no more of them than the visitor sent by the strict reading, and each must have been answered to the visitor. Afterwards a
second visitor on the same pooled connections must get the answer to his own request. The same check must find planted bugs.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import dataclass

import h11
import pytest
import uvloop

from gateway.intake import framing, receiver
from gateway.intake.server import Exchange, Limits, Listener
from gateway.upstream.client import Upstream
from gateway.upstream.headers import Forwarded
from gateway.upstream.proxy import forward

EVIL = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
MARKER = b"GET /marker HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True)
class Case:
    raw: bytes
    most: int = 1  # requests that may reach the origin


CASES: dict[str, Case] = {}


def add(name: str, raw: bytes, most: int = 1) -> None:
    assert name not in CASES, name
    CASES[name] = Case(raw, most)


def post(*fields: bytes, body: bytes = b"", line: bytes = b"POST / HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    return b"\r\n".join((line, *([host] if host else []), *fields)) + b"\r\n\r\n" + body


HIDDEN = b"0\r\n\r\n" + EVIL  # ends a chunked body; a length covers all of it
LENGTH = b"Content-Length: %d" % len(HIDDEN)
CHUNKED = b"Transfer-Encoding: chunked"

# both framings, in every order and disguise
add("cl_te", post(LENGTH, CHUNKED, body=HIDDEN))
add("te_cl", post(CHUNKED, LENGTH, body=HIDDEN))
add("cl_zero_te", post(b"Content-Length: 0", CHUNKED, body=HIDDEN))
add("te_cl_short", post(CHUNKED, b"Content-Length: 4", body=b"24\r\n" + EVIL[:36] + b"\r\n0\r\n\r\n"))
add("cl_te_1_0", post(LENGTH, CHUNKED, body=HIDDEN, line=b"POST / HTTP/1.0"))
add("te_1_0", post(CHUNKED, body=HIDDEN, line=b"POST / HTTP/1.0"))
add("te_1_0_keep_alive", post(CHUNKED, b"Connection: keep-alive", body=HIDDEN, line=b"POST / HTTP/1.0"))
add("cl_te_on_get", post(LENGTH, CHUNKED, body=HIDDEN, line=b"GET / HTTP/1.1"))
add("cl_te_trailing_cl", post(CHUNKED, body=b"0\r\nContent-Length: 40\r\n\r\n" + EVIL), most=2)
add("te_trailing_te", post(CHUNKED, body=b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + EVIL), most=2)
add("te_trailing_host", post(CHUNKED, body=b"0\r\nHost: b\r\nX-Lead-Id: 1\r\n\r\n"))

TE_DISGUISES = {
    "space_before_colon": b"Transfer-Encoding : chunked",
    "tab_before_colon": b"Transfer-Encoding\t: chunked",
    "two_spaces": b"Transfer-Encoding:  chunked",
    "tab_after_colon": b"Transfer-Encoding:\tchunked",
    "no_space": b"Transfer-Encoding:chunked",
    "trailing_space": b"Transfer-Encoding: chunked ",
    "trailing_tab": b"Transfer-Encoding: chunked\t",
    "vertical_tab": b"Transfer-Encoding: \x0bchunked",
    "form_feed": b"Transfer-Encoding: \x0cchunked",
    "trailing_vertical_tab": b"Transfer-Encoding: chunked\x0b",
    "nul_value": b"Transfer-Encoding: chunked\x00",
    "nul_name": b"Transfer-Encoding\x00: chunked",
    "nul_first": b"\x00Transfer-Encoding: chunked",
    "del_value": b"Transfer-Encoding: chunked\x7f",
    "nbsp": b"Transfer-Encoding: \xa0chunked",
    "nel": b"Transfer-Encoding: \x85chunked",
    "high_byte": b"Transfer-Encoding: \xffchunked",
    "capitals": b"Transfer-Encoding: ChUnKeD",
    "name_capitals": b"TRANSFER-ENCODING: chunked",
    "quoted": b'Transfer-Encoding: "chunked"',
    "single_quoted": b"Transfer-Encoding: 'chunked'",
    "identity": b"Transfer-Encoding: identity",
    "identity_chunked": b"Transfer-Encoding: identity, chunked",
    "chunked_identity": b"Transfer-Encoding: chunked, identity",
    "gzip_chunked": b"Transfer-Encoding: gzip, chunked",
    "chunked_gzip": b"Transfer-Encoding: chunked, gzip",
    "chunked_twice": b"Transfer-Encoding: chunked, chunked",
    "empty_list": b"Transfer-Encoding: , chunked",
    "trailing_comma": b"Transfer-Encoding: chunked,",
    "parameter": b"Transfer-Encoding: chunked;q=1",
    "semicolon": b"Transfer-Encoding: chunked;",
    "prefix": b"Transfer-Encoding: xchunked",
    "suffix": b"Transfer-Encoding: chunkedx",
    "half": b"Transfer-Encoding: chunk",
    "cow": b"Transfer-Encoding: cow",
    "empty": b"Transfer-Encoding:",
    "underscore": b"Transfer_Encoding: chunked",
    "dot": b"Transfer.Encoding: chunked",
    "tilde": b"Transfer~Encoding: chunked",
    "quote_name": b"Transfer-Encoding': chunked",
    "leading_underscore": b"_Transfer-Encoding: chunked",
    "space_inside": b"Transfer Encoding: chunked",
    "no_hyphen": b"TransferEncoding: chunked",
    "high_name": b"Transfer-Encoding\xa0: chunked",
    "long_s": "Tranſfer-Encoding: chunked".encode(),
    "kelvin": "Transfer-Encoding: chun\u212aed".encode(),
    "folded": b"Transfer-Encoding:\r\n chunked",
    "folded_tab": b"Transfer-Encoding:\r\n\tchunked",
    "folded_behind": b"X: y\r\n Transfer-Encoding: chunked",
    "folded_list": b"Transfer-Encoding: identity,\r\n chunked",
    "bare_lf_before": b"X: y\nTransfer-Encoding: chunked",
    "bare_cr_before": b"X: y\rTransfer-Encoding: chunked",
    "lf_cr_before": b"X: y\n\rTransfer-Encoding: chunked",
    "cr_cr_lf_before": b"X: y\r\r\nTransfer-Encoding: chunked",
    "bare_lf_inside": b"Transfer-Encoding:\n chunked",
    "bare_cr_inside": b"Transfer-Encoding: chunked\r",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "twice_identity": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "twice_cow": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "twice_case": b"Transfer-Encoding: chunked\r\ntransfer-encoding: x",
    "no_colon": b"Transfer-Encoding chunked",
    "two_colons": b"Transfer-Encoding:: chunked",
    "colon_first": b":Transfer-Encoding: chunked",
    "leading_space": b" Transfer-Encoding: chunked",
    "connection_named": b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked",
}
for disguise, field in TE_DISGUISES.items():
    add(f"te_{disguise}_with_cl", post(LENGTH, field, body=HIDDEN))
    # Alone, a spelling that means chunked (or is only some unknown field) leaves a second, pipelined request.
    add(
        f"te_{disguise}_alone",
        post(field, body=HIDDEN),
        most=2 if disguise in ("no_space", "capitals", "name_capitals") else 1,
    )
add("te_leading_space_first_field", post(LENGTH, host=b" Transfer-Encoding: chunked\r\nHost: a", body=HIDDEN))

N = len(EVIL)
CL_DISGUISES = {
    "plus": b"Content-Length: +%d" % N,
    "minus": b"Content-Length: -%d" % N,
    "hex": b"Content-Length: 0x%x" % N,
    "octal_like": b"Content-Length: 0o%o" % N,
    "float": b"Content-Length: %d.0" % N,
    "exponent": b"Content-Length: %de0" % N,
    "underscore_digits": b"Content-Length: 1_0",
    "comma_digits": b"Content-Length: 1,000",
    "list": b"Content-Length: %d, %d" % (N, N),
    "list_zero": b"Content-Length: 0, %d" % N,
    "two_spaces": b"Content-Length:  %d" % N,
    "tab": b"Content-Length:\t%d" % N,
    "inner_space": b"Content-Length: 1 0",
    "trailing_space": b"Content-Length: %d " % N,
    "vertical_tab": b"Content-Length: \x0b%d" % N,
    "nul": b"Content-Length: %d\x00" % N,
    "nbsp": b"Content-Length: \xa0%d" % N,
    "letters": b"Content-Length: %da" % N,
    "empty": b"Content-Length:",
    "nan": b"Content-Length: nan",
    "overflow_64": b"Content-Length: %d" % (2**64 + N),
    "overflow_32": b"Content-Length: %d" % (2**32 + N),
    "nineteen_digits": b"Content-Length: " + b"0" * 17 + b"%d" % N,
    "arabic_digits": "Content-Length: ٣٦".encode(),
    "fullwidth_digits": "Content-Length: ３６".encode(),
    "superscript": b"Content-Length: \xb2",
    "quoted": b'Content-Length: "%d"' % N,
    "parameter": b"Content-Length: %d;x" % N,
    "space_before_colon": b"Content-Length : %d" % N,
    "underscore": b"Content_Length: %d" % N,
    "dot": b"Content.Length: %d" % N,
    "name_nul": b"Content-Length\x00: %d" % N,
    "folded": b"Content-Length:\r\n %d" % N,
    "folded_second": b"Content-Length: 0\r\n %d" % N,
    "duplicate_same": b"Content-Length: %d\r\nContent-Length: %d" % (N, N),
    "duplicate_zero_first": b"Content-Length: 0\r\nContent-Length: %d" % N,
    "duplicate_zero_last": b"Content-Length: %d\r\nContent-Length: 0" % N,
    "duplicate_case": b"Content-Length: 0\r\ncontent-length: %d" % N,
    "duplicate_empty": b"Content-Length: %d\r\nContent-Length:" % N,
    "duplicate_bare_lf": b"Content-Length: %d\nContent-Length: 0" % N,
    "duplicate_underscore": b"Content-Length: %d\r\nContent_Length: 0" % N,
    "connection_named": b"Connection: content-length\r\nContent-Length: %d" % N,
    "keep_alive_connection_named": b"Connection: keep-alive, Content-Length\r\nContent-Length: %d" % N,
}
for disguise, field in CL_DISGUISES.items():
    add(f"cl_{disguise}", post(field, body=EVIL))

CHUNKS = {
    "plus_size": b"+5\r\nabcde\r\n0\r\n\r\n",
    "minus_size": b"-5\r\nabcde\r\n0\r\n\r\n",
    "hex_prefix": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "underscore_size": b"0_5\r\nabcde\r\n0\r\n\r\n",
    "leading_space": b" 5\r\nabcde\r\n0\r\n\r\n",
    "trailing_space": b"5 \r\nabcde\r\n0\r\n\r\n",
    "trailing_tab": b"5\t\r\nabcde\r\n0\r\n\r\n",
    "space_before_extension": b"5 ;a\r\nabcde\r\n0\r\n\r\n",
    "nul_size": b"5\x00\r\nabcde\r\n0\r\n\r\n",
    "letters": b"5g\r\nabcde\r\n0\r\n\r\n",
    "empty_size": b"\r\nabcde\r\n0\r\n\r\n",
    "only_extension": b";a\r\nabcde\r\n0\r\n\r\n",
    "overflow_64": b"10000000000000005\r\nabcde\r\n0\r\n\r\n",
    "overflow_32": b"100000005\r\nabcde\r\n0\r\n\r\n",
    "many_zeros": b"0" * 40 + b"5\r\nabcde\r\n0\r\n\r\n",
    "zeros_only": b"0" * 40 + b"\r\n\r\n",
    "lf_size_line": b"5\nabcde\r\n0\r\n\r\n",
    "lf_behind_data": b"5\r\nabcde\n0\r\n\r\n",
    "cr_behind_data": b"5\r\nabcde\r0\r\n\r\n",
    "no_end_of_data": b"5\r\nabcde0\r\n\r\n",
    "two_bytes_behind_data": b"5\r\nabcdeXX0\r\n\r\n",
    "lf_last_line": b"5\r\nabcde\r\n0\n\r\n",
    "lf_final": b"5\r\nabcde\r\n0\r\n\n" + EVIL,
    "lf_lf_final": b"5\r\nabcde\r\n0\n\n" + EVIL,
    "cr_final": b"5\r\nabcde\r\n0\r\n\r" + EVIL,
    "cr_cr_lf": b"5\r\r\nabcde\r\n0\r\n\r\n",
    "size_too_small": b"4\r\nabcde\r\n0\r\n\r\n",
    "size_too_large": b"6\r\nabcde\r\n0\r\n\r\n",
    "extension_lf": b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
    "extension_cr": b"5;a\rb\r\nabcde\r\n0\r\n\r\n",
    "extension_nul": b"5;a=\x00\r\nabcde\r\n0\r\n\r\n",
    "extension_lf_request": b"5;\n" + EVIL + b"\r\nabcde\r\n0\r\n\r\n",
    "extension_quoted_crlf": b'5;a="\r\nabcde\r\n0\r\n\r\n"\r\n0\r\n\r\n',
    "extension_unclosed_quote": b'5;a="b\r\nabcde\r\n0\r\n\r\n',
    "extension_bare_semicolon": b"5;\r\nabcde\r\n0\r\n\r\n",
    "extension_huge": b"5;a=" + b"b" * 5000 + b"\r\nabcde\r\n0\r\n\r\n",
    "extension_many": b"1;a=b\r\nx\r\n" * 400 + b"0\r\n\r\n",
    "extension_fine": b'5;a;b=c;d="e\\"f"\r\nabcde\r\n0;x\r\n\r\n',
    "size_line_endless": b"0" * 20000,
    "trailer_lf": b"5\r\nabcde\r\n0\r\nA: b\n\r\n",
    "trailer_folded": b"5\r\nabcde\r\n0\r\nA: b\r\n c\r\n\r\n",
    "trailer_no_colon": b"5\r\nabcde\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "trailer_space_before_colon": b"5\r\nabcde\r\n0\r\nA : b\r\n\r\n",
    "trailer_nul": b"5\r\nabcde\r\n0\r\nA: \x00\r\n\r\n",
    "trailer_huge": b"5\r\nabcde\r\n0\r\n" + b"A: b\r\n" * 4000 + b"\r\n",
    "never_ends": b"5\r\nabcde\r\n",
    "nothing": b"",
    "is_a_request": EVIL,
}
for name, chunks in CHUNKS.items():
    add(f"chunk_{name}", post(CHUNKED, body=chunks))
add("chunk_then_pipelined", post(CHUNKED, body=b"5\r\nabcde\r\n0\r\n\r\n" + EVIL), most=2)

# line ends and white space of the head
add("line_lf_everywhere", b"POST / HTTP/1.1\nHost: a\nContent-Length: 0\n\n" + EVIL)
add("line_lf_request_line", b"POST / HTTP/1.1\nHost: a\r\nContent-Length: 0\r\n\r\n")
add("line_lf_end", b"POST / HTTP/1.1\r\nHost: a\r\n\n" + EVIL)
add("line_lf_lf_end", b"POST / HTTP/1.1\r\nHost: a\n\n" + EVIL)
add("line_cr_end", b"POST / HTTP/1.1\r\nHost: a\r\r" + EVIL)
add("line_lf_cr_lf_end", b"POST / HTTP/1.1\r\nHost: a\n\r\n" + EVIL)
add("line_cr_in_value", post(b"X: a\rGET /smuggled HTTP/1.1"))
add("line_lf_in_value", post(b"X: a\nGET /smuggled HTTP/1.1"))
add("line_lf_lf_in_value", post(b"X: a\n\n" + EVIL))
add("line_space_only", post(b" "))
add("line_no_colon", post(b"GET /smuggled HTTP/1.1"))
add("line_colon_only", post(b":"))
add("line_empty_name", post(b": x"))
add("line_one_empty_before", b"\r\n" + MARKER)
add("line_two_empty_before", b"\r\n\r\n" + MARKER)
add("line_lf_before", b"\n" + MARKER)
add("line_space_before", b" " + MARKER)
add("line_nul_before", b"\x00" + MARKER)
add("line_cut_off", b"GET / HTTP/1.1\r\nHost: a\r\nX: y")
add("line_cut_off_request_line", b"GET / HT")

# request line
for name, line in {
    "two_spaces": b"GET  / HTTP/1.1", "tab": b"GET\t/ HTTP/1.1", "tab_before_version": b"GET /\tHTTP/1.1", "three_words": b"GET /a b HTTP/1.1",
    "trailing_space": b"GET / HTTP/1.1 ", "no_version": b"GET /", "http_0_9": b"GET / HTTP/0.9", "http_1_2": b"GET / HTTP/1.2",
    "http_2_0": b"GET / HTTP/2.0", "http_11": b"GET / HTTP/11", "http_1_10": b"GET / HTTP/1.10", "lower_case": b"GET / http/1.1",
    "hex_version": b"GET / HTTP/1.A", "space_in_version": b"GET / HTTP/ 1.1", "icy": b"GET / ICY/1.1", "rtsp": b"DESCRIBE / RTSP/1.0",
    "method_lower": b"get / HTTP/1.1", "method_colon": b"GET: / HTTP/1.1", "method_nul": b"GE\x00T / HTTP/1.1", "method_empty": b" / HTTP/1.1",
    "method_unknown": b"SMUGGLE / HTTP/1.1", "method_quote": b'"GET" / HTTP/1.1', "target_nul": b"GET /\x00 HTTP/1.1",
    "target_control": b"GET /\x01 HTTP/1.1", "target_del": b"GET /\x7f HTTP/1.1", "target_fragment": b"GET /#a HTTP/1.1",
    "target_cr": b"GET /\rX HTTP/1.1", "target_relative": b"GET a HTTP/1.1", "target_empty_path": b"GET ? HTTP/1.1",
    "target_star": b"GET * HTTP/1.1", "target_other_host": b"GET http://b/ HTTP/1.1", "target_other_port": b"GET http://a:81/ HTTP/1.1",
    "target_user": b"GET http://a@b/ HTTP/1.1", "target_user_same": b"GET http://x@a/ HTTP/1.1", "target_scheme": b"GET gopher://a/ HTTP/1.1",
    "target_no_authority": b"GET http:///x HTTP/1.1", "target_backslash_host": b"GET http://a\\b/ HTTP/1.1", "target_non_ascii": b"GET /\xff HTTP/1.1",
    "target_encoded_crlf": b"GET /%0d%0aHost:%20b HTTP/1.1", "target_same_host": b"GET http://a/x HTTP/1.1", "connect": b"CONNECT a:443 HTTP/1.1",
    "connect_path": b"CONNECT / HTTP/1.1", "trace": b"TRACE / HTTP/1.1", "pri": b"PRI * HTTP/2.0",
}.items():  # fmt: skip
    # the origin drops the connection on a byte above 127, and a request without side effects is tried once more
    add(f"start_{name}", post(line=line), most=2 if name == "target_non_ascii" else 1)

# Host
for name, host in {
    "none": b"", "empty": b"Host:", "twice": b"Host: a\r\nHost: b", "twice_same": b"Host: a\r\nHost: a", "twice_case": b"Host: a\r\nhOST: b",
    "underscore_name": b"Host: a\r\nHost_: b", "list": b"Host: a, b", "two_words": b"Host: a b", "path": b"Host: a/b", "user": b"Host: a@b",
    "query": b"Host: a?b", "fragment": b"Host: a#b", "quote": b'Host: "a"', "nul": b"Host: a\x00b", "tab": b"Host: a\tb", "percent": b"Host: a%00",
    "port_letters": b"Host: a:x", "port_long": b"Host: a:123456", "port_sign": b"Host: a:-1", "brackets": b"Host: [a]", "high": b"Host: \xe4",
    "space_before_colon": b"Host : a", "folded": b"Host: a\r\n b", "leading_space": b" Host: a", "connection_named": b"Host: a\r\nConnection: host",
    "x_forwarded": b"Host: a\r\nX-Forwarded-Host: b",
}.items():  # fmt: skip
    add(f"host_{name}", post(host=host, line=b"GET / HTTP/1.1"))

# bodies where nobody looks for one, and requests behind other requests
add("get_with_body", post(b"Content-Length: %d" % N, body=EVIL, line=b"GET / HTTP/1.1"))
add("head_with_body", post(b"Content-Length: %d" % N, body=EVIL, line=b"HEAD / HTTP/1.1"))
add("options_with_body", post(b"Content-Length: %d" % N, body=EVIL, line=b"OPTIONS * HTTP/1.1"))
add("delete_chunked", post(CHUNKED, body=b"%x\r\n%b\r\n0\r\n\r\n" % (N, EVIL), line=b"DELETE / HTTP/1.1"))
add("cl_zero_then_request", post(b"Content-Length: 0", body=EVIL), most=2)
add("no_length_then_request", post(body=EVIL), most=2)
add("body_shorter_than_length", post(b"Content-Length: %d" % (N + 100), body=EVIL))
add("expect_continue_then_request", post(b"Content-Length: %d" % N, b"Expect: 100-continue", body=EVIL))
add("expect_other", post(b"Content-Length: %d" % N, b"Expect: 200-ok", body=EVIL))
add("expect_twice", post(b"Content-Length: %d" % N, b"Expect: 100-continue", b"Expect: x", body=EVIL))
add("expect_chunked", post(CHUNKED, b"Expect: 100-continue", body=HIDDEN), most=2)
add(
    "upgrade_h2c",
    post(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", body=EVIL
    ),
    most=2,
)
add("upgrade_websocket", post(b"Connection: Upgrade", b"Upgrade: websocket", body=EVIL, line=b"GET / HTTP/1.1"), most=2)
add(
    "upgrade_websocket_with_length",
    post(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: %d" % N, body=EVIL),
)
add("upgrade_twice", post(b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c", body=EVIL))
add("upgrade_1_0", post(b"Connection: Upgrade", b"Upgrade: websocket", body=EVIL, line=b"GET / HTTP/1.0"))
add("close_then_request", post(b"Connection: close", body=EVIL))
add("version_1_0_then_request", post(body=EVIL, line=b"GET / HTTP/1.0"))
add("proxy_connection", post(b"Proxy-Connection: keep-alive", b"Keep-Alive: timeout=5"))
add("content_encoding", post(b"Content-Encoding: gzip", b"Content-Length: %d" % N, body=EVIL))
add("method_override", post(b"X-HTTP-Method-Override: CONNECT", b"Content-Length: 0"))
add("garbage", bytes(range(256)))


# the origin and its sloppy colleagues


class Origin:
    """Records each connection's bytes and answers every complete request h11 finds in them."""

    def __init__(self) -> None:
        self.received: list[bytearray] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record = bytearray()
        self.received.append(record)
        peer = h11.Connection(h11.SERVER, max_incomplete_event_size=2**20)
        target = b""
        try:
            while True:
                event = peer.next_event()
                if event is h11.NEED_DATA:
                    data = await reader.read(65536)
                    record += data
                    peer.receive_data(data)
                elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    break
                elif isinstance(event, h11.Request):
                    target = event.target
                elif isinstance(event, h11.EndOfMessage):
                    writer.write(
                        peer.send(h11.Response(status_code=200, headers=[("Content-Length", str(len(target)))])) or b""
                    )
                    writer.write(peer.send(h11.Data(target)) or b"")
                    peer.send(h11.EndOfMessage())
                    peer.start_next_cycle()
        except (h11.ProtocolError, ConnectionError):
            pass  # what was recorded is judged, not what h11 thinks of it
        finally:
            writer.close()


def read_leniently(
    raw: bytes, bare_lf: bool, names: bool, last_length: bool, length_wins: bool
) -> list[tuple[bytes, bytes]]:
    """Requests (line, body) as a server finds them that repairs what it can; `broken` marks where it gives up."""
    eol = re.compile(rb"\r*\n" if bare_lf else rb"\r\n")
    found: list[tuple[bytes, bytes]] = []
    at = 0

    def line() -> bytes | None:
        nonlocal at
        end = eol.search(raw, at)
        if end is None:
            return None
        text, at = raw[at : end.start()], end.end()
        return text

    while at < len(raw):
        start = line()
        if start == b"":
            continue
        fields: list[tuple[bytes, bytes]] = []
        while text := line():
            if text[:1] in b" \t" and fields:
                fields[-1] = (fields[-1][0], fields[-1][1] + b" " + text.strip())
                continue
            name, _, value = text.partition(b":")
            if names:
                name = re.sub(rb"[^0-9A-Za-z]+", b"-", name).strip(b"-")
            fields.append((name.lower(), value.strip()))
        if start is None or text is None:
            found.append((b"broken", raw[at:]))
            return found
        codings = [value for name, value in fields if name == b"transfer-encoding" and b"chunked" in value.lower()]
        lengths = [
            int(digits[0])
            for name, value in fields
            if name == b"content-length" and (digits := re.search(rb"\d+", value))
        ]
        body = b""
        if codings and not (length_wins and lengths):
            while True:
                size = re.match(rb"\s*([0-9A-Fa-f]+)", line() or b"")
                if size is None:
                    body += b"<broken>"
                    break
                length = int(size[1], 16)
                if not length:
                    while line():
                        pass
                    break
                body += raw[at : at + length]
                at += length
                line()
        elif lengths:
            length = lengths[-1 if last_length else 0]
            body = raw[at : at + length]
            at += length
        found.append((start, body))
    return found


def problem(case: Case, answer: bytes, received: list[bytes], second: bytes) -> str | None:
    """What is wrong with the outcome of a case, if anything."""
    served = answer.count(b"HTTP/1.1 200 ")
    refused = re.search(rb"HTTP/1\.1 ([45]\d\d) ", answer)
    requests: list[tuple[bytes, bytes]] = []
    for raw in received:
        readings = [read_leniently(raw, *ways) for ways in itertools.product((False, True), repeat=4)]
        if any(reading != readings[0] for reading in readings):
            return f"the origin could read {raw!r} in several ways"
        requests += readings[0]
    complete = [line for line, body in requests if line != b"broken" and b"<broken>" not in body]
    if len(requests) > case.most:
        return f"{len(requests)} requests reached the origin: {requests!r}"
    if served > case.most or served > len(complete):
        return f"{served} answers for {len(complete)} requests"
    if not served and not refused and answer:
        return f"neither refused nor answered: {answer!r}"
    if not answer and complete:
        return "a complete request reached the origin and was never answered"
    if refused and b"Connection: close\r\n" not in answer[refused.start() :]:
        return f"refused, but the connection was kept: {answer!r}"
    if not second.endswith(b"\r\n\r\n/marker"):
        return f"the next visitor got {second!r}"
    return None


async def send_raw(port: int, raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def try_all(cases: dict[str, Case]) -> dict[str, str | None]:
    origin = Origin()
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    upstream = Upstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    async def handler(exchange: Exchange) -> None:
        forwarded = Forwarded(peer=exchange.peer[0], proto="http", host=exchange.header(b"host"))
        await forward(exchange, upstream, forwarded=forwarded)

    listener = Listener(
        handler, Limits(linger_s=0.1), lambda status, reason: None, lambda address: False, lambda exchange, error: None
    )
    await listener.start("127.0.0.1", 0)
    port = listener.addresses[0][1]
    problems: dict[str, str | None] = {}
    try:
        for name, case in cases.items():
            before = {id(record): len(record) for record in origin.received}
            answer = await send_raw(port, case.raw)
            while listener.in_flight:
                await asyncio.sleep(0.001)
            received = [bytes(record[before.get(id(record), 0) :]) for record in origin.received]
            second = await send_raw(port, MARKER)
            problems[name] = problem(case, answer, [raw for raw in received if raw], second)
    finally:
        await listener.drain(1)
        await upstream.close()
        server.close()
    return problems


def run(cases: dict[str, Case]) -> dict[str, str | None]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(try_all(cases))


@pytest.fixture(scope="module")
def problems() -> dict[str, str | None]:
    return run(CASES)


def test_table_is_large_enough() -> None:
    assert len(CASES) >= 250
    assert len({case.raw for case in CASES.values()}) >= 245


@pytest.mark.parametrize("name", CASES)
def test_mutation(problems: dict[str, str | None], name: str) -> None:
    assert problems[name] is None


def test_honest_requests_pass() -> None:
    """The check must not pass by refusing everything."""
    honest = {
        "get": Case(MARKER),
        "post": Case(post(b"Content-Length: 5", body=b"a=b&c")),
        "chunked": Case(post(CHUNKED, body=b"5\r\na=b&c\r\n0\r\n\r\n")),
        "pipelined": Case(MARKER * 3, most=3),
    }
    assert set(run(honest).values()) == {None}


# planted bugs: each takes one check away, and the check above must see it


def naive_head(raw: bytes, parser: object, limits: Limits) -> framing.Head:
    """What a hand-made parser tends to do: splits, strips, takes the first length, and chunked wherever the word stands."""
    lines = re.split(rb"\r?\n", raw.strip(b"\r\n"))
    method, target, *_ = [*lines[0].split(), b"/", b"/"]
    fields = tuple((name, value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:]) if name)
    index: dict[bytes, bytes] = {}
    for name, value in fields:
        index.setdefault(name.strip().lower(), value)
    head = framing.Head()
    head.method, head.target, head.version, head.headers, head.index = (
        method.decode("latin-1"),
        target,
        (1, 1),
        fields,
        index,
    )
    length = re.match(rb"\d+", index.get(b"content-length", b""))
    head.content_length = None if length is None else int(length[0])
    head.chunked = b"chunked" in index.get(b"transfer-encoding", b"")
    if head.chunked:
        head.content_length = None
    head.has_body = head.chunked or bool(head.content_length)
    head.expects_continue = head.pristine = False
    head.keep_alive = True
    head.upgrade = None
    return head


def test_planted_framing_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The framing check switched off altogether."""
    monkeypatch.setattr(receiver, "read_head", naive_head)
    found = {name for name, trouble in run(CASES).items() if trouble is not None}
    assert {"cl_te", "te_cl", "cl_duplicate_zero_first", "te_gzip_chunked_with_cl", "te_vertical_tab_with_cl"} <= found
    assert len(found) > 40


def test_planted_rest_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body forgotten: what follows the head is taken for the next request (CL.0)."""

    def forgetful(raw: bytes, parser: object, limits: Limits) -> framing.Head:
        head = framing.read_head(raw, parser, limits)  # type: ignore[arg-type]
        head.has_body = head.chunked = False
        head.content_length = None
        return head

    monkeypatch.setattr(receiver, "read_head", forgetful)
    found = {name for name, trouble in run(CASES).items() if trouble is not None}
    assert {"get_with_body", "head_with_body"} <= found


def test_planted_name_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that imitate a framing field let through."""
    monkeypatch.setattr(framing, "_check_unusual_names", lambda index: None)
    found = {name for name, trouble in run(CASES).items() if trouble is not None}
    assert {"te_dot_with_cl", "te_tilde_alone", "te_quote_name_alone", "cl_dot"} <= found
