"""The proposal of endings: by frequency, never a country's, and only where there is enough of it."""

from __future__ import annotations

from bench import mail_endings

BAD = [f"b{number}.cfd" for number in range(30)] + [f"b{number}.de" for number in range(60)] + ["b.skin"]
GOOD = [f"g{number}.com" for number in range(2_000)] + ["g.cfd"]


def test_an_ending_is_proposed_by_its_frequency() -> None:
    found = mail_endings.preferred(BAD, GOOD)
    assert list(found) == ["cfd"]  # .skin was seen once, .de is a country's
    assert round(found["cfd"]) == round(30 / 91 * 2_002 / 2)
    assert mail_endings.preferred(BAD, GOOD + [f"h{number}.cfd" for number in range(40)]) == {}


def test_what_tells_a_domain_is_counted_once() -> None:
    domains = ["10minute-mail.cfd", "quvomail.com", "novareltis.cfd", "quvomail.de", "keller.kozow.com"]
    assert mail_endings.told(domains, ["cfd"]) == {"words": 1, "mailbox word": 1, "ending": 1}
