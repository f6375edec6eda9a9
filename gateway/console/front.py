"""Decisions are answered before the application is asked: its routes and middleware cost a third of such a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.console import assess, auth
from gateway.console.problems import Problem, Token
from gateway.console.running import Running
from gateway.log import seldom

HEAD_LIMITS: dict[str, Any] = {"max_line_size": 16_384, "max_field_size": 20_480, "max_headers": 256}
"""Bounds of a request head on the admin listener. A proxy's question holds the visitor's whole head and more: what the public listener takes (a
field of 16 KiB, 128 fields), this one has to take."""

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def put_before(server: web.Server, running: Running, token: str | None) -> None:
    """Let `server`, the admin listener's, answer /api/v1/auth and /api/v1/assess by itself and leave the rest to its application."""
    asked = Token(token)
    forward_auth, assessing = auth.ForwardAuth(running, asked), assess.Assess(running, asked)
    behind = server.request_handler

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer = await answered(request)
        answer.headers["Server"] = (
            "leadgate"  # proxies show a declined visitor what we answer: no names and versions of libraries
        )
        return answer

    async def answered(request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path
        # a path behind /api/v1/auth is the visitor's (Envoy)
        if path.startswith(auth.PATH) and path[len(auth.PATH) : len(auth.PATH) + 1] in ("", "/", "?"):
            answering: Handle = forward_auth.handle
        elif path.partition("?")[0] == assess.PATH:
            answering = assessing.handle
        else:
            return await behind(request)
        try:
            return await answering(request)
        except Problem as problem:
            return problem.response()
        except Exception as error:  # noqa: BLE001 - a fault of ours is counted, told in the log and answered like every error
            running.metrics.count("leadgate_handler_failures")
            seldom("handler failed", "admin", type(error).__name__, method=request.method, exc_info=error)
            return assess.fault().response()

    server.request_handler = handle
