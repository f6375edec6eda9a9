"""Referrers: only names that sell traffic, and values that are none."""

from __future__ import annotations

import pytest

from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.reference import Reference
from detectors.referrer import detect

REF = Reference.builtin()
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://www.google.com/", []),
        ("https://seo-agency.example/blog/traffic", []),
        ("android-app://com.google.android.gm/", []),
        ("", []),
        ("http://buttons-for-website.com/?x", [("referrer.spam", ("buttons-for-website.com",))]),
        ("HTTP://Semalt.COM/a", [("referrer.spam", ("semalt.com",))]),
        ("1' or 1=1", [("referrer.malformed", ())]),
        ("http://user:secret@host.example/", [("referrer.malformed", ())]),
        ("-", [("referrer.malformed", ())]),
    ],
)
def test_referrers(value: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    unknown = Unavailable("off")
    request = Request("GET", "/", (("User-Agent", CHROME), ("Referer", value)))
    obs = Observation(Kind.LANDING, "s", 0, Page("h", "/"), Client("192.0.2.1"), request, unknown, unknown)
    assert [(signal.id, signal.evidence) for signal in detect(obs, REF)] == expected
