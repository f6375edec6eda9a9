"""What the admin listener says when something is wrong, and who may ask it at all."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from aiohttp import web

NO_TOKEN = "Set LEADGATE_ADMIN_TOKEN in the gateway's environment, or admin.token_file, and restart it."
BAD_TOKEN = "Send the header Authorization: Bearer TOKEN with the gateway's admin token."

RawFields = Iterable[tuple[bytes, bytes]]
FieldError = tuple[str, str]


class Problem(Exception):
    """An error for the caller (RFC 9457): HTTP status, what is wrong, what to do.

    errors  (field, what is wrong with it) of a body that is not as it should be; the field as a path, "headers[3]"
    """

    def __init__(self, status: int, title: str, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.errors = status, title, detail, errors

    def body(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            told["errors"] = [{"field": field, "detail": detail} for field, detail in self.errors]
        return told

    def response(self) -> web.Response:
        headers = {"WWW-Authenticate": 'Bearer realm="leadgate"'} if self.status == 401 else None
        return web.Response(
            status=self.status, body=orjson.dumps(self.body()), content_type="application/problem+json", headers=headers
        )


def reply(body: object, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", headers=headers)


class Token:
    """The admin token. How long a comparison takes tells nothing about it."""

    def __init__(self, token: str | None) -> None:
        self._token = None if token is None else token.encode("utf-8", "surrogateescape")

    def require(self, fields: RawFields, also: bytes = b"") -> bytes:
        """The name in lower case of the field that holds the token; raises Problem where none does.

        also  name of a second field that may hold it, bare; for proxies that cannot write `Authorization` without taking the visitor's away
        """
        if self._token is None:
            raise Problem(401, "No token is set", NO_TOKEN)
        for name, value in fields:
            lower = name.lower()
            if lower == b"authorization":
                scheme, _, given = value.partition(b" ")
                if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token):
                    return lower
            elif also and lower == also and hmac.compare_digest(value.strip(), self._token):
                return lower
        raise Problem(401, "Not authorized", BAD_TOKEN)
