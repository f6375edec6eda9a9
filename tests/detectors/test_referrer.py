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
        ("https://www.hilaryblog.top/", [("referrer.spam", ("www.hilaryblog.top",))]),
        ("http://akmussale.xyz/", [("referrer.spam", ("akmussale.xyz",))]),
        ("http://uaecdshop.xyz/", [("referrer.spam", ("uaecdshop.xyz",))]),
        ("https://keller-shop.online/", []),  # real shops are there
        ("https://annasblog.com/", []),
        ("https://wholesale.xyz.example/", []),
        ("https://museo.online/", []),  # museums, walks and wishes, no search engines
        ("https://paseos-y-deseo.club/", []),
        ("https://small.club/", []),
        ("https://www.stay-small.online/", []),
        ("https://roof-wholesale.online/", []),
        ("http://oblismall.xyz/", [("referrer.spam", ("oblismall.xyz",))]),
        ("1' or 1=1", [("referrer.malformed", ())]),
        ("http://user:secret@host.example/", [("referrer.malformed", ())]),
        ("-", [("referrer.malformed", ())]),
    ],
)
def test_referrers(value: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(signal.id, signal.evidence) for signal in detect(visit(value), REF)] == expected


def visit(referrer: str, site: str = "h") -> Observation:
    unknown = Unavailable("off")
    request = Request("GET", "/", (("User-Agent", CHROME), ("Referer", referrer)))
    return Observation(Kind.LANDING, "s", 0, Page(site, "/"), Client("192.0.2.1"), request, unknown, unknown)


def test_a_made_up_row_speaks_less_than_a_known_seller() -> None:
    (row,), (seller,) = (list(detect(visit(f"http://{host}/"), REF)) for host in ("akmussale.xyz", "semalt.com"))
    assert row.strength < seller.strength == 1.0


@pytest.mark.parametrize("site", ["kellershop.xyz", "www.kellershop.xyz", "KellerShop.xyz"])
def test_a_site_of_such_a_name_is_no_spam_to_itself(site: str) -> None:
    assert list(detect(visit("https://kellershop.xyz/cart", site), REF)) == []
    assert list(detect(visit("https://kellershop.xyz/cart", "other.example"), REF)) != []
