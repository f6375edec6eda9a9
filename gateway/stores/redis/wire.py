"""What goes to script.lua and what comes back: keys, arguments and answers as bytes."""

from __future__ import annotations

import struct
from binascii import crc32, crc_hqx
from collections.abc import Sequence
from hashlib import blake2b, sha1
from pathlib import Path

import hiredis
import msgspec

from gateway.stores.hot import Add, Beat, Beats, Hit, Operation, Result, Seal, Sealed, Sums
from gateway.stores.hot.counts import COUNTS, FIRST, SMALL, count_of

SCRIPT = (Path(__file__).parent / "script.lua").read_bytes()
SHA = sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()


def packed(*words: bytes) -> bytes:
    """A command as it goes over the wire."""
    made: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # the stub knows tuples of one word only
    return made


LOAD = packed(b"SCRIPT", b"LOAD", SCRIPT)

BUCKETS = 256
"""Keys are spread over so many hash tags, and therefore slots: enough to spread over any cluster, few enough that a visit's keys share some."""

DRY, FAILED = 1, 2

_HEADER = struct.Struct("<ddB")
_SEAL = struct.Struct("<cII")
_COUNTED = struct.Struct("<IIIIBBBB")
_BOUND = struct.Struct("<dII")
_MEASURED = struct.Struct("<Iddd")
_ADD = struct.Struct("<cII")
_FIELD, _SUM = struct.Struct("<HI"), struct.Struct("<Hd")
_MANY = struct.Struct("<I")
_ONCE = _COUNTED.pack(1, 1, 1, 1, 1, 1, 1, 1)
_NO_MEMBER, _LOOK = b"h" + bytes(8), b"L" + bytes(8)
_BEAT, _SUMS = b"B" + bytes(8), b"R" + bytes(8)


class Heard(msgspec.Struct, frozen=True, gc=False):
    """An answer of the script.

    epoch  microseconds on the server's clock since when what is counted in this scope has been kept; 0 where nothing is
    lost   was state lost within the last hour (then at `epoch`)
    """

    results: list[Result]
    epoch: float
    lost: bool


def bucket_of(key: bytes) -> int:
    """By what identifies a value, not by what is counted of it: an address' or a session's keys stand together."""
    return crc32(key[8:] or key) & (BUCKETS - 1)


def slot_of(tag: bytes) -> int:
    """Of a hash tag, as a cluster reckons it (CRC-16/XMODEM)."""
    return crc_hqx(tag, 0) & 16383


SLOTS = tuple(slot_of(b"%02x" % bucket) for bucket in range(BUCKETS))
"""By bucket."""


def _tag(member: bytes) -> bytes:
    return member if len(member) == 8 else blake2b(member, digest_size=8).digest()


class Wire:
    """Packs and reads for one prefix.

    epochs  the epoch's key by bucket; `epoch` that of a server alone
    probe   a key that is written to see whether writing works, by bucket
    """

    def __init__(self, prefix: str) -> None:
        start = prefix.encode()
        self._hits = tuple(b"%b{%02x}h" % (start, bucket) for bucket in range(BUCKETS))
        self._seals = tuple(b"%b{%02x}s" % (start, bucket) for bucket in range(BUCKETS))
        self.epoch = start + b"epoch"
        self.epochs = tuple(b"%b{%02x}epoch" % (start, bucket) for bucket in range(BUCKETS))
        self.probes = tuple(b"%b{%02x}probe" % (start, bucket) for bucket in range(BUCKETS))

    def key(self, op: Operation, bucket: int) -> bytes:
        return (self._hits if type(op) is Hit else self._seals)[bucket] + op.key

    def command(self, epoch: bytes, ops: Sequence[Operation], at: float, known: float, flags: int) -> bytes:
        """The call that carries out `ops`, whose keys must share a slot in a cluster.

        at     time to count by, in microseconds; negative: the server's own
        known  the epoch that was heard last, 0: none
        """
        hits, seals = self._hits, self._seals
        keys = [epoch]
        parts = [_HEADER.pack(at, known, flags)]
        previous: bytes | None = None
        word = _NO_MEMBER
        for op in ops:
            key = op.key
            bucket = crc32(key[8:] or key) & (BUCKETS - 1)
            if type(op) is Hit:
                keys.append(hits[bucket] + key)
                member = op.member
                if member is not previous:  # one observation's operations mostly share their members
                    previous = member
                    word = _NO_MEMBER if member is None else b"H" + _tag(member)
                parts.append(word)
            else:
                keys.append(seals[bucket] + key)
                if type(op) is Seal:
                    parts.append(_SEAL.pack(b"S", op.ttl_s, len(op.value)) + op.value)
                elif type(op) is Beat:
                    parts.append(_BEAT)
                elif type(op) is Add:
                    fields = b"".join([_FIELD.pack(len(field), number) + field for field, number in op.counts])
                    parts.append(_ADD.pack(b"A", op.ttl_s, len(fields)) + fields)
                else:
                    parts.append(_SUMS if type(op) is Sums else _LOOK)
        return packed(b"EVALSHA", SHA, b"%d" % len(keys), *keys, b"".join(parts))

    def probe(self, bucket: int, epoch: bytes) -> bytes:
        """A call that binds a value for a minute, so that a server that is full says so."""
        argument = _HEADER.pack(-1.0, 0.0, 0) + _SEAL.pack(b"S", 60, 0)
        return packed(b"EVALSHA", SHA, b"2", epoch, self.probes[bucket], argument)


def read(reply: bytes, ops: Sequence[Operation], now: int) -> Heard:
    """now  what the caller's clock says: times are translated to it. Raises struct.error where the reply is not the script's."""
    counted, epoch, lost = _HEADER.unpack_from(reply)
    offset, table = _HEADER.size, COUNTS
    shift = now - int(counted)
    results: list[Result] = []
    for op in ops:
        if type(op) is Hit:
            end = offset + 20
            if reply[offset:end] == _ONCE:
                results.append(FIRST)
            else:
                n0, n1, n2, n3, d0, d1, d2, d3 = _COUNTED.unpack_from(reply, offset)
                if n2 < SMALL and n3 < SMALL:
                    results.append((table[d0][n0], table[d1][n1], table[d2][n2], table[d3][n3]))
                else:
                    results.append((count_of(n0, d0), count_of(n1, d1), count_of(n2, d2), count_of(n3, d3)))
            offset = end
        elif type(op) is Beat:
            measured, total, squares, last = _MEASURED.unpack_from(reply, offset)
            offset += _MEASURED.size
            results.append(Beats(measured, int(total), int(squares), int(last)))
        elif type(op) is Add:
            results.append(None)
        elif type(op) is Sums:
            sums, offset = _sums(reply, offset)
            results.append(sums)
        else:
            first_at, count, length = _BOUND.unpack_from(reply, offset)
            offset += 16
            results.append(Sealed(reply[offset : offset + length], int(first_at) + shift, count) if count else None)
            offset += length
    if offset != len(reply):
        raise struct.error("more than was asked for")
    return Heard(results, epoch, bool(lost))


def _sums(reply: bytes, offset: int) -> tuple[dict[bytes, int], int]:
    (many,) = _MANY.unpack_from(reply, offset)
    offset += _MANY.size
    sums: dict[bytes, int] = {}
    for _ in range(many):
        length, number = _SUM.unpack_from(reply, offset)
        offset += _SUM.size
        sums[reply[offset : offset + length]] = int(number)
        offset += length
    return sums, offset
