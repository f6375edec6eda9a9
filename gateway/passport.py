"""Lead passports: a signed statement that a forwarded submission went through the gateway, which a receiver can check offline."""

from __future__ import annotations

import hashlib
import time

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode

VALID_S = 86_400  # a receiver may look at a lead a day later; after that the lead id answers every question


class Passports:
    """Signs and publishes.

    key_id, key  the Ed25519 key that signs
    """

    def __init__(self, key_id: str, key: Ed25519PrivateKey) -> None:
        self._key_id = key_id
        self._key = key

    def sign(self, lead_id: str, audience: str, body: bytes) -> bytes:
        """A JWT (EdDSA): iss, aud (the site), sub (the lead), bh (SHA-256 of the body, hexadecimal), iat, exp."""
        now = int(time.time())
        claims = {
            "iss": "leadgate",
            "aud": audience,
            "sub": lead_id,
            "bh": hashlib.sha256(body).hexdigest(),
            "iat": now,
            "exp": now + VALID_S,
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id}).encode("ascii")

    def jwks(self) -> bytes:
        """The public key as a JSON Web Key Set (RFC 7517, RFC 8037)."""
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = base64url_encode(public).decode("ascii")
        return orjson.dumps(
            {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self._key_id, "x": x}]}
        )
