"""Secrets have no place in leadgate.yaml: it is copied, committed and shown. They come from the environment or a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gateway.config.messages import section_at
from gateway.config.problems import Loc

_NAMES = re.compile(
    r"(?i)(^|_)(password|passwd|secret|token|api_?key|private_?key|access_?key|licen[cs]e_?key|credentials?)$"
)
_VALUES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|^whsec_[A-Za-z0-9+/=]{8,}|^(sk|rk)_(live|test)_\w{8,}|^(AKIA|ASIA)[A-Z0-9]{16}$"
    r"|^gh[pousr]_\w{20,}|^eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.|^xox[abprs]-"
)
_LOGIN = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#\s]*@")


def find_secrets(data: Any, loc: Loc = ()) -> Iterator[tuple[Loc, str, str]]:
    """(place, what was found, remedy) of every value that is a secret by its name or its look."""
    if isinstance(data, dict):
        for name, value in data.items():
            # A form's field may be called "token"; what is mapped to it is a name, not a secret.
            section = section_at(loc)
            known = section is not None and name in section.model_fields
            named = _NAMES.search(name) and not known and not (loc and loc[-1] == "fields")
            if named and isinstance(value, str | int | float) and not isinstance(value, bool):
                yield (*loc, name), f'a secret stands in the file ("{name}")', _remedy(loc, name)
            else:
                yield from find_secrets(value, (*loc, name))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from find_secrets(value, (*loc, number))
    elif isinstance(data, str) and _VALUES.search(data):
        yield (
            loc,
            "this looks like a secret",
            "take it out and change it where it is used: a secret comes from the environment or a file",
        )
    elif isinstance(data, str) and _LOGIN.search(data):
        yield (
            loc,
            "the address holds a user name or password",
            "take them out and change the password: a secret comes from the environment or a file",
        )


def _remedy(loc: Loc, name: str) -> str:
    if loc == ("admin",) or name == "admin_token":
        return (
            "take it out and give it as LEADGATE_ADMIN_TOKEN in the environment, or name its file with admin.token_file"
        )
    return f"take it out; secrets come from the environment ({name}_env) or a file ({name}_file), where a setting takes one"
