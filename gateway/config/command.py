"""The work behind `leadgate init` and `leadgate check`: text to print and an exit code, nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.config.load import default_path, load
from gateway.config.model import Config
from gateway.config.problems import ConfigError, Problem, render
from gateway.config.schema import json_schema
from gateway.config.template import template


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found.

    config    the settings, None if they cannot be used
    problems  errors and warnings in the order of the file
    text      for a terminal
    code      exit code: 0 usable (warnings or not), 2 not
    """

    config: Config | None
    problems: Sequence[Problem]
    text: str
    code: int

    def as_json(self) -> dict[str, Any]:
        """The same for `--json`."""
        return {"ok": self.config is not None, "problems": [asdict(problem) for problem in self.problems]}


def check(path: str | Path | None = None, *, environ: Mapping[str, str] = os.environ, width: int = 100) -> Checked:
    """Reads the file and tells everything that is wrong with it. Never raises for what is in the file."""
    path = default_path(environ) if path is None else Path(path)
    try:
        config = load(path, environ=environ)
    except ConfigError as error:
        errors = sum(problem.severity == "error" for problem in error.problems)
        text = f"{render(error.problems, width=width)}\n{_count(errors, 'error')}: {path} cannot be used.\n"
        return Checked(None, error.problems, text, 2)
    forms = sum(len(site.forms) for site in config.sites)
    text = render(config.warnings, width=width)
    text += ("\n" if text else "") + f"{path} is fine: {_count(len(config.sites), 'site')}, {_count(forms, 'form')}"
    text += f", {_count(len(config.warnings), 'warning')}.\n" if config.warnings else ".\n"
    return Checked(config, config.warnings, text, 0)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def init(
    path: str | Path | None = None, origin: str | None = None, *, environ: Mapping[str, str] = os.environ
) -> tuple[str, int]:
    """Writes a first settings file; an existing one is never touched. Returns (text to print, exit code).

    origin  address of the web server behind the gateway; None: LEADGATE_ORIGIN, or an example
    """
    path = default_path(environ) if path is None else Path(path)
    try:
        content = template(origin or environ.get("LEADGATE_ORIGIN"))
    except ValueError as error:
        return f"The origin cannot be used: {error}\n", 2
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return f"{path} is there already and was not changed. Check it with: leadgate check\n", 2
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}. Name another place with --config.\n", 1
    return f"Wrote {path}. Set origin, landing_pages and forms to those of your site, then: leadgate check\n", 0


def schema_text() -> str:
    """What `leadgate check --schema` prints."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
