"""Reads the lists that ship with the detectors. Called while a generation is built, never while it is used."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any

from ruamel.yaml import YAML


def load(name: str) -> tuple[Any, str]:
    """The content of `detectors/data/<name>` (YAML) and its SHA-256 (hexadecimal)."""
    text = resources.files("detectors").joinpath("data", name).read_bytes()
    return YAML(typ="safe").load(text.decode()), hashlib.sha256(text).hexdigest()


def content(name: str) -> bytes:
    """The bytes of `detectors/data/<name>`."""
    return resources.files("detectors").joinpath("data", name).read_bytes()
