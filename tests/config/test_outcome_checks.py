"""What is told of the settings of outcomes before anything is sent."""

from __future__ import annotations

import pytest

from gateway.config import Config
from gateway.config.finding import Setting
from gateway.config.outcome_checks import check_outcomes

SETTINGS = {
    "sites": [{"name": "acme", "origin": "http://127.0.0.1:9"}],
    "outcomes": [{"source": "crm", "secret_env": "CRM_SECRET"}],
}


@pytest.mark.parametrize(
    ("secret", "told"),
    [("", "is not set"), ("s3cret-password!", "fewer than 24 bytes"), ("whsec_YWJj", "fewer than 24 bytes"), ("whsec_" + "QUJD" * 8, None)],
)  # fmt: skip
def test_a_secret_that_can_be_guessed_is_told_and_not_shown(secret: str, told: str | None) -> None:
    setting = Setting(Config.model_validate(SETTINGS), {"CRM_SECRET": secret}, set(), lambda loc: loc)
    found = [str(finding) for finding in check_outcomes(setting)]
    assert len(found) == (told is not None)
    assert all(str(told) in each and (not secret or secret not in each) for each in found)
