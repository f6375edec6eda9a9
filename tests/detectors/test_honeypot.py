"""The honeypot: decisive where no browser can have filled it, a hint where one may have."""

from __future__ import annotations

import pytest

from detectors.honeypot import DEFAULT_NAME, detect, is_filled_by_browsers
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import FormSettings, Reference
from detectors.signal import Signal

GONE = Unavailable("test")


@pytest.fixture(scope="module")
def ref() -> Reference:
    return Reference.builtin()


def found(ref: Reference, trap: str, value: str, *others: tuple[str, str], told: bool = True) -> list[Signal]:
    fields = (("email", "jane@firm.de"), *others, *(((trap, value),) if told else ()))
    lead = Lead("quote", fields, {"email": ("jane@firm.de",)}, (value,) if value else ())
    obs = Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page("acme.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        network=GONE,
        velocity=GONE,
        lead=lead,
    )
    return list(detect(obs, ref.with_form(FormSettings(honeypots=(trap,)))))


def test_the_shipped_name_is_one_that_nothing_fills() -> None:
    assert not is_filled_by_browsers(DEFAULT_NAME)


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "e-mail",
        "your_email",
        "email2",
        "contactEmail",
        "user[email]",
        "tel",
        "phone_number",
        "mobile-phone",
        "website",
        "url",
        "company",
        "companyName",
        "fax",
        "address_line1",
        "zip",
        "postal_code",
        "city",
        "first_name",
        "lname",
        "nachname",
        "strasse",
        "honeypot_website",
        "username",
        "password",
        "cc-number",
        "birthday",
        "B_website_2",
    ],
)
def test_names_that_browsers_fill(name: str) -> None:
    assert is_filled_by_browsers(name)


@pytest.mark.parametrize(
    "name", [DEFAULT_NAME, "hp_9fk2", "leave_empty", "trap", "confirm_xq", "b_1f2e_77", "gotcha", "homework_x"]
)
def test_neutral_names(name: str) -> None:
    assert not is_filled_by_browsers(name)


def test_a_neutral_trap_is_decisive(ref: Reference) -> None:
    assert found(ref, DEFAULT_NAME, "http://spam.example") == [Signal("form.honeypot", (DEFAULT_NAME,))]


def test_an_empty_trap_says_nothing(ref: Reference) -> None:
    assert found(ref, DEFAULT_NAME, "") == []


@pytest.mark.parametrize("value", ["Firm Ltd", "https://firm.example", "jane@firm.de"])
def test_a_trap_that_browsers_fill_is_a_hint(ref: Reference, value: str) -> None:
    assert found(ref, "website", value) == [Signal("form.honeypot_autofill", ("website",))]


@pytest.mark.parametrize(
    "value",
    [
        "Hello\nbuy now",
        '<a href="http://x.example">x</a>',
        "[url=http://x.example]x[/url]",
        "http://a.example http://b.example",
    ],
)
def test_no_browser_keeps_this_in_a_profile(ref: Reference, value: str) -> None:
    assert found(ref, "website", value) == [Signal("form.honeypot", ("website",))]


def test_a_copy_of_another_field_is_not_decisive(ref: Reference) -> None:
    assert found(ref, DEFAULT_NAME, "Jane@firm.de ") == [Signal("form.honeypot_copy", (DEFAULT_NAME,))]


def test_values_without_names_are_decisive(ref: Reference) -> None:
    assert found(ref, "lg_x", "anything", told=False) == [Signal("form.honeypot", ("a hidden field",))]


def test_a_flagged_field_is_told_once(ref: Reference) -> None:
    assert len(found(ref, "lg_x", "1", ("lg_x", "1"), ("lg_x", "1"))) == 1


def test_no_lead_no_signal(ref: Reference) -> None:
    obs = Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page("a", "/"),
        GONE,
        Request("POST", "/", ()),
        network=GONE,
        velocity=GONE,
        lead=GONE,
    )
    assert list(detect(obs, ref)) == []


def test_a_browser_that_adds_a_space_is_still_a_browser(ref: Reference) -> None:
    """Values are trimmed when a form is read, fields are kept as sent: both must name the same field."""
    assert [signal.id for signal in found(ref, "website", "jane.example ")] == ["form.honeypot_autofill"]
    lead = Lead("quote", (("website", " jane.example "),), {}, ("jane.example",))
    settings = ref.with_form(FormSettings(honeypots=("website",)))
    obs = Observation(
        Kind.SUBMISSION, "acme", 0, Page("acme.example", "/lead"), Client("192.0.2.1"), Request("POST", "/lead", ()),
        network=GONE, velocity=GONE, lead=lead,
    )  # fmt: skip
    assert [signal.id for signal in detect(obs, settings)] == ["form.honeypot_autofill"]
