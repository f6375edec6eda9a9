"""Any bytes under any content type: a form within its limits, or FormUnreadable with a reason. Nothing else, and
nothing unbounded."""

from __future__ import annotations

import contextlib
import json
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.intake.forms import FormLimits, FormUnreadable, ParsedForm, RoleMap, parse_form

LIMITS = FormLimits(fields=20, parts=8, depth=5, name_chars=100, value_chars=2000, decoded_bytes=5000)

TYPES = st.one_of(
    st.sampled_from(
        [
            None,
            b"application/x-www-form-urlencoded",
            b"application/x-www-form-urlencoded; charset=utf-16",
            b"application/x-www-form-urlencoded; charset=ibm037",
            b"application/x-www-form-urlencoded; charset=utf-7; charset=cp1251",
            b"application/json",
            b"application/json; charset=utf-32",
            b"text/plain",
            b"text/plain; charset=utf-16",
            b"multipart/form-data; boundary=b",
            b"multipart/form-data; boundary=b; charset=utf-16",
        ]
    ),
    st.binary(max_size=60),
    st.tuples(st.sampled_from([b"multipart/x;", b"application/json;", b"text/plain;"]), st.binary(max_size=30)).map(
        b"".join
    ),
)
CODINGS = st.one_of(st.sampled_from([None, None, None, b"gzip", b"deflate", b"zstd"]), st.binary(max_size=12))
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"--b\r\n", b"\r\n--b--", b"--i\r\n", b"--i--\r\n", b"\r\n", b"\r\n\r\n", b"\n", b":", b";", b'"', b"\\", b"%", b"%ff", b"%00", b"&", b"=",
                b"+", b"{", b"}", b"[", b"]", b",", b'{"a":', b'"x"', b"\\ud800", b"null", b"1e9", b"_charset_=utf-16", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00",
                b'Content-Disposition: form-data; name="a"', b"; filename=x", b"; filename*=utf-8''%ff", b"; name*0*=x'y'%41; name*1=b", b"; name=_charset_",
                b"Content-Type: multipart/mixed; boundary=i\r\n", b"Content-Type: text/plain; charset=utf-16\r\n", b"Content-Length: 3\r\n",
                b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n", b" folded", b"email=a",
            ]
        ),
        st.binary(max_size=6),
    ),
    max_size=30,
).map(b"".join)  # fmt: skip
ROLES = RoleMap({"email": "a"})


def attempt(content_type: bytes | None, coding: bytes | None, body: bytes) -> None:
    try:
        found = parse_form(content_type, coding, body, LIMITS)
    except FormUnreadable as error:
        reason = error.reason
    else:
        _check(found)
        return
    assert 0 < len(reason) < 200


def _check(found: ParsedForm) -> None:
    assert found.kind in {"urlencoded", "multipart", "json", "text", "none"}
    assert len(found.fields) <= LIMITS.fields
    assert len(found.files) <= LIMITS.fields
    assert all(len(name) <= LIMITS.name_chars and len(value) <= LIMITS.value_chars for name, value in found.fields)
    assert len(found.notes) <= 10
    json.dumps(
        [found.fields, [(part.name, part.filename, part.content_type) for part in found.files]], ensure_ascii=False
    ).encode()
    ROLES.read(found.fields)


@given(TYPES, CODINGS, PIECES)
@settings(max_examples=400)
@example(b"multipart/form-data; boundary=b", None, b"--b\r\n\r\n\r\n--b--")
@example(b"multipart/form-data; boundary=\xff", None, b"--\xff\r\n folded\r\n\r\n\r\n--\xff--")
@example(b"application/json", None, b'{"a":"\\ud800\\udc00\\udfff"}')
def test_any_body_is_read_or_unreadable(content_type: bytes | None, coding: bytes | None, body: bytes) -> None:
    attempt(content_type, coding, body)


@given(st.lists(st.tuples(PIECES, PIECES), max_size=4))
@settings(max_examples=300)
def test_any_multipart_is_read_or_unreadable(parts: list[tuple[bytes, bytes]]) -> None:
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="a"' + head + b"\r\n\r\n" + content + b"\r\n"
        for head, content in parts
    )
    attempt(b"multipart/form-data; boundary=b", None, body + b"--b--")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=25,
)


@given(JSON, st.sampled_from(["utf-8", "utf-16", "utf-32-le"]))
@settings(max_examples=200)
def test_any_json_is_read_or_unreadable(value: object, charset: str) -> None:
    attempt(b"application/json", None, json.dumps(value, ensure_ascii=charset == "utf-8").encode(charset))


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=9),
            st.text(st.characters(codec="utf-8"), max_size=20),
        ),
        max_size=15,
    )
)
def test_no_field_of_an_honest_form_is_lost(fields: list[tuple[str, str]]) -> None:
    """The same fields in each of the ways a browser or a script may send them."""
    body = urlencode(fields).encode()
    assert list(parse_form(b"application/x-www-form-urlencoded", None, body, LIMITS).fields) == fields
    objects = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in fields) + "}"
    assert list(parse_form(b"application/json", None, objects.encode(), LIMITS).fields) == fields


@pytest.mark.parametrize(
    "kind",
    [b"application/x-www-form-urlencoded", b"text/plain", b"application/json", b"multipart/form-data; boundary=b"],
)
@pytest.mark.parametrize(
    "unit",
    [b"&", b"=", b"a=&", b"%", b"\n", b"[", b'{"":', b'"', b"\\", b"--b\r\n", b"\r\n", b"\r", b"; name=a", b"+AGE-"],
)
def test_no_repetition_is_costly(kind: bytes, unit: bytes) -> None:
    """Half a megabyte of one token; a quadratic step would run into the suite's time limit."""
    for limits in (FormLimits(), LIMITS):
        with contextlib.suppress(FormUnreadable):
            parse_form(kind, None, unit * (500_000 // len(unit)), limits)
