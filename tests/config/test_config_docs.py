"""What is generated from the model, and the first file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from gateway.config import Config, check, init, json_schema, load, parse, reference, schema_text, template
from gateway.config.lists import COUNTRIES
from gateway.config.messages import inner

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "testdata"
GOOD = sorted((DATA / "good").glob("*.yaml"))


def sections(model: type[BaseModel] = Config) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        entry = inner(field.annotation)
        if isinstance(entry, type) and issubclass(entry, BaseModel):
            found += sections(entry)
    return found


def test_every_setting_is_described() -> None:
    for section in sections():
        assert section.__doc__, section
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert field.description.endswith("."), f"{section.__name__}.{name}"


def test_units_are_told() -> None:
    for section in sections():
        for name, field in section.model_fields.items():
            unit = "Seconds" if name.endswith(("_s", "_seconds")) else "Milliseconds" if name.endswith("_ms") else ""
            assert (field.description or "").startswith(unit), f"{section.__name__}.{name}"


def test_reference_is_current() -> None:
    assert (ROOT / "docs/reference/config.md").read_text("utf-8") == reference(), (
        "write it anew: python -m gateway.config reference > docs/reference/config.md"
    )


def test_reference_names_every_setting_with_its_default() -> None:
    text = reference()
    assert "| `max_body` | size | `32MiB` | Largest form body" in text
    assert "| `origin` | text | **required** |" in text
    assert "| `mode` | `monitor`, `tag`, `enforce` | `monitor` |" in text
    assert "## `sites[].forms[].match`" in text
    for section in sections():
        for name in section.model_fields:
            assert f"| `{name}` |" in text


def test_template_loads_as_it_is() -> None:
    config = parse(template())
    assert config.warnings == ()
    assert config.sites[0].origin == "http://127.0.0.1:9000"
    assert config.sites[0].mode == "monitor"
    assert parse(template("https://www.example.com/")).sites[0].origin == "https://www.example.com"


def test_template_can_be_read() -> None:
    lines = template("https://a-rather-long-name.of-a-host.example.com:8443").splitlines()
    assert len(lines) <= 70
    assert max(map(len, lines)) <= 120
    assert sum("#" in line for line in lines) >= 20


def test_template_loads_with_its_examples_switched_on() -> None:
    text = template().replace("# reviewer:", "reviewer:").replace("# lists:", "lists:").replace("#   ", "  ")
    text = text.replace("# hosts:", "hosts:").replace("# honeypot:", "honeypot:")
    config = parse(text)
    assert config.reviewer is not None
    assert config.lists.deny[0].name == "competitor"
    assert config.sites[0].hosts == ("www.example.com",)


@pytest.mark.parametrize(
    "origin", ["example", "http://a/b", 'http://a"b', "http://u:p@h", "http://a\nmode: x", "http://a #"]
)
def test_template_refuses_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="; "):
        template(origin)


def test_init_and_check(tmp_path: Path) -> None:
    path = tmp_path / "leadgate.yaml"
    text, code = init(path, environ={"LEADGATE_ORIGIN": "http://app:3000"})
    assert (code, text.startswith(f"Wrote {path}")) == (0, True)
    assert load(path, environ={}).sites[0].origin == "http://app:3000"
    before = path.read_bytes()
    text, code = init(path, environ={})
    assert code == 2
    assert "was not changed" in text
    assert path.read_bytes() == before
    checked = check(path, environ={})
    assert checked.code == 0
    assert checked.text == f"{path} is fine: 1 site, 1 form.\n"
    assert checked.as_json() == {"ok": True, "problems": []}


def test_init_tells_what_keeps_it_from_writing(tmp_path: Path) -> None:
    assert init(tmp_path / "no" / "leadgate.yaml", environ={})[1] == 1
    assert init(tmp_path / "leadgate.yaml", "nonsense", environ={})[1] == 2
    assert not (tmp_path / "leadgate.yaml").exists()


def test_check_tells_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "leadgate.yaml"
    path.write_text("lisen: 127.0.0.1:80\nsites: [{name: main, origin: http://127.0.0.1:9000}]\n")
    checked = check(path, environ={})
    assert checked.code == 2
    assert checked.config is None
    assert 'did you mean "listen"?' in checked.text
    assert checked.text.endswith(f"1 error: {path} cannot be used.\n")
    problem = checked.as_json()["problems"][0]
    assert (problem["line"], problem["column"], problem["path"], problem["severity"]) == (1, 1, "lisen", "error")
    json.dumps(checked.as_json())


def test_countries_are_those_that_have_telephone_numbers() -> None:
    phonenumbers = pytest.importorskip("phonenumbers")
    assert {code for code in phonenumbers.SUPPORTED_REGIONS if code not in ("AC", "TA")} <= COUNTRIES


def plain(path: Path) -> object:
    return YAML(typ="safe", pure=True).load(path.read_text("utf-8-sig"))


@pytest.fixture(scope="module")
def validator():  # type: ignore[no-untyped-def]
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(json_schema())
    return jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_schema_takes_good_files(validator, path: Path) -> None:  # type: ignore[no-untyped-def]
    validator.validate(plain(path))


def test_schema_takes_the_template(validator) -> None:  # type: ignore[no-untyped-def]
    validator.validate(YAML(typ="safe", pure=True).load(template()))


@pytest.mark.parametrize(
    "name",
    [
        "unknown-keys",
        "choices",
        "wrong-types",
        "no-sites",
        "not-yet",
        "roles",
        "sizes",
        "out-of-bounds",
        "origins",
        "form-paths",
    ],
)
def test_schema_refuses_broken_files(validator, name: str) -> None:  # type: ignore[no-untyped-def]
    assert list(validator.iter_errors(plain(DATA / "bad" / f"{name}.yaml")))


def test_schema_describes_every_setting() -> None:
    schema = json.loads(schema_text())
    for block in (schema, *schema["$defs"].values()):
        for name, setting in block.get("properties", {}).items():
            target = schema["$defs"][setting["$ref"].rpartition("/")[2]] if "$ref" in setting else {}
            assert setting.get("description") or target.get("description"), name
