"""Free text: what is sold, where it leads, whether it says anything; and all that customers write, which says nothing against them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from detectors.free_text import LONGEST, free_texts
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import Reference, SiteSettings
from detectors.signal import Signal
from detectors.text import detect
from detectors.text_gibberish import judge
from detectors.text_links import links, markup, template_marks
from detectors.text_lists import Texts
from detectors.text_phrases import Phrases, plain
from gateway.config.languages import CODES

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
    signal = found(f"We found some errors on your website. {asked}")["text.spam_phrases"]
    assert signal.evidence[1:] == ("search engine ranking", "found some errors on your website")
    assert signal.strength == 0.5, "one pitch and three topics"


def test_evidence_names_our_phrases_and_never_the_text() -> None:
    secret = "Geheimnis4711"
    text = f"{secret}: earn money online, {secret} visit my channel {secret} http://{secret}.example/{secret} [url={secret}]x[/url] {{{secret}}}"
    told = " ".join(part for signal in found(text, ("ru",)).values() for part in signal.evidence)
    assert "earn money online" in told
    assert secret.casefold() not in told.casefold()


@pytest.mark.parametrize(
    ("text", "number", "kinds"),
    [
        ("nothing", 0, ()),
        ("see https://www.a.example/x and http://a.example/x.", 1, ()),
        ("www.keller-bau.de, keller@bau.com", 1, ()),
        ("Thanks.to all of you. It works.me too", 0, ()),
        ("t.me/promo and https://bit.ly/3x", 2, ("shortened", "invitation to a chat")),
        ("https://chat.whatsapp.com/abc", 1, ("invitation to a chat",)),
        ("shop.example.com/a shop.example.com/b", 2, ()),
    ],
)
def test_links(text: str, number: int, kinds: tuple[str, ...]) -> None:
    lists = Texts.builtin()
    told = links(text, lists.shorteners, lists.invitations)
    assert (told.number, told.kinds) == (number, kinds)


def test_a_text_that_is_a_link_and_many_links() -> None:
    assert found("https://shop.example.com/x").get("text.links") == Signal(
        "text.links", ("1", "nothing else said"), 0.7
    )
    many = "these are the parts that I need from you: " + " ".join(f"https://a.example/{n}" for n in range(6))
    assert found(many)["text.links"] == Signal("text.links", ("6", "ordinary"), 0.75)
    two = "these are the parts that I need from you: https://a.example/1 https://a.example/2"
    assert "text.links" not in found(two)


def test_markup_and_templates() -> None:
    assert markup('<a href="x">y</a> [b]z[/b] [q](https://a.example)') == ("HTML links", "BBCode", "Markdown links")
    assert markup("a < b and b > c [sic]") == ()
    assert template_marks("Hi {first_name} of [Company], {we|our team} %company%") == 4
    assert template_marks("{see the drawing} [in cm] 5 % off #3") == 0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("asdfasdf asdf asdfg", "rows of keys"),
        ("lkjlkj lkj lkjlkj", "one part again and again"),
        ("hdfkjhs dfkjhxc sdkfjhsdf", "random letters"),
        ("Lorem ipsum dolor sit amet, consectetur", "filler text"),
        ("hahahahahahahaha", None),
        ("Bhubaneswar Jharkhand Mukherjee Krishnamurthy", None),
        ("TDI GTI VW BMW HSN VHB KFZ PKW LKW", None),
        ("no", None),
        ("Здравствуйте, перезвоните", None),
    ],
)
def test_gibberish(text: str, kind: str | None) -> None:
    told = judge(text, 12, 0.6)
    assert (told.kind if told else None) == kind


def test_random_letters_are_mostly_found() -> None:
    rnd = random.Random(3)
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [" ".join("".join(rnd.choices(letters, k=rnd.randint(6, 14))) for _ in range(4)) for _ in range(300)]
    assert sum(judge(text, 12, 0.6) is not None for text in texts) > 0.85 * len(texts)


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


def test_which_fields_are_texts() -> None:
    long = "words " * 30
    fields = (
        ("email", "a@example.com"),
        ("your-message", "I would like to know the price"),
        ("option", "a roof of tiles for a house"),
        ("page", "https://acme.example/offer?x=1"),
        ("state", '{"a": "b c d e f g h"}'),
        ("other", long),
    )
    assert free_texts(Lead("quote", fields, {"email": ("a@example.com",)})) == ["I would like to know the price", long]
    assert free_texts(Lead("quote", (("m", "x"),), {"message": ("y" * 9000,)})) == ["y" * LONGEST]
    assert free_texts(Lead("quote", ())) == []


def test_languages_of_the_settings_are_those_of_the_lists() -> None:
    assert Texts.builtin().languages.codes == CODES


def test_phrases_stand_as_whole_words_and_disguises_are_undone() -> None:
    phrases = Phrases({"categories": {"a": {"pitch": ["free spins", "賭場"], "topic": ["seo", "back*"]}}})
    assert [f.phrase for f in phrases.find(plain("FREE\u200b  ｓｐｉｎｓ! museo backlinks 在賭場玩"))] == [
        "free spins",
        "賭場",
        "back*",
    ]
    assert phrases.find(plain("freespins museo")) == []


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
