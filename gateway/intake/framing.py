"""The head of a request: one strict reading of it, or a refusal.

Two readers must agree. A grammar over the raw bytes (RFC 9112 with the lenient parts left out) comes first, so that nothing is
normalised away before it was seen; then llhttp, through aiohttp's parser, splits the fields. "Stricter" below marks where we
refuse what the RFC allows a server to repair: whatever two servers could read in two ways is not passed on.
"""

from __future__ import annotations

import re

from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from gateway.intake.limits import Limits
from gateway.intake.refusal import Refused

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# RFC 9112 section 3: "Recipients of an invalid request-line SHOULD respond with either a 400 (Bad Request) error". One space,
# no other white space; stricter: the lenient split on any white space of section 3 is not done.
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-\"$-~\x80-\xff]++) HTTP/(\d\.\d)\r\n")
# RFC 9112 section 5: field-line = field-name ":" OWS field-value OWS. Section 5.1: "A server MUST reject, with a response status
# code of 400 (Bad Request), any received request message that contains whitespace between a header field name and colon."
# Section 2.2 would let us take a bare LF for a line end and 5.2 unfold continued lines; stricter: both are refused.
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":[\t -~\x80-\xff]*+\r\n)*+\r\n")
_PLAIN_FIELDS = re.compile(rb"(?:[\-0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n)*+\r\n")  # the same without unusual names
# Stricter than RFC 3986: no percent-encoding, sub-delimiters or user information in a host; no browser sends them.
_HOST = re.compile(rb"(?:[0-9A-Za-z._~\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,18})\r\n", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding: ?chunked\r\n", re.IGNORECASE)
_FIRST = re.compile(_TOKEN)
_NOT_ALPHANUMERIC = re.compile(rb"[^0-9a-z]+")

_VERSIONS = {b"1.1": (1, 1), b"1.0": (1, 0)}
_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding"})
_SPECIAL = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
_NOT_SERVED = frozenset({b"CONNECT", b"TRACE"})
_PLAIN_CONNECTION = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"Close"})


class Head:
    """One request head, understood: its parts as received, and what its framing fields mean."""

    __slots__ = (
        "chunked", "content_length", "expects_continue", "has_body", "headers", "index", "keep_alive", "method", "pristine", "target",
        "upgrade", "version",
    )  # fmt: skip
    method: str
    target: bytes
    version: tuple[int, int]
    headers: tuple[tuple[bytes, bytes], ...]
    index: dict[bytes, bytes]  # values by lower-case name, several joined
    content_length: int | None
    chunked: bool
    has_body: bool
    expects_continue: bool
    upgrade: bytes | None  # value of Upgrade where Connection names it
    keep_alive: bool
    pristine: bool  # the parser is between two messages and may read the next head


def read_head(raw: bytes, parser: HttpRequestParser, limits: Limits) -> Head:
    """Reads one complete head (from the request line to the empty line, inclusive).

    Raises Refused. Where the returned head is not `pristine`, and after Refused, `parser` must not be used again.
    """
    line = _REQUEST_LINE.match(raw)
    if line is None:
        raise _bad_request_line(raw, limits)
    end = line.end()
    method, target, version_text = line.groups()
    version = _VERSIONS.get(version_text)
    if version is None:
        raise Refused(505, "version", "Only HTTP/1.0 and HTTP/1.1 are served.")
    if method in _NOT_SERVED:
        # CONNECT asks for a forward proxy. TRACE would show a visitor what we add for the origin (stricter).
        raise Refused(405, "method", f"{method.decode('ascii')} is not served.")
    if len(target) > limits.target_bytes:
        raise Refused(414, "target_bytes", f"The request target is longer than {limits.target_bytes} bytes.")
    plain = _PLAIN_FIELDS.fullmatch(raw, end) is not None
    if not plain and _FIELDS.fullmatch(raw, end) is None:
        raise _bad_field(raw[end:])
    count = raw.count(b"\r\n") - 2
    if count > limits.header_count:
        raise Refused(431, "header_count", f"More than {limits.header_count} header fields.")

    # llhttp takes no bytes above 127 in a target, but old browsers and hand-made links send them: it gets a stand-in.
    shown = raw if target.isascii() else b"%b / HTTP/%b\r\n%b" % (method, version_text, raw[end:])
    try:
        messages = parser.feed_data(shown)[0]
    except LineTooLong as error:  # the target was measured above, so it is a field
        raise Refused(431, "header_field_bytes", "A header field is too long.") from error
    except (HttpProcessingError, ValueError) as error:
        raise _refused_by_parser(method, error) from error
    if len(messages) != 1:
        raise _bad("parsers_disagree", "The request head could not be read in one way only.")
    message = messages[0][0]
    headers: tuple[tuple[bytes, bytes], ...] = message.raw_headers
    if len(headers) != count:
        raise _bad("parsers_disagree", "The request head could not be read in one way only.")
    index = {name.lower(): value for name, value in headers}
    if len(index) != count:
        index = _joined(headers)
    if not plain:
        _check_unusual_names(index)

    head = Head()
    head.method = message.method
    head.target = target
    head.version = version
    head.headers = headers
    head.index = index
    head.keep_alive = not message.should_close
    head.content_length = None
    head.chunked = head.has_body = head.expects_continue = False
    head.upgrade = None
    head.pristine = True

    host = index.get(b"host")
    if host is None:
        if version == (1, 1):
            raise _host_missing()
    elif _HOST.fullmatch(host) is None:
        raise _bad("host_invalid", "The Host header field is not a host name with an optional port.")
    if target[0] != 0x2F:
        _check_target(method, target, host)
    if not _SPECIAL.isdisjoint(index):
        _read_special(raw, head, index)
    connection = index.get(b"connection")
    if connection is not None and connection not in _PLAIN_CONNECTION:
        _read_connection(head, connection, index)
    if message.upgrade:
        head.pristine = False  # llhttp now waits for another protocol
    return head


def _read_special(raw: bytes, head: Head, index: dict[bytes, bytes]) -> None:
    length = index.get(b"content-length")
    coding = index.get(b"transfer-encoding")
    if coding is not None:
        # RFC 9112 section 6.3: "A server MAY reject a request that contains both Content-Length and Transfer-Encoding". Stricter:
        # always. Section 6.1: "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header field
        # MUST treat the message as if the framing is faulty". Section 7: codings other than one final chunked could be decoded;
        # stricter: they are refused, and so is any spelling but `chunked` behind at most one space.
        if length is not None:
            raise _bad("length_and_coding", "Both Content-Length and Transfer-Encoding.")
        if head.version == (1, 0):
            raise _bad("coding_in_1_0", "Transfer-Encoding in an HTTP/1.0 request.")
        if _CODING.search(raw) is None:
            raise _bad("coding", "Transfer-Encoding must be exactly `chunked`.")
        head.chunked = head.has_body = True
        head.pristine = False
    elif length is not None:
        # RFC 9112 section 6.3: "If a message is received without Transfer-Encoding and with an invalid Content-Length header
        # field, then the message framing is invalid and the recipient MUST treat it as an unrecoverable error". The list
        # `5, 5` that the RFC lets us repair is refused as well (stricter).
        found = _LENGTH.search(raw)
        if found is None:
            raise _bad("length", "Content-Length must be one plain decimal number.")
        head.content_length = int(found[1])
        if head.content_length:
            head.has_body = True
            head.pristine = False
    expect = index.get(b"expect")
    if expect is not None:
        if expect.lower() != b"100-continue":
            raise Refused(417, "expect", "Only `Expect: 100-continue` is understood.")
        # RFC 9110 section 10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that
        # expectation."
        head.expects_continue = head.has_body and head.version == (1, 1)


def _read_connection(head: Head, connection: bytes, index: dict[bytes, bytes]) -> None:
    options = {option.strip(b" \t") for option in connection.lower().split(b",")}
    if not _FRAMING.isdisjoint(options):
        # RFC 9110 section 7.6.1: "A sender MUST NOT send a connection option corresponding to a field that is intended for all
        # recipients of the content." Stricter: refused, because obeying would remove the framing.
        raise _bad("connection_option", "The Connection header field names a field that must not be removed.")
    if b"close" in options:
        # RFC 9112 section 9.3: "If the "close" connection option is present, the connection will not persist after the current
        # response"; llhttp lets `keep-alive` beside it win in HTTP/1.0.
        head.keep_alive = False
    # RFC 9110 section 7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request."
    if b"upgrade" in options and head.version == (1, 1):
        head.upgrade = index.get(b"upgrade")


def _check_target(method: bytes, target: bytes, host: bytes | None) -> None:
    """Forms other than `/path`. Absolute form is read with the Host field beside it; both must name the same authority."""
    if target == b"*" and method == b"OPTIONS":
        return
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise _bad("target_form", "The request target must be a path.")
    # RFC 9112 section 3.2.2: "the origin server MUST ignore the received Host header field (if any) and instead use the host
    # information of the request-target." Stricter: they must agree, so that nobody behind us can choose the other one.
    authority = re.split(rb"[/?]", rest, maxsplit=1)[0]
    if _HOST.fullmatch(authority) is None or (host is not None and authority.lower() != host.lower()):
        raise _bad("target_authority", "The request target and the Host header field name different hosts.")


def _check_unusual_names(index: dict[bytes, bytes]) -> None:
    """Names such as `Content_Length`: servers that turn names into variables (CGI, WSGI, PHP) read them as the framing field."""
    for name in index:
        if name not in _SINGLE and _NOT_ALPHANUMERIC.sub(b"-", name).strip(b"-") in _SINGLE:
            raise _bad("header_name", "A header field name imitates a framing field.")


def _joined(headers: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, bytes]:
    index: dict[bytes, bytes] = {}
    for name, value in headers:
        lower = name.lower()
        if lower not in index:
            index[lower] = value
        elif lower in _SINGLE:
            raise _bad("duplicate_field", f"More than one {lower.decode('ascii')} header field.")
        else:
            index[lower] += (b"; " if lower == b"cookie" else b", ") + value
    return index


def _bad(reason: str, text: str) -> Refused:
    return Refused(400, reason, text)


def _host_missing() -> Refused:
    # RFC 9112 section 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks
    # a Host header field and to any request message that contains more than one Host header field line or a Host header field
    # with an invalid field value."
    return _bad("host_missing", "An HTTP/1.1 request needs a Host header field.")


def _bad_request_line(raw: bytes, limits: Limits) -> Refused:
    line = raw.split(b"\n", 1)[0]
    if len(line) > limits.target_bytes + 100:
        return Refused(414, "target_bytes", f"The request target is longer than {limits.target_bytes} bytes.")
    if line.startswith((b"\x16\x03", b"\x80")):
        return _bad("tls_on_plain_port", "This port speaks plain HTTP, not HTTPS.")
    return _bad("request_line", "The request line is not `METHOD target HTTP/1.1`.")


def _bad_field(fields: bytes) -> Refused:
    """Says which rule the first bad line breaks; only reached when a request is refused, so it may take its time."""
    for line in fields.split(b"\r\n"):
        if b"\n" in line or b"\r" in line:
            return _bad("bare_line_end", "A line ends with a bare CR or LF.")
        if line.startswith((b" ", b"\t")):
            return _bad("obs_fold", "A header field is continued on the next line.")
        if re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", line):
            return _bad("control_character", "A control character in a header field.")
        name, colon, _ = line.partition(b":")
        if line and (not colon or re.fullmatch(_TOKEN, name) is None):
            if name.rstrip(b" \t") != name:
                return _bad("space_before_colon", "White space between a header field name and its colon.")
            return _bad("header_name", "A header field name is not valid.")
    return _bad("header", "The header is not valid.")


def _refused_by_parser(method: bytes, error: Exception) -> Refused:
    if type(error).__name__ == "BadHttpMethod":
        # RFC 9110 section 9.1: "An origin server that receives a request method that is unrecognized or not implemented SHOULD
        # respond with the 501 (Not Implemented) status code."
        return Refused(501, "method", f"The method {method.decode('ascii', 'replace')[:20]} is not served.")
    if "Duplicate" in str(error):
        return _bad("duplicate_field", "A header field that may appear once appears twice.")
    if "Missing 'Host'" in str(error):
        return _host_missing()
    return _bad("malformed", "The request is not valid HTTP/1.1.")


def check_partial(raw: bytes, limits: Limits) -> None:
    """Refuses an incomplete head as soon as it cannot become a good one. Raises Refused."""
    if len(raw) > limits.header_bytes:
        if b"\r\n" not in raw:
            raise Refused(414, "target_bytes", f"The request target is longer than {limits.target_bytes} bytes.")
        raise Refused(431, "header_bytes", f"The request header is longer than {limits.header_bytes} bytes.")
    if raw.count(b"\n") != raw.count(b"\r\n"):
        raise _bad("bare_line_end", "A line ends with a bare LF.")
    if _FIRST.match(raw) is None:
        raise _bad_request_line(raw, limits)
