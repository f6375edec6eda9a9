from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rules.loader import RulesError, load

Packs = Callable[..., Path]
Local = Callable[[dict[str, str]], Path]


def problems(packs_dir: Path, local_dir: Path | None = None) -> list[str]:
    with pytest.raises(RulesError) as caught:
        load(packs_dir, local_dir)
    return [f"{p.file}:{p.line}:{p.column} {p.what} | {p.remedy}" for p in caught.value.problems]


def test_weights_know_their_numbers_and_who_set_them(packs: Packs) -> None:
    rules = load(packs())
    weight = rules.weights["email.disposable"]
    assert (weight.millis, weight.band, weight.source, weight.decisive) == (2500, "high", "email.yaml:4", False)
    assert rules.weights["form.honeypot"].decisive
    assert rules.weights["network.home"].millis == -700
    assert rules.packs["landing-page"].caps == {"email": 2500, "velocity": 2000}


def test_a_local_file_replaces_single_values_and_is_named_as_their_source(packs: Packs, local: Local) -> None:
    own = local({"weights/email": "group: email\ncap: 1.2\nsignals:\n  email.disposable: {weight: 1.2}\n"})
    rules = load(packs(), own)
    weight = rules.weights["email.disposable"]
    assert (weight.millis, weight.band, weight.source) == (1200, None, "local/weights/email.yaml:4")
    assert weight.text == "A throw-away mailbox ({0})"
    assert rules.weights["email.several"].source == "email.yaml:6"
    assert rules.packs["lead-form"].caps["email"] == 1200


def test_a_local_pack_replaces_appends_and_disables_composites(packs: Packs, local: Local) -> None:
    pack = """
pack: lead-form
thresholds: {review_below: 40}
caps: {form: low}
composites:
  - name: shared-address
    on: [velocity.address]
    when: network.kind == "mobile"
    then: {replace: {velocity.address: hint}}
  - {name: second, on: [email.role], when: "true", then: {add: {form.too_fast: low}}}
"""
    rules = load(packs(), local({"lead-form": pack}))
    made = rules.packs["lead-form"]
    assert [(c.name, c.source, c.remove, c.replace, c.add) for c in made.composites] == [
        ("shared-address", "local/lead-form.yaml:5", (), (("velocity.address", 300),), ()),
        ("second", "local/lead-form.yaml:9", (), (), (("form.too_fast", 700),)),
    ]
    assert (made.review_below, made.undecided_below, made.caps["form"]) == (40, 50, 700)
    own = local({"lead-form": "pack: lead-form\ndisable: [shared-address]\n"})
    assert load(packs(), own).packs["lead-form"].composites == ()


def test_a_wildcard_names_all_signals_of_a_group(packs: Packs) -> None:
    assert load(packs()).packs["lead-form"].composites[0].remove == ("velocity.address", "velocity.prefix")


def test_all_problems_of_all_files_come_in_one_go(packs: Packs, local: Local) -> None:
    files = {
        "weights/email": (
            "group: mail\n"
            "cup: 2\n"
            "signals:\n"
            "  email.a: {band: hihg, ivt: none, text: ok}\n"
            "  email.b: {band: low, ivt: gift, text: ok}\n"
            "  email.c: {band: low, ivt: none}\n"
            "  email.d: {band: low, weight: 1, ivt: none, text: x}\n"
            "  email.e: {weight: 99, ivt: none, text: x}\n"
            '  email.f: {band: low, ivt: none, text: "x {1}"}\n'
            '  email.g: {band: low, ivt: none, text: "x {name}"}\n'
            "  email.g: {band: low, ivt: none, text: x}\n"
            "  mail.h: {band: low, ivt: none, text: x}\n"
            "  email.i: {band: low, ivt: sivt, category: data centre, text: x}\n"
        ),
        "lead-form": (
            "pack: lead-form\nkind: submission\nprior: 3\nthresholds: {review_below: 101, undecided_below: 50}\n"
            "caps: {emial: low}\nallow: [crawler.verifed]\n"
        ),
    }
    own = local({"weights/network": "group: network\nsignals:\n  network.hostin: {band: low}\n"})
    assert problems(packs(files), own) == [
        "email.yaml:1:8 group mail stands in email.yaml | Write group: email, or rename the file.",
        "email.yaml:2:1 cup is not known in a weights file | Did you mean cap?",
        "email.yaml:4:19 hihg is no band | Did you mean high?",
        "email.yaml:5:29 gift is no ivt class | Did you mean givt?",
        "email.yaml:6:3 email.c lacks text | Add a text that a marketer understands.",
        "email.yaml:7:32 email.d has both band and weight | Keep one of them.",
        "email.yaml:8:21 weight must be a number from -5 to 5 | Correct the number.",
        "email.yaml:9:41 the text uses {1} but not {0} | Number placeholders from {0} on, none left out.",
        "email.yaml:10:41 the text has a brace that is no placeholder | Placeholders are {0} to {9}; leave other braces out.",
        "email.yaml:11:3 email.g stands twice (first in line 10) | Keep one of them.",
        'email.yaml:12:3 mail.h is no signal id of group email | Ids read "email.something", lower case.',
        "email.yaml:13:45 data centre is no category | Did you mean data center?",
        "lead-form.yaml:3:8 prior must be a number from -8 to 0 | Correct the number.",
        "lead-form.yaml:4:28 review_below must be a number from 0 to 100 | Correct the number.",
        "lead-form.yaml:5:8 emial is no group of signals | Did you mean email?",
        "lead-form.yaml:6:9 crawler.verifed is no known signal | Did you mean crawler.verified?",
        "local/weights/network.yaml:3:3 network.hostin is no known signal | Did you mean network.hosting?",
    ]


def composite(when: str, extra: str = "then: {remove: [velocity.address]}", on: str = "[velocity.address]") -> str:
    head = "pack: lead-form\nkind: submission\nprior: -3.0\nthresholds: {review_below: 65, undecided_below: 50}\ncomposites:\n"
    return f"{head}  - name: one\n    on: {on}\n    when: {when}\n    {extra}\n"


@pytest.mark.parametrize(
    ("when", "place", "what", "remedy"),
    [
        ("network.knd == 'x'", "8:18", "undeclared reference to 'network.knd'", "Did you mean network.kind?"),
        ("network.asn == 'x'", "8:23", "no matching overload for '_==_'", "different types"),
        ('signal("velocity.adress")', "8:19", "velocity.adress is no known signal", "Did you mean velocity.address?"),
        ("kind == 'x' and true", "8:23", "mismatched input 'and'", "Write && for and."),
        ("session.landings + 1", "8:11", "yields int, not true or false", "Compare it"),
        ('velocity["adress/60"] > 1', "8:21", "adress/60 is no known counter", "Did you mean address/60?"),
        ('"velocety" in unavailable', "8:22", "text stands behind a closing quote", "quotes"),
        ("'\"velocety\" in unavailable'", "8:13", "velocety is no known fact", "Did you mean velocity?"),
        (
            ">-\n      kind == 'x'\n      && network.knd == 'y'",
            "10:17",
            "undeclared reference to 'network.knd'",
            "network.kind",
        ),
        (
            "|\n      kind == 'x'\n\n      && network.knd == 'y'",
            "11:17",
            "undeclared reference to 'network.knd'",
            "network.kind",
        ),
        ("[1]", "8:11", "when must be text", ""),
        ("(" * 40 + "true" + ")" * 40, "8:11", "nested too deeply", "Split"),
        ("kind == '" + "x" * 2000 + "'", "8:11", "more than 2,000 characters", "Split"),
    ],
)
def test_a_wrong_condition_is_found_when_rules_are_loaded(
    packs: Packs, when: str, place: str, what: str, remedy: str
) -> None:
    found = problems(packs({"lead-form": composite(when)}))
    match = [text for text in found if what in text]
    assert match, found
    assert remedy in match[0]
    if "YAML" not in what:
        assert match[0].startswith(f"lead-form.yaml:{place} "), match[0]


def test_a_problem_shows_the_line_with_a_caret(packs: Packs) -> None:
    with pytest.raises(RulesError) as caught:
        load(packs({"lead-form": composite("network.knd == 'x'")}))
    assert str(caught.value).splitlines() == [
        "1 problem in the rules",
        "lead-form.yaml:8:18: in the condition: undeclared reference to 'network.knd'. Did you mean network.kind?",
        "        when: network.knd == 'x'",
        "                     ^",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (composite("'true'", "then: {}"), "does nothing"),
        (composite("'true'", "then: {drop: [email.role]}"), "drop is not known in then"),
        (composite("'true'", "then: {remove: [email.rol]}"), "email.rol is no known signal"),
        (composite("'true'", "then: {replace: {email.*: low}}"), "needs single signals"),
        (composite("'true'", "then: {add: {email.role: lowest}}"), "lowest is no band"),
        (composite("'true'", "then: {add: {email.disposable: low}}"), "its text has placeholders"),
        (composite("'true'", on="[]"), "is on no signal"),
        (composite("'true'", on="[nope.*]"), "nope.* is no known signal"),
        (composite("'true'", "text: x"), "lacks then"),
        (composite("'true'") + "  - name: one\n", "stands twice"),
        (composite("'true'") + "  - {on: [email.role]}\n", "lacks a name"),
        (composite("'true'") + "disable: [two]\n", "two is no composite"),
        (composite("'true'") + "disable: [one]\n", "defined and disabled"),
        (composite("'true'").replace("kind: submission", "kind: page"), "page is no kind"),
        (composite("'true'").replace("prior: -3.0\n", ""), "lacks prior"),
        ("- a\n", "must be a mapping"),
        ("pack: [", "a bracket or brace is opened and not closed rightly"),
        ("pack: a\x01b", "this is not YAML"),
        ("[" * 1500, "nested too deeply"),
        ("pack: x # " + "x" * 1_000_001, "more than 1,000,000 characters"),
    ],
)
def test_wrong_packs_are_refused(packs: Packs, text: str, what: str) -> None:
    found = problems(packs({"lead-form": text}))
    assert any(what in line for line in found), found


def test_an_empty_local_file_says_nothing(packs: Packs, local: Local) -> None:
    own = local({"lead-form": "# nothing yet\n", "weights/email": ""})
    assert load(packs(), own).content() == load(packs()).content()


def test_a_missing_directory_a_wrong_ending_and_bytes_that_are_no_text_are_problems(packs: Packs, local: Local) -> None:
    own = local({})
    assert "there is no such directory" in problems(packs(), own)[0]
    own.mkdir()
    (own / "lead-form.yml").write_text("pack: lead-form\n")
    (own / "landing-page.yaml").write_bytes(b"\xff\xfe\x00")
    found = problems(packs(), own)
    assert found[0] == "local/landing-page.yaml:1:1 this line is not UTF-8 | Save the file as UTF-8."
    assert "Rename it to end in .yaml." in found[1]


def test_the_hash_follows_the_meaning_and_not_the_place(packs: Packs, local: Local) -> None:
    shipped = packs()
    before = load(shipped)
    path = shipped / "weights" / "email.yaml"
    path.write_text("# a comment moves every line\n" + path.read_text())
    assert load(shipped).content_hash() == before.content_hash()
    own = local({"weights/email": "group: email\nsignals: {email.role: {band: hint}}\n"})
    assert load(shipped, own).content_hash() != before.content_hash()
    assert before.content().startswith(b'{"packs":{"landing-page"')


def test_a_local_pack_of_its_own_can_be_chosen(packs: Packs, local: Local) -> None:
    from detectors.observation import Kind

    text = "pack: careful\nkind: landing\nprior: -2\nthresholds: {review_below: 80, undecided_below: 50}\n"
    rules = load(packs(), local({"careful": text}))
    assert rules.policy(Kind.LANDING, pack="careful").review_below == 80
    with pytest.raises(ValueError, match="judges a landing, not a submission"):
        rules.policy(Kind.SUBMISSION, pack="careful")
    with pytest.raises(ValueError, match="Did you mean careful"):
        rules.policy(Kind.LANDING, pack="carefull")
