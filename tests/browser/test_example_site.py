"""The example site behind the gateway: a person in a real browser and programs, as `make run` shows them."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from running import ROOT, Gateway, free_port, until
from visitor import request

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
FORM = {
    "full_name": "Martha Lindqvist",
    "email": "martha@lindqvist-consult.se",
    "phone": "+46 70 174 06 38",
    "message": "Two flat roofs, about ninety square metres.",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The example's settings and site, on free ports and a store of their own."""
    from ruamel.yaml import YAML

    port = free_port()
    example = YAML(typ="safe").load((ROOT / "examples/leadgate.yaml").read_text("utf-8"))
    sites = [site | {"origin": f"http://127.0.0.1:{port}"} for site in example["sites"]]
    process = subprocess.Popen([sys.executable, str(ROOT / "examples/site/site.py"), "--port", str(port)])
    until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    running = Gateway(tmp_path_factory.mktemp("example"), {"sites": sites, "trusted_proxies": []})
    try:
        yield running.start()
    finally:
        running.kill()
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    chromium = "/usr/bin/chromium"
    if not Path(chromium).exists():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    version = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=True).stdout
    major = re.search(r"(\d+)\.", version)
    assert major is not None, version
    # Without a screen Chromium calls itself HeadlessChrome; the person of this test has the same program with a window. Set on the command
    # line: what the automation protocol overrides changes the order of the headers.
    agent = (
        f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major[1]}.0.0.0 Safari/537.36"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, f"--user-agent={agent}"])
        yield browser.new_page()
        browser.close()


def inbox(gateway: Gateway) -> list[list[str]]:
    text = request(gateway.port, "GET", "/inbox", [("Host", "a")]).text
    return [
        re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        for row in re.findall(r"<tr>(<td[^>]*>.*?)</tr>", text, re.DOTALL)
    ]


def test_a_person_gets_through(gateway: Gateway, page: Page) -> None:
    page.goto(f"http://127.0.0.1:{gateway.port}/offer?utm_source=google&gclid=Cj0KCQ-example")
    began = time.monotonic()
    for name, text in FORM.items():
        page.locator(f"[name={name}]").click()
        page.keyboard.type(text, delay=35)
    page.wait_for_timeout(max(0, 3.5 - (time.monotonic() - began)) * 1000)
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/thanks")
    assert "Thank you" in page.inner_text("h1")

    _, *fields, verdict, quality, ivt, reasons, lead_id = inbox(gateway)[0]
    assert fields == list(FORM.values()), "the site received what was typed"
    assert (verdict, ivt) == ("accept", "valid"), reasons
    assert int(quality) >= 90, gateway.cli("explain", lead_id).stdout
    lead = gateway.lead(lead_id, "delivered")
    facts = lead["record"]["facts"]
    assert facts["token"]["state"] == "valid"
    assert facts["session"]["landings"] == 1
    told = gateway.cli("explain", lead_id)
    assert told.stdout.startswith("Form quote on helio-roofs")
    assert "Accepted: quality 9" in told.stdout


CLIENTS = {
    "curl": [("User-Agent", "curl/8.14.1"), ("Accept", "*/*")],
    "python-requests": [
        ("User-Agent", "python-requests/2.32.5"), ("Accept-Encoding", "gzip, deflate"), ("Accept", "*/*"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENTS)
def test_programs_reach_the_site_with_low_quality_and_the_reasons(gateway: Gateway, name: str) -> None:
    body = b"full_name=Bot&email=x%40mailinator.com&phone=123"
    head = [
        ("Host", f"127.0.0.1:{gateway.port}"),
        *CLIENTS[name],
        ("Content-Type", "application/x-www-form-urlencoded"),
    ]
    assert request(gateway.port, "POST", "/lead", head, body).status == 303
    *_, verdict, quality, ivt, reasons, lead_id = inbox(gateway)[0]
    assert verdict == "review"
    assert int(quality) <= 20
    assert ivt in ("givt", "sivt")
    assert {"bot.http_library", "email.disposable", "token.missing"} <= set(reasons.split(","))

    gateway.lead(lead_id, "delivered")
    told = gateway.cli("explain", lead_id).stdout
    assert told.splitlines()[1].startswith("For review, and passed on (tag mode): quality ")
    assert f"The request was made by a program ({name}" in told
    assert "The e-mail address is from a throw-away provider (mailinator.com)" in told
    assert "What would have altered it" in told
    assert "nobody was stopped" in told
    listed = json.loads(gateway.cli("leads", "list", "--json").stdout)["items"]
    assert lead_id in [item["id"] for item in listed]
