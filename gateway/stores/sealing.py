"""Raw heads and bodies at rest: AES-256-GCM, a key of its own for each lead, pieces numbered so that none can be
swapped or left out.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import AsyncIterable, AsyncIterator

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.stores.errors import StoreError
from gateway.stores.keys import Key
from gateway.stores.leads import NewLead

CHUNK_BYTES = 256 * 1024
SALT_BYTES = 16


class Damaged(StoreError):
    """A sealed piece does not open: it was changed, or belongs elsewhere."""

    def __init__(self, lead_id: str, piece: str) -> None:
        super().__init__(
            f"the stored {piece} of lead {lead_id} is damaged or was changed: restore the store from its backup"
        )


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What stands in the sealed head. length and chunks tell how much body belongs to it."""

    head: bytes
    peer: str
    client: str | None
    length: int
    chunks: int


class Sealer:
    """Seals and opens the pieces of one lead."""

    def __init__(self, key: Key, lead_id: str, salt: bytes | None = None) -> None:
        self.key_id = key.id
        self.salt = os.urandom(SALT_BYTES) if salt is None else salt
        self._lead_id = lead_id
        self._cipher = AESGCM(hmac.digest(key.derive("lead"), self.salt + lead_id.encode(), "sha256"))

    def head(self, lead: NewLead, length: int, chunks: int) -> bytes:
        envelope = Envelope(lead.head, lead.peer, lead.client, length, chunks)
        return self._cipher.encrypt(_nonce(0), msgspec.msgpack.encode(envelope), self._lead_id.encode())

    def chunk(self, number: int, data: bytes) -> bytes:
        """number: 1 for the body's first piece."""
        return self._cipher.encrypt(_nonce(number), data, self._lead_id.encode())

    def open_head(self, sealed: bytes) -> Envelope:
        """Raises Damaged."""
        return msgspec.msgpack.decode(self._open(0, sealed, "head"), type=Envelope)

    def open_chunk(self, number: int, sealed: bytes) -> bytes:
        """Raises Damaged."""
        return self._open(number, sealed, f"body (piece {number})")

    def _open(self, number: int, sealed: bytes, piece: str) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(number), sealed, self._lead_id.encode())
        except InvalidTag as error:
            raise Damaged(self._lead_id, piece) from error


def _nonce(number: int) -> bytes:
    """The key is used for one lead only, so counting is enough."""
    return number.to_bytes(12, "big")


async def even(body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The body in pieces of CHUNK_BYTES, the last one shorter."""
    waiting = bytearray()
    async for part in body:
        waiting += part
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    if waiting:
        yield bytes(waiting)
