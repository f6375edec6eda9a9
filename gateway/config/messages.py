"""What a validation error means, in plain words: what was found, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic_core import ErrorDetails

from gateway.config.model import Config
from gateway.config.problems import Loc
from gateway.config.values import Section

# Keys of the contract that this version does not have yet: they are refused, with the way to go instead.
LATER = {
    "destinations": "leave it out: accepted leads go to the site's origin",
    "sites[].forms[].destinations": "leave it out: accepted leads go to the site's origin",
    "listeners[].tls": "let a web server in front end TLS (nginx, Caddy), and name it in trusted_proxies",
    "listeners[].proxy_protocol": "let the balancer add X-Forwarded-For, and name it in trusted_proxies",
    "listeners[].header_order": "leave it out",
    "sites[].forms[].inject_fields": "leave it out: the score is in the X-Lead-* headers",
    "sites[].forms[].thank_you": "leave it out: the origin thanks for what it takes; a held lead is told so on Leadgate's own page, where no conversion fires",
    "sites[].forms[].strip_token": "leave it out: the body is forwarded as it came",
    "retention": "leave it out: records are kept until you delete them",
}
# What people call a setting when they come from another program.
_ALSO_KNOWN_AS = {
    "allowlist": "lists.allow", "backend": "origin", "bind": "listen", "blocklist": "lists.deny", "database": "store", "db": "store",
    "denylist": "lists.deny", "domain": "hosts", "domains": "hosts", "host": "hosts", "hostname": "hosts", "port": "listen",
    "proxy_pass": "origin", "server_name": "hosts", "target": "origin", "threshold": "review_below", "upstream": "origin", "url": "origin",
}  # fmt: skip
_EXAMPLES = {
    "sites": "sites: with one entry for each site", "name": "name: and a short name, for example main", "origin": "origin: http://127.0.0.1:9000",
    "path": "path: and where it stands on the site, for example /lead", "email": "email: leads@example.com", "address": "address: 127.0.0.1:8080",
}  # fmt: skip


def explain(error: ErrorDetails, present: bool) -> tuple[str, str]:
    """(what was found, remedy) of one error. `present`: whether the place of the error is in the file."""
    kind, loc, value = error["type"], error["loc"], error["input"]
    context: dict[str, Any] = {**(error.get("ctx") or {}), "loc": loc}
    if value is None and present:
        return "nothing is written here", "write a value, or take the line out"
    if kind == "refused":
        return context["message"], context["remedy"]
    if kind == "missing":
        name = str(loc[-1])
        return f"{name} is missing", f"add {_EXAMPLES.get(name, name + ':')}"
    if kind == "extra_forbidden":
        return _unknown(loc)
    if kind in ("literal_error", "enum"):
        return _choice(value, context["expected"])
    found: tuple[str, str] = _TYPES.get(kind, _other)(value, context)
    return found


def section_at(loc: Loc) -> type[Section] | None:
    """The block of settings at a place of the tree, or None where a plain value stands."""
    found: Any = Config
    for part in loc:
        if isinstance(part, str):
            if not (isinstance(found, type) and issubclass(found, Section)) or part not in found.model_fields:
                return None
            found = inner(found.model_fields[part].annotation)
    return found if isinstance(found, type) and issubclass(found, Section) else None


def inner(annotation: Any) -> Any:
    """The type inside Annotated, Optional and tuple: what one entry of a setting is."""
    while not isinstance(annotation, type) or get_origin(annotation) is not None:
        if get_origin(annotation) in (Union, UnionType):
            annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
        elif get_origin(annotation) is dict or not get_args(annotation):
            break
        else:
            annotation = get_args(annotation)[0]
    return annotation


def _unknown(loc: Loc) -> tuple[str, str]:
    name = str(loc[-1])
    general = "".join("[]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
    if general in LATER:
        return f"{name} is not supported in this version", LATER[general]
    section = section_at(loc[:-1])
    known = list(section.model_fields) if section else []
    what = f'the setting "{name}" is not known here'
    near = get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.7)
    if near:
        return what, f'did you mean "{near[0]}"?'
    other = _ALSO_KNOWN_AS.get(name.lower(), "")
    if other.split(".")[0] in known:
        return what, f'did you mean "{other}"?'
    if homes := [place for place, block in _sections() if name in block.model_fields]:
        return what, f"it belongs under {_listed(homes)}; check the indentation"
    return what, f"known here are {', '.join(known)}" if known else "take it out"


def _sections(kind: type[Section] = Config, place: str = "") -> list[tuple[str, type[Section]]]:
    found: list[tuple[str, type[Section]]] = [(place or "the top level", kind)]
    for name, field in kind.model_fields.items():
        entry = inner(field.annotation)
        if isinstance(entry, type) and issubclass(entry, Section):
            found += _sections(entry, f"{place}.{name}".removeprefix("."))
    return found


def _listed(words: Iterable[str]) -> str:
    *head, last = words
    return f"{', '.join(head[:3])} or {last}" if head else last


def _choice(value: Any, expected: str) -> tuple[str, str]:
    known = expected.replace("'", "").replace(" or ", ", ").split(", ")
    if isinstance(value, bool) and not value and "off" in known:
        return "this stands for no, which is not one of the choices", "write off"
    near = get_close_matches(str(value).lower(), known, n=1, cutoff=0.6)
    choices = _listed(known)
    return (
        f"{shown(value)} is not one of the choices",
        f"write {near[0]} (the choices are {choices})" if near else f"write {choices}",
    )


def shown(value: Any) -> str:
    """A value as a person would call it; never the contents of a block."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value if len(value) <= 60 else value[:59] + "…"}"'
    if isinstance(value, dict):
        return "a block of settings"
    return "a list" if isinstance(value, list | tuple) else str(value)


def _text(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    if isinstance(value, int | float):
        return (
            f"{shown(value)} is {'yes or no' if isinstance(value, bool) else 'a number'}, and text is expected",
            f'put it in quotes: "{shown(value)}"',
        )
    return f"{shown(value)} stands where one text is expected", "write one value"


def _number(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    digits = value.strip().rstrip("abcdefghijklmnopqrstuvwxyz ") if isinstance(value, str) else ""
    remedy = f"write {digits}, without quotes or unit" if digits.replace(".", "", 1).isdigit() else "write a number"
    if isinstance(value, float):
        return f"{value:g} is not a whole number", f"write {round(value)}" if abs(
            value
        ) < 1e15 else "write a whole number"
    return f"{shown(value)} is not a number", remedy


def _flag(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}.get(
        str(value).lower()
    )
    return f"{shown(value)} is neither true nor false", f"write {meant}" if meant else "write true or false"


def _list(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    if isinstance(value, dict):
        remedy = (
            'begin each entry with a dash: "- name: …"'
            if section_at(context["loc"])
            else "write one value, or a list: [one, two]"
        )
        return "a block of settings stands where a list is expected", remedy
    return f"{shown(value)} stands where a list is expected", f"write it in brackets: [{shown(value)}]"


def _block(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    remedy = "write name: value lines, indented below it"
    if isinstance(value, str) and value.startswith("/"):
        remedy = f"write {{path: {shown(value)}}}"
    return f"{shown(value)} stands where a block of settings is expected", remedy


def _many(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    return f"these are {context['actual_length']}, and at most {context['max_length']} are read", "take some out"


def _other(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    return f"{shown(value)} does not fit here", "see docs/reference/config.md for what may stand here"


def _bound(word: str, key: str) -> Any:
    def tell(value: Any, context: dict[str, Any]) -> tuple[str, str]:
        return f"{shown(value)} is out of bounds", f"write a number {word} {context[key]:.10g}"

    return tell


_TYPES = {
    "string_type": _text,
    "int_type": _number,
    "int_from_float": _number,
    "float_type": _number,
    "finite_number": lambda value, context: (f"{shown(value)} is not a number that can be reached", "write a number"),
    "bool_type": _flag,
    "tuple_type": _list,
    "dict_type": _block,
    "model_type": _block,
    "model_attributes_type": _block,
    "greater_than": _bound("above", "gt"),
    "greater_than_equal": _bound("of at least", "ge"),
    "less_than": _bound("below", "lt"),
    "less_than_equal": _bound("of at most", "le"),
    "string_too_short": lambda value, context: (
        f"{shown(value)} is too short",
        f"write at least {context['min_length']} characters",
    ),
    "string_too_long": lambda value, context: (
        "the text is too long",
        f"write at most {context['max_length']} characters",
    ),
    "too_short": lambda value, context: ("the list is empty", f"write at least {context['min_length']} entry"),
    "too_long": _many,
}
