"""The pages of reports in a real browser: nothing is fetched, nothing overflows on a phone, everything can be read and named."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.campaigns.cells import form_part, parts
from gateway.labels.holdouts import ByForm, Tally
from gateway.learning import campaigns, campaigns_page
from gateway.reports import holdouts_page
from gateway.reports.tallies import Classes

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
    "python-requests/2.32.3",
    "AnAgentWithoutASpaceThatGoesOnAndOn" * 6,
)

# Lightness contrast of each text against the first opaque colour behind it, by WCAG 2.2; large and bold text needs less.
CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const poor = [];
  for (const node of document.querySelectorAll('main *')) {
    if (node.closest('svg, .unseen') || ![...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    let behind = node, back = [0, 0, 0, 0];
    while (behind && back.length > 3 && back[3] === 0) { back = parse(getComputedStyle(behind).backgroundColor); behind = behind.parentElement; }
    const [a, b] = [light(parse(style.color).slice(0, 3)), light(back.slice(0, 3))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && parseInt(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push([node.className || node.tagName, ratio.toFixed(2), node.textContent.trim().slice(0, 40)]);
  }
  return poor;
}"""

UNNAMED = """() => [
  ...[...document.querySelectorAll('svg')].filter(s => s.getAttribute('aria-hidden') !== 'true' && !s.getAttribute('aria-label')
    && !document.getElementById(s.getAttribute('aria-labelledby'))),
  ...[...document.querySelectorAll('section, [role=region]')].filter(s => !s.getAttribute('aria-label') &&
    !document.getElementById(s.getAttribute('aria-labelledby'))),
  ...[...document.querySelectorAll('th')].filter(h => !h.scope),
].map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week of clicks with everything the page can show."""
    where, dice = tmp_path_factory.mktemp("replay"), random.Random(7)
    lines = []
    for number in range(1500):
        minute, agent = number * 6, AGENTS[0] if dice.random() < 0.8 else dice.choice(AGENTS[1:])
        click = f"gclid={'Cj0KCQ' + str(dice.getrandbits(200))}&utm_source=google&utm_campaign={dice.choice(('spring', 'A' * 150, 'brand%20%3Cb%3E'))}"
        address = (
            f"3.120.1.{dice.randrange(9)}"
            if agent in AGENTS[2:4]
            else f"84.{dice.randrange(200)}.{dice.randrange(200)}.7"
        )
        when = f"{1 + minute // 1440:02}/Sep/2025:{minute // 60 % 24:02}:{minute % 60:02}:00 +0000"
        lines.append(
            f'{address} - - [{when}] "GET /offer/{"very-long-path-" * 8}?{click} HTTP/1.1" 200 99 "-" "{agent}"'
        )
    lines.append("not a line of a log")
    log, page = where / "a-rather-long-name-of-an-access-log-of-a-shop.log", where / "report.html"
    log.write_text("\n".join(lines))
    command = [sys.executable, "-m", "gateway.cli", "replay", log, "--html", page, "--store", where / "r.db"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return page


LONG, HEBREW = "A" * 79, "\u05de\u05d1\u05e6\u05e2 \u05e7\u05d9\u05e5 2026 (\u05d2\u05d2\u05d5\u05ea)"


def holdouts(labelled: int, of: int) -> Tally:
    tally = Tally()
    for number in range(of):
        tally.add(0.1, None if number >= labelled else number % 6 != 0)
    return tally


def measured(where: Path) -> Iterator[Path]:
    """What the pages of `leadgate report` can show, with long names, names from right to left, and nothing at all."""
    full = {name: holdouts(labelled, 40).estimate() for name, labelled in ((LONG, 36), (HEBREW * 3, 20), ("", 0))}
    for name, found in (
        ("holdouts", ByForm(holdouts(56, 120).estimate(), full)),
        ("holdouts-unlabelled", ByForm(holdouts(0, 9).estimate(), {"quote": holdouts(0, 9).estimate()})),
        ("holdouts-none", ByForm(Tally().estimate(), {})),
    ):
        page = where / f"{name}.html"
        page.write_text(holdouts_page.render(found, "All that is recorded", "2026-11-22 10:00 UTC"), encoding="utf-8")
        yield page
    some = campaigns.CampaignTally()
    some.records = 99_000
    some._part(form_part("shop", "quote")).classes = Classes(226, 0, 170, 3, 170, 0)
    for name, flooded in ((LONG, True), (HEBREW, False)):
        for key in parts("shop", {"utm_campaign": name, "utm_source": "news.example"}, "google"):
            part = some._part(key)
            part.classes = Classes(1293, 12, 870, 2, 870, 1)
            if flooded:
                part.flood, part.first, part.last = 1094, 1772800000000000, 1772830000000000
                part.peak = campaigns.Peak(0.98, 165, 4, 20)
    for name, tally in (("campaigns", some), ("campaigns-none", campaigns.CampaignTally())):
        page = where / f"{name}.html"
        page.write_text(campaigns_page.render(tally, "All sites", "All that is recorded", ""), encoding="utf-8")
        yield page


@pytest.fixture(scope="module")
def page_files(page_file: Path) -> list[Path]:
    return [page_file, *measured(page_file.parent)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page(browser: Any, page_files: list[Path], width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)
    for page_file in page_files:
        page = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.goto(page_file.as_uri())
        for details in page.locator("summary").all():
            details.click()
        assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
        assert said == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page_file.name
        wide = page.evaluate("""() => [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, svg, .unseen')
          && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 100))""")
        assert (page_file.name, wide) == (page_file.name, [])
        assert (page_file.name, page.evaluate(CONTRAST)) == (page_file.name, [])
        assert (page_file.name, page.evaluate(UNNAMED)) == (page_file.name, [])
        assert (
            page.locator("html[lang=en]").count()
            == page.locator("h1").count()
            == page.locator("title").count() - page.locator("svg title").count()
            == 1
        )
        page.close()
    context.close()


def test_charts_have_their_numbers_in_words(browser: Any, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    columns = page.locator("svg.columns > g").count()
    assert columns == page.locator("#time-table tbody tr").count() == 7
    drawn = page.evaluate(
        "[...document.querySelectorAll('svg.columns rect')].filter(r => getComputedStyle(r).fill === 'rgb(0, 0, 0)').length"
    )
    assert drawn == 0  # every piece has the colour of its class
    page.emulate_media(media="print")
    assert page.locator("#time-table tbody tr").first.is_visible()
    page.close()
