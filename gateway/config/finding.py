"""What a check of the settings is given, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.config.model import Config
from gateway.config.problems import Loc, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction, at a place of the file."""

    loc: Loc
    what: str
    remedy: str
    severity: Severity = "error"


@dataclass(frozen=True)
class Setting:
    """What is checked.

    config    the settings, or the part of them that is whole
    environ   environment variables
    cut       places of the file that are not in `config` because they have problems of their own
    original  the place in the file of a place in `config`
    """

    config: Config
    environ: Mapping[str, str]
    cut: set[Loc]
    original: Callable[[Loc], Loc]

    def broken(self, *locs: Loc) -> bool:
        """Whether something at, above or below one of these places was cut out, so that its absence means nothing."""
        places = [self.original(loc) for loc in locs]
        return any(cut[: len(loc)] == loc[: len(cut)] for cut in self.cut for loc in places)
