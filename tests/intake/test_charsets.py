from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.charsets import Decoder, ascii_compatible, clean, known


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("windows-1251", "cp1251"),
        ("Shift_JIS", "shift_jis"),
        (" latin1 ", "iso8859-1"),
        ("ibm037", "cp037"),
    ],
)
def test_charsets_that_forms_use(name: str, codec: str) -> None:
    assert known(name) == codec


@pytest.mark.parametrize(
    "name", ["zlib", "bz2", "hex", "rot13", "base64", "idna", "punycode", "unicode_escape", "undefined", "none-such", "", "../x", "os.path",
             "x" * 300, "utf\x008", "aliases"]
)  # fmt: skip
def test_names_that_are_no_charset_of_a_form(name: str) -> None:
    assert known(name) is None


def test_which_charsets_keep_the_structure() -> None:
    assert ascii_compatible("cp1251")
    assert ascii_compatible("shift_jis")
    assert not any(map(ascii_compatible, ("utf-16", "cp037", "utf-7")))


def test_what_is_invalid_is_read_as_latin_1_and_counted() -> None:
    decoder = Decoder("utf-8")
    assert (decoder(b"\xc3\xbc"), decoder(b"\xfc"), decoder.invalid) == ("ü", "ü", 1)


def test_lone_surrogates_are_replaced() -> None:
    assert Decoder("utf-7")(b"a+2AA-b") == "a\ufffdb"
    assert clean("x\ud83d\ude00y") == "x😀y"
    assert clean("x\udc00") == "x\ufffd"


@given(
    st.binary(max_size=60),
    st.sampled_from(["utf-7", "utf-16", "cp037", "hz", "iso2022_jp", "gb18030", "big5hkscs", "charmap"]),
)
def test_any_bytes_in_any_charset_give_text_that_can_be_stored(data: bytes, name: str) -> None:
    Decoder(known(name) or "utf-8")(data).encode()
