"""The settings described for editors (JSON Schema) and for people (docs/reference/config.md), both from the model."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any, get_args, get_origin

from gateway.config.messages import inner
from gateway.config.model import RESTART_KEYS, Config
from gateway.config.values import Section

ID = "leadgate.schema.json"


@cache
def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of leadgate.yaml with descriptions, for yaml-language-server and others. Not to be changed: made once."""
    schema = copy.deepcopy(Config.model_json_schema(mode="validation"))
    for block in (schema, *schema.get("$defs", {}).values()):
        for name in block.get("properties", {}):
            block["properties"][name].pop("title", None)
        block.pop("title", None)
    # One value may stand for a list of one, as `hosts: www.example.com`.
    for block, name in (
        ("Site", "hosts"),
        ("Success", "status"),
        ("Form", "expected_countries"),
        ("GeoIp", "database"),
    ):
        listed = schema["$defs"][block]["properties"][name]
        kept = {key: listed.pop(key) for key in ("description", "default") if key in listed}
        schema["$defs"][block]["properties"][name] = {"anyOf": [copy.deepcopy(listed["items"]), listed], **kept}
    # The environment may give the origin.
    schema["$defs"]["Site"]["required"] = ["name"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, "title": "leadgate.yaml", **schema}


_INTRODUCTION = """\
# Settings: leadgate.yaml

Written from the model by `python -m gateway.config reference`; do not edit.

`leadgate init` writes a first file, `leadgate check` names every problem in one, with line and remedy. `leadgate check --schema` prints
a JSON Schema for editors. Unknown settings, and those this version does not support yet, are refused, never ignored.

Paths count from the directory of the file. Sizes are bytes, or a number with `KiB`, `MiB` or `GiB`. Secrets never stand in the file.
A list with one entry may be written as that entry where the table says "one or a list".

From the environment: `LEADGATE_CONFIG` (the file, where `--config` does not name one), `LEADGATE_ORIGIN` (replaces the origin of the one
site), `LEADGATE_ADMIN_TOKEN` (the first API token).

## Changing settings while the gateway runs

The file is read anew when it is saved, when a file it names changes (`rules.directory`, `geoip.database`, `origin_ca`), when a feed was fetched, and on SIGHUP.
The new settings are built aside and take effect whole; running requests end under the old ones, no connection is dropped. If anything is
wrong, the old settings stay in force and the log says why.

@RESTART@ need a restart. A file that changes one of them is refused whole, the other changes in it too: what runs is always exactly one
file, never a mixture of two.
"""


def reference() -> str:
    """The reference as Markdown: one table for each block of settings."""
    restart = "`" + "`, `".join(RESTART_KEYS) + "`"
    parts = [_INTRODUCTION.replace("@RESTART@", restart)]
    parts += [_block(place, section) for place, section in _blocks(Config, "")]
    return "\n".join(parts)


def _blocks(section: type[Section], place: str) -> list[tuple[str, type[Section]]]:
    found = [(place, section)]
    for name, field in section.model_fields.items():
        entry = inner(field.annotation)
        if isinstance(entry, type) and issubclass(entry, Section):
            many = "[]" if get_origin(_bare(field.annotation)) is tuple else ""
            found += _blocks(entry, f"{place}.{name}{many}".removeprefix("."))
    return found


def _block(place: str, section: type[Section]) -> str:
    text = " ".join((section.__doc__ or "").split())
    rows = [
        f"## {f'`{place}`' if place else 'The top level'}",
        "",
        text,
        "",
        "| setting | value | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in section.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{name}` | {_kind(section, name)} | {_default(section, name)} | {meaning} |")
    return "\n".join([*rows, ""])


def _bare(annotation: Any) -> Any:
    """The annotation without Optional."""
    options = [kind for kind in get_args(annotation) if kind is not type(None)]
    return options[0] if type(None) in get_args(annotation) and options else annotation


def _kind(section: type[Section], name: str) -> str:
    annotation = section.model_fields[name].annotation
    entry = inner(annotation)
    if isinstance(entry, type) and issubclass(entry, Section):
        return "list of blocks" if get_origin(_bare(annotation)) is tuple else "block"
    schema = json_schema()
    block = schema["$defs"].get(section.__name__, schema)
    return _described(block["properties"][name], schema)


def _described(schema: dict[str, Any], whole: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _described(whole["$defs"][schema["$ref"].rsplit("/", 1)[1]], whole)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        kinds = [option.get("type") for option in options]
        if "array" in kinds and len(kinds) == 2:
            return f"one or a list of: {_described(options[0], whole)}"
        if kinds == ["integer", "string"]:
            return "size"
        return " or ".join(_described(option, whole) for option in options)
    if schema.get("type") == "array":
        return f"list of: {_described(schema['items'], whole)}"
    if schema.get("type") == "object":
        return "names and values"
    return {"string": "text", "boolean": "`true`, `false`"}.get(schema.get("type", ""), _bounds(schema))


def _bounds(schema: dict[str, Any]) -> str:
    kind = "whole number" if schema.get("type") == "integer" else "number"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    above = "above " if "exclusiveMinimum" in schema else ""
    if low is not None and high is not None:
        return f"{kind}, {above}{low:,g} to {high:,g}" if high < 1e6 else f"{kind}, from {above}{low:,g}"
    return kind


def _default(section: type[Section], name: str) -> str:
    field = section.model_fields[name]
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, Section):
        return ""
    if isinstance(value, tuple | dict):
        return "`" + ("[" + ", ".join(map(str, value)) + "]" if value or isinstance(value, tuple) else "{}") + "`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int) and "size" in _kind(section, name):
        return f"`{value // 2**20}MiB`" if value % 2**20 == 0 else f"`{value // 1024}KiB`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
