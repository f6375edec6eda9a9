"""Free text: what is sold, where it leads, whether it says anything; and all that customers write, which says nothing against them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from detectors.free_text import LONGEST
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import Reference, SiteSettings
from detectors.signal import Signal
from detectors.text import detect

GONE = Unavailable("test")
REFERENCE = Reference.builtin()
BENCH = Path(__file__).parents[2] / "bench"
ENQUIRIES = [(code, text) for code, texts in YAML(typ="safe").load(BENCH / "enquiries.yaml").items() for text in texts]


def found(text: str, languages: tuple[str, ...] = (), lead: Lead | None = None) -> dict[str, Signal]:
    obs = Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page("acme.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        network=GONE,
        velocity=GONE,
        lead=lead or Lead("quote", (), {"message": (text,)}),
    )
    return {s.id: s for s in detect(obs, REFERENCE.with_site(SiteSettings(languages=languages)))}


@pytest.mark.parametrize(("code", "text"), ENQUIRIES, ids=[f"{code}-{at}" for at, (code, _) in enumerate(ENQUIRIES)])
def test_an_ordinary_enquiry_is_no_pitch_in_any_language(code: str, text: str) -> None:
    assert not found(text, (code,)).keys() - {"text.links"}
    assert not found(text.upper(), (code,)).keys() - {"text.links"}


def test_most_pitches_are_found() -> None:
    pitches = YAML(typ="safe").load(BENCH / "pitches.yaml")
    assert sum(bool(found(text)) for text in pitches) >= 0.8 * len(pitches)


def test_what_a_pitch_is_about_counts_only_beside_a_pitch() -> None:
    asked = (
        "Looking for SEO, backlinks, keywords, a landing page, lead generation, conversions, WordPress and web design."
    )
    assert "text.spam_phrases" not in found(asked)
    assert "text.spam_phrases" not in found(f"{asked} Our site: https://keller-bau.example")
    signal = found(f"We found some errors on your website. {asked}")["text.spam_phrases"]
    assert signal.evidence[1:] == ("search engine ranking", "found some errors on your website")
    assert signal.strength == 0.5, "one pitch and three topics"


def test_evidence_names_our_phrases_and_never_the_text() -> None:
    secret = "Geheimnis4711"
    text = f"{secret}: earn money online, {secret} visit my channel {secret} http://{secret}.example/{secret} [url={secret}]x[/url] {{{secret}}}"
    told = " ".join(part for signal in found(text, ("ru",)).values() for part in signal.evidence)
    assert "earn money online" in told
    assert secret.casefold() not in told.casefold()


def test_a_text_that_is_a_link_and_many_links() -> None:
    assert found("https://shop.example.com/x").get("text.links") == Signal(
        "text.links", ("1", "nothing else said"), 0.7
    )
    many = "these are the parts that I need from you: " + " ".join(f"https://a.example/{n}" for n in range(6))
    assert found(many)["text.links"] == Signal("text.links", ("6", "ordinary"), 0.75)
    two = "these are the parts that I need from you: https://a.example/1 https://a.example/2"
    assert "text.links" not in found(two)


@pytest.mark.parametrize("site", ["de", "en", "ru", "ja", "lt"])
def test_a_language_is_never_foreign_at_home_nor_is_english(site: str) -> None:
    for code, text in ENQUIRIES:
        if code in (site, "en"):
            assert "text.language" not in found(text, (site,)), text


def test_a_foreign_language_where_it_is_clear() -> None:
    russian = "Здравствуйте, хотелось бы узнать стоимость ремонта ванной комнаты площадью восемь метров"
    assert found(russian, ("de", "fr"))["text.language"].evidence == ("ru", "de, fr")
    assert not found(russian)
    assert not found(russian, ("ru",))
    assert not found("Перезвоните мне пожалуйста", ("de",)), "too short"
    assert not found("Ich hätte gern ein Angebot für das neue Dach und die Fenster", ("nl", "de"))
    german = "Ich hätte gern ein Angebot für das neue Dach und die Fenster von unserem Haus"
    assert found(german, ("fr",))["text.language"].evidence == ("de", "fr")
    assert not found(german, ("af",)), "a language without a profile cannot be told from its neighbours"


@given(st.text(max_size=500))
def test_any_text_is_judged(text: str) -> None:
    for signal in found(text, ("de",)).values():
        assert 0 < signal.strength <= 1


@pytest.mark.parametrize(
    "part", ["a", "a.", "{", "[", "<a ", "http://", "&lt;", "ab", "@", "www.", "x/", "{a|", "%", "-.", "a.b.c.d."]
)
def test_hostile_texts_are_judged(part: str) -> None:
    found(part * (LONGEST // len(part)), ("de",))


def test_without_a_form() -> None:
    obs = Observation(
        Kind.LANDING, "acme", 0, Page("a", "/"), GONE, Request("GET", "/", ()), network=GONE, velocity=GONE
    )
    assert not list(detect(obs, REFERENCE))
