"""The strongest statement about a network decides what kind it is."""

from __future__ import annotations

import pytest

from geoip.kinds import KINDS, Kinds


@pytest.fixture(scope="module")
def kinds() -> Kinds:
    return Kinds(
        {"hosting": {"Example Cloud": [64500]}, "mixed": {"Example Tel": [64501]}, "unknown": {"Transit": [64502]}}
        | {"mobile": {"Example Phones": [64504]}},
        [
            {"kind": "consumer", "words": ["telecom*"]},
            {"kind": "hosting", "words": ["*hosting", "data center"], "unless": ["school"]},
        ],
        {64510: "business"},
    )


@pytest.mark.parametrize(
    ("asn", "organisation", "labels", "stated", "kind"),
    [
        (64500, None, ("hosting:X", "crawler:googlebot"), (), "crawler"),
        (64500, None, ("hosting:X", "relay:Y"), (), "relay"),
        (64500, None, ("hosting:X",), ("vpn:database",), "vpn"),  # an exit in a data centre
        (64501, None, ("hosting:X",), (), "hosting"),  # a range says more than the number
        (64504, None, ("hosting:X",), (), "mobile"),  # but not where thousands share an address
        (64504, None, ("cdn:X",), (), "cdn"),
        (64500, None, (), ("mobile:database",), "hosting"),
        (64501, None, (), ("mobile:database",), "mobile"),  # which of its addresses are phones'
        (64501, None, (), ("hosting:database",), "mixed"),  # carriers are full of people
        (64502, "Some Hosting", (), (), ""),
        (64502, "Some Hosting", (), ("hosting:database",), "hosting"),
        (64503, "Some Hosting", (), ("education:database",), "education"),
        (64503, "Some Hosting", (), (), "hosting"),
        (64510, "Some Hosting", ("hosting:X",), ("hosting:database",), "business"),
        (64510, None, ("relay:Y",), (), "relay"),
        (None, None, (), (), ""),
        (None, None, ("other:X",), (), ""),
    ],
)
def test_order(
    kinds: Kinds, asn: int | None, organisation: str | None, labels: tuple[str, ...], stated: tuple[str, ...], kind: str
) -> None:
    assert kinds.of(asn, organisation, labels, stated) == kind


@pytest.mark.parametrize(
    ("organisation", "kind"),
    [
        ("TELECOMUNICAÇÕES de Exemplo", "consumer"),
        ("Example WebHosting, Inc.", "hosting"),
        ("Example Data-Center", "hosting"),
        ("School Data Center", ""),
        ("Data Centerpiece", ""),
        ("Telecom Hosting", "consumer"),  # the first line decides
        ("", ""),
        ("x" * 500 + " hosting", ""),
    ],
)
def test_words(kinds: Kinds, organisation: str, kind: str) -> None:
    assert kinds.by_name(organisation) == kind


def test_the_hash_tells_what_is_in_it(kinds: Kinds) -> None:
    assert Kinds.builtin().content_hash != kinds.content_hash
    assert Kinds.builtin(((64500, "business"),)).content_hash != Kinds.builtin().content_hash
    assert Kinds.builtin() is Kinds.builtin()


def test_shipped_tables_name_kinds_only() -> None:
    shipped = Kinds.builtin()
    assert set(shipped._table.values()) <= {*KINDS, ""}
    assert {rule.kind for rule in shipped._rules} <= {*KINDS, ""}


@pytest.mark.parametrize(
    ("asn", "kind"),
    [
        (29465, "mobile"),  # MTN Nigeria and
        (36873, "mobile"),  # Airtel Nigeria stand on a public list of bad networks
        (3561, ""),
        (4323, ""),
        (6939, ""),
        (174, ""),
        (20940, "cdn"),  # carries people's relays
        (13335, "cdn"),
        (54113, "cdn"),
        (51207, "mobile"),
        (3320, "consumer"),
        (7922, "consumer"),
        (3209, "mixed"),
        (680, "education"),
        (786, "education"),
        (22616, "proxy"),
        (136787, "vpn"),
        (721, "government"),
        (521, "business"),
        (16509, "hosting"),
        (24940, "hosting"),
        (15169, ""),  # crawlers, offices and people's proxies under one number
        (29447, "mobile"),  # Iliad's phones in Italy, under a hoster's name
        (132003, "education"),
        (202283, "government"),  # tax offices browse through their data centre
        (58172, ""),  # homes in Kazakhstan, under the name of a data centre
        (213176, "proxy"),
        (206804, "hosting"),
        (42201, "vpn"),
    ],
)
def test_well_known_operators(asn: int, kind: str) -> None:
    assert Kinds.builtin().of(asn, "Hosting and Telecom University Bank") == kind


@pytest.mark.parametrize(
    ("organisation", "kind"),
    [
        ("Universität Beispiel", "education"),
        ("Example Independent School District", "education"),
        ("University Federal Credit Union", "business"),
        ("Uniwersytet Przykladowy w Warszawie", "education"),
        ("PEMERINTAH KABUPATEN CONTOH", "government"),
        ("Prefeitura Municipal de Exemplo", "government"),
        ("City of Example", "government"),
        ("City of Example Fiber", "consumer"),
        ("EXEMPLO TELECOMUNICACOES LTDA", "consumer"),
        ("PT Contoh Jaringan Nusantara", "consumer"),
        ("Kabelnetz Beispiel GmbH", "consumer"),
        ("Beispiel Rechenzentrum GmbH", "hosting"),
        ("Ornek Veri Merkezi Hizmetleri", "hosting"),
        ("Exemplo Hospedagem de Sites", "hosting"),
        ("CloudExample Servers LLC", "hosting"),
        ("Cloud Fibra Telecom e Hosting", "consumer"),
        ("Hostel Example SL", ""),
        ("Example Mobile Telecom", "mobile"),
        ("Orange County Department of Roads", "government"),
        ("Grand Hotel Example", "business"),
        ("Ornek Bulut Bilisim A.S.", "hosting"),
        ("Mizban Dadeh Example LLC", "hosting"),
        ("Exemplo Computacao em Nuvem LTDA", "hosting"),
        ("EXAMPLEHEBERG SAS", "hosting"),
        ("Broadbandidc Example", ""),
        ("Nicolo Example", ""),  # a first name, no colocation
        ("Office Of The Registrar General Example", "government"),
        ("Kommunales Rechenzentrum Beispiel", "government"),
        ("Caixa dos Servidores do Estado", "business"),  # civil servants, no servers
        ("Banco de Ejemplo S.A.", "business"),
        ("Klinikum Beispielstadt", "business"),
        ("Example Corporation", "business"),
        ("Example LLC", ""),
    ],
)
def test_names_of_many_languages(organisation: str, kind: str) -> None:
    assert Kinds.builtin().of(None, organisation) == kind
