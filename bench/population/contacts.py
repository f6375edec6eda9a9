"""How people are reached, and what they write: addresses at free, corporate, university and relay providers, numbers of their country, texts."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from ruamel.yaml import YAML

from bench.population.names import Name

FREE = (
    "gmail.com",
    "gmail.com",
    "gmail.com",
    "outlook.com",
    "hotmail.com",
    "yahoo.com",
    "icloud.com",
    "live.com",
    "aol.com",
    "proton.me",
    "gmx.net",
)
FREE_AT_HOME = {
    "DE": ("web.de", "gmx.de", "t-online.de", "freenet.de", "posteo.de"), "AT": ("gmx.at", "aon.at"), "CH": ("bluewin.ch", "hispeed.ch"),
    "FR": ("orange.fr", "free.fr", "laposte.net", "wanadoo.fr", "sfr.fr"), "IT": ("libero.it", "virgilio.it", "tiscali.it", "alice.it"),
    "PL": ("wp.pl", "onet.pl", "o2.pl", "interia.pl"), "CZ": ("seznam.cz", "centrum.cz"), "RU": ("mail.ru", "yandex.ru", "rambler.ru"),
    "UA": ("ukr.net", "i.ua"), "CN": ("qq.com", "163.com", "126.com", "sina.com"), "JP": ("docomo.ne.jp", "ezweb.ne.jp", "yahoo.co.jp"),
    "KR": ("naver.com", "daum.net", "hanmail.net"), "IN": ("rediffmail.com", "yahoo.co.in"), "BR": ("uol.com.br", "bol.com.br", "terra.com.br"),
    "PT": ("sapo.pt",), "NL": ("ziggo.nl", "kpnmail.nl", "planet.nl"), "BE": ("skynet.be", "telenet.be"), "GB": ("btinternet.com", "sky.com"),
    "US": ("comcast.net", "verizon.net", "att.net"), "HU": ("freemail.hu", "citromail.hu"), "BG": ("abv.bg",), "LT": ("inbox.lt",),
}  # fmt: skip
RELAYS = ("privaterelay.appleid.com", "mozmail.com", "duck.com", "simplelogin.com")
UNIVERSITIES = (
    "stanford.edu",
    "uni-kassel.de",
    "student.tudelft.nl",
    "mail.utoronto.ca",
    "ox.ac.uk",
    "unibo.it",
    "uw.edu.pl",
    "u-tokyo.ac.jp",
    "iitb.ac.in",
    "usp.br",
)
TRADES = (
    "bau",
    "consulting",
    "group",
    "tech",
    "logistics",
    "dental",
    "media",
    "foods",
    "law",
    "studio",
    "solar",
    "travel",
)
ENDINGS = {
    "GB": "co.uk",
    "AU": "com.au",
    "NZ": "co.nz",
    "JP": "co.jp",
    "BR": "com.br",
    "TR": "com.tr",
    "ZA": "co.za",
    "IN": "co.in",
    "KR": "co.kr",
    "MX": "com.mx",
}
OF_ANY_COUNTRY = frozenset(
    "at be bg ca ch cn cz de dk ee es fi fr gr hr hu ie is it lt lu lv nl no pl pt ro rs ru se si sk ua us".split()  # noqa: SIM905 - a word list
)
WORDS = ("sunny", "happy", "blue", "tiger", "mama", "garden", "mike", "coco", "lucky", "star")

Format = PhoneNumberFormat


def email(person: Name, chance: random.Random, universities: Sequence[str] = UNIVERSITIES) -> str:
    local, how = _local(person, chance), chance.random()
    if how < 0.42:
        return f"{local}@{chance.choice(FREE)}"
    if how < 0.64:
        return f"{local}@{chance.choice(FREE_AT_HOME.get(person.country, FREE))}"
    if how < 0.88:
        return f"{chance.choice((local, local, local, 'info', 'office', 'sales'))}@{_company_domain(person, chance)}"
    if how < 0.95:
        return f"{local}@{chance.choice(universities)}"
    if how < 0.99:
        return f"{local.replace('.', '_')}.{chance.randrange(1000, 9999)}@{chance.choice(RELAYS)}"
    return f"{local}@{chance.choice(('gmial.com', 'hotmial.com', 'gmail.con', 'web.d'))}"  # a slip of the pen


def phone(person: Name, chance: random.Random) -> str | None:
    """A number that the country's plan assigns, in one of the ways people write it; None where they leave it out or there is no plan."""
    if chance.random() < 0.08:
        return None
    for _ in range(20):
        number = _example(person.country, chance.random() < 0.7)
        if number is None:
            return None
        digits = str(number.national_number)
        text = digits[:-5] + f"{chance.randrange(100_000):05}"
        number = phonenumbers.PhoneNumber(
            country_code=number.country_code,
            national_number=int(text),
            italian_leading_zero=number.italian_leading_zero,
        )
        if phonenumbers.is_valid_number(number):
            break
    else:
        return None
    form = chance.choice((Format.E164, Format.INTERNATIONAL, Format.INTERNATIONAL, Format.NATIONAL, Format.NATIONAL))
    written = str(phonenumbers.format_number(number, form))
    if chance.random() < 0.2:
        written = "".join(character for character in written if character.isdecimal() or character == "+")
    if chance.random() < 0.02:
        written = written[:-1]  # a digit is missing
    return written


def message(person: Name, chance: random.Random) -> str | None:
    how = chance.random()
    if how < 0.25:
        return None
    if how < 0.32:
        return chance.choice(("ok", "?", "asap", "info", ".", "thanks", "test drive", "123", "yes please", "-"))
    language = person.language if chance.random() < 0.9 else "en"
    texts = _texts().get(language) or _texts()["en"]
    text = str(chance.choice(texts))
    if how < 0.36:
        text = f"{text} {chance.choice(texts)}"
    elif how < 0.39:
        text = f"{text} www.{_slug(person, chance)}-{chance.choice(TRADES)}.com"
    elif how < 0.42:
        text = text.upper()
    return text


def company(person: Name, chance: random.Random) -> str:
    return f"{person.family} {chance.choice(TRADES).title()}"


@cache
def _texts() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(Path(__file__).with_name("texts.yaml")))


@cache
def _example(country: str, mobile: bool) -> Any:
    kind = PhoneNumberType.MOBILE if mobile else PhoneNumberType.FIXED_LINE
    return phonenumbers.example_number_for_type(country, kind) or phonenumbers.example_number_for_type(
        country, PhoneNumberType.MOBILE
    )


def _local(person: Name, chance: random.Random) -> str:
    given, family = _ascii(person.given), _ascii(person.family)
    if not given or not family:
        return chance.choice(
            (f"{chance.choice(WORDS)}{chance.randrange(10, 9999)}", f"{chance.choice(WORDS)}.{chance.choice(WORDS)}")
        )
    year = chance.randrange(50, 99)
    forms = (
        f"{given}.{family}",
        f"{given}{family}",
        f"{given[0]}.{family}",
        f"{given}{year}",
        f"{given}_{family}{year}",
        f"{family}{given[0]}",
        f"{given}.{family}+web",
    )
    return chance.choice(forms)


def _ascii(text: str) -> str:
    flat = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in flat if character.isascii() and character.isalpha())


def _slug(person: Name, chance: random.Random) -> str:
    return _ascii(person.family) or chance.choice(WORDS)


def _company_domain(person: Name, chance: random.Random) -> str:
    ending = person.country.lower()
    if ending not in OF_ANY_COUNTRY or chance.random() < 0.4:
        ending = ENDINGS.get(person.country, "com")
    slug = _slug(person, chance)
    return f"{chance.choice((f'{slug}-{chance.choice(TRADES)}', f'{slug}{chance.choice(TRADES)}', f'{chance.choice(TRADES)}-{slug}'))}.{ending}"
