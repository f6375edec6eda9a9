"""Which texts meet: near duplicates nearly always, others practically never, whatever the language; and what a form counts of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.behaviour import Similar
from detectors.observation import (
    Client,
    Kind,
    Lead,
    Page,
    Request,
    Unavailable,
    Velocity,
)
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.facts.similar import BANDS, LEAST_WORDS, MOST_WORDS, Sketch, name_of, of_text, sketch
from gateway.model import new_id
from gateway.stores.hot.memory import MemoryState
from geoip.network import Network

START = 1_780_000_000_000_000
SECOND = 1_000_000
PITCH = (
    "Hello Maria, I came across your web site and noticed that it does not rank for the searches your customers use. Our team of certified "
    "specialists can bring you to the first page within 90 days. May I send you a free audit and our price list? See https://rank.example/a1"
)
ENQUIRIES = (
    "We are planning to renovate the bathroom on the first floor and would like an offer for tiles, shower and a new window.",
    "Wir suchen für unseren Betrieb in Kassel einen Wartungsvertrag für drei Aufzüge, am liebsten ab dem kommenden Frühjahr.",
    "Pourriez-vous me dire si la maison du numéro douze est encore à louer et à partir de quelle date on peut la visiter ?",
    "Quisiera saber cuánto cuesta cambiar las ventanas de un piso de setenta metros cuadrados en el centro de la ciudad.",
    "Хотел бы узнать стоимость установки натяжного потолка в двухкомнатной квартире и сроки выполнения работ в мае.",
    "我们公司想了解一下贵公司的仓储服务价格以及从上海到广州的运输时间，请尽快与我联系。",
    "来月の引っ越しについて見積もりをお願いしたいのですが、平日の午前中に作業は可能でしょうか。",
)


def meet(a: Sketch | None, b: Sketch | None) -> bool:
    assert a is not None
    assert b is not None
    return bool(set(a.bands) & set(b.bands))


def test_unrelated_texts_do_not_meet() -> None:
    sketches = [of_text(text) for text in (*ENQUIRIES, PITCH)]
    for at, one in enumerate(sketches):
        assert not any(meet(one, other) for other in sketches[:at])


@pytest.mark.parametrize("text", [*ENQUIRIES, PITCH])
def test_a_text_meets_itself_with_a_word_more(text: str) -> None:
    more = of_text(text.replace(" ", " really ", 1) if " " in text else text[:9] + "很" + text[9:])
    assert meet(of_text(text), more)


def test_what_a_template_fills_in_does_not_count() -> None:
    one = of_text(PITCH, ["Eric Jones"])
    other = of_text(
        PITCH.replace("Hello Maria", "Good morning").replace("a1", "zz9?x=1").replace("90", "120").upper(), ["Ann Lee"]
    )
    assert one is not None
    assert other is not None
    assert meet(one, other)
    again = of_text(PITCH.replace("rank.example/a1", "other.example/b"), ["Eric Jones"])
    assert again is not None
    assert again.exact == one.exact


def test_near_duplicates_meet_nineteen_times_in_twenty() -> None:
    rnd = random.Random(7)
    vocabulary = sorted({word for text in ENQUIRIES[:2] for word in text.split()})
    met = tried = 0
    for _ in range(400):
        words = [rnd.choice(vocabulary) + str(rnd.choice("abcdefg")) for _ in range(rnd.randint(12, 90))]
        changed = list(words)
        for _ in range(max(1, len(words) // 16)):  # each takes two pairs away and adds two: similarity 0.75 to 0.85
            changed[rnd.randrange(len(words))] = "other"
        tried += 1
        met += meet(of_text(" ".join(words)), of_text(" ".join(changed)))
    assert met / tried > 0.95


@pytest.mark.parametrize(
    "text",
    [
        "मुझे अपने घर के बाथरूम की मरम्मत के लिए कीमत का अनुमान चाहिए, कृपया कल सुबह फोन करें।",
        "எனக்கு என் வீட்டின் கூரைக்கு சூரிய தகடுகளின் விலை வேண்டும், மாலையில் அழைக்கவும் நன்றி",
    ],
)
def test_words_in_scripts_of_india_are_compared(text: str) -> None:
    found = of_text(text)
    assert found is not None
    assert found.words == len(text.split())


def test_words_are_the_same_beside_letters_of_other_scripts() -> None:
    plain, other = of_text(PITCH + " _a_b_ 12%"), of_text(PITCH + " _a_b_ 12% €")
    assert plain is not None
    assert plain == other


def test_short_texts_are_not_compared() -> None:
    assert of_text("please call me back as soon as") is None
    found = of_text("please call me back as soon as possible")
    assert found is not None
    assert found.words == LEAST_WORDS


@given(st.text(max_size=300))
def test_any_text_is_compared_or_not(text: str) -> None:
    found = of_text(text, [text[:30]])
    assert found is None or (LEAST_WORDS <= found.words <= MOST_WORDS and len(found.bands) == BANDS)


def test_hostile_texts_are_cut() -> None:
    for text in ("a" * 4000, "a1" * 2000, "@" * 4000, "http://" * 500, "<" * 4000, "人" * 4000, "a " * 2000):
        found = of_text(text)
        assert found is None or found.words <= MOST_WORDS


def test_keys_are_what_they_were() -> None:
    """A shared state is read by processes of several versions."""
    found = of_text(PITCH)
    assert found is not None
    assert found.bands[0].hex() == "4046a910a762a401e2dccc6be8c7fec4"


def test_names_in_any_order_and_spelling() -> None:
    def name(**roles: str) -> str:
        return name_of(Lead("quote", (), {role: (value,) for role, value in roles.items()}))

    assert name(full_name="José Núñez") == name(first_name="nunez", last_name="JOSE") == "jose nunez"
    assert name(full_name="Maria") == name() == ""


def lead(text: str, **roles: str) -> Lead:
    return Lead("quote", (), {"message": (text,), **{role: (value,) for role, value in roles.items()}})


def arrival(text: str, number: int = 1, **changes: object) -> Arrival:
    email = f"user{number}@example.com"
    given: dict[str, object] = {
        "id": new_id(),
        "kind": Kind.SUBMISSION,
        "site": "acme",
        "at": START + number * SECOND,
        "client": Client(f"198.51.{number}.7", 4711),
        "request": Request("POST", "/lead", (("Host", "acme.example"), ("User-Agent", "x"))),
        "page": Page("acme.example", "/lead"),
        "lead": lead(text, full_name="Ada Smith", email=email, phone="+441632960961"),
        "content": number.to_bytes(16, "big"),
        "contacts": (("email", email), ("phone", "+441632960961")),
    }
    return Arrival(**(given | changes))  # type: ignore[arg-type]


def collector() -> Collector:
    async def reverse(address: str) -> Unavailable:
        return Unavailable("test")

    return Collector(b"k" * 32, MemoryState(), lambda _: Network(64500), reverse, lambda *_: False)


async def test_copies_are_counted_over_forms_and_networks() -> None:
    facts = collector()
    for number in range(1, 6):
        found = await facts.gather(arrival(PITCH.replace("90", str(number)), number))
    assert found.similar == Similar(5, 5, 48, form=5, known_s=4, form_known_s=4)
    other = await facts.gather(arrival(PITCH, 9, lead=Lead("contact", (), {"message": (PITCH,)})))
    assert other.similar == Similar(6, 6, 48, form=1, known_s=8, form_known_s=0)
    elsewhere = await facts.gather(arrival(PITCH, 10, site="other"))
    assert elsewhere.similar == Similar(1, 1, 48, form=1)


async def test_contacts_cross() -> None:
    facts = collector()
    for number in range(1, 5):
        found = await facts.gather(arrival(PITCH, number))
    assert isinstance(found.velocity, Velocity)
    flat = found.velocity.flat()
    distinct = {name: flat[f"{name}/3600"].distinct for name in ("phone_emails", "phone_names", "name_emails")}
    assert distinct == {"phone_emails": 4, "phone_names": 1, "name_emails": 4}
    assert flat["email_phones/3600"].count == 1
    assert flat["text_emails/3600"].distinct == 4
    assert flat["form/3600"].count == 4


async def test_a_short_text_has_no_such_fact() -> None:
    found = await collector().gather(arrival("Call me"))
    assert found.similar is None
    assert isinstance(found.velocity, Velocity)
    assert "text_emails" not in found.velocity.counts
    assert sketch(lead("Call me")) is None


async def test_nothing_is_counted_as_if() -> None:
    facts = collector()
    await facts.gather(arrival(PITCH), dry=True)
    assert (await facts.gather(arrival(PITCH))).similar == Similar(1, 1, 48, form=1)
