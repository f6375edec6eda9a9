"""Calls of another server: a proxy that asks whether a request may pass, an application that asks what a visitor is."""

from __future__ import annotations

import json
from typing import Any

from running import TOKEN, Gateway
from visitor import Fields, Response, request

DENIED = "198.18.7.7"
"""An address for a deny list, so that it is rejected whatever else is found."""


class Asking:
    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def auth(
        self,
        *fields: tuple[str, str],
        rest: str = "",
        method: str = "GET",
        token: str | None = TOKEN,
        host: str = "leadgate:8081",
    ) -> Response:
        rows: Fields = [("Host", host), *fields]
        if token is not None:
            rows.append(("Authorization", f"Bearer {token}"))
        return request(self.gateway.admin_port, method, f"/api/v1/auth{rest}", rows)

    def assess(self, status: int = 200, **body: Any) -> dict[str, Any]:
        answer = self.gateway.call("/assess", "POST", json.dumps(body).encode())
        assert answer.status == status, answer.text
        told = answer.json()
        assert isinstance(told, dict)
        return told

    def counted(self, way: str) -> dict[str, float]:
        """leadgate_assessed by result, for the difference between two looks."""
        lines = self.gateway.open("/metrics").text.splitlines()
        start = "leadgate_assessed_total{result="
        found = [line for line in lines if line.startswith(start) and f'way="{way}"' in line]
        return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in found}

    def records(self, **where: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in where.items())
        return list(self.gateway.api(f"/records?limit=500&{query}")["items"])
