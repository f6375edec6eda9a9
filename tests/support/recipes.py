"""The recipes of docs/install as they stand there, on ports of a test."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from origin import Origin, Received, response
from ruamel.yaml import YAML
from running import ROOT, Gateway, until
from visitor import CHROME, Response, parse, person, request

DOCS = ROOT / "docs"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def block(page: str, language: str, start: str = "") -> str:
    """The block of a page in that language whose text begins so."""
    found = [
        text
        for kind, text in _FENCE.findall((DOCS / page).read_text("utf-8"))
        if kind == language and text.startswith(start)
    ]
    assert len(found) == 1, f"{page} has {len(found)} blocks of {language} that begin with {start!r}"
    return str(found[0])


NGINX = Path(shutil.which("nginx") or "/usr/sbin/nginx")
CADDY = Path(sys.executable).parent / "caddy"
TRAEFIK = Path(sys.executable).parent / "traefik"

_NGINX_AROUND = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  include {folder}/acme.conf;
}}
"""


def nginx(folder: Path, port: int, recipe: str) -> Program:
    (folder / "acme.conf").write_text(put(recipe, {"listen 80;": f"listen 127.0.0.1:{port};"}))
    (folder / "nginx.conf").write_text(_NGINX_AROUND.format(folder=folder))
    return Program([str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")], port, folder, os.environ)


def caddy(folder: Path, port: int, recipe: str, token: str = "") -> Program:
    site = put(recipe, {"www.acme.example {": f"http://www.acme.example:{port} {{\n\tbind 127.0.0.1"})
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n" + site)
    env = dict(os.environ) | {"LEADGATE_ADMIN_TOKEN": token, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    return Program([str(CADDY), "run", "--config", str(folder / "Caddyfile")], port, folder, env)


def put(text: str, replaced: Mapping[str, str]) -> str:
    """Replace each key, which must be there."""
    for old, new in replaced.items():
        assert old in text, f"the recipe does not hold {old!r}"
        text = text.replace(old, new)
    return text


def settings(origin: Origin, mode: str) -> dict[str, Any]:
    """What the recipes tell to write into leadgate.yaml, with a deny list so that somebody is rejected."""
    data: dict[str, Any] = YAML(typ="safe").load(block("install/README.md", "yaml", "# leadgate.yaml"))
    data["sites"][0] |= {"origin": origin.url, "mode": mode, "session": "cookie"}
    data["lists"] = {"deny": [{"name": "denied", "user_agents": ["DeniedBrowser"]}]}
    del data["listen"], data["admin"]
    return data


def addresses(gateway: Gateway, origin: Origin) -> dict[str, str]:
    """The addresses of the recipes → those of the test."""
    return {
        "127.0.0.1:8080": f"127.0.0.1:{gateway.port}",
        "127.0.0.1:8081": f"127.0.0.1:{gateway.admin_port}",
        "127.0.0.1:9000": f"127.0.0.1:{origin.port}",
    }


class Program:
    """A proxy as a process of its own; `ready` once something answers at its port."""

    def __init__(self, command: list[str], port: int, folder: Path, env: Mapping[str, str]) -> None:
        self.port, self.log = port, folder / "proxy.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=dict(env), stdout=log, stderr=log)
        end = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, self.log.read_text("utf-8")
            try:
                request(port, "GET", "/ready", [("Host", "www.acme.example")])
                return
            except OSError:
                assert time.monotonic() < end, self.log.read_text("utf-8")
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


CLAIMS = [
    ("X-Lead-Verdict", "accept"), ("x-lead-quality", "100"), ("X-Lead-Id", "made-up"), ("X-Lead-Ivt", "valid"), ("X-Lead-Reasons", "none"),
    ("X-Lead-Passport", "made-up"),
]  # fmt: skip
"""What a visitor would like the site to believe."""

HEADERS = {"X-Lead-Id", "X-Lead-Quality", "X-Lead-Verdict", "X-Lead-Ivt", "X-Lead-Reasons"}


class Beside:
    """A proxy that asks a gateway, and visitors of it."""

    def __init__(self, gateway: Gateway, origin: Origin, proxy: Program) -> None:
        self.gateway, self.origin, self.proxy = gateway, origin, proxy

    def visit(
        self,
        target: str,
        *more: tuple[str, str],
        method: str = "GET",
        body: bytes = b"",
        source: str = "127.0.0.9",
        agent: str = CHROME,
    ) -> Response:
        """A visitor at an address of this machine."""
        fields = [("Host", "www.acme.example"), ("User-Agent", agent), ("Accept", "text/html,*/*;q=0.8")]
        fields += [
            ("Accept-Encoding", "gzip, br"),
            ("Accept-Language", "en-GB,en;q=0.9"),
            *more,
            ("Connection", "close"),
        ]
        if body:
            fields.append(("Content-Length", str(len(body))))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
        with socket.create_connection(("127.0.0.1", self.proxy.port), 30, (source, 0)) as connection:
            connection.sendall(head.encode("latin-1") + body)
            answer = bytearray()
            while piece := connection.recv(65_536):
                answer += piece
        return parse(bytes(answer), method)

    def arrived(self, mark: str) -> Received:
        return self.origin.wait_for(mark)

    def lead_headers(self, mark: str) -> dict[str, str]:
        """Those the site got, by their names as we write them."""
        found = self.arrived(mark).all("x-lead-")
        return {"-".join(part.capitalize() for part in name.split("-")): value for name, value in found.items()}

    # what every recipe promises

    def passes(self) -> None:
        answer = self.visit("/offer?utm_campaign=passes", *CLAIMS, source="127.0.0.23")
        assert answer.status == 200, answer.text
        assert answer.text == "the origin's page"
        got = self.lead_headers("utm_campaign=passes")
        assert set(got) >= {"X-Lead-Id", "X-Lead-Quality", "X-Lead-Verdict", "X-Lead-Ivt"}
        assert set(got) <= HEADERS
        assert "made-up" not in got.values()
        record = self.gateway.record(got["X-Lead-Id"])
        assert record["answered"] == {"status": 204, "by": "auth"}
        assert record["verdict"] == got["X-Lead-Verdict"]
        assert record["personal"]["network"]["client"]["address"] == "127.0.0.23"
        assert record["facts"]["page"] == {
            "host": "www.acme.example",
            "path": "/offer",
            "campaign": {"utm_campaign": "passes"},
        }
        names = {name.lower() for name, _ in record["personal"]["browser"]["headers"]}
        assert names >= {"host", "user-agent", "accept", "accept-encoding", "accept-language"}
        assert not {name for name in names if name.startswith(("x-forwarded", "x-original", "x-leadgate"))} - {
            "x-forwarded-server"
        }
        assert "authorization" not in names
        assert not {r["signal"] for r in record["reasons"] if r["signal"].startswith(("header.", "bot."))}, record[
            "reasons"
        ]

    def declines(self) -> Response:
        answer = self.visit("/offer?utm_campaign=declined", agent=CHROME + " DeniedBrowser")
        assert answer.status == 403
        assert "This page cannot be shown" in answer.text
        assert self.origin.holding("utm_campaign=declined") == []
        found = re.search(r"<dd>([0-9a-f-]{36})</dd>", answer.text)
        assert found is not None
        record = self.gateway.record(found[1])
        assert (record["verdict"], record["answered"]) == ("reject", {"status": 403, "by": "gateway"})
        return answer

    def takes_forms(self) -> None:
        before = len(self.gateway.api("/leads?limit=500")["items"])
        form = person()
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        answer = self.visit("/lead", kind, *CLAIMS, method="POST", body=urlencode(form).encode(), source="127.0.0.31")
        assert answer.status == 303
        assert len(self.gateway.api("/leads?limit=500")["items"]) == before + 1
        lead = self.gateway.lead(self.gateway.newest_lead()["id"], "delivered")
        assert lead["record"]["personal"]["network"]["client"]["address"] == "127.0.0.31"
        assert "token.missing" not in {found["id"] for found in lead["record"]["signals"]}
        got = self.lead_headers(form["email"].partition("@")[0])
        assert got["X-Lead-Id"] == lead["id"]
        assert "made-up" not in got.values()

    def records_no_assets(self) -> None:
        before = self.gateway.metric("leadgate_observations_total")
        for target in ("/style.css", "/logo.png?gclid=x", "/"):
            assert self.visit(target, *CLAIMS).status == 200
            got = self.origin.to(target.partition("?")[0])[-1]
            assert got.all("x-lead-") == {}
        assert self.visit("/offer", method="HEAD").status == 200
        assert self.gateway.metric("leadgate_observations_total") == before

    def takes_large_heads(self) -> None:
        """As browsers with many cookies send them."""
        large = ("Cookie", "; ".join(f"name{number}={'x' * 90}" for number in range(130)))
        assert self.visit("/offer?utm_campaign=large", large).status == 200
        assert set(self.lead_headers("utm_campaign=large")) >= {"X-Lead-Id", "X-Lead-Verdict"}

    def takes_huge_heads(self) -> None:
        """Larger than Leadgate takes them: they pass, unjudged."""
        huge = ("Cookie", "; ".join(f"name{number}={'x' * 90}" for number in range(400)))
        assert self.visit("/offer?utm_campaign=huge", huge).status == 200
        assert self.lead_headers("utm_campaign=huge") == {}

    def begins_sessions(self) -> None:
        cookie = self.visit("/offer?utm_campaign=cookie").field("Set-Cookie") or ""
        assert cookie.startswith("_lg_s=")
        assert self.visit("/offer", ("Cookie", cookie.partition(";")[0])).field("Set-Cookie") is None

    def goes_on_alone(self, *, forms_at_once: bool = True) -> None:
        """Leadgate is stopped: pages are served, without a word that looks like a verdict; so are forms, at once or when the proxy has noticed."""
        self.gateway.kill()
        try:
            answer = self.visit("/offer?utm_campaign=alone", *CLAIMS)
            assert (answer.status, answer.text) == (200, "the origin's page")
            assert self.arrived("utm_campaign=alone").all("x-lead-") == {}
            assert self.visit("/style.css").status == 200
            form = person()
            kind = ("Content-Type", "application/x-www-form-urlencoded")

            def posted() -> int:
                return self.visit("/lead", kind, *CLAIMS, method="POST", body=urlencode(form).encode()).status

            if forms_at_once:
                assert posted() == 303
            else:
                until(lambda: posted() == 303)
            assert self.lead_headers(form["email"].partition("@")[0]) == {}
        finally:
            self.gateway.start()


def origin_of_recipes() -> Origin:
    made = Origin()
    made.scripts["/lead"] = response("", "303 See Other", ("Location", "/thanks"))
    return made
