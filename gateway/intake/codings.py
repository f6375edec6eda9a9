"""Undoes the content codings of a form body, within limits on size and ratio: a few bytes may stand for gigabytes."""

from __future__ import annotations

import zlib

from backports import zstd

from gateway.intake.form_model import FormLimits, FormUnreadable

_FREE = 1_048_576
_STEP = 65_536
_MAX_CODINGS = 2
_MAX_MEMBERS = 4096
_ZSTD_WINDOW_LOG = 23  # 8 MiB, the most that RFC 9659 lets a sender ask for


def decode_body(body: bytes, content_encoding: bytes | None, limits: FormLimits) -> bytes:
    """The body as it was before the codings named by Content-Encoding were applied. Raises FormUnreadable."""
    if not content_encoding:
        return body
    names = [name for part in content_encoding.lower().split(b",") if (name := part.strip()) and name != b"identity"]
    if len(names) > _MAX_CODINGS:
        raise FormUnreadable("more than two content codings on top of each other")
    cap = min(limits.decoded_bytes, max(_FREE, limits.ratio * len(body)))
    for name in reversed(names):  # applied in the order listed (RFC 9110 §8.4), so undone from the last
        if name in (b"gzip", b"x-gzip"):
            body = _inflate(body, 31, cap)
        elif name == b"deflate":
            body = _deflate(body, cap)
        elif name == b"zstd":
            body = _zstd(body, cap)
        else:
            raise FormUnreadable("a content coding that is not gzip, deflate or zstd")
    return body


def _grown(out: list[bytes], piece: bytes, size: int, cap: int) -> int:
    size += len(piece)
    if size > cap:
        raise FormUnreadable(f"decompressed, the body is more than {cap} bytes")
    if piece:
        out.append(piece)
    return size


def _deflate(body: bytes, cap: int) -> bytes:
    """RFC 9110 means zlib's format by "deflate"; some clients send the bare stream."""
    if len(body) >= 2 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0:
        return _inflate(body, 15, cap)
    return _inflate(body, -15, cap)


def _inflate(body: bytes, wbits: int, cap: int) -> bytes:
    view = memoryview(body)
    out: list[bytes] = []
    size = at = members = 0
    while at < len(body):
        if members and (wbits != 31 or not body.startswith(b"\x1f\x8b", at)):
            if body.count(0, at) == len(body) - at:  # zero padding, as tar pipes leave it
                break
            raise FormUnreadable("bytes behind the compressed body")
        if members == _MAX_MEMBERS:
            raise FormUnreadable(f"more than {_MAX_MEMBERS} gzip members")
        members += 1
        stream = zlib.decompressobj(wbits)
        while not stream.eof and at < len(body):
            # Small steps: what a member leaves over is copied, and there may be many members.
            chunk = view[at : at + _STEP]
            try:
                piece = stream.decompress(chunk, cap - size + 1)
            except zlib.error as error:
                raise FormUnreadable("the compressed body is broken") from error
            at += len(chunk) - len(stream.unused_data) - len(stream.unconsumed_tail)
            size = _grown(out, piece, size, cap)
        if not stream.eof:
            raise FormUnreadable("the compressed body is cut short")
    return b"".join(out)


def _zstd(body: bytes, cap: int) -> bytes:
    view = memoryview(body)
    out: list[bytes] = []
    size = at = frames = 0
    while at < len(body):
        if frames == _MAX_MEMBERS:
            raise FormUnreadable(f"more than {_MAX_MEMBERS} zstd frames")
        frames += 1
        stream = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
        while not stream.eof and at < len(body):
            chunk = view[at : at + _STEP] if stream.needs_input else b""
            try:
                piece = stream.decompress(chunk, cap - size + 1)
            except zstd.ZstdError as error:
                raise FormUnreadable("the compressed body is broken") from error
            at += len(chunk) - len(stream.unused_data)
            size = _grown(out, piece, size, cap)
        if not stream.eof:
            raise FormUnreadable("the compressed body is cut short")
    return b"".join(out)
