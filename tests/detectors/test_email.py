"""The e-mail address: people's odd but real addresses pass, what is wrong is named without repeating it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.email import JUDGED, Address, SyntaxProblem, detect, normalise, parse
from detectors.email_domains import EmailDomains
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import Reference
from detectors.signal import Signal

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data")) / "email"
GONE = Unavailable("test")


@pytest.fixture(scope="module")
def ref() -> Reference:
    return Reference.builtin()


def found(ref: Reference, *values: str) -> list[Signal]:
    lead = Lead(form="quote", fields=tuple(("email", value) for value in values), roles={"email": values})
    request = Request("POST", "/lead", ())
    page = Page("acme.example", "/lead")
    client = Client("192.0.2.1")
    obs = Observation(Kind.SUBMISSION, "acme", 0, page, client, request, network=GONE, velocity=GONE, lead=lead)
    return list(detect(obs, ref))


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("jane@firm.de", "jane", "firm.de"),
        ("o'brien@firm.ie", "o'brien", "firm.ie"),
        ("jane+news@firm.de", "jane+news", "firm.de"),
        ('"jane doe"@firm.de', '"jane doe"', "firm.de"),
        ("müller@bücher.de", "müller", "xn--bcher-kva.de"),
        ("用户@例子.广告", "用户", "xn--fsqu00a.xn--4rr70v"),
        ("δοκιμή@παράδειγμα.ελ", "δοκιμή", "xn--hxajbheg2az3al.xn--qxam"),
        ("ｊａｎｅ＠ｆｉｒｍ．ｊｐ", "jane", "firm.jp"),  # typed with a Japanese keyboard
        ("  jane@firm.de\u200b ", "jane", "firm.de"),  # pasted
        ("JANE@FIRM.DE", "JANE", "firm.de"),
        ("a.b-c_d!#$%&'*/=?^`{|}~@firm.de", "a.b-c_d!#$%&'*/=?^`{|}~", "firm.de"),
        ("jane@mail.firm.co.uk", "jane", "mail.firm.co.uk"),
    ],
)
def test_addresses_of_real_people(text: str, local: str, domain: str) -> None:
    address = parse(text)
    assert isinstance(address, Address)
    assert (address.local, address.domain) == (local, domain)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("jane", "no @ sign"),
        ("@firm.de", "nothing before the @"),
        ("jane@", "nothing after the @"),
        ("jane@gmail", "a domain without an ending"),
        ("jane@gmail,com", "a domain without an ending"),
        ("jane doe@firm.de", "a blank inside"),
        ("jane@firm@firm.de", "more than one @ sign"),
        ("jane..doe@firm.de", "dots in the wrong place before the @"),
        ("jane@firm..de", "dots in the wrong place of the domain"),
        ("jane@[192.0.2.1]", "an address in brackets in place of a domain"),
        ("jane@-firm.de", "a domain that cannot exist"),
        ("ja(ne@firm.de", "characters before the @ that no address has"),
        ("x" * 65 + "@firm.de", "too long before the @"),
        ("x" * 5000 + "@firm.de", "too long"),
        ("ja\x00ne@firm.de", "a control character"),
        ("Jane <jane@firm.de>", "a blank inside"),
    ],
)
def test_problems_are_named(ref: Reference, text: str, reason: str) -> None:
    assert parse(text) == SyntaxProblem(reason)
    assert found(ref, text) == [Signal("email.syntax", (reason,))]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Jane.Doe+ads@GMail.com", "janedoe@gmail.com"),
        ("jane.doe@googlemail.com", "janedoe@gmail.com"),
        ("jane.doe@firm.de", "jane.doe@firm.de"),  # dots count elsewhere
        ("jane+1@firm.de", "jane@firm.de"),
        ("+49@firm.de", "+49@firm.de"),  # nothing would be left
        ("jane-shop@yahoo.com", "jane@yahoo.com"),
        ("anna-lena@firm.de", "anna-lena@firm.de"),
        ("shop@jane.fastmail.com", "jane@fastmail.com"),
        ("jane@protonmail.com", "jane@proton.me"),
        ("jane@me.com", "jane@icloud.com"),
        ("Jane@Bücher.de", "jane@xn--bcher-kva.de"),
        (" Not An Address ", "not an address"),
    ],
)
def test_normalise(text: str, plain: str) -> None:
    assert normalise(text) == plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@firm.de", []),
        ("jane@mailinator.com", [Signal("email.disposable", ("mailinator.com",))]),
        ("jane@privaterelay.appleid.com", [Signal("email.relay", ("Apple Hide My Email",))]),
        ("jane@gmail.com", [Signal("email.free", ("gmail.com",))]),
        ("info@firm.de", [Signal("email.role", ("info",))]),
        ("Info+web@firm.de", [Signal("email.role", ("info",))]),
        ("noreply@firm.de", [Signal("email.unattended", ("noreply",))]),
        ("jane@gmial.com.de", []),
        ("jane@hotmial.co.uk", [Signal("email.mistyped", ("hotmial.co.uk", "hotmail.co.uk"))]),
        ("jane@example.com", [Signal("email.reserved", ("example.com",))]),
        ("jane@mail.example.org", [Signal("email.reserved", ("example.org",))]),
        ("jane@firm.test", [Signal("email.reserved", (".test",))]),
    ],
)
def test_signals(ref: Reference, text: str, expected: list[Signal]) -> None:
    assert found(ref, text) == expected


def test_several_addresses_are_told_and_each_is_judged(ref: Reference) -> None:
    signals = found(ref, "jane@firm.de", "jane@mailinator.com")
    assert signals == [Signal("email.disposable", ("mailinator.com",)), Signal("email.several", ("2",))]


def test_one_mailbox_in_two_spellings_is_one(ref: Reference) -> None:
    assert found(ref, "jane@gmail.com", "Jane+x@gmail.com") == [Signal("email.free", ("gmail.com",))]


def test_a_flood_of_addresses_is_bounded(ref: Reference) -> None:
    signals = found(ref, *(f"a{number}@mailinator.com" for number in range(100)))
    assert len(signals) == JUDGED + 1


def test_no_lead_no_signal(ref: Reference) -> None:
    request = Request("GET", "/", ())
    for lead in (None, GONE, Lead("quote", ())):
        obs = Observation(
            Kind.SUBMISSION,
            "acme",
            0,
            Page("a", "/"),
            Client("192.0.2.1"),
            request,
            network=GONE,
            velocity=GONE,
            lead=lead,
        )
        assert list(detect(obs, ref)) == []


def test_evidence_never_holds_the_address(ref: Reference) -> None:
    for value in (
        "secretname@@x",
        "secretname x@firm.de",
        "secretname@mailinator.com",
        "secretname@secretname.duckdns.org",
    ):
        for signal in found(ref, value):
            assert not any("secretname" in text for text in signal.evidence)


@given(st.text(max_size=400))
def test_any_text_is_read_without_an_error(text: str) -> None:
    address = parse(text)
    assert isinstance(address, Address | SyntaxProblem)
    assert normalise(text) == normalise(f" {text} ") or not isinstance(address, Address)


@given(st.emails())
def test_normalise_is_stable(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent; set LEADGATE_TEST_DATA")
def test_agrees_with_a_published_set_of_cases() -> None:
    wrong = []
    for case in json.loads((DATA / "isemail_tests.json").read_text("utf-8")):
        text = "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) <= 0x2421 else c for c in case["address"])
        if text != text.strip() or case["diagnosis"] == "ISEMAIL_ERR_EXPECTING_QPAIR":
            continue  # surrounding blanks are forgiven on purpose; a backslash before a non-ASCII sign is
        well_formed = isinstance(parse(text), Address)
        if case["category"] == "ISEMAIL_ERR" and well_formed:
            wrong.append(text)
        if case["category"] in ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN") and not well_formed and "." in text:
            wrong.append(text)
    assert wrong == []


def test_shipped_lists_are_used_by_default() -> None:
    assert normalise("a.b@gmail.com") == normalise("a.b@gmail.com", EmailDomains.builtin()) == "ab@gmail.com"


def test_nothing_of_a_huge_field_is_kept() -> None:
    long = "a@b.de" + "x" * 100_000
    assert parse(long) is parse(long + "y")  # remembered under what was read of it


@pytest.mark.parametrize("mark", ["\u2066", "\u2068", "\u202b", "\u202d", "\u200c", "\u200d", "\u2060", "\u061c"])
def test_marks_of_direction_and_joiners_around_a_pasted_address_are_forgiven(mark: str) -> None:
    assert parse(f"{mark}jane@firm.de\u2069{mark}") == parse("jane@firm.de")
    assert normalise(f"{mark}Jane@firm.de\u2069") == "jane@firm.de"
