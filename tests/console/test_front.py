"""Faults of our own: a proxy hears yes, an application hears a problem, both are counted, the rest of the listener is left alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from aiohttp import HttpVersion11, web
from running import TOKEN

from gateway.console.front import put_before
from gateway.metrics import Metrics

BEARER = (b"Authorization", f"Bearer {TOKEN}".encode())


class Broken:
    """A process of which nothing works but its counters."""

    def __init__(self) -> None:
        self.metrics = Metrics()

    @property
    def generation(self) -> object:
        raise RuntimeError("planted")

    hot = keys = tokens = pipeline = store = generation


class Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def readany(self) -> bytes:
        data, self._data = self._data, b""
        return data


def request(path: str, body: bytes = b"", *fields: tuple[bytes, bytes], method: str = "GET") -> Any:
    return SimpleNamespace(
        raw_path=path, method=method, raw_headers=(BEARER, *fields), transport=None, content=Body(body), content_length=len(body),
        version=HttpVersion11,
    )  # fmt: skip


@pytest.fixture
def broken() -> Broken:
    return Broken()


def server(running: Broken, token: str | None = TOKEN) -> Any:
    async def behind(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=299)

    made: Any = SimpleNamespace(request_handler=behind)
    put_before(made, cast(Any, running), token)
    return made.request_handler


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/auth", 204), ("/api/v1/auth?x", 204), ("/api/v1/auth/offer", 200)]
)
async def test_a_proxy_is_told_yes(broken: Broken, path: str, status: int) -> None:
    answer = await server(broken)(request(path, b"", (b"X-Forwarded-Uri", b"/offer")))
    assert answer.status == status
    assert broken.metrics.counts["leadgate_assessed", "auth", "undecided"] == 1
    assert broken.metrics.counts["leadgate_fail_open", "", "auth"] == 1


async def test_an_application_is_told_what_happened(broken: Broken) -> None:
    answer = await server(broken)(request("/api/v1/assess", b'{"ip": "203.0.113.5"}', method="POST"))
    assert answer.status == 500
    assert answer.content_type == "application/problem+json"
    assert "planted" not in answer.text
    assert broken.metrics.counts["leadgate_handler_failures",] == 1
    assert broken.metrics.counts["leadgate_assessed", "assess", "undecided"] == 1
    items = orjson.dumps({"items": [{"ip": "203.0.113.5"}, {"ip": "x"}]})
    batch = await server(broken)(request("/api/v1/assess", items, method="POST"))
    assert batch.status == 200
    assert [found["status"] for found in orjson.loads(batch.body)["items"]] == [500, 422]
    assert broken.metrics.counts["leadgate_assessed", "assess", "undecided"] == 2


@pytest.mark.parametrize("path", ["/", "/api/v1/authors", "/api/v1/assessments", "/api/v1/records", "/metrics"])
async def test_all_else_is_left_to_the_application(broken: Broken, path: str) -> None:
    assert (await server(broken)(request(path))).status == 299


async def test_without_a_token_nobody_is_answered(broken: Broken) -> None:
    for path in ("/api/v1/auth", "/api/v1/assess"):
        answer = await server(broken, None)(request(path, method="POST"))
        assert answer.status == 401
        assert "LEADGATE_ADMIN_TOKEN" in answer.text
