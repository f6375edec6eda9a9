"""Is a message from whom it says? Standard Webhooks (https://www.standardwebhooks.com), HMAC-SHA256, version v1."""

from __future__ import annotations

from collections.abc import Sequence

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from gateway.config.outcomes import LEAST_SECRET, weak

FIELDS = ("webhook-id", "webhook-timestamp", "webhook-signature")
MAX_FIELD = 2048
"""Characters of a field: a dozen signatures. Each more would cost a comparison."""


class Unsigned(Exception):
    """A message that is not signed as it must be. Why is for the log, never for the sender."""


def verify(secrets: Sequence[str], fields: Sequence[tuple[bytes, bytes]], body: bytes) -> tuple[str, int]:
    """(webhook-id, UTC seconds of the signature). Each of the three fields must stand once; a message older or newer than five minutes, as the
    standard has it, is refused. Raises Unsigned."""
    given: dict[str, str] = {}
    for name, value in fields:
        key = name.decode("latin-1").lower()
        if key in FIELDS:
            if key in given or len(value) > MAX_FIELD or not value.isascii():
                raise Unsigned(f"{key} is there twice, too long or no plain text")
            given[key] = value.decode("ascii").strip()
    if len(given) < len(FIELDS) or not all(given.values()):
        raise Unsigned("a field of the signature is missing")
    if not (given["webhook-timestamp"].isdigit() and len(given["webhook-timestamp"]) <= 12):
        raise Unsigned("the time of the signature is no number of seconds")
    reason = "no secret is set"
    for secret in secrets:
        if weak(secret):
            reason = f"a secret is not set, no base64 or shorter than {LEAST_SECRET} bytes"
            continue
        try:
            Webhook(secret).verify(body, given, json_parse=False)
        except WebhookVerificationError as error:
            reason = str(error)
        except (
            ValueError,
            EmptyWebhookSecretError,
        ) as error:  # a signature or secret that is not base64, a body that is not UTF-8
            reason = type(error).__name__
        else:
            return given["webhook-id"], int(given["webhook-timestamp"])
    raise Unsigned(reason)
