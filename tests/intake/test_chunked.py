"""The chunk decoder against h11, whatever the pieces the bytes arrive in."""

from __future__ import annotations

import itertools

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intake.chunked import ChunkedDecoder
from gateway.intake.limits import Limits
from gateway.intake.refusal import BodyMalformed

LIMITS = Limits(chunk_extension_bytes=64, trailer_bytes=64)


def decode(pieces: list[bytes]) -> tuple[bytes, bytes | None]:
    """Body and rest; rest is None while the body is incomplete."""
    decoder = ChunkedDecoder(LIMITS)
    out = b""
    for i, piece in enumerate(pieces):
        out += decoder.feed(piece)
        if decoder.done:
            return out, decoder.rest + b"".join(pieces[i + 1 :])
    return out, None


def by_h11(raw: bytes) -> tuple[bytes, bytes | None] | None:
    """The same by h11; None where it refuses."""
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + raw)
    out = b""
    try:
        while True:
            event = peer.next_event()
            if isinstance(event, h11.Data):
                out += event.data
            elif isinstance(event, h11.EndOfMessage):
                return out, peer.trailing_data[0]
            elif event is h11.NEED_DATA:
                return out, None
    except h11.RemoteProtocolError:
        return None


def cut(raw: bytes, at: list[int]) -> list[bytes]:
    places = [0, *sorted(i % (len(raw) + 1) for i in at), len(raw)]
    return [raw[a:b] for a, b in itertools.pairwise(places)]


chunk = st.builds(
    lambda data, extension, upper: (b"%X" if upper else b"%x") % len(data) + extension + b"\r\n" + data + b"\r\n",
    st.binary(min_size=1, max_size=40), st.sampled_from([b"", b"", b";a", b";a=b", b';a="q\\"\t;"']), st.booleans(),
)  # fmt: skip
body = st.builds(
    lambda chunks, last, trailers, rest: b"".join(chunks) + last + b"\r\n" + trailers + b"\r\n" + rest,
    st.lists(chunk, max_size=4), st.sampled_from([b"0", b"000", b"0;x"]), st.sampled_from([b"", b"A: b\r\n", b"A:\r\nB: \xff\r\n"]),
    st.binary(max_size=20),
)  # fmt: skip
places = st.lists(st.integers(0, 400), max_size=8)


@settings(deadline=None, max_examples=300)
@given(body, places)
def test_well_formed_bodies(raw, at):
    assert decode(cut(raw, at)) == by_h11(raw)


@settings(deadline=None, max_examples=300)
@given(body, places, st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_damaged_bodies_are_refused_or_read_as_h11_does(raw, at, place, put, drop):
    place %= len(raw) + 1
    raw = raw[:place] + put + raw[place + drop :]
    outcomes = []
    for pieces in (cut(raw, at), [raw], cut(raw, list(range(len(raw))))):
        try:
            outcomes.append(decode(pieces))
        except BodyMalformed:
            outcomes.append(None)
    assert outcomes[0] == outcomes[1] == outcomes[2]  # the pieces make no difference
    if outcomes[0] is not None:
        assert outcomes[0] == by_h11(raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"5\nabcde\r\n", "chunk_line_end"),
        (b"\n", "chunk_line_end"),
        (b"+5\r\n", "chunk_size"),
        (b"0x5\r\n", "chunk_size"),
        (b"5 \r\n", "chunk_size"),
        (b"1234567890abcdef\r\n", "chunk_size"),
        (b"2\r\nabc", "chunk_end"),
        (b"2\r\nab\n", "chunk_end"),
        (b"1;" + b"a" * 63, None),
        (b"1;" + b"a" * 64 + b"\r\n", "chunk_extension"),
        (b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n" * 3, "chunk_extension"),
        (b"1;" + b"a" * 100, "chunk_line"),
        (b"0" * 100, "chunk_line"),
        (b"0\r\nA: b\r\n c\r\n\r\n", "trailer"),
        (b"0\r\nA : b\r\n\r\n", "trailer"),
        (b"0\r\n" + b"A: bcd\r\n" * 9, "trailer_bytes"),
        (b"0\r\nA: " + b"b" * 100, "chunk_line"),
    ],
)
def test_reasons(raw, reason):
    if reason is None:
        assert decode([raw]) == (b"", None)
        return
    with pytest.raises(BodyMalformed) as caught:
        decode([raw])
    assert caught.value.reason == reason
