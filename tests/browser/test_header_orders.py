"""Every header order that the installed browsers send is one that data/header_orders.yaml allows.

The pages drive themselves (links, forms, fetches, frames, redirects, reloads), so no automation protocol touches the
browser. After a browser update that changes an order, this fails; record the table anew and review the difference:

    python tests/browser/test_header_orders.py > detectors/data/header_orders.yaml
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from detectors.headers import detect
from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.reference import Reference

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
LAUNCH_SECONDS = 90
USER = "sec-fetch-user"

Headers = list[tuple[str, str]]
Seen = list[tuple[str, str, Headers]]  # (step@host, method, headers)

_SUBMIT = """var f=document.createElement('form');f.method='{method}';f.action='{url}';f.enctype='{enctype}';
f.innerHTML='<input name="email" value="a@b.example">{extra}';document.body.append(f);f.submit();"""
_LINK = "var a=document.createElement('a');a.href='{url}';document.body.append(a);a.click();"
_THEN = ".then(next,next)"


def _submit(url: str, method: str = "post", enctype: str = "application/x-www-form-urlencoded", extra: str = "") -> str:
    return _SUBMIT.format(url=url, method=method, enctype=enctype, extra=extra).replace("\n", "")


# What the hub page does in each step. HERE is the hub's own origin, THERE another site; /t/ answers a page that goes
# on to the next step, /r/ redirects to /t/ on the same host, /x/ to /t/ on the other host, /s/ answers 307.
STEPS = {
    "script": "location='/t/script'",
    "link": _LINK.format(url="/t/link"),
    "link-cross": _LINK.format(url="THERE/t/link-cross"),
    "link-redirect": _LINK.format(url="/r/link-redirect"),
    "link-cross-redirect": _LINK.format(url="THERE/r/link-cross-redirect"),
    "link-two-hosts": _LINK.format(url="THERE/x/link-two-hosts"),
    "form-get": _submit("/t/form-get", "get"),
    "form-post": _submit("/t/form-post"),
    "form-post-cross": _submit("THERE/t/form-post-cross"),
    "form-multipart": _submit(
        "/t/form-multipart", enctype="multipart/form-data", extra='<input type="file" name="cv">'
    ),
    "form-plain": _submit("/t/form-plain", enctype="text/plain"),
    "form-post-see-other": _submit("/r/form-post-see-other"),
    "form-post-again": _submit("/s/form-post-again"),
    "form-post-cross-again": _submit("THERE/s/form-post-cross-again"),
    "reload": "location='/t/reload?reload=1'",
    "cached": "location='/e/cached?reload=1'",
    "frame": "var f=document.createElement('iframe');f.onload=next;f.src='/f/frame';document.body.append(f)",
    "frame-cross": "var f=document.createElement('iframe');f.onload=next;f.src='THERE/f/frame-cross';document.body.append(f)",
    "fetch-get": "fetch('/f/fetch-get')" + _THEN,
    "fetch-json": "fetch('/f/fetch-json',{method:'POST',headers:{'Content-Type':'application/json'},body:'{}'})"
    + _THEN,
    "fetch-urlencoded": "fetch('/f/fetch-urlencoded',{method:'POST',body:new URLSearchParams({a:1})})" + _THEN,
    "fetch-multipart": "var d=new FormData();d.append('a','1');fetch('/f/fetch-multipart',{method:'POST',body:d})"
    + _THEN,
    "fetch-cross": "fetch('THERE/f/fetch-cross',{method:'POST',mode:'no-cors',body:new URLSearchParams({a:1})})"
    + _THEN,
    "fetch-nocache": "fetch('/f/fetch-nocache',{cache:'no-store'})" + _THEN,
    "xhr-post": "var x=new XMLHttpRequest();x.onloadend=next;x.open('POST','/f/xhr-post');"
    "x.setRequestHeader('Content-Type','application/x-www-form-urlencoded');x.setRequestHeader('X-Requested-With','XMLHttpRequest');"
    "x.send('a=1')",
    "xhr-get": "var x=new XMLHttpRequest();x.onloadend=next;x.open('GET','/f/xhr-get');x.send()",
    "beacon": "navigator.sendBeacon('/f/beacon',new URLSearchParams({a:1}));setTimeout(next,300)",
}


class Recorder:
    """A bare HTTP/1.1 server that keeps the raw head of every request and serves the pages that lead from step to
    step."""

    def __init__(self) -> None:
        self.seen: Seen = []  # (step, method, headers)
        self.done = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = [
                    (name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)
                ]
                fields = {name.lower(): value for name, value in headers}
                await reader.readexactly(int(fields.get("content-length", "0")))
                writer.write(self._answer(method, target, fields["host"], headers))
                await writer.drain()
        writer.close()

    def _answer(self, method: str, target: str, host: str, headers: Headers) -> bytes:
        path, _, query = target.partition("?")
        kind, _, step = path[1:].partition("/")
        name = host.split(":")[0]
        if kind in "trxsefh":
            self.seen.append((f"{step}{'?again' if 'again' in query else ''}@{name}", method, headers))
        if kind in ("r", "x", "s"):
            there = self._origin(self._other(name)) if kind == "x" else ""
            status = "307 Temporary Redirect" if kind == "s" else "303 See Other" if method == "POST" else "302 Found"
            return _response(status, f"Location: {there}/t/{step}\r\n", "")
        if kind == "h":
            return _response("200 OK", "Cache-Control: no-store\r\n", self._hub(int(step), name))
        if kind == "t" or kind == "e":
            cache = (
                'ETag: "1"\r\nLast-Modified: Wed, 21 Oct 2025 07:28:00 GMT\r\n'
                if kind == "e"
                else "Cache-Control: no-store\r\n"
            )
            number = list(STEPS).index(step) + 1 if step in STEPS else 0
            again = "if(!sessionStorage.k){sessionStorage.k=1;location.reload()}else{delete sessionStorage.k;next()}"
            go = again if "reload" in query else "next()"
            home = self._origin(_home(name))
            script = f"function next(){{setTimeout(function(){{location='{home}/h/{number}'}},20)}};onload=function(){{{go}}}"
            return _response("200 OK", f"Set-Cookie: k=1; Path=/\r\n{cache}", f"<script>{script}</script>")
        return _response("200 OK", "Cache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\n", "ok")

    def _hub(self, number: int, name: str) -> str:
        if number >= len(STEPS):
            if name == "127.0.0.1":  # once more on a host that is not trustworthy: no client hints, no Sec-Fetch
                return f"<script>onload=function(){{location='{self._origin('here.test')}/t/start'}}</script>"
            self.done.set()
            return "done"
        action = list(STEPS.values())[number].replace("THERE", self._origin(self._other(name)))
        return (
            f"<body><script>function next(){{location='/h/{number + 1}'}};onload=function(){{setTimeout(function(){{{action}}},20)}}"
            "</script>"
        )

    def _origin(self, name: str) -> str:
        return f"http://{name}:{self.port}"

    @staticmethod
    def _other(name: str) -> str:
        return {
            "127.0.0.1": "localhost",
            "localhost": "127.0.0.1",
            "here.test": "there.test",
            "there.test": "here.test",
        }[name]


def _home(name: str) -> str:
    return {"localhost": "127.0.0.1", "there.test": "here.test"}.get(name, name)


def _response(status: str, headers: str, body: str) -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}"
    ).encode()


def _chromium(profile: str, url: str) -> list[str]:
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update"]
    return [str(CHROMIUM), *flags, "--host-resolver-rules=MAP *.test 127.0.0.1", f"--user-data-dir={profile}", url]


def _firefox(profile: str, url: str) -> list[str]:
    prefs = {
        "network.dns.forceResolve": '"127.0.0.1"',
        "browser.shell.checkDefaultBrowser": "false",
        "browser.aboutwelcome.enabled": "false",
        "datareporting.policy.dataSubmissionEnabled": "false",
        "toolkit.telemetry.enabled": "false",
        "app.update.enabled": "false",
        "network.captive-portal-service.enabled": "false",
        "network.connectivity-service.enabled": "false",
        "dom.security.https_first": "false",
    }
    Path(profile, "user.js").write_text("".join(f'user_pref("{name}", {value});\n' for name, value in prefs.items()))
    return [str(FIREFOX), "--headless", "--no-remote", "--profile", profile, url]


async def record(family: str) -> Seen:
    """All requests of one run of a browser through all steps: (step@host, method, headers)."""
    recorder = Recorder()
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    recorder.port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = (_chromium if family == "chromium" else _firefox)(
            profile, f"http://127.0.0.1:{recorder.port}/r/start"
        )
        process = subprocess.Popen(  # a group of its own: the browser's children end with it
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            await asyncio.wait_for(recorder.done.wait(), LAUNCH_SECONDS)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            await asyncio.to_thread(process.wait, 20)
            server.close()
    return recorder.seen


def _versions(seen: Seen) -> str:
    agent = dict(seen[0][2])["User-Agent"]
    found = re.search(r"(?:Chrome|Firefox)/(\d+)", agent)
    assert found is not None, agent
    return found.group(1)


def situation(method: str, headers: Headers) -> str:
    """The same division as the detector's: a page is opened, a form is posted as a page, or a script asks."""
    names = {name.lower(): value for name, value in headers}
    page = "upgrade-insecure-requests" in names
    return "script" if not page else "post" if method == "POST" else "get"


def _merge(orders: list[list[str]]) -> list[list[str]]:
    """Fewer, longer sequences that allow the recorded orders: those that contradict each other nowhere become one."""
    merged: list[list[list[str]]] = []  # groups of orders without contradiction
    for order in sorted({tuple(order) for order in orders}, key=lambda order: (-len(order), order)):
        for group in merged:
            if _line_up([*group, list(order)]) is not None:
                group.append(list(order))
                break
        else:
            merged.append([list(order)])
    return [line for group in merged if (line := _line_up(group)) is not None]


def _line_up(orders: list[list[str]]) -> list[str] | None:
    """One sequence that holds all these orders, or None where two of them contradict each other."""
    graph: dict[str, set[str]] = {}
    for order in orders:
        for before, name in zip([None, *order], order, strict=False):
            graph.setdefault(name, set()).update([before] if before else [])
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return None


def _with_user(orders: list[list[str]], pages: list[list[str]]) -> list[list[str]]:
    """Sec-Fetch-User comes with a person's click, which these pages cannot give: behind what it followed when a page
    was opened."""
    (before,) = {order[order.index(USER) - 1] for order in pages if USER in order}
    clicked = [[part for name in order for part in ([name, USER] if name == before else [name])] for order in orders]
    return orders + [order for order in clicked if order.count(USER) == 1]


def _names(headers: Headers) -> list[str]:
    return [name.lower() for name, _ in headers]


def _table() -> Iterator[str]:
    yield "# Orders in which browsers send their headers, by family and situation (get: a page is opened; post: a form is posted as a"
    yield "# page; script: fetch, XMLHttpRequest, beacon). Recorded from real browsers over HTTP/1.1, never written by hand:"
    yield "#     python tests/browser/test_header_orders.py > detectors/data/header_orders.yaml"
    yield "# `names`: how they spell them. A request is in order if its headers, as far as the table knows them, follow one of the sequences of its situation."
    for family, program in (("chromium", CHROMIUM), ("firefox", FIREFOX)):
        if program is None:
            raise SystemExit(f"{family} is not installed: the table needs both browsers")
        seen = asyncio.run(record(family))
        yield f"{family}:"
        yield f"  recorded_with: {_versions(seen)}"
        orders: dict[str, list[list[str]]] = {"get": [], "post": [], "script": []}
        for _, method, headers in seen:
            orders[situation(method, headers)].append(_names(headers))
        spelled = sorted({name for _, _, headers in seen for name, _ in headers})
        yield f"  names: [{', '.join(spelled)}]"
        for kind, recorded in orders.items():
            yield f"  {kind}:"
            for order in _merge(recorded if kind == "script" else _with_user(recorded, orders["get"])):
                yield f"    - [{', '.join(order)}]"


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def recorded(request: pytest.FixtureRequest) -> tuple[str, Seen]:
    family = request.param
    if (CHROMIUM if family == "chromium" else FIREFOX) is None:
        pytest.skip(f"{family} is not installed")
    seen = asyncio.run(record(family))
    assert {step.split("@")[0] for step, _, _ in seen} >= STEPS.keys()
    return family, seen


@pytest.mark.slow
def test_a_real_browser_shows_no_header_finding(recorded: tuple[str, Seen]) -> None:
    """Whatever the page does, with and without client hints: the header detector has nothing to say about the real
    thing."""
    family, seen = recorded
    ref = Reference.builtin()
    assert ref.orders.knows(family, int(_versions(seen)))
    for step, method, headers in seen:
        trusted = step.endswith(("@localhost", "@127.0.0.1"))
        found = list(detect(_observation(method, headers, "https" if trusted else "http"), ref))
        assert not found, (step, found, headers)


@pytest.mark.slow
def test_changed_headers_are_found(recorded: tuple[str, Seen]) -> None:
    """The test above can fail: the same real headers in another order, spelled otherwise, or with another version."""
    ref = Reference.builtin()

    def ids(method: str, headers: Headers) -> set[str]:
        return {signal.id for signal in detect(_observation(method, headers, "https"), ref)}

    for step, method, headers in recorded[1]:
        if not step.startswith(("start", "link", "form-post@")):
            continue
        assert "header.order" in ids(method, [headers[0], *sorted(headers[1:])]), step
        assert "header.case" in ids(
            method, [(name.replace("User-Agent", "user-agent"), value) for name, value in headers]
        ), step
        if "sec-ch-ua" in dict(headers):
            older = [
                (name, re.sub(r"Chrome/\d+", "Chrome/141", value) if name == "User-Agent" else value)
                for name, value in headers
            ]
            assert "header.client_hints" in ids(method, older), step


def _observation(method: str, headers: Headers, scheme: str) -> Observation:
    # without a screen Chromium says so in its name; everything else is as with one
    headers = [
        (name, value.replace('"HeadlessChrome"', '"Google Chrome"').replace("HeadlessChrome/", "Chrome/"))
        for name, value in headers
    ]
    page = any(name == "Upgrade-Insecure-Requests" for name, _ in headers)
    return Observation(
        kind=Kind.LANDING if page and method == "GET" else Kind.SUBMISSION,
        site="site",
        at=0,
        page=Page("127.0.0.1", "/"),
        client=Client("127.0.0.1"),
        request=Request(method, "/", tuple(headers), scheme=scheme),
        network=Unavailable("not looked up"),
        velocity=Unavailable("not counted"),
    )


if __name__ == "__main__":
    sys.stdout.write("\n".join(_table()) + "\n")
