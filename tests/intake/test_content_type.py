from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.content_type import split_header


@pytest.mark.parametrize(
    ("value", "head", "parameters"),
    [
        ("Text/Plain", "text/plain", []),
        ("text/plain; Charset=UTF-8", "text/plain", [("charset", "UTF-8")]),
        ('a/b;boundary="x;y\\"z" ; q=1', "a/b", [("boundary", 'x;y"z'), ("q", "1")]),
        ("a/b; boundary=----Web+Kit/='", "a/b", [("boundary", "----Web+Kit/='")]),
        ('form-data; name="a"; name=b', "form-data", [("name", "a"), ("name", "b")]),
        ("form-data; filename*=UTF-8''%E2%82%AC.txt", "form-data", [("filename", "€.txt".encode().decode("latin-1"))]),
        ("form-data; filename*=iso-8859-1'en'%FC", "form-data", [("filename", "ü".encode().decode("latin-1"))]),
        ("form-data; name*=plain", "form-data", [("name", "plain")]),
        ('form-data; name*1=ail; name*0="em"', "form-data", [("name", "email")]),
        ('form-data; name="open', "form-data", [("name", "open")]),
        (";;;=;a", "", []),
    ],
)
def test_split(value: str, head: str, parameters: list[tuple[str, str]]) -> None:
    assert split_header(value) == (head, parameters)


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_header_is_split_into_latin_1(value: str) -> None:
    for name, text in split_header(value)[1]:
        assert len(text.encode("latin-1")) <= 12 * len(value)
        assert name
