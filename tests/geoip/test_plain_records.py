"""Records with the shipped database's fields are read by a short way; what is written in another way must not be."""

from __future__ import annotations

from typing import Any

import pytest

from geoip.mmdb import Facts, facts_of

PLAIN = {
    "autonomous_system_number": 3320,
    "autonomous_system_organization": "Deutsche Telekom AG",
    "country_code": "DE",
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Facts(3320, "Deutsche Telekom AG", "DE")),
        ({"country_code": "de"}, Facts(3320, "Deutsche Telekom AG", "DE")),
        ({"country_code": "D1"}, Facts(3320, "Deutsche Telekom AG", None)),
        ({"country_code": {"iso_code": "DE"}}, Facts(3320, "Deutsche Telekom AG", "DE")),
        ({"autonomous_system_number": "AS3320"}, Facts(3320, "Deutsche Telekom AG", "DE")),
        ({"autonomous_system_number": 0}, Facts(None, "Deutsche Telekom AG", "DE")),
        ({"autonomous_system_organization": ""}, Facts(3320, None, "DE")),
        ({"is_hosting": True}, Facts(3320, "Deutsche Telekom AG", "DE", ("hosting:database",))),
    ],
)
def test_short_and_long_way_agree(changed: dict[str, Any], expected: Facts) -> None:
    assert facts_of(PLAIN | changed) == expected
