"""Which language a text is in, said only where it is clear."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from detectors.text_language import foreign
from detectors.text_lists import Texts

LANGUAGES = Texts.builtin().languages


@pytest.mark.parametrize(
    ("text", "code", "script"),
    [
        ("Wir suchen für unseren Betrieb einen neuen Steuerberater", "de", "Latin"),
        ("Czy mieszkanie jest jeszcze dostępne i kiedy można je obejrzeć", "pl", "Latin"),
        ("Хотел бы узнать, сколько это стоит и когда можно начать", "ru", "Cyrillic"),
        ("Θα ήθελα μια προσφορά", "el", "Greek"),
        ("请问那套公寓还在出租吗", "", "Han"),
        ("桜通りのアパートはまだ空いていますか", "ja", "Kana"),
        ("안녕하세요 견적을 받고 싶습니다", "ko", "Hangul"),
        ("Mercedes Benz Stuttgart Untertürkheim", "", "Latin"),
        ("P e a c e 123", "", "Latin"),
        ("12345 67", "", ""),
    ],
)
def test_scripts_and_commonest_words_tell(text: str, code: str, script: str) -> None:
    found = LANGUAGES.tell(text)
    assert (found.script, found.code if found.script not in ("Han",) else "") == (script, code)


def test_a_script_of_elsewhere_is_foreign_and_one_of_the_sites_is_not() -> None:
    arabic = LANGUAGES.tell("مرحبا أود الحصول على عرض سعر لتجديد حمام")
    assert foreign(arabic, frozenset({"de"}), LANGUAGES, 2.0) == "Arabic"
    assert foreign(arabic, frozenset({"fa"}), LANGUAGES, 2.0) == ""
    chinese = LANGUAGES.tell("请问那套公寓还在出租吗")
    assert foreign(chinese, frozenset({"ja"}), LANGUAGES, 2.0) == ""
    assert foreign(chinese, frozenset({"ko"}), LANGUAGES, 2.0) == "Han"


def test_serbian_is_at_home_on_a_serbian_site_in_either_script() -> None:
    for text in (
        "Dobar dan, molim vas ponudu za krov moje kuće, hvala unapred, pozdrav iz Beograda",
        "Добар дан, молим вас понуду за кров моје куће, хвала унапред, поздрав из Београда",
    ):
        assert foreign(LANGUAGES.tell(text), frozenset({"sr"}), LANGUAGES, 2.0) == ""
        assert foreign(LANGUAGES.tell(text), frozenset({"de"}), LANGUAGES, 2.0) != ""


def test_of_languages_that_fit_alike_each_process_tells_the_same() -> None:
    text = "dobar dan, molim hvala, to je za nas i bi sam se koliko imate vas nam"
    code = f"from detectors.text_lists import Texts; print(Texts.builtin().languages.tell({text!r}).code)"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "12")
    }  # fmt: skip
    assert told == {"hr\n"}
