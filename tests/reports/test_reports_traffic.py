"""The report's numbers, its bounds, and what it shows of people."""

from __future__ import annotations

import csv
import io
import re

import pytest

from gateway.reports import traffic_page
from gateway.reports.flagged_csv import COLUMNS, FlaggedCsv, safe
from gateway.reports.provenance import Provenance
from gateway.reports.tallies import Counts, Tops
from gateway.reports.traffic import Tally
from gateway.reports.traffic_text import percent, render, table
from gateway.reports.views import View, campaign_name, cut_address, general_text, network_name
from geoip.network import Network
from rules.verdict import Decision, Ivt, Reason, Verdict

DAY = 86_400_000_000
START = 20_000 * DAY


def verdict(ivt: Ivt = Ivt.VALID, decision: Decision = Decision.ACCEPT, quality: int = 95, *reasons: Reason) -> Verdict:
    return Verdict(decision, quality, 100, ivt, None, 0, "", reasons, (), (), (), "")


def reason(signal: str, *evidence: str, text: str = "found", counted: int = 2500) -> Reason:
    return Reason(signal, signal.partition(".")[0], text, evidence, 1000, counted, counted, "x.yaml:1", ivt="givt")


def view(number: int = 0, judged: Verdict | None = None, **more: object) -> View:
    values: dict[str, object] = {
        "id": f"id-{number}",
        "at": START + number * 1_000_000,
        "site": "shop",
        "path": "/offer",
        "campaign": {},
        "click": None,
        "address": "84.46.10.9",
        "network": Network(),
        "agent": "Mozilla/5.0",
        "verdict": judged or verdict(),
    }
    return View(**(values | more))  # type: ignore[arg-type]


def tally(*views: View) -> Tally:
    found = Tally(lambda signal: f"{signal} ({{0}})")
    for each in views:
        found.add(each)
    return found


def test_gross_and_net_and_what_could_not_be_decided() -> None:
    kinds = [Ivt.VALID] * 5 + [Ivt.GIVT] * 3 + [Ivt.SIVT] * 2 + [Ivt.UNDECIDED] * 10
    found = tally(*[view(n, verdict(ivt)) for n, ivt in enumerate(kinds)]).traffic()
    total = found.total
    assert (total.views, total.valid, total.net_of_givt, total.net_of_all) == (20, 5, 17, 15)
    assert found.decision_rate == 0.5


def test_nothing_at_all() -> None:
    found = tally()
    assert found.traffic().decision_rate is None
    assert "no page views" in render(found.traffic(), found.days(), Provenance("nothing"))
    assert "There are no page views" in traffic_page.render(found.traffic(), Provenance("nothing"))


def test_series_by_hour_or_day_without_gaps() -> None:
    short = tally(view(0), view(3 * 3600)).traffic()
    assert (short.step, [c.views for _, c in short.series]) == ("hour", [1, 0, 0, 1])
    long = tally(view(0), view(6 * 86_400)).traffic()
    assert (long.step, len(long.series)) == ("day", 7)
    wrong = tally(
        view(0), view(at=START + 40_000 * DAY)
    ).traffic()  # one line with a wrong date must not make a million columns
    assert len(wrong.series) == 2


def test_reasons_crawlers_and_doubts() -> None:
    verified = verdict(
        Ivt.GIVT,
        Decision.ACCEPT,
        10,
        reason("crawler.verified", "Googlebot", "range"),
        reason("bot.declared_crawler", "bot"),
    )
    claimed = verdict(
        Ivt.GIVT,
        Decision.REVIEW,
        20,
        reason("crawler.unverified", "Bing", counted=0),
        reason("bot.declared_crawler", "bot"),
    )
    lied = verdict(Ivt.SIVT, Decision.REVIEW, 5, reason("crawler.impersonated", "Yandex", "reverse DNS"))
    paid = verdict(Ivt.SIVT, Decision.REVIEW, 40, reason("click.replayed", "2"))
    found = tally(
        view(1, verified), view(2, claimed), view(3, lied), view(4, paid, click=("google", "id")), view(5, claimed)
    ).traffic()
    assert {(c.name, c.how, c.by, c.views) for c in found.crawlers} == {
        ("Googlebot", "proved", "range", 1),
        ("Bing", "only says so", "", 2),
        ("Yandex", "denied", "reverse DNS", 1),
    }
    assert found.reasons[0].signal == "bot.declared_crawler"
    assert (found.reasons[0].views, found.reasons[0].examples) == (3, (("bot", 3),))
    assert "crawler.unverified" not in {row.signal for row in found.reasons}  # weighs nothing, so it is no reason
    assert [(d.view.id, d.alike) for d in found.doubtful] == [("id-4", 1), ("id-3", 1), ("id-2", 2)]
    assert [share.name for share in found.platforms] == ["Google Ads"]


def test_memory_is_bounded() -> None:
    tops, counts = Tops(100), Counts(100)
    for number in range(10_000):
        for name in ("often", f"once {number}"):
            tops[name].add(verdict())
            counts.add(name)
    assert len(tops) <= 100
    assert tops.cut
    assert tops.most(1)[0][1].views == 10_000
    assert counts.most(1) == [("often", 10_000)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The request was made by a program ({0}), not by a browser", "The request was made by a program, not by a browser"),
        ("{0} page views within {1} from one address (browsers: {2})", "Many page views within a short time from one address"),
        ("A crawler that proved who it is: {0}, by {1}", "A crawler that proved who it is"),
        ("An ad platform checks: {0}, proved by {1}; let it in", "An ad platform checks; let it in"),
        ("This click id came {0} times (first {1} ago), now from {2}", "This click id came several times"),
        ("The request names no browser at all", "The request names no browser at all"),
    ],
)  # fmt: skip
def test_texts_without_their_evidence(text: str, shown: str) -> None:
    assert general_text(text) == shown


def test_every_shipped_text_reads_without_its_evidence() -> None:
    from rules import loader

    for weight in loader.load().weights.values():
        shown = general_text(weight.text)
        assert "{" not in shown, weight.id
        assert not re.search(r"\(\s*\)|\s[,;:]", shown), (weight.id, shown)


def test_names() -> None:
    assert campaign_name({"utm_campaign": "spring", "utm_source": "google"}) == "spring (google)"
    assert campaign_name({"campaignid": "4711"}) == "campaign 4711"
    assert campaign_name({"utm_source": "newsletter"}) == "source newsletter"
    assert campaign_name({"utm_term": "x"}) == ""
    assert cut_address("84.46.10.9") == "84.46.10.0/24"
    assert cut_address("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network_name(Network(labels=("hosting:Hetzner",)), None) == "Hetzner (data centre)"
    assert network_name(Network(asn=64500, organisation="Example AG"), None) == "Example AG"
    assert network_name(None, "84.46.10.9") == "84.46.10.0/24"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "|calc", "＝1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert safe(cell).startswith("'")
    assert not re.search(r"[\x00-\x1f]", safe(cell))


def test_csv_rows() -> None:
    stream = io.StringIO(newline="")
    writer = FlaggedCsv(stream)
    judged = verdict(
        Ivt.GIVT, Decision.REVIEW, 20, reason("a.b", text="weak", counted=300), reason("a.c", text="strong")
    )
    evil = '=HYPERLINK("http://x")'
    writer.write(
        view(1, judged, agent=evil + "\nnext", click=("google", "-Abc"), campaign={"utm_campaign": "Fr\u00fchling"})
    )
    row = next(iter(csv.DictReader(io.StringIO(stream.getvalue(), newline=""))))
    assert list(row) == list(COLUMNS)
    assert row["user_agent"] == f"'{evil} next"
    assert row["click_id"] == "'-Abc"
    assert row["campaign"] == "Fr\u00fchling"
    assert row["reasons"] == "strong; weak"
    assert row["address"] == "84.46.10.9"
    assert writer.rows == 1


def test_page_escapes_what_visitors_wrote_and_loads_nothing() -> None:
    nasty = '"><script>alert(1)</script>'
    judged = verdict(Ivt.SIVT, Decision.REVIEW, 5, reason("bot.declared_crawler", nasty, text=nasty))
    found = tally(
        view(1, judged, agent=nasty, path=nasty, campaign={"utm_campaign": nasty}, network=Network(organisation=nasty))
    )
    page = traffic_page.render(found.traffic(), Provenance(nasty, (("Lines", nasty),), (nasty,)))
    assert "<script" not in page
    assert re.findall(r"(?:src|href)=\"(?!data:,)", page) == []
    assert "url(" not in page
    assert "@import" not in page


def test_text_columns_and_percentages() -> None:
    assert table([("name", "views"), ("a", 1200), ("bb", 3)]) == ["  name  views", "  a     1,200", "  bb        3"]
    assert [percent(1, 3), percent(1, 100_000), percent(99_999, 100_000), percent(0, 0), percent(0, 5)] == [
        *("33.3 %", "<0.1 %", ">99.9 %", "-", "0.0 %"),
    ]


def test_the_reference_names_every_column(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs/reference/replay.md").read_text("utf-8")
    listed = text[text.index("Columns of the CSV:") : text.index("It is UTF-8")]
    assert re.findall(r"`(\w+)`", listed) == list(COLUMNS)


def test_the_page_links_to_whom_the_data_is_owed() -> None:
    """The licence of the shipped database asks for a visible link on pages that show results."""
    credit = "IP Geolocation by DB-IP (https://db-ip.com/), <b> and NRO (https://www.nro.net/), CC BY 4.0"
    traffic = tally().traffic()
    page = traffic_page.render(traffic, Provenance("a log", credit=credit))
    assert '<a href="https://db-ip.com/" rel="noreferrer">IP Geolocation by DB-IP</a>' in page
    assert '<a href="https://www.nro.net/" rel="noreferrer">NRO</a>' in page and "<b>" not in page
    assert "db-ip" not in traffic_page.render(traffic, Provenance("a log"))
