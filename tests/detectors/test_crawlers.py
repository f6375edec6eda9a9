"""Who may say to be a crawler, and when DNS has to be asked."""

from __future__ import annotations

import pytest

from detectors.crawler_operators import Crawlers
from detectors.crawlers import claims, needs_reverse
from geoip.published import builtin

GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def test_the_most_specific_claim_counts() -> None:
    ads = claims(
        "Mozilla/5.0 (Linux; Android 6) Chrome/144 Mobile Safari (compatible; AdsBot-Google-Mobile; +http://www.google.com/x)"
    )
    assert ads is not None
    assert (ads.name, ads.ads) == ("google-ads", True)
    assert claims("Mozilla/5.0 (Windows NT 10.0) Chrome/144.0.0.0") is None
    assert claims("") is None
    assert claims("x" * 600 + "Googlebot") is None


@pytest.mark.parametrize(
    ("agent", "host", "expected"),
    [
        (GOOGLE, "crawl-66-249-66-1.googlebot.com", True),
        (GOOGLE, "googlebot.com", False),
        (GOOGLE, "crawl.notgooglebot.com", False),
        (GOOGLE, "crawl.googlebot.com.evil.example", False),
        (GOOGLE, "rate-limited-proxy-1-2-3-4.google.com", False),
        ("AdsBot-Google (+http://www.google.com/adsbot.html)", "rate-limited-proxy-1-2-3-4.google.com", True),
        (
            "AdsBot-Google (+http://www.google.com/adsbot.html)",
            "rate-limited-proxy-1-2-3-4.google.com.evil.example",
            False,
        ),
        ("AdsBot-Google (+http://www.google.com/adsbot.html)", "rate-limited-proxy-1.evil.example", False),
        ("bingbot/2.0", "msnbot-157-55-39-1.search.msn.com", True),
        ("bingbot/2.0", "", False),
    ],
)
def test_host_names_that_confirm(agent: str, host: str, expected: bool) -> None:
    operator = claims(agent)
    assert operator is not None
    assert operator.confirms(host) is expected


def test_dns_is_asked_only_where_it_can_tell_something() -> None:
    assert needs_reverse(GOOGLE, ("hosting:Google Cloud",))
    assert not needs_reverse(GOOGLE, ("crawler:googlebot",))
    assert not needs_reverse("Mozilla/5.0 (compatible; GPTBot/1.3)", ())  # publishes ranges only
    assert not needs_reverse("Mozilla/5.0 (Windows NT 10.0) Chrome/144.0.0.0", ())


def test_every_range_of_the_table_is_published_or_has_dns() -> None:
    """A typing error in the table would make true crawlers impostors."""
    published = {entry.label for entry in builtin()}
    for operator in Crawlers.builtin().operators:
        assert operator.dns or operator.ranges & published, operator.name
        unknown = operator.ranges - published
        assert not unknown or operator.dns, (operator.name, unknown)
