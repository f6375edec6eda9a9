from __future__ import annotations

import pytest

from gateway.intake.forms import FilePart, FormLimits, FormUnreadable, ParsedForm, parse_form

TYPE = b"multipart/form-data; boundary=b"


def read(*parts: tuple[str, bytes], content_type: bytes = TYPE, limits: FormLimits | None = None) -> ParsedForm:
    body = (
        b"".join(b"--b\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts) + b"--b--\r\n"
    )
    return parse_form(content_type, None, body, limits or FormLimits())


def field(name: str) -> str:
    return f'Content-Disposition: form-data; name="{name}"'


def test_fields_in_order_with_duplicates() -> None:
    found = read((field("a"), b"1"), (field("b"), b""), (field("a"), "ü\r\nx".encode()))
    assert found == ParsedForm((("a", "1"), ("b", ""), ("a", "ü\r\nx")), (), "multipart")


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (field("über"), ["über"]),
        (field("a%22b"), ['a"b', "a%22b"]),
        ("content-disposition: FORM-DATA; NAME=email", ["email"]),
        ("Content-Disposition: form-data; name=a; name=email", ["email", "a"]),
        ("Content-Disposition: form-data; name=a; name*=utf-8''em%61il", ["a", "email"]),
        ('Content-Disposition: form-data; name*0="em"; name*1="ail"', ["email"]),
        (field("a") + "\r\n" + field("email"), ["a", "email"]),
        ("Content-Disposition: attachment; name=email", ["email"]),
        ("Content-Disposition: form-data", [""]),
        ("X-Nothing: here", [""]),
    ],
)
def test_every_name_that_an_origin_might_read(head: str, names: list[str]) -> None:
    found = read((head, b"v"))
    assert sorted(found.fields) == sorted((name, "v") for name in names)
    assert bool(found.notes) == (len(names) != 1 or names == [""])


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('filename="cv.pdf"', "cv.pdf"),
        ("filename=cv.pdf", "cv.pdf"),
        ('filename="Lebenslauf für x.pdf"', "Lebenslauf für x.pdf"),
        ("filename=\"x\"; filename*=UTF-8''%e2%82%ac.pdf", "€.pdf"),
        ("filename*=UTF-8''%e2%82%ac.pdf", "€.pdf"),
        ('filename="a%22b"', 'a"b'),
        ('filename="C:\\\\Users\\\\x\\\\cv.pdf"', "cv.pdf"),
        ('filename=""', ""),
    ],
)
def test_files(disposition: str, filename: str) -> None:
    found = read(
        (f"Content-Disposition: form-data; name=cv; {disposition}\r\nContent-Type: Application/PDF; x=y", b"x" * 99)
    )
    assert found.files == (FilePart("cv", filename, "application/pdf", 99),)
    assert found.fields == (("cv", filename),)


def test_a_large_file_is_counted_and_not_limited_as_a_field() -> None:
    found = read((field("cv") + '; filename="x"', bytes(3_000_000)), limits=FormLimits(value_chars=10))
    assert found.files[0].size == 3_000_000


@pytest.mark.parametrize(
    ("head", "content", "values"),
    [
        ("Content-Type: text/plain; charset=windows-1251", "Иван".encode("cp1251"), ["Иван"]),
        ("Content-Type: text/plain; charset=utf-16", "x".encode("utf-16"), ["x", "ÿþx\x00"]),
        ("Content-Type: text/plain; charset=none-such", b"x", ["x"]),
        ("Content-Transfer-Encoding: base64", b"aGVsbG8=", ["aGVsbG8=", "hello"]),
        ("Content-Transfer-Encoding: base64", b"a", ["a"]),
        ("Content-Transfer-Encoding: quoted-printable", b"a=20b", ["a=20b", "a b"]),
        ("Content-Transfer-Encoding: binary", b"\xff", ["ÿ"]),
    ],
)
def test_readings_of_one_value(head: str, content: bytes, values: list[str]) -> None:
    found = read((field("a") + "\r\n" + head, content))
    assert [value for _, value in found.fields] == values


def test_charset_field_and_parameter() -> None:
    name = "Иван".encode("cp1251")
    assert ("name", "Иван") in read((field("_charset_"), b"windows-1251"), (field("name"), name)).fields
    assert ("name", "Иван") in read((field("name"), name), content_type=TYPE + b"; charset=windows-1251").fields


def test_nested_multipart() -> None:
    inner = (
        b'--i\r\nContent-Disposition: file; filename="one.txt"\r\n\r\n1\r\n--i\r\nContent-Disposition: attachment; filename=two.txt\r\n\r\n22'
        b'\r\n--i\r\nContent-Disposition: form-data; name="email"\r\n\r\na@b.example\r\n--i--\r\n'
    )
    found = read((field("files") + "\r\nContent-Type: multipart/mixed; boundary=i", inner))
    assert [(file.name, file.filename, file.size) for file in found.files] == [
        ("files", "one.txt", 1),
        ("files", "two.txt", 2),
    ]
    assert ("email", "a@b.example") in found.fields
    outer = (
        b"--o\r\nContent-Disposition: file\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"
        + inner
        + b"\r\n--o--\r\n"
    )
    with pytest.raises(FormUnreadable, match="nested more than once"):
        read((field("files") + "\r\nContent-Type: multipart/mixed; boundary=o", outer))
    with pytest.raises(FormUnreadable, match="more than 3 parts"):
        read((field("files") + "\r\nContent-Type: multipart/mixed; boundary=i", inner), limits=FormLimits(parts=3))


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        (b"multipart/form-data", b"--b--", "names no boundary"),
        (b"multipart/form-data; boundary=", b"--b--", "empty"),
        (b"multipart/form-data; boundary=a; boundary=b", b"--b--", "more than one"),
        (b"multipart/form-data; boundary=" + b"b" * 201, b"--b--", "longer than 200"),
        (TYPE, b"hello", "broken"),
        (TYPE, b"--b\r\n" + field("a").encode() + b"\r\n\r\nx", "broken"),
        (TYPE, b"--b\n" + field("a").encode() + b"\n\nx\n--b--\n", "broken"),
        (TYPE, b"--b\r\nno colon\r\n\r\nx\r\n--b--", "broken"),
        (TYPE, (b"--b\r\n" + field("a").encode() + b"\r\n\r\nx\r\n") * 129 + b"--b--", "more than 128 parts"),
        (TYPE, b"--b\r\n" + b"A: b\r\n" * 17 + b"\r\nx\r\n--b--", "too many or too long part headers"),
        (TYPE, b"--b\r\nA: " + b"b" * 9000 + b"\r\n\r\nx\r\n--b--", "too many or too long part headers"),
        (
            TYPE,
            b"--b\r\n" + field("a").encode() + b"\r\n\r\n" + b"x" * 1_048_577 + b"\r\n--b--",
            "field of more than 1048576",
        ),
    ],
)
def test_unreadable(content_type: bytes, body: bytes, reason: str) -> None:
    with pytest.raises(FormUnreadable, match=reason):
        parse_form(content_type, None, body, FormLimits())


def test_boundaries_across_the_parsers_steps() -> None:
    for size in range(65_450, 65_540):
        assert read((field("a"), b"x" * size), (field("b"), b"y")).fields[1] == ("b", "y")
