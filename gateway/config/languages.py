"""Languages a site may name: those whose script the text detector knows (detectors/data/text_languages.yaml), as ISO 639-1 codes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from gateway.config.values import refuse

_CODES = (
    "af am ar as az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km kn ko ku ky lo lt lv mk ml mn mr ms "
    "mt my ne nl no pa pl ps pt ro ru si sk sl sq sr sv sw ta te tg th ti tl tr uk ur uz vi yi zh"
)
CODES = frozenset(_CODES.split())


def _language(value: Any) -> str:
    if isinstance(value, str) and value.lower() in CODES:
        return value.lower()
    shown = f'"{value}"' if isinstance(value, str | int | float) else "this"
    raise refuse(
        f"{shown} is not a language code that is known here",
        'write two letters per ISO 639-1, for example "de" for German',
    )


Language = Annotated[str, BeforeValidator(_language), Field(json_schema_extra={"pattern": "^[A-Za-z]{2}$"})]
