from __future__ import annotations

import hashlib
import json

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.passport import Passports


def test_a_receiver_can_check_a_passport_with_the_published_key() -> None:
    passports = Passports("k1", Ed25519PrivateKey.generate())
    token = passports.sign("0198c5f2-7a3b-7c41-9d2e-5f6a7b8c9d0e", "acme", b"email=a%40b.example").decode()
    key = jwt.PyJWK(json.loads(passports.jwks())["keys"][0])
    claims = jwt.decode(token, key.key, algorithms=["EdDSA"], audience="acme", issuer="leadgate")
    assert claims["sub"] == "0198c5f2-7a3b-7c41-9d2e-5f6a7b8c9d0e"
    assert claims["bh"] == hashlib.sha256(b"email=a%40b.example").hexdigest()
    assert claims["exp"] > claims["iat"]
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "k1", "typ": "JWT"}
