"""`leadgate check`: what it says of models where several machines may share a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.checking import models
from gateway.config import load

SITE = "sites: [{name: acme, origin: 'http://127.0.0.1:9000', landing_pages: [{path: /offer}]}]\n"
SHARED = "store: postgresql://db.example/leads\nstate: redis://cache.example/0\n"


@pytest.mark.parametrize(
    ("settings", "told"),
    [(SITE, False), (SITE + SHARED, True), (SITE + SHARED + "model: {enabled: false}\n", False)],
)
def test_machines_with_one_store_are_told_to_share_models(tmp_path: Path, settings: str, told: bool) -> None:
    (tmp_path / "leadgate.yaml").write_text(settings)
    found = models(load(tmp_path / "leadgate.yaml", environ={}))
    assert bool(found) is told
    assert all(str(tmp_path / "var/models") in line and "model.directory" in line for line in found)
