from __future__ import annotations

from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.charsets import Decoder
from gateway.intake.urlencoded import pairs


@given(st.text("ab=&+%C3B 0aé", max_size=40))
def test_equal_to_the_standard_library_where_the_bytes_are_valid(text: str) -> None:
    decoder = Decoder()
    found = pairs(text.encode(), decoder)
    if not decoder.invalid:
        assert found == parse_qsl(text, keep_blank_values=True, max_num_fields=100)


def test_a_field_of_invalid_bytes_is_not_lost() -> None:
    decoder = Decoder()
    assert pairs(b"\xff\xfe=\xe9&b=%ff&c=%zz", decoder) == [("ÿþ", "é"), ("b", "ÿ"), ("c", "%zz")]
    assert decoder.invalid == 3


@given(st.binary(max_size=200))
def test_any_bytes_give_text_that_can_be_stored(data: bytes) -> None:
    for name, value in pairs(data, Decoder()):
        (name + value).encode()
