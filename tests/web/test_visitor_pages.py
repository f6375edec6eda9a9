"""What visitors read from the gateway itself: readable, honest, and free of everything that could fire or tell."""

from __future__ import annotations

import json
import re

import pytest

from gateway.web.pages import TEXTS, page

REFERENCE = "01a200df-1961-714c-9fe7-0e4f16b74a50"


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", TEXTS)
def test_pages_carry_nothing_that_fires_or_tells(name: str) -> None:
    answer = page(name, REFERENCE)
    text = answer.body.decode()
    assert not re.search(r"<script|<img|<link|<iframe|<form|https?://|\$", text)
    assert not re.search(r"score|quality|signal|automated|bot\b|spam|fraud|blocked", text, re.IGNORECASE)
    headers = dict(answer.headers)
    assert headers[b"Cache-Control"] == b"no-store"
    assert b"default-src 'none'" in headers[b"Content-Security-Policy"]
    assert f"<title>{TEXTS[name].title}</title>" in text
    assert REFERENCE in text
    assert REFERENCE not in page(name).body.decode()


@pytest.mark.parametrize("name", TEXTS)
def test_colours_can_be_read_on_light_and_dark(name: str) -> None:
    look = TEXTS[name].look
    assert contrast(look.mark, "#ffffff") >= 4.5
    assert contrast(look.mark_dark, "#0f1318") >= 4.5
    assert contrast(look.mark_dark, "#181e26") >= 4.5


def test_a_reference_cannot_bring_markup() -> None:
    assert b"<b>" not in page("received", "<b>x</b>").body


@pytest.mark.parametrize(("name", "status"), [("received", 202), ("declined", 403), ("kept", 502), ("too_large", 413)])
def test_json_says_the_same(name: str, status: int) -> None:
    answer = page(name, REFERENCE, style="json")
    told = json.loads(answer.body)
    assert (answer.status, told["reference"]) == (status, REFERENCE)
    assert told["message"].startswith(TEXTS[name].title)


def test_a_redirect_leads_to_our_own_copy() -> None:
    answer = page("received", REFERENCE, style="redirect")
    assert (answer.status, dict(answer.headers)[b"Location"]) == (303, f"/_lg/received?reference={REFERENCE}".encode())
    assert page("too_large", style="redirect").status == 413
