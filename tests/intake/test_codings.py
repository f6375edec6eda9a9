from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.codings import decode_body
from gateway.intake.form_model import FormLimits, FormUnreadable

LIMITS = FormLimits()
TEXT = b"email=jane%40example.com&message=" + b"Hello there. " * 500


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (None, TEXT),
        (b"", TEXT),
        (b"identity", TEXT),
        (b"gzip", gzip.compress(TEXT)),
        (b"X-GZIP", gzip.compress(TEXT)),
        (b"gzip", gzip.compress(TEXT[:99]) + gzip.compress(b"") + gzip.compress(TEXT[99:])),
        (b"gzip", gzip.compress(TEXT) + bytes(512)),
        (b"deflate", zlib.compress(TEXT)),
        (b"deflate", raw_deflate(TEXT)),
        (b"zstd", zstd.compress(TEXT)),
        (b"zstd", zstd.compress(TEXT[:99]) + zstd.compress(TEXT[99:])),
        (b"gzip, zstd", zstd.compress(gzip.compress(TEXT))),
        (b"identity, deflate ,gzip,", gzip.compress(zlib.compress(TEXT))),
    ],
)
def test_decoded(coding: bytes | None, body: bytes) -> None:
    assert decode_body(body, coding, LIMITS) == TEXT


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        (b"br", b"x", "not gzip, deflate or zstd"),
        (b"gzip;q=1", b"x", "not gzip, deflate or zstd"),
        (b"gzip,gzip,gzip", b"x", "more than two"),
        (b"gzip", TEXT, "broken"),
        (b"gzip", gzip.compress(TEXT)[:-9], "cut short"),
        (b"gzip", gzip.compress(TEXT) + b"x", "behind the compressed body"),
        (b"deflate", zlib.compress(TEXT) + b"x", "behind the compressed body"),
        (b"deflate", zlib.compress(TEXT)[:-5], "cut short"),
        (b"zstd", zstd.compress(TEXT)[:-3], "cut short"),
        (b"zstd", b"\x00" * 20, "broken"),
        (b"gzip", gzip.compress(b"") * 5000, "more than 4096 gzip members"),
        (b"zstd", zstd.compress(b"") * 5000, "more than 4096 zstd frames"),
    ],
)
def test_unreadable(coding: bytes, body: bytes, reason: str) -> None:
    with pytest.raises(FormUnreadable, match=reason):
        decode_body(body, coding, LIMITS)


@pytest.mark.parametrize(
    ("coding", "compress"), [(b"gzip", gzip.compress), (b"deflate", raw_deflate), (b"zstd", zstd.compress)]
)
def test_a_bomb_is_not_inflated(coding: bytes, compress: object) -> None:
    assert callable(compress)
    bomb = compress(bytes(40_000_000))
    with pytest.raises(FormUnreadable, match="decompressed, the body is more than"):
        decode_body(bomb, coding, LIMITS)
    small = compress(bytes(1_000_000))  # a thousand to one, but the first MiB is free
    assert len(decode_body(small, coding, LIMITS)) == 1_000_000
    with pytest.raises(FormUnreadable, match="more than 999999 bytes"):
        decode_body(small, coding, FormLimits(decoded_bytes=999_999))


def test_a_bomb_within_a_bomb() -> None:
    with pytest.raises(FormUnreadable, match="decompressed"):
        decode_body(gzip.compress(gzip.compress(bytes(60_000_000))), b"gzip, gzip", LIMITS)


@given(
    st.binary(max_size=400),
    st.sampled_from([b"gzip", b"deflate", b"zstd", b"gzip,deflate"]),
    st.binary(max_size=9),
    st.integers(0, 60),
)
def test_any_body_is_decoded_or_unreadable(data: bytes, coding: bytes, patch: bytes, at: int) -> None:
    for body in (data, gzip.compress(data), zlib.compress(data), zstd.compress(data)):
        broken = body[:at] + patch + body[at + len(patch) :]
        with contextlib.suppress(FormUnreadable):
            assert len(decode_body(broken, coding, LIMITS)) <= 1_048_576
