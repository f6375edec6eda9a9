"""Signatures per Standard Webhooks: what is taken, and that nothing else is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks.webhooks import Webhook

from gateway.labels.signatures import Unsigned, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()
BODY = b'{"test": 2432232314}'


def by_hand(secret, message, at, body):
    """The standard's own words: HMAC-SHA256 over id.timestamp.body, the key base64 behind whsec_."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, f"{message}.{at}.".encode() + body, "sha256")).decode()


def fields(signature=None, message="msg_p5jXN8AQM9LWM0D4loKWxJek", at=None, secret=SECRET, body=BODY):
    at = int(time.time()) if at is None else at
    signature = by_hand(secret, message, at, body) if signature is None else signature
    return [
        (b"Webhook-Id", message.encode()),
        (b"webhook-timestamp", str(at).encode()),
        (b"WEBHOOK-SIGNATURE", signature.encode("latin-1")),
        (b"Content-Type", b"application/json"),
    ]


def test_the_vector_of_the_standard():
    """The example of the specification's reference libraries."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = hmac.new(key, b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + BODY, hashlib.sha256).digest()
    assert base64.b64encode(signed) == b"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (
        by_hand(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_what_is_taken():
    now = int(time.time())
    assert verify([SECRET], fields(at=now), BODY) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", now)
    assert verify([OTHER, SECRET], fields(), BODY)  # while a secret is replaced
    several = "v2,abcd v1a,abcd " + by_hand(SECRET, "m", now, BODY)
    assert verify([SECRET], fields(several, "m", now), BODY) == ("m", now)
    assert Webhook(SECRET)  # the library knows the secret's form


REFUSED = {
    "too old": lambda: fields(at=int(time.time()) - 400),
    "of a time to come": lambda: fields(at=int(time.time()) + 400),
    "another secret": lambda: fields(secret=OTHER),
    "another body": lambda: fields(body=BODY + b" "),
    "no signature": lambda: fields("v1"),
    "a short one": lambda: fields("v1,a"),
    "one that is no base64": lambda: fields("v1,\xe9"),
    "a long one": lambda: fields("v1," + "A" * 3000),
    "an empty one": lambda: fields(""),
    "no id": lambda: fields()[1:],
    "two ids": lambda: fields() + fields()[:1],
    "a time in words": lambda: [(name, b"soon" if name == b"webhook-timestamp" else value) for name, value in fields()],
    "no fields": list,
}
"""Each made when its test runs: what is too far ahead when tests are collected is not when the last of them runs."""


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED)
def test_all_else_is_refused(given):
    with pytest.raises(Unsigned):
        verify([SECRET], given(), BODY)


def test_a_body_that_is_no_text_is_refused():
    with pytest.raises(Unsigned):
        verify([SECRET], fields(body=b"\xff\xfe"), b"\xff\xfe")


@pytest.mark.parametrize("secret", ["", "whsec_", "%%%"])
def test_a_secret_that_is_none_opens_nothing(secret):
    with pytest.raises(Unsigned):
        verify([secret], fields("v1," + base64.b64encode(hmac.digest(b"", b"x", "sha256")).decode()), BODY)


@pytest.mark.parametrize("secret", ["whsec_YWJj", "s3cret-password!", "whsec_" + "A" * 30, "whsec_", "", "hübsch" * 9])
def test_a_secret_that_can_be_guessed_signs_nothing(secret):
    """The standard asks for 24 bytes; a password that was put there decodes to a few."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_") + "==")
    except ValueError:
        key = b""
    at = int(time.time())
    digest = base64.b64encode(hmac.digest(key, f"m.{at}.".encode() + BODY, "sha256")).decode()
    with pytest.raises(Unsigned):
        verify([secret], fields("v1," + digest, "m", at), BODY)
    assert verify([secret, SECRET], fields(), BODY)  # one that is sound counts beside it
