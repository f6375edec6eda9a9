"""Keys that sign what a visitor's browser carries: render tokens and session cookies."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

TAG_BYTES = 4


class Key:
    """A secret and the tag that names it in what it signed.

    secret  at least 16 random bytes
    tag     4 bytes, derived from the secret, so that every machine with the same key writes the same tag
    """

    __slots__ = ("secret", "tag")

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("a signing key needs at least 16 bytes")
        self.secret = secret
        self.tag = hashlib.sha256(b"leadgate key tag\0" + secret).digest()[:TAG_BYTES]

    def __repr__(self) -> str:
        return f"Key({self.tag.hex()})"

    def mac(self, purpose: bytes, message: bytes, size: int = 16) -> bytes:
        """HMAC-SHA256 of the message, bound to what it is for, cut to `size` bytes (at most 32)."""
        return hmac.digest(self.secret, len(purpose).to_bytes(2, "big") + purpose + message, "sha256")[:size]


class KeyRing:
    """The key that signs now, and older ones whose signatures still count."""

    __slots__ = ("_by_tag", "current")

    def __init__(self, current: Key, older: Iterable[Key] = ()) -> None:
        self.current = current
        self._by_tag = {key.tag: key for key in (*older, current)}

    def find(self, tag: bytes) -> Key | None:
        """The key with this tag, or None if it is not, or no longer, held."""
        return self._by_tag.get(tag)
