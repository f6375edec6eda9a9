"""Language against country: silent for everybody who has any reason to be where he is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.locale import STRENGTH, detect
from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.reference import Reference, SiteSettings
from detectors.signal import Signal
from geoip.network import Network

REF = Reference.builtin()
HOME = Network(64500, "Example Telecom", "BR", (), "consumer")
ODD = [Signal("network.language_country", ("vi", "BR"), STRENGTH)]


def found(
    language: str | None, network: Network | Unavailable = HOME, site: tuple[str, ...] = (), complete: bool = True
) -> list[Signal]:
    headers = () if language is None else (("Accept-Language", language),)
    request = Request("GET", "/", headers, complete=complete)
    unknown = Unavailable("off")
    obs = Observation(Kind.LANDING, "s", 0, Page("h", "/"), Client("192.0.2.1"), request, network, unknown)
    return list(detect(obs, REF.with_site(SiteSettings(languages=site))))


def test_a_language_that_nobody_reads_there() -> None:
    assert found("vi-VN,vi;q=0.9") == ODD
    assert found("vi") == ODD


@pytest.mark.parametrize(
    "language",
    [
        "pt-BR,pt;q=0.9",
        "vi-VN,vi;q=0.9,en-US;q=0.8,en;q=0.7",  # English everywhere
        "vi,pt;q=0.5",
        "es-AR",  # near
        "de-DE",  # large communities
        "*",
        "",
        None,
        "vi; drop table",
        ",".join(["vi"] * 40),
        "x" * 5000,
    ],
)
def test_silent(language: str | None) -> None:
    assert found(language) == []


@pytest.mark.parametrize(("language", "site"), [("nb-NO,nb;q=0.9", "no"), ("iw-IL", "he"), ("fil", "tl"), ("vi", "vi")])
def test_silent_where_the_site_speaks_it(language: str, site: str) -> None:
    assert found(language) != []
    assert found(language, site=(site,)) == []


@pytest.mark.parametrize("kind", ["mobile", "vpn", "relay", "tor", "proxy", "hosting", "education", "business", ""])
def test_only_homes_are_looked_at(kind: str) -> None:
    assert found("vi", Network(64500, "Example", "BR", (), kind)) == []


def test_silent_without_the_facts() -> None:
    assert found("vi", Unavailable("no database")) == []
    assert found("vi", Network(64500, "Example", None, (), "consumer")) == []
    assert found("vi", Network(64500, "Example", "AQ", (), "consumer")) == []
    assert found("vi", complete=False) == []
    assert found("vi", site=("vi", "de")) == []


@pytest.mark.parametrize(
    ("language", "country"),
    [("tr", "DE"), ("ru-RU", "DE"), ("pl", "GB"), ("zh-CN", "US"), ("nb-NO", "SE"), ("sr-Latn-RS", "HR"), ("id", "MY"),
     ("ar", "FR"), ("uk-UA,uk", "PL"), ("iw-IL", "IL"), ("fil", "PH"), ("no", "NO"), ("yue", "HK")],
)  # fmt: skip
def test_people_who_moved_or_speak_a_neighbours_language(language: str, country: str) -> None:
    assert found(language, Network(64500, "Example", country, (), "consumer")) == []


def test_the_table_is_whole() -> None:
    read = REF.languages._read
    assert len(read) > 180
    assert all(len(country) == 2 and country.isupper() for country in read)
    assert all(isinstance(code, str) and code.islower() for codes in read.values() for code in codes)
    assert replace(REF, languages=REF.languages).content_hash == REF.content_hash
