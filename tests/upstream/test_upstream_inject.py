"""Insertion behind form tags: where it must happen, where it must not, and the same however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.upstream.inject import MAX_TAG, Injector
from gateway.upstream.inject_policy import cache_control, injectable

PAGE = "https://www.acme.example/offer/one?x=1"
FIELD = b'<input type="hidden" name="_lg" value="T">'


def run(html: bytes, *, size: int | None = None, page: str = PAGE) -> tuple[bytes, int]:
    injector = Injector(page, {"/lead": FIELD, "/offer/one": b"<SELF>"})
    pieces = [html] if size is None else [html[i : i + size] for i in range(0, len(html), size)]
    return b"".join(map(injector.feed, pieces)) + injector.finish(), injector.count


GETS = {
    b'<form action="/lead" method="post">': FIELD,
    b"<form action='/lead'>": FIELD,
    b"<form action=/lead>": FIELD,
    b"<form  action=/lead/ >": None,
    b'<FORM\nclass=x\tAction = "/lead"\nMETHOD=POST>': FIELD,
    b'<form action="https://www.acme.example/lead">': FIELD,
    b'<form action="//WWW.acme.example/lead?a=b#c">': FIELD,
    b'<form action="../lead">': FIELD,
    b'<form action="&#47;lead">': FIELD,
    b'<form action="/le%61d">': FIELD,
    b'<form action=" /lead ">': FIELD,
    b'<form action="/lead" action="/other">': FIELD,
    b"<form>": b"<SELF>",
    b'<form action="">': b"<SELF>",
    b'<form action="#top" id=f>': b"<SELF>",
    b'<form data-action="/lead" action="/other">': None,
    b'<form action="/lead" method="get">': None,
    b'<form action="/lead" method=dialog>': None,
    b'<form action="/leads">': None,
    b'<form action="https://other.example/lead">': None,
    b'<form action="http://[bad/lead">': None,
    b"<formation action=/lead>": None,
    b"</form action=/lead>": None,
    b"< form action=/lead>": None,
    b'<form title="a>b" action="/lead">': FIELD,
    b'<form title=a"b action=/lead>': FIELD,
    b'<form action="/lead" title="' + b"x" * MAX_TAG + b'">': None,
    b'<img alt="' + b"y" * 3 * MAX_TAG + b'><form action=/lead>"><form action=/lead>': FIELD,
}


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize(("tag", "expected"), GETS.items())
def test_which_form_tags_get_it(tag, expected, size):
    html = b"<p>a < b" + tag + b"<input name=x></p>"
    wanted = b"<p>a < b" + tag + (expected or b"") + b"<input name=x></p>"
    assert run(html, size=size) == (wanted, int(expected is not None))


@pytest.mark.parametrize("size", [None, 1, 5])
@pytest.mark.parametrize(
    "around",
    [
        (b"<!-- ", b" -->"), (b"<!--> --><!--", b"--!>"), (b"<script>var a='", b"';</script>"), (b"<SCRIPT src=x>", b"</script >"),
        (b"<style media='a>b'>", b"</style>"), (b"<textarea rows=2>", b"</textarea>"), (b"<title>", b"</title>"),
        (b"<template><template></template>", b"</template>"), (b"<iframe>", b"</iframe>"), (b"<xmp></xmpx>", b"</xmp>"),
        (b'<div data-html="<p>', b'</p>">'), (b"<div data-html='<b>\"", b"'>"), (b"<script>'</scriptx>' <!-- ", b"</script>"),
        (b'<p title = "', b'">'), (b"<script data-x='" + b"z" * 9000 + b"'>", b"</script>"), (b"<? ", b""), (b"</ ", b""),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_form_is_left_alone(around, size):
    before, after = around
    inside = b"<form action=/lead>"
    real = b"<form action='/lead' method=post>"
    html = b"\xef\xbb\xbf<!doctype html>\xe4" + before + inside + after + b" text " + real + b"</form>"
    assert run(html, size=size) == (html.replace(real, real + FIELD), 1)


def test_base_changes_where_a_relative_action_leads():
    html = b'<base href="/x/y/"><base href="/"><form action="../../lead"><form action=lead><form action="">'
    assert run(html)[0] == html.replace(b'"../../lead">', b'"../../lead">' + FIELD).replace(b'"">', b'""><SELF>')
    foreign = b'<base href="https://cdn.example/"><form action="/lead">'
    assert run(foreign) == (foreign, 0)


def test_nothing_is_held_back_that_need_not_be():
    injector = Injector(PAGE, {"/lead": FIELD})
    for piece in (
        b"<p>text",
        b" more < 3",
        b"<img alt='half",
        b" an attribute",
        b"'><script>a<b;",
        b"c</script>",
        b"<!-- x",
        b" y -->",
    ):
        assert injector.feed(piece) == piece
    assert injector.feed(b"z<form act") == b"z"
    assert injector.feed(b"ion=/lead>k") == b"<form action=/lead>" + FIELD + b"k"


def test_an_unfinished_page_comes_out_whole():
    html = b"<p>a<form action='/lead'"
    assert run(html) == (html, 0)


PIECES = [
    b"<form action='/lead'>", b"<form>", b"<!--", b"-->", b"<script>", b"</script>", b'"', b"'", b">", b"<", b"=", b" ", b"a", b"<p title=",
    b"<template>", b"</template>", b"<textarea>", b"</textarea>", b"\xff\xe4", b"/", b"<img src=x>", b"<style", b"</", b"<!", b"<?", b"<base href=/b/>",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join), st.data())
def test_cuts_do_not_matter_and_removing_the_insertions_gives_the_page_back(html, data):
    whole = run(html)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(html)), max_size=8)))
    injector = Injector(PAGE, {"/lead": FIELD, "/offer/one": b"<SELF>"})
    out = (
        b"".join(injector.feed(html[a:b]) for a, b in zip([0, *cuts], [*cuts, len(html)], strict=True))
        + injector.finish()
    )
    assert (out, injector.count) == whole
    assert out.replace(FIELD, b"").replace(b"<SELF>", b"") == html


HTML = (b"Content-Type", b"text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, [HTML], True), (201, [(b"content-type", b"TEXT/HTML")], True), (404, [HTML], False), (206, [HTML], False), (204, [HTML], False),
        (200, [], False), (200, [(b"Content-Type", b"text/plain")], False), (200, [(b"Content-Type", b"text/html;charset=UTF-16")], False),
        (200, [HTML, (b"Content-Encoding", b"gzip")], False), (200, [HTML, (b"Content-Encoding", b"identity")], True),
        (200, [HTML, (b"Cache-Control", b"public")], False), (200, [HTML, (b"Cache-Control", b"s-maxage=5, private")], False),
        (200, [HTML, (b"Cache-Control", b"max-age=60")], False), (200, [HTML, (b"Cache-Control", b"Max-Age=60, Private")], True),
        (200, [HTML, (b"Cache-Control", b"max-age=0, must-revalidate")], True), (200, [HTML, (b"Cache-Control", b"no-store")], True),
        (200, [HTML, (b"Cache-Control", b"no-cache"), (b"cache-control", b"public")], False),
        (200, [HTML, (b"Cache-Control", b"private, no-transform")], False), (200, [HTML, (b"CDN-Cache-Control", b"max-age=9")], False),
        (200, [HTML, (b"Date", b"Sun, 22 Nov 2026 00:00:00 GMT"), (b"Expires", b"Sun, 22 Nov 2026 00:10:00 GMT")], False),
        (200, [HTML, (b"Date", b"Sun, 22 Nov 2026 00:00:00 GMT"), (b"Expires", b"Thu, 19 Nov 1981 08:52:00 GMT")], True),
        (200, [HTML, (b"Expires", b"0")], True), (200, [HTML, (b"Expires", b"Sun, 22 Nov 2026 00:10:00 GMT")], False),
        (200, [HTML, (b"Expires", b"Sun, 22 Nov 2026 00:10:00 GMT"), (b"Cache-Control", b"private")], True),
    ],
)  # fmt: skip
def test_which_answers_may_be_changed(status, headers, expected):
    assert injectable(status, headers) is expected


def test_no_store_stays():
    assert cache_control([(b"Cache-Control", b"max-age=0, NO-STORE")]) == b"private, no-cache, no-store"
    assert cache_control([]) == b"private, no-cache"
