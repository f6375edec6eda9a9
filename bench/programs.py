"""The proxies that are compared: their configuration, as plain and as favourable as each allows, and how they are started."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bench.load import program
from bench.visitors import TOKEN

NGINX = """daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u; scgi_temp_path {folder}/{name}-s;
  {servers}
}}
"""

PAGE = (
    "<!doctype html><html lang=en><head><meta charset=utf-8><title>Roofs that pay</title></head><body><h1>Get a quote</h1>"
    "<form action=/lead method=post><label>Name <input name=full_name></label><label>E-mail <input name=email type=email></label>"
    "<label>Phone <input name=phone></label><button>Send</button></form><p>"
    + "A roof over your head can earn its keep. "
    * 16
)
"""1 kB with a form, which every program passes on and Leadgate puts a token into where that is asked of it."""

ORIGIN = """server {{ listen 127.0.0.1:{port} reuseport;
    location / {{ default_type text/html; return 200 '{page}</p></body></html>'; }}
    location = /lead {{ return 303 /thanks; }} }}"""

NGINX_PROXY = """upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }} }}"""

HAPROXY = """global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
listen proxy
  bind 127.0.0.1:{port}
  server origin 127.0.0.1:{origin}
"""

CADDY = """{{
  admin off
  auto_https off
  persist_config off
}}
http://127.0.0.1:{port}, http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{origin} {{
    transport http {{
      keepalive_idle_conns_per_host 64
    }}
  }}
}}
"""

LEADGATE = """listen: 127.0.0.1:{port}
admin: {{listen: 127.0.0.1:{admin}}}
trusted_proxies: [127.0.0.1/32]
state: {state}
store: {store}
workers: {workers}
postgres: {{username: leadgate, tls: off, spool: {data}/spool}}
keys: {{directory: {data}/keys}}
sites:
  - {{name: derived, hosts: [derived.example], origin: "http://127.0.0.1:{origin}", mode: tag, session: derived, landing_pages: [{{path: "/offer*"}}]}}
  - {{name: cookie, hosts: [cookie.example], origin: "http://127.0.0.1:{origin}", mode: tag, session: cookie, landing_pages: [{{path: "/offer*"}}]}}
  - name: forms
    hosts: [forms.example]
    origin: http://127.0.0.1:{origin}
    mode: tag
    session: derived
    landing_pages: [{{path: "/offer*"}}]
    forms:
      - name: quote
        path: /lead
        fields: {{full_name: full_name, email: email, phone: phone, company: company, message: message}}
"""


SERVE = """import os, pathlib, sys
from gateway.serving import serve
sys.exit(serve(pathlib.Path(sys.argv[1]), {**os.environ, "LEADGATE_ADMIN_TOKEN": sys.argv[2]}))"""


def nginx_origin(folder: Path, port: int) -> list[str]:
    return _nginx(folder, "origin", ORIGIN.format(port=port, page=PAGE[:1000]))


def nginx(folder: Path, port: int, origin: int) -> list[str]:
    return _nginx(folder, "nginx", NGINX_PROXY.format(port=port, origin=origin))


def _nginx(folder: Path, name: str, servers: str) -> list[str]:
    file = folder / f"{name}.conf"
    file.write_text(NGINX.format(folder=folder, name=name, servers=servers))
    return [program("nginx"), "-c", str(file)]


def haproxy(folder: Path, port: int, origin: int) -> list[str]:
    file = folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(port=port, origin=origin))
    return [program("haproxy"), "-db", "-f", str(file)]


def caddy(folder: Path, port: int, origin: int) -> list[str]:
    file = folder / "Caddyfile"
    file.write_text(CADDY.format(port=port, origin=origin))
    return [program("caddy", Path(sys.executable).parent), "run", "--adapter", "caddyfile", "--config", str(file)]


def aiohttp(folder: Path, port: int, origin: int) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("passthrough.py")), str(port), f"http://127.0.0.1:{origin}"]


def leadgate(
    folder: Path, port: int, origin: int, admin: int, *, state: str = "memory://", store: str = "", workers: int = 1
) -> list[str]:
    """`store`: a DSN, or "" for an SQLite file. What it writes lies elsewhere than its settings, whose directory it watches for changes."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    file = folder / "leadgate.yaml"
    shared = {"state": state, "store": store or f"sqlite:///{data}/leadgate.db", "workers": workers}
    file.write_text(LEADGATE.format(data=data, port=port, origin=origin, admin=admin, **shared))
    return [sys.executable, "-c", SERVE, str(file), TOKEN.decode()]


def versions() -> dict[str, str]:
    """What was compared, for the record."""
    found = {"python": sys.version.split()[0]} | {name: version(name) for name in ("aiohttp", "uvloop")}
    for name, argument in (("nginx", "-v"), ("haproxy", "-v"), ("caddy", "version"), ("wrk", "-v")):
        try:
            command = [program(name, Path(sys.executable).parent), argument]
        except LookupError:
            continue
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        number = re.search(r"\d+\.\d+[.\d]*", told.stdout + told.stderr)
        found[name] = number.group() if number else "unknown"
    return found
