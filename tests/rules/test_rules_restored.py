"""Rules made again from what a generation stores judge as those it was stored from."""

from __future__ import annotations

import json

import pytest

from rules import loader
from rules.restored import NotRestorable, restored


def test_the_shipped_rules_come_back_whole(tmp_path):
    (tmp_path / "lead-form.yaml").write_text("pack: lead-form\nprior: -1.5\nthresholds: {review_below: 70}\n")
    for rules in (loader.load(), loader.load(local_dir=tmp_path)):
        again = restored(json.loads(rules.content()))
        assert again.content() == rules.content()
        assert again.content_hash() == rules.content_hash()
        assert {name: w.holes for name, w in again.weights.items()} == {
            name: w.holes for name, w in rules.weights.items()
        }
        assert {name: w.group for name, w in again.weights.items()} == {
            name: w.group for name, w in rules.weights.items()
        }


@pytest.mark.parametrize("change", [{"schema": 2}, {"weights": {"email.x": {"millis": "much"}}}, {"packs": 5}])
def test_what_is_of_another_version_is_refused(change):
    content = json.loads(loader.load().content()) | change
    with pytest.raises(NotRestorable):
        restored(content)


def test_a_condition_that_is_no_longer_understood_is_told():
    content = json.loads(loader.load().content())
    content["packs"]["lead-form"]["composites"][0]["when"] = "gone.fact == 1"
    with pytest.raises(NotRestorable, match="no longer understood"):
        restored(content)
