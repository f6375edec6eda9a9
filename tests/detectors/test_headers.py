"""Headers against the claimed browser: what is impossible, what is missing, what is out of place. Real heads are in
tests/corpus."""

from __future__ import annotations

import pytest

from detectors.browsers import claimed
from detectors.client_hints import contradictions, expected_brands
from detectors.header_orders import HeaderOrders
from detectors.headers import _impossible, _language_defect, detect
from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.reference import Reference

REF = Reference.builtin()
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
)
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Mobile Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "family", "major", "platform", "embedded"),
    [
        (CHROME.format(144), "chromium", 144, "Windows", False),
        (PHONE, "chromium", 144, "Android", False),
        (PHONE.replace("; K)", "; K; wv)"), "chromium", 144, "Android", True),
        (PHONE.replace("Chrome/", "Version/4.0 Chrome/"), "chromium", 144, "Android", True),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "firefox", 153, "Linux", False),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.6 Mobile/15E148"
            " Safari/604.1",
            "safari",
            26,
            "iOS",
            False,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/144.0 Mobile/15E148"
            " Safari/604.1",
            "",
            0,
            "",
            False,
        ),
        ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "", 0, "", False),
        (CHROME.format(64) + " Edge/17.17134", "", 0, "", False),
        ("curl/8", "", 0, "", False),
        ("", "", 0, "", False),
    ],
)
def test_claimed_browser(agent: str, family: str, major: int, platform: str, embedded: bool) -> None:
    browser = claimed(agent)
    assert (browser.family, browser.major, browser.platform, browser.embedded) == (family, major, platform, embedded)


@pytest.mark.parametrize(
    ("version", "sent"),  # as seen from these versions of Chrome
    [
        (120, '"Not_A Brand";v="8", "Chromium";v="120", "Google Chrome";v="120"'),
        (124, '"Chromium";v="124", "Google Chrome";v="124", "Not-A.Brand";v="99"'),
        (131, '"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"'),
    ],
)
def test_made_up_brand_and_order_follow_the_version(version: int, sent: str) -> None:
    assert ", ".join(f'"{brand}";v="{number}"' for brand, number in expected_brands(version, "Google Chrome")) == sent
    assert contradictions(CHROME.format(version), sent, "?0", '"Windows"') == ()
    assert contradictions(CHROME.format(version + 1), sent, "?0", '"Windows"') == (
        f"sec-ch-ua {version} with {version + 1}",
    )


@pytest.mark.parametrize(
    ("agent", "hints", "expected"),
    [
        (CHROME.format(124), (None, None, None), 0),
        (CHROME.format(124), (None, "?1", None), 1),
        (PHONE, (None, "?1", '"Android"'), 0),
        (PHONE, (None, "?1", '"Windows"'), 1),
        (CHROME.format(124), ("", "?0", '"Windows"'), 1),
        (CHROME.format(124), ('"Google Chrome";v="124"', None, None), 1),
        (
            CHROME.format(124) + " Edg/124.0",
            ('"Chromium";v="124", "Google Chrome";v="124", "Not-A.Brand";v="99"', None, None),
            1,
        ),
        ("curl/8", ('"Chromium";v="124"', None, None), 0),
        (CHROME.format(124), ('"Google Chrome";v="124", "Chromium";v="124", "Not-A.Brand";v="99"', None, None), 1),
        (CHROME.format(124), ('"' * 9000, "?" * 9000, "x" * 9000), 1),
    ],
)
def test_hints_against_the_agent(agent: str, hints: tuple[str | None, str | None, str | None], expected: int) -> None:
    found = contradictions(agent, *hints)
    assert (len(found) > 0) == bool(expected), found
    assert all(len(words) < 120 for words in found)


@pytest.mark.parametrize(
    ("values", "possible"),
    [
        (("none", "navigate", "document", "?1"), True),
        (("cross-site", "navigate", "document", None), True),
        (("same-origin", "navigate", "iframe", None), True),
        (("same-origin", "cors", "empty", None), True),
        (("cross-site", "no-cors", "image", None), True),
        (("cross-site", "no-cors", "script", None), True),
        ((None, None, None, None), True),
        (("same-origin", "navigate", "empty", None), False),
        (("none", "cors", "empty", None), False),
        (("same-origin", "cors", "document", None), False),
        (("same-origin", "cors", "empty", "?1"), False),
        (("none", "navigate", "document", "?0"), False),
        (("anywhere", "navigate", "document", None), False),
        (("none", "browse", "document", None), False),
        ((None, "navigate", "document", None), False),
        ((None, None, None, "?1"), False),
        (("cross-site", "no-cors", "nonsense", None), False),
    ],
)
def test_fetch_metadata(values: tuple[str | None, str | None, str | None, str | None], possible: bool) -> None:
    assert (_impossible(*values) is None) is possible


@pytest.mark.parametrize(
    ("value", "defect"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", None),
        ("de, en-gb;q=0.8, en;q=0.7", None),
        ("zh-Hant-TW", None),
        ("*", None),
        ("en-US;q=1.0", "q=1 written out"),
        ("en-US,en;q=1", "q=1 written out"),
        ("en;q=0.1", None),
        ("", "empty"),
        ("en_US", "not a language tag"),
        ("en,,de", "empty part"),
    ],
)
def test_languages(value: str, defect: str | None) -> None:
    assert _language_defect(value) == defect


def test_first_misplaced_header_is_named() -> None:
    table = {
        "names": ["Host", "sec-ch-ua", "User-Agent"],
        "get": [["host", "user-agent", "sec-ch-ua", "c"], ["host", "c", "user-agent", "sec-ch-ua"]],
        "post": [["host"]],
        "script": [["host"]],
    }
    orders = HeaderOrders({"chromium": table}, "x")

    def found(*names: str) -> tuple[object, object]:
        return tuple(orders.check("chromium", "get", names))

    assert found("Host", "User-Agent", "X-New", "sec-ch-ua", "C") == (None, None)
    assert found("Host", "C", "User-Agent") == (None, None)
    assert found("Host", "sec-ch-ua", "C", "User-Agent") == (("user-agent", "c"), None)
    assert found("User-Agent", "Host") == (("host", "user-agent"), None)
    assert found("Host", "User-Agent", "Sec-Ch-Ua") == (None, "Sec-Ch-Ua")
    assert found("Host", "x-own", "User-Agent") == (None, None)
    assert not orders.knows("chromium", 109)
    assert not orders.knows("safari", 26)


def _found(agent: str, *headers: tuple[str, str], ordered: bool = True) -> dict[str, float]:
    unknown = Unavailable("off")
    request = Request("GET", "/", (("User-Agent", agent), *headers), ordered=ordered)
    obs = Observation(Kind.LANDING, "s", 0, Page("h", "/"), Client("192.0.2.1"), request, unknown, unknown)
    return {signal.id: signal.strength for signal in detect(obs, REF)}


def test_order_is_judged_only_where_nothing_rewrites_it() -> None:
    assert {"header.order", "header.case"} <= _found(CHROME.format(144), ("host", "h")).keys()
    assert _found(CHROME.format(144), ("host", "h"), ordered=False).keys() & {"header.order", "header.case"} == set()
    assert "header.order" not in _found(CHROME.format(100), ("Host", "h"))  # too old to know


def test_safari_spells_host_with_a_capital() -> None:
    safari = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/26.6 Mobile/15E148 Safari/604.1"
    )
    assert 0 < _found(safari, ("host", "h"))["header.case"] < _found(CHROME.format(144), ("host", "h"))["header.case"]
    assert "header.case" not in _found(safari, ("Host", "h"), ("accept", "*/*"))
    assert "header.case" not in _found(safari, ("host", "h"), ordered=False)
    app = safari.replace("Version/26.6 ", "").replace(" Safari/604.1", " Instagram 300.0")
    assert "header.case" not in _found(app, ("host", "h"))


def test_a_typed_address_has_no_referring_page_except_in_apps() -> None:
    typed = (("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"), ("Referer", "https://www.google.com/"))
    assert "header.fetch_metadata" in _found(CHROME.format(144), *typed)
    assert "header.fetch_metadata" not in _found(PHONE, *typed)
    assert "header.fetch_metadata" not in _found(CHROME.format(144) + " Electron/39.0", *typed)
    assert "header.fetch_metadata" not in _found(CHROME.format(144), *typed[:2])
