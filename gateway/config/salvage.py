"""What is left of a tree with errors once the broken parts are cut out, so that the rest can be checked in the same go."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from gateway.config.model import Config
from gateway.config.problems import Loc

_ROUNDS = 12  # cutting a part out can make what holds it incomplete: at most once for each level


class Salvage:
    """`config` is the part that is whole, or None if nothing is; `cut` holds the places that were cut out, as in the file."""

    def __init__(self, data: Any) -> None:
        self._data = copy.deepcopy(data)
        self._numbers: dict[int, list[int]] = {}  # list's identity: the entries' numbers in the file
        self.cut: set[Loc] = set()
        self.config: Config | None = None
        for _ in range(_ROUNDS):
            try:
                self.config = Config.model_validate(self._data)
            except ValidationError as error:
                # From the back, so that numbers stay right while entries go.
                errors = [found for found in error.errors() if not follows(found["type"], found["loc"], self._data)]
                victims = sorted(
                    {self._victim(found["loc"], found["type"]) for found in errors}, key=_order, reverse=True
                )
                if not victims or () in victims:
                    return
                for loc in victims:
                    self._remove(loc)
            else:
                return

    def original(self, loc: Loc) -> Loc:
        """The place in the file of a place in `config`."""
        return self._walk(loc)[0]

    def _victim(self, loc: Loc, kind: str) -> Loc:
        """What has to go for an error to go."""
        if kind == "missing":
            return loc if _stand_in(loc) else loc[:-1]
        while loc and self._walk(loc)[2] < len(loc):
            loc = loc[:-1]
        return loc

    def _walk(self, loc: Loc) -> tuple[Loc, Any, int]:
        """(place in the file, what stands there, how many parts of the way exist)."""
        at, place = self._data, []
        for depth, part in enumerate(loc):
            if isinstance(at, dict) and part in at:
                place.append(part)
                at = at[part]
            elif isinstance(at, list) and isinstance(part, int) and part < len(at):
                place.append(self._numbers.get(id(at), range(len(at)))[part])
                at = at[part]
            else:
                return (*place, *loc[depth:]), None, depth
        return tuple(place), at, len(loc)

    def _remove(self, loc: Loc) -> None:
        original, _, found = self._walk(loc)
        substitute = _stand_in(loc)
        if found < len(loc) - (substitute is not None):
            return  # what holds it has gone already
        self.cut.add(original)
        holder, part = self._walk(loc[:-1])[1], loc[-1]
        if isinstance(holder, list) and isinstance(part, int):
            self._numbers.setdefault(id(holder), list(range(len(holder)))).pop(part)
            holder.pop(part)
        elif isinstance(holder, dict) and substitute is not None:
            holder[part] = substitute
        elif isinstance(holder, dict):
            holder.pop(part, None)


def _stand_in(loc: Loc) -> str | None:
    """A value for a required setting that is broken or missing, so that what holds it can still be checked."""
    if len(loc) == 3 and loc[0] == "sites" and loc[2] == "origin":
        return "http://origin.invalid"
    if loc and loc[-1] == "name" and loc[0] in ("sites", "lists") and "fields" not in loc:
        return "unnamed-" + "-".join(str(part) for part in loc if isinstance(part, int))
    return None


def follows(kind: str, loc: Loc, data: Any) -> bool:
    """Whether an error only follows from others: a list counts as empty when all of its entries are broken."""
    for part in loc:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return kind == "too_short" and bool(data)


def _order(loc: Loc) -> list[tuple[bool, int, str]]:
    return [(True, part, "") if isinstance(part, int) else (False, 0, part) for part in loc]
