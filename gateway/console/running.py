"""What the admin listener needs to know of the process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.campaigns.board import Board
from gateway.delivery.release import Releases
from gateway.generation import Generation
from gateway.intake.keys import KeyRing
from gateway.metrics import Metrics
from gateway.pipeline import Pipeline
from gateway.stores import keys as stored_keys
from gateway.stores.hot import HotState
from gateway.stores.records import Store


class Running(Protocol):
    """The process, as `gateway.app` puts it together. `generation` may be another one with each look."""

    @property
    def store(self) -> Store: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def releases(self) -> Releases: ...

    @property
    def generation(self) -> Generation: ...

    @property
    def pipeline(self) -> Pipeline: ...

    @property
    def board(self) -> Board: ...

    @property
    def hot(self) -> HotState: ...

    @property
    def keys(self) -> stored_keys.KeyRing: ...

    @property
    def tokens(self) -> KeyRing:
        """What session cookies and render tokens are signed with."""

    def not_ready(self) -> Sequence[str]: ...

    def advice(self) -> Sequence[str]: ...
