"""Who people are: names of every locale that faker knows by name, and of scripts that it does not; as people type them."""

from __future__ import annotations

import random
import unicodedata
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from faker import Factory
from faker.config import AVAILABLE_LOCALES

NO_COUNTRY = {
    "ar_AA": "EG",
    "fil_PH": "PH",
    "th": "TH",
    "sw": "KE",
    "en": "US",
    "es": "ES",
    "de": "DE",
    "la": "VA",
    "dk_DK": "DK",
    "fr_QC": "CA",
}
LANGUAGES = {
    "tl": "fil",
    "dk": "da",
    "la": "it",
    "tw": "en",
    "yo": "en",
    "ig": "en",
    "ha": "en",
    "ng": "en",
    "zu": "en",
    "gu": "en",
    "mr": "hi",
    "or": "en",
    "si": "en",
    "lb": "de",
}
"""Of locales whose people write to businesses in another language, or for which no text was written."""

OTHERS: Mapping[str, tuple[str, str, str, str]] = {
    "km_KH": ("KH", "en", "សុខ ចាន់ ស្រី វិបុល សុភា", "សុខា ចាន់ថា រតនា កុសល មករា"),
    "lo_LA": ("LA", "en", "ພອນ ວົງ ຈັນ ແກ້ວ ສີ", "ສົມພອນ ບຸນມີ ຄຳຫລ້າ ນາງ ສຸກ"),
    "my_MM": ("MM", "en", "အောင် မောင် စိုး သန်း", "ခင် မြတ် သူဇာ ကျော် လှ"),
    "si_LK": ("LK", "en", "පෙරේරා සිල්වා ප්‍රනාන්දු බණ්ඩාර", "නිමල් සුනිල් කුමාරි සඳුනි"),
    "te_IN": ("IN", "en", "రెడ్డి రావు నాయుడు శర్మ", "వెంకట లక్ష్మి శ్రీనివాస్ సీత"),
    "ml_IN": ("IN", "en", "നായർ മേനോൻ പിള്ള കുമാർ", "രാജേഷ് സുനിത അനിൽ ലക്ഷ്മി"),
    "kn_IN": ("IN", "en", "ಗೌಡ ಶೆಟ್ಟಿ ರಾವ್ ಹೆಗ್ಡೆ", "ಮಂಜುನಾಥ ಲತಾ ಸುರೇಶ್ ಗೀತಾ"),
    "pa_IN": ("IN", "en", "ਸਿੰਘ ਕੌਰ ਗਿੱਲ ਸੰਧੂ", "ਗੁਰਪ੍ਰੀਤ ਹਰਜੀਤ ਮਨਦੀਪ ਜਸਵੀਰ"),
    "mn_MN": ("MN", "ru", "Батбаяр Энхтөр Ганбаатар Дорж", "Болд Сарнай Тэмүүлэн Оюунаа"),
    "ur_PK": ("PK", "en", "خان احمد ملک بٹ", "محمد عائشہ بلال فاطمہ"),
    "kk_KZ": ("KZ", "ru", "Нұрланов Әбдіров Сейітов Қасымов", "Айгүл Нұрсұлтан Дәурен Гүлнар"),
    "be_BY": ("BY", "ru", "Іваноў Каваленка Янкоўскі", "Аляксандр Вольга Зміцер"),
    "haw_US": ("US", "en", "Kealoha Kamakawiwoʻole Kahananui", "Leilani Keanu Kaʻiulani"),
    "pl_short": ("US", "en", "Ng Ó Xu Wu Yu Nguyễn", "Jo Ai Bo Xi Al Ed"),
}
"""locale → (country, language, family names, given names)."""

warnings.filterwarnings("ignore", message=".*locale is deprecated.*")


class Name(NamedTuple):
    """country: ISO 3166-1 alpha-2; language of what they write: ISO 639-1; script of the name: LATIN, CYRILLIC, ..."""

    locale: str
    country: str
    language: str
    script: str
    given: str
    family: str
    full: str


def locales() -> tuple[str, ...]:
    """Those with names of their own, sorted."""
    known = [name for name in AVAILABLE_LOCALES if find_spec(f"faker.providers.person.{name}") is not None]
    return (*sorted(known), *OTHERS)


def name(locale: str, chance: random.Random) -> Name:
    """Somebody of `locale`."""
    if locale in OTHERS:
        country, language, families, givens = OTHERS[locale]
        given, family = chance.choice(givens.split()), chance.choice(families.split())
        full = f"{given} {family}"
    else:
        made = _faker(locale)
        made.seed_instance(chance.getrandbits(48))
        given, family, full = made.first_name(), made.last_name(), made.name()
        language, _, country = locale.partition("_")
        country, language = NO_COUNTRY.get(locale, country), LANGUAGES.get(language, language)
    return Name(locale, country, language, script(full), given, family, full)


def typed(person: Name, chance: random.Random) -> dict[str, str]:
    """The name's fields, as people fill them in: mostly in full, sometimes careless."""
    how = chance.random()
    if how < 0.45:
        return {"full_name": f"{person.given} {person.family}"}
    if how < 0.60:
        return {"first_name": person.given, "last_name": person.family}
    if how < 0.75:
        return {"full_name": person.full}
    if how < 0.83:
        return {"full_name": f"{person.given} {person.family}".lower()}
    if how < 0.88:
        return {"full_name": f"{person.given} {person.family}".upper()}
    if how < 0.92:
        return {"full_name": f"{person.family} {person.given}"}
    if how < 0.95:
        return {"full_name": person.given}
    if how < 0.97:
        return {"full_name": f"{person.given[0]}. {person.family}"}
    if how < 0.99:
        return {"full_name": f"{person.given} {person.family} "}
    return {"full_name": f"{person.given[0]}{person.family[0]}"}


def script(text: str) -> str:
    """The first letter's script, as Unicode names it."""
    letter = next((character for character in text if character.isalpha()), "?")
    return unicodedata.name(letter, "UNKNOWN").split(" ")[0].split("-")[0]


@cache
def _faker(locale: str) -> Any:
    """With names only: all it can make takes a tenth of a second for each locale."""
    return Factory.create(locale, providers=["faker.providers.person"])
