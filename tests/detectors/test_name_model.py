"""Names of many languages against letters typed at random."""

from __future__ import annotations

import pytest

from detectors.name import UNLIKELY
from detectors.name_model import NameModel, words

PEOPLE = """
Maria Keller; Ng; Xu; Li; Grzegorz Brzęczyszczykiewicz; Strnad; Vlk Prchal; Srđan Mrkšić; Krzysztof Szczepański; Þorbjörg Guðmundsdóttir;
Hrafnhildur Hjálmtýsdóttir; Llywelyn ap Gruffydd; Myfanwy Llwyd; Kealoha Kamehameha; Nguyễn Thị Quỳnh; Phạm Xuân Trường; Abdulrahman
Al-Qahtani; Mkrtchyan Hrant; Venkatasubramanian Krishnamurthy; Kshitij Jhunjhunwala; Zhang Xiaoqing; Hsieh Tzu-hsuan; Kwok Tsz Kit;
Nkosazana Dlamini; Nqobile Mthethwa; Xochitl Cuauhtemoc; Itxaso Goikoetxea; Shyqyri Xhaka; Sjoukje Dijkstra; Tjitske Hoekstra; O'Brien;
d'Artagnan; J. R. R.; A B; McKnight; Szűcs Györgyi; Csikszentmihalyi Mihaly; Pschorr; Tschentscher; Ouyang Qiuyue; Nattapong Krittiya;
Khaing Htwe; Lkhagvasuren Tsend; Kvaratskhelia Khvicha; Oʻgʻiloy Yoqubjonova; Aoife Ní Dhomhnaill; Fionnghuala; Buttigieg Xuereb;
Nshimiyimana Byiringiro; Rakotomalala Andrianampoinimerina; Tshepo Hlatshwayo; Hwang Hyun-woo; Jyoti; Yrjö Hyyrynen; Schwarzschild;
Nietzsche; Wojciechowski; Sigríður; Zdzisław
"""

RANDOM = [
    "Xkqzvwpt",
    "Hdjwqbrzk",
    "qzxvwkjh",
    "bvcxkjhg wqrtplkj",
    "Jqwzxkrtv Bnqwxzk",
    "fghdjskl dfjkgh",
    "John Xzqwkvjpq",
]


@pytest.mark.parametrize("name", [name.strip() for name in PEOPLE.replace("\n", " ").split(";")])
def test_people_are_spared(name: str) -> None:
    bits = NameModel.builtin().bits(name)
    assert bits is None or bits > UNLIKELY


@pytest.mark.parametrize("name", RANDOM)
def test_letters_typed_at_random_are_not(name: str) -> None:
    bits = NameModel.builtin().bits(name)
    assert bits is not None and bits <= UNLIKELY


@pytest.mark.parametrize(
    "name", ["Щербакова", "محمد القحطاني", "王小明", "ณัฐพงษ์", "יצחק", "김현우", "Анна Smith", "አበበ", "", "123", "Ng"]
)
def test_other_scripts_and_short_names_are_not_judged(name: str) -> None:
    assert NameModel.builtin().bits(name) is None


def test_words_are_folded_to_plain_letters() -> None:
    assert words("Þórður O'Brien-Łącki ß") == ["thordur", "obrien", "lacki", "ss"]
    assert words("Анна") is None


def test_what_is_no_model_is_refused() -> None:
    for content in (b"", b"names2\n", b"names2\nxxxx", b"PK\x03\x04"):
        with pytest.raises(ValueError, match="train_names"):
            NameModel.read(content)


def test_a_name_of_a_million_letters_costs_no_more() -> None:
    model = NameModel.builtin()
    assert model.bits("x" * 1_000_000) == model.bits("x" * 240)


def test_rare_names_that_are_known_pass_and_titles_are_not_judged() -> None:
    model = NameModel.builtin()
    assert model.word("nnamdi") == 0.0
    assert model.bits("MVDr. Pokorný") == model.bits("Pokorný")
