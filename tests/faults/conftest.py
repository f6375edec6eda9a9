"""Gateways for tests that break something around them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from origin import Origin, response


@pytest.fixture
def origin() -> Iterator[Origin]:
    made = Origin()
    made.default = response("", "303 See Other", ("Location", "/thanks"))
    yield made
    made.stop()
