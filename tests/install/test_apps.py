"""docs/install/apps.md: the snippets, run as they stand there."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from origin import Origin
from recipes import addresses, block, put
from running import TOKEN, Gateway, free_port
from visitor import CHROME, new_address, person

from gateway.console.assess_body import KEYS

PAGE = "install/apps.md"
HEADERS = {
    "Host": "www.acme.example",
    "User-Agent": CHROME,
    "Accept": "text/html,*/*;q=0.8",
    "Accept-Language": "en-GB",
    "Accept-Encoding": "gzip, br",
}


def python(gateway: Gateway, origin: Origin) -> dict[str, Any]:
    admin = {"127.0.0.1:8081": addresses(gateway, origin)["127.0.0.1:8081"]}
    made: dict[str, Any] = {}
    exec(compile(put(block(PAGE, "python"), admin), PAGE, "exec"), made)
    return made


def environ(address: str) -> dict[str, Any]:
    made: dict[str, Any] = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in HEADERS.items()}
    return made | {
        "REMOTE_ADDR": address, "REQUEST_METHOD": "POST", "PATH_INFO": "/lead", "QUERY_STRING": "gclid=CjwKCAjwpythonpython",
        "CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": "", "wsgi.input": io.BytesIO(),
    }  # fmt: skip


def test_python_asks_about_a_form(gateway: Gateway, origin: Origin) -> None:
    snippet, form = python(gateway, origin), person() | {"email": "python@mailinator.com"}
    question = snippet["of_wsgi"](environ(new_address()), form, "quote", "python-1")
    answer = snippet["assess"](TOKEN, question, 10)
    assert (answer["form"], answer["kind"]) == ("quote", "submission")
    assert "email.disposable" in {reason["signal"] for reason in answer["reasons"]}
    assert snippet["assess"](TOKEN, question, 10) == answer
    browser = gateway.record(answer["id"])["personal"]["browser"]
    assert browser["complete"] is True
    assert {name for name, _ in browser["headers"]} == {*HEADERS, "Content-Type"}
    assert {
        reason["signal"] for reason in answer["reasons"] if reason["signal"].startswith(("header.", "bot."))
    } == set()


def test_python_hands_over_the_path_as_it_was_sent(gateway: Gateway, origin: Origin) -> None:
    snippet = python(gateway, origin)
    made = environ(new_address()) | {"SCRIPT_NAME": "/shop", "PATH_INFO": "/two words/\xc3\xa9", "QUERY_STRING": "a=b"}
    question = snippet["of_wsgi"](made, person(), "quote", "python-2")
    assert question["url"] == "/shop/two%20words/%C3%A9?a=b"
    assert snippet["assess"](TOKEN, question, 10) is not None


def test_python_goes_on_without_an_answer(gateway: Gateway, origin: Origin, capsys: pytest.CaptureFixture[str]) -> None:
    snippet = python(gateway, origin)
    assert snippet["assess"]("wrong", {"ip": "203.0.113.5"}, 10) is None
    assert "401" in capsys.readouterr().out
    snippet["LEADGATE"] = f"http://127.0.0.1:{free_port()}/api/v1/assess"
    assert snippet["assess"](TOKEN, {"ip": "203.0.113.5"}) is None


NODE = """
const http = require("node:http");
const server = http.createServer(async (request, response) => {
  const question = ofRequest(request, JSON.parse(process.env.FIELDS), "quote", "node-1");
  const bad = await assess("wrong", question, 10000);
  const answer = await assess(process.env.TOKEN, question, 10000);
  response.end(JSON.stringify({ bad, answer, question }));
});
server.listen(0, "127.0.0.1", () => {
  const headers = JSON.parse(process.env.HEADERS);
  http.get({ port: server.address().port, host: "127.0.0.1", path: "/lead?x=1", method: "POST", headers }, async (answer) => {
    for await (const part of answer) process.stdout.write(part);
    process.exit(0);
  });
});
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_node_asks_about_a_form(gateway: Gateway, origin: Origin, folder: Path) -> None:
    admin = {"127.0.0.1:8081": addresses(gateway, origin)["127.0.0.1:8081"]}
    script = folder / "app.cjs"
    script.write_text(put(block(PAGE, "js"), admin) + NODE)
    fields = person() | {"email": "node@mailinator.com"}
    env = dict(os.environ) | {"TOKEN": TOKEN, "FIELDS": json.dumps(fields), "HEADERS": json.dumps(HEADERS)}
    done = subprocess.run(["node", str(script)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bad"] is None
    assert "401" in done.stderr
    assert told["answer"]["form"] == "quote"
    assert "email.disposable" in {reason["signal"] for reason in told["answer"]["reasons"]}
    assert told["question"]["url"] == "/lead?x=1"
    record = gateway.record(told["answer"]["id"])
    assert record["personal"]["browser"]["target"] == "/lead?x=1"


def test_the_first_call_works(gateway: Gateway, origin: Origin, folder: Path) -> None:
    command = put(block(PAGE, "sh"), {"127.0.0.1:8081": f"127.0.0.1:{gateway.admin_port}"})
    env = dict(os.environ) | {"LEADGATE_ADMIN_TOKEN": TOKEN}
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    assert answer["dry_run"] is True
    shown = json.loads(block(PAGE, "json"))
    assert set(answer) == set(shown) | {"dry_run"}
    assert answer["decided_by"] == shown["decided_by"]
    assert answer["nearest_change"] == shown["nearest_change"]
    assert [{**reason} for reason in answer["reasons"]] == shown["reasons"]


def test_every_key_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs" / PAGE).read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert set(KEYS) <= named
