"""The phone number: can it be dialled, where is it, and is it one that nobody has?

A number is read the way its writer meant it: with a country code, or as it is dialled in one of the countries that the site expects, or, failing that, in
the country that the lead names or else that of the visitor's network. The last is a guess (travellers, VPN), so what rests on it alone speaks softly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType, ValidationResult

from detectors.data_files import load
from detectors.observation import Lead, Observation
from detectors.signal import Signal
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True

LONGEST = 80
"""Characters of a field that are looked at; more is no phone number."""

JUDGED = 3
"""Numbers of one submission that are judged: people give a second one, rarely a third."""

MOST_PARTS = 3
"""Parts of a field that are tried as a number of their own."""

GUESSED = 0.4
"""Strength of what rests on the network's country only."""

# Kinds of network whose country is not the visitor's.
_ELSEWHERE = frozenset({"relay", "vpn", "tor", "proxy", "hosting", "cdn", "crawler"})
# Kinds whose visitors mostly live in the network's country; phones roam, students come from everywhere.
_SETTLED = frozenset({"consumer", "business"})
_NEIGHBOURS = tuple(frozenset(group) for group in load("phone_neighbours.yaml")[0]["groups"])
_CODES = frozenset(code.lower() for code in phonenumbers.SUPPORTED_REGIONS)
_COUNTRIES = {
    name: code
    for code, names in load("country_names.yaml")[0]["names"].items()
    if code.lower() in _CODES  # Antarctica has no numbers
    for name in names
}
_SEPARATORS = re.compile(r"[/;|\n]|,\s|\s(?:or|oder|ou|o|y|und|and)\s", re.IGNORECASE)
_RUN_UP = "01234567890"
_RUN_DOWN = "9876543210"
_FICTIONAL = re.compile("|".join(f"(?:{row['pattern']})" for row in load("phone_fictional.yaml")[0]["fictional"]))

phonenumbers.PhoneMetadata.load_all()  # 250 small modules, read now and not in the middle of a request


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that could be dialled.

    e164     "+" and the digits, the one form for counting and comparing
    region   ISO 3166-1 alpha-2 country, or None for numbers of no country and for valid numbers of several
    code     country calling code
    valid    does the numbering plan assign it (as of the library's version)
    premium  does calling it cost extra
    kind     what kind of line it is, in words; "" where the plan does not tell
    guessed  was the country taken from the network
    """

    e164: str
    region: str | None
    code: int
    valid: bool
    premium: bool
    guessed: bool
    kind: str = ""


@dataclass(frozen=True, slots=True)
class PhoneProblem:
    """Why a text is no number. `decided` is False where only the country is missing that would tell."""

    reason: str
    decided: bool = True
    guessed: bool = False


def read(text: str, expected: tuple[str, ...] = (), network: str | None = None) -> Phone | PhoneProblem:
    """Read a form field. `expected` are the site's countries in order, `network` that of the visitor's network (ISO 3166-1 alpha-2)."""
    text = text[: LONGEST + 1]
    whole = _read_one(text, expected, network)
    if isinstance(whole, Phone) and whole.valid:
        return whole
    for part in _SEPARATORS.split(text)[:MOST_PARTS]:  # "0171 2345678 or 030 1234567": the first that works
        if part != text and len(_digits(part)) >= 6:
            found = _read_one(part, expected, network)
            if isinstance(found, Phone) and found.valid:
                return found
    return whole


def normalise(text: str, expected: tuple[str, ...] = (), network: str | None = None) -> str:
    """E.164 where the country is known, else the digits alone; "" where there are none. For counting and comparing."""
    found = read(text, expected, network)
    return found.e164 if isinstance(found, Phone) else _digits(text[:LONGEST])


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if not isinstance(obs.lead, Lead):
        return
    expected = ref.form.expected_countries
    settled = _settled_country(obs.network)
    given = next((code for code in map(_country_given, obs.lead.values("country")[:1]) if code), None)
    network = given or _network_country(obs.network)
    for value in dict.fromkeys(obs.lead.values("phone")[:JUDGED]):
        yield from _judge(value, expected, network, given, settled)


def _judge(
    value: str, expected: tuple[str, ...], network: str | None, given: str | None, settled: str | None
) -> Iterator[Signal]:
    found = read(value, expected, network)
    pattern = _invented(found.e164 if isinstance(found, Phone) else "", _digits(value[:LONGEST]))
    if pattern is not None:
        reason, strength = pattern
        yield Signal("phone.fictional", evidence=(reason,), strength=strength)
        return
    if isinstance(found, PhoneProblem):
        if found.decided:
            yield Signal("phone.impossible", evidence=(found.reason,), strength=GUESSED if found.guessed else 1.0)
        return
    if not found.valid:
        country = found.region or phonenumbers.region_code_for_country_code(found.code)
        yield Signal("phone.invalid", evidence=(country,), strength=GUESSED if found.guessed else 1.0)
        return
    if found.premium:
        yield Signal("phone.premium", evidence=(found.region or str(found.code),))
    elif found.kind not in _ORDINARY:
        yield Signal("phone.kind", evidence=(found.kind,))
    if expected:
        codes = {phonenumbers.country_code_for_region(country) for country in expected}
        if found.code not in codes and found.code != 800:  # +800: free call in many countries
            yield Signal("phone.country", evidence=(found.region or f"+{found.code}", ", ".join(expected)))
    elif (
        settled is not None
        and found.region is not None
        and found.code != phonenumbers.country_code_for_region(settled)
        and (
            given is None or found.code != phonenumbers.country_code_for_region(given)
        )  # says where the number is from
        and not any(settled in group and found.region in group for group in _NEIGHBOURS)
    ):
        yield Signal("phone.network_country", evidence=(found.region, settled))


def _country_given(text: str) -> str | None:
    """The country that a field of the form names, by its code or by name in one of two dozen languages; None where that cannot be told."""
    name = text[:LONGEST].strip().casefold()
    return name.upper() if name in _CODES else _COUNTRIES.get(name)


def _settled_country(network: object) -> str | None:
    """Country of a network whose visitors live where it is, as far as one can tell: a line at home or of a firm. Else None."""
    country = _network_country(network)
    return country if isinstance(network, Network) and network.kind in _SETTLED else None


def _network_country(network: object) -> str | None:
    """Country of the visitor's network, or None where it says nothing of the visitor."""
    if not isinstance(network, Network) or network.kind in _ELSEWHERE:
        return None
    return network.country


def _read_one(text: str, expected: tuple[str, ...], network: str | None) -> Phone | PhoneProblem:
    if len(text) > LONGEST:
        return PhoneProblem("too long")
    digits = _digits(text)
    if not digits:
        return PhoneProblem("no digits")
    if len(digits) < 4:
        return PhoneProblem("too short")
    international = text.lstrip(" (\u200e\u202a\u202d").startswith(("+", "\uff0b"))
    if not international and digits.startswith("00"):
        text, international = "+" + digits[2:], True
    regions: list[tuple[str | None, bool]] = (
        [(None, False)] if international else [(country, False) for country in expected]
    )
    if not international and network is not None and network not in expected:
        regions.append((network, True))
    if not regions:
        # written without a country and nothing to guess it from: only what no country has can be called impossible
        return PhoneProblem("too long") if len(digits) > 17 else PhoneProblem("country unknown", decided=False)
    best: Phone | PhoneProblem | None = None
    for region, guessed in regions:
        found = _in_region(text, region, guessed)
        if isinstance(found, Phone) and found.valid:
            return found
        if best is None or (isinstance(best, PhoneProblem) and isinstance(found, Phone)):
            best = found
    if not international and len(digits) >= 10:  # "49 171 …": the country code without its plus
        found = _in_region("+" + digits, None, False)
        if isinstance(found, Phone) and found.valid:
            return found
    assert best is not None
    return best


@lru_cache(maxsize=256)
def _in_region(text: str, region: str | None, guessed: bool) -> Phone | PhoneProblem:
    """Remembered for the parts of one submission that ask for the same number, with and without the network's country: reading is the dear part."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        return PhoneProblem(_PARSE_ERRORS.get(error.error_type, "no number"), guessed=guessed)
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:  # as neighbours dial it: nothing wrong with its writer
        return PhoneProblem("area code missing", decided=False)
    if possible != ValidationResult.IS_POSSIBLE:
        return PhoneProblem(_LENGTH_ERRORS.get(possible, "no such length"), guessed=guessed)
    country = phonenumbers.region_code_for_number(number)
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN and region is not None and _without_area(text, region):
        return PhoneProblem("area code missing", decided=False)
    return Phone(
        e164=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        region=country if country != "001" else None,
        code=number.country_code or 0,
        valid=kind != PhoneNumberType.UNKNOWN,
        premium=kind == PhoneNumberType.PREMIUM_RATE,
        guessed=guessed,
        kind=_KINDS.get(kind, ""),
    )


def _without_area(text: str, region: str) -> bool:
    """Does a short number lack the "0" that starts an area code in its country?"""
    digits = _digits(text)
    return len(digits) <= 8 and not digits.startswith("0") and phonenumbers.ndd_prefix_for_region(region, True) == "0"


_KINDS = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed line",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed line or mobile",
    PhoneNumberType.VOIP: "internet telephony",
    PhoneNumberType.TOLL_FREE: "free call",
    PhoneNumberType.SHARED_COST: "shared cost",
    PhoneNumberType.PERSONAL_NUMBER: "personal number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "number of a whole company",
    PhoneNumberType.VOICEMAIL: "voice mail",
}
_ORDINARY = frozenset({"", "mobile", "fixed line", "fixed line or mobile"})
_PARSE_ERRORS = {
    NumberParseException.INVALID_COUNTRY_CODE: "no such country code",
    NumberParseException.NOT_A_NUMBER: "no number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "too short",
    NumberParseException.TOO_SHORT_NSN: "too short",
    NumberParseException.TOO_LONG: "too long",
}
_LENGTH_ERRORS = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.INVALID_COUNTRY_CODE: "no such country code",
}


def _invented(e164: str, digits: str) -> tuple[str, float] | None:
    """Why nobody has this number, and how sure that is; None where somebody may. The reason never holds the number."""
    if e164 and _FICTIONAL.fullmatch(e164[1:]):
        return "set aside for films and books", 1.0
    if len(digits) > 15:  # longer than any number is (ITU E.164)
        return None
    tail, core = digits[-7:], digits.lstrip("0")
    if len(digits) >= 7 and len(set(core)) <= 1:
        return "one digit repeated", 1.0
    if len(core) >= 7 and (core in _RUN_UP or core in _RUN_DOWN):
        return "digits counted up or down", 1.0
    if len(digits) >= 9 and len(set(tail)) == 1:  # 0171 7777777 can be bought; few do
        return "one digit repeated", 0.6
    if len(digits) >= 10 and (tail == "1234567" or digits.endswith("12345678")):
        return "digits counted up or down", 0.6
    return None


def _digits(text: str) -> str:
    """The decimal digits of any script, as ASCII."""
    if text.isascii():
        return "".join(filter(str.isdecimal, text))
    return "".join(str(int(character)) for character in text if character.isdecimal())
