"""The phone number: read as its writer meant it, judged softly where its country is a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.phone import GUESSED, Phone, PhoneProblem, detect, normalise, read
from detectors.reference import FormSettings, Reference
from detectors.signal import Signal
from geoip.network import Network

GONE = Unavailable("test")


@pytest.fixture(scope="module")
def ref() -> Reference:
    return Reference.builtin()


def found(
    ref: Reference,
    *values: str,
    expected: tuple[str, ...] = (),
    network: Network | Unavailable = GONE,
    country: str = "",
) -> list[Signal]:
    lead = Lead(
        "quote",
        tuple(("phone", value) for value in values),
        {"phone": values} | ({"country": (country,)} if country else {}),
    )
    obs = Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page("acme.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        network=network,
        velocity=GONE,
        lead=lead,
    )
    return list(detect(obs, ref.with_form(FormSettings(expected_countries=expected))))


@pytest.mark.parametrize(
    ("text", "expected", "network", "e164"),
    [
        ("0171 2345679", ("DE",), None, "+491712345679"),
        ("0171-2345679", (), "DE", "+491712345679"),
        ("+49 (0)171 / 2345679", (), None, "+491712345679"),
        ("0049 171 2345679", (), "US", "+491712345679"),
        ("(212) 867-5309", ("US",), None, "+12128675309"),
        ("+1 212 867 5309 ext. 12", (), None, "+12128675309"),
        ("٠٥٠ ١٢٣ ٤٥٦٨", ("SA",), None, "+966501234568"),  # Arabic digits
        ("＋81 90-1234-5670", (), None, "+819012345670"),  # full-width plus
        ("0171 2345679 oder 030 901820", ("DE",), None, "+491712345679"),
        ("0171 2345679", ("US",), "DE", "+491712345679"),  # a German at home on an American site
    ],
)
def test_as_people_write_it(text: str, expected: tuple[str, ...], network: str | None, e164: str) -> None:
    number = read(text, expected, network)
    assert isinstance(number, Phone)
    assert number.valid
    assert number.e164 == normalise(text, expected, network) == e164


@pytest.mark.parametrize(
    ("text", "expected", "signal"),
    [
        ("please mail me", ("DE",), Signal("phone.impossible", ("no digits",))),
        ("12", ("DE",), Signal("phone.impossible", ("too short",))),
        ("+999 55512", (), Signal("phone.impossible", ("no such country code",))),
        ("+1 212 867 5309 5309 5309", (), Signal("phone.impossible", ("too long",))),
        ("9" * 500, ("DE",), Signal("phone.impossible", ("too long",))),
        ("5" * 30 + "4" * 60, ("DE",), Signal("phone.impossible", ("too long",))),
        ("+49 155 2345679", (), Signal("phone.invalid", ("DE",))),
        ("+1 012 345 9876", (), Signal("phone.invalid", ("US",))),
        ("0900 1234566", ("DE",), Signal("phone.premium", ("DE",))),
        ("+1 212 555 0143", (), Signal("phone.fictional", ("set aside for films and books",))),
        ("020 7946 0958", ("GB",), Signal("phone.fictional", ("set aside for films and books",))),
        ("030 23125 042", ("DE",), Signal("phone.fictional", ("set aside for films and books",))),
        ("06 39 98 12 34", ("FR",), Signal("phone.fictional", ("set aside for films and books",))),
        ("12345678", (), Signal("phone.fictional", ("digits counted up or down",))),
        ("0987654321", ("FR",), Signal("phone.fictional", ("digits counted up or down",))),
        ("0000000", ("DE",), Signal("phone.fictional", ("one digit repeated",))),
        ("0171 7777777", ("DE",), Signal("phone.fictional", ("one digit repeated",), 0.6)),
        ("0171 1234567", ("DE",), Signal("phone.fictional", ("digits counted up or down",), 0.6)),
        ("+43 664 1234560", ("DE", "CH"), Signal("phone.country", ("AT", "DE, CH"))),
    ],
)
def test_signals(ref: Reference, text: str, expected: tuple[str, ...], signal: Signal) -> None:
    assert found(ref, text, expected=expected) == [signal]


def test_without_a_country_nothing_is_said(ref: Reference) -> None:
    assert found(ref, "0171 2345679") == []
    assert read("0171 2345679") == PhoneProblem("country unknown", decided=False)
    assert normalise("0171 2345679") == "01712345679"


def test_an_area_code_left_out_is_no_fault(ref: Reference) -> None:
    assert found(ref, "867-5309", expected=("US",)) == []
    assert found(ref, "90260", expected=("DE",)) == []
    assert found(ref, "01552", expected=("DE",)) != []


def test_what_rests_on_the_network_speaks_softly(ref: Reference) -> None:
    assert found(ref, "0155 2345679", network=Network(country="DE")) == [Signal("phone.invalid", ("DE",), GUESSED)]
    line = Network(country="JP", kind="consumer")
    assert found(ref, "+49 171 2345679", network=line) == [Signal("phone.network_country", ("DE", "JP"))]
    assert found(ref, "+49 171 2345679", network=line, expected=("DE",)) == []


@pytest.mark.parametrize("kind", ["mobile", "mixed", "relay", "vpn", "education", "hosting", ""])
def test_where_people_are_on_the_move_the_networks_country_says_nothing(ref: Reference, kind: str) -> None:
    assert found(ref, "+49 171 2345679", network=Network(country="JP", kind=kind)) == []


@pytest.mark.parametrize(
    ("number", "country"),
    [("+49 171 2345679", "FR"), ("+33 6 12 34 90 71", "MA"), ("+91 98765 12345", "AE"), ("+1 212 867 5309", "CA")],
)
def test_neighbours_and_migrants_are_spared(ref: Reference, number: str, country: str) -> None:
    assert found(ref, number, network=Network(country=country, kind="consumer")) == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+44 56 1234 9071", "internet telephony"),
        ("+1 800 234 5678", "free call"),
        ("+49 171 2345679", None),
        ("+49 30 901820", None),
    ],
)
def test_lines_that_are_neither_mobile_nor_fixed_are_said(ref: Reference, number: str, kind: str | None) -> None:
    assert found(ref, number) == ([] if kind is None else [Signal("phone.kind", (kind,))])


@pytest.mark.parametrize("country", ["DE", "de ", "Germany", "Deutschland", "ドイツ"])
def test_a_number_of_the_country_the_lead_names_is_no_wonder(ref: Reference, country: str) -> None:
    line = Network(country="JP", kind="consumer")
    assert found(ref, "+49 171 2345679", network=line, country=country) == []
    assert found(ref, "0171 2345679", network=line, country=country) == []  # read as it is dialled there
    for other in ("", "JP", "somewhere", "Antarctica"):
        assert found(ref, "+49 171 2345679", network=line, country=other) == [
            Signal("phone.network_country", ("DE", "JP"))
        ]


@pytest.mark.parametrize("kind", ["relay", "vpn", "tor", "proxy", "hosting"])
def test_the_country_of_a_tunnel_is_not_the_visitors(ref: Reference, kind: str) -> None:
    assert found(ref, "0155 2345679", network=Network(country="DE", kind=kind)) == []
    assert found(ref, "0155 2345679", network=Network(country="DE", kind="mobile")) != []


def test_shared_calling_codes_are_one_country(ref: Reference) -> None:
    assert found(ref, "+1 604 867 5309", expected=("US",)) == []  # Canada
    assert found(ref, "+44 7781 123456", expected=("GB",)) == []  # Guernsey


def test_two_numbers_are_both_judged(ref: Reference) -> None:
    assert found(ref, "+49 171 2345679", "0000000", expected=("DE",)) == [
        Signal("phone.fictional", ("one digit repeated",))
    ]


def test_evidence_never_holds_the_number(ref: Reference) -> None:
    for text in ("+49 155 2345679", "+43 664 1234560", "+999 2345679", "0171 7777777"):
        for signal in found(ref, text, expected=("DE",)):
            assert not any(character.isdigit() for part in signal.evidence for character in part)


@given(st.text(alphabet="+0123456789 ()-/.,;xX٠١٢٣a\u200e", max_size=120))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(read(text, ("DE", "US"), "FR"), Phone | PhoneProblem)
    assert isinstance(normalise(text), str)


def test_only_the_first_parts_of_a_long_field_are_tried() -> None:
    assert not isinstance(read("1234567 / 2345679 / 0171 2345679", ("DE",)), PhoneProblem)
    assert read("1 / 2 / 3 / 0171 2345679", ("DE",)) != read("0171 2345679", ("DE",))
