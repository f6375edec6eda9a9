"""From a file to a `Config`, or to every problem in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config.checks import findings
from gateway.config.finding import Setting
from gateway.config.messages import explain
from gateway.config.model import Config
from gateway.config.problems import ConfigError, Loc, Problem
from gateway.config.salvage import Salvage, follows
from gateway.config.secrets import find_secrets
from gateway.config.source import MAX_BYTES, Source, read_yaml, whole

DEFAULT_NAME = "leadgate.yaml"


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The file that is read when none is named: `LEADGATE_CONFIG`, or leadgate.yaml in the working directory."""
    return Path(environ.get("LEADGATE_CONFIG") or DEFAULT_NAME)


def load(path: str | Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Config:
    """The settings in a file; `config.warnings` holds what should be looked at all the same.

    path     the file; None: `default_path(environ)`
    environ  LEADGATE_ORIGIN replaces the origin of the one site, LEADGATE_ADMIN_TOKEN is the first API token
    Raises ConfigError with every problem.
    """
    path = default_path(environ) if path is None else Path(path)
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError([whole(name, "there is no such file", "write one with: leadgate init")]) from None
    except IsADirectoryError:
        raise ConfigError([whole(name, "this is a directory", f"name the file in it: {path / DEFAULT_NAME}")]) from None
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([whole(name, f"the file cannot be read: {reason}", "check its owner and rights")]) from None
    return parse(raw, name=name, base=path.parent, environ=environ)


def parse(
    raw: bytes | str, *, name: str = DEFAULT_NAME, base: Path | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """Like `load`, from text. `name` is how problems call it; `base` the directory relative paths count from."""
    environ = environ or {}
    source = read_yaml(name, raw if isinstance(raw, bytes) else raw.encode())
    if source.data is None:
        raise ConfigError(source.problems)
    secrets = list(find_secrets(source.data))
    taken = source.broken | {loc for loc, _, _ in secrets}
    for span in (source.values[loc] for loc, _, _ in secrets if loc in source.values):
        source.hidden[span.line] = min(span.column, source.hidden.get(span.line, span.column))
    problems = source.problems
    problems += [source.problem(loc, what, remedy) for loc, what, remedy in secrets]
    if not isinstance(source.data, dict):
        problems.append(source.problem((), "settings are expected here, one on each line", "write name: value lines"))
        raise ConfigError(problems)
    overridden = _override_origin(source, environ)
    salvage = Salvage(source.data)
    try:
        Config.model_validate(source.data)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            if not _hidden(found["loc"], taken) and not follows(found["type"], found["loc"], source.data):
                problems.append(_problem(source, found, overridden))
    if salvage.config is not None:
        salvage.config._base = (base or Path()).absolute()
        setting = Setting(salvage.config, environ, salvage.cut | taken, salvage.original)
        problems += [
            source.problem(found.loc, found.what, found.remedy, severity=found.severity)
            for found in findings(setting)
            if not _hidden(found.loc, taken)
        ]
    if any(problem.severity == "error" for problem in problems) or salvage.config is None:
        raise ConfigError(problems)
    salvage.config._warnings = ConfigError(problems).problems
    return salvage.config


def admin_token(config: Config, environ: Mapping[str, str] = os.environ) -> str | None:
    """The first API token: `LEADGATE_ADMIN_TOKEN`, or the content of `admin.token_file`; None if there is neither."""
    if token := environ.get("LEADGATE_ADMIN_TOKEN", "").strip():
        return token
    if config.admin.token_file is None:
        return None
    return config.resolve(config.admin.token_file).read_text("utf-8").strip() or None


def _override_origin(source: Source, environ: Mapping[str, str]) -> bool:
    origin = environ.get("LEADGATE_ORIGIN", "")
    sites = source.data.get("sites")
    if not origin or not isinstance(sites, list):
        return False
    if len(sites) != 1:
        source.problems.append(
            whole(
                "environment", f"LEADGATE_ORIGIN is set, and there are {len(sites)} sites", "unset it, or keep one site"
            )
        )
        return False
    if isinstance(sites[0], dict):
        sites[0]["origin"] = origin
        return True
    return False


def _problem(source: Source, found: Any, overridden: bool) -> Problem:
    loc: Loc = found["loc"]
    what, remedy = explain(found, loc in source.values)
    if overridden and loc == ("sites", 0, "origin"):
        return Problem("environment", 0, 0, "LEADGATE_ORIGIN", what, remedy)
    at_key = found["type"] == "extra_forbidden" or found["input"] is None
    return source.problem(loc, what, remedy, at_key=at_key)


def _hidden(loc: Loc, taken: set[Loc]) -> bool:
    return any(loc[: len(place)] == place for place in taken)
