"""Models in a running gateway: taken up without a restart, told in the record, refused where they are not ours, trained in the background."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from origin import Origin
from running import ROOT, Gateway, Start, site, until
from usual_rows import NOW, trained

from detectors.observation import Kind
from gateway.metrics import Metrics
from gateway.models.background import Trainer, is_due
from gateway.models.files import Shelf, Signer, Standing
from gateway.models.notes import Note, keep

KIND = Kind.SUBMISSION


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Gateway] = []

    def make(config: Mapping[str, Any]) -> Gateway:
        running.append(Gateway(tmp_path, config))
        return running[-1]

    yield make
    for gateway in running:
        gateway.kill()


def publish(gateway: Gateway, role: str = "active", seed: int = 1) -> str:
    made = trained(KIND, seed=seed)
    shelf = Shelf(gateway.directory / "var" / "models", "acme", KIND, Signer.open(gateway.directory / "var" / "keys"))
    shelf.publish(made.about, made.onnx)
    shelf.stand(Standing(shelf.place, **{role: made.about.version}))
    return made.about.version


def lead(number: int) -> dict[str, str]:
    return {
        "full_name": "Martha Lindqvist",
        "email": f"n{number}@lindqvist-consult.se",
        "message": "Please call me about the roof of our house, it is forty years old and leaks.",
    }


def cli(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli", "model", *arguments, "--config", str(gateway.path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_model_is_taken_up_without_a_restart_and_tells_why(origin: Origin, start: Start) -> None:
    gateway = start({"sites": [site(origin)]}).start(180)
    version = publish(gateway)
    until(lambda: any('"reloaded"' in line for line in gateway.output), 30, "the model is not taken up")
    browser = gateway.browser("84.160.1.7")
    for number in range(25):
        browser.post("/lead", lead(number))
    newest = gateway.newest_lead()
    record = gateway.record(newest["id"])
    told = [signal for signal in record["signals"] if signal["id"] == "anomaly.unusual"]
    assert told, str((record["facts"], record["unavailable"], record["signals"]))[:6000]
    [found] = told
    assert float(found["evidence"][0]) >= 99.7
    assert "form posts" in found["evidence"][1]
    assert "usual is" in found["evidence"][1]
    assert found["evidence"][2] == version
    said = cli(gateway, "status", "--json")
    assert said.returncode == 0, said.stderr
    standing = {(one["site"], one["kind"]): one for one in json.loads(said.stdout)}
    assert standing["acme", "submission"]["active"]["version"] == version
    assert standing["acme", "landing"]["abstains"] is True
    assert "2,000" in standing["acme", "landing"]["next"]


def test_a_damaged_model_is_told_and_harms_nobody(origin: Origin, start: Start) -> None:
    gateway = start({"sites": [site(origin)]}).start(180)
    version = publish(gateway)
    path = gateway.directory / "var" / "models" / "acme" / "submission" / f"{version}.onnx"
    path.write_bytes(path.read_bytes()[:-100])
    assert gateway.stop() == 0
    gateway.start(180)
    assert "a model is not used" in gateway.open("/readyz").text
    assert str(path) in gateway.open("/readyz").text
    assert gateway.browser("84.160.1.7").post("/lead", lead(1)).status == 200


def test_commands_say_what_is_wrong(origin: Origin, start: Start) -> None:
    gateway = start({"sites": [site(origin)]})
    assert "no keys to sign" in cli(gateway, "train").stderr
    gateway.start(180)
    waiting = cli(gateway, "train")
    assert waiting.returncode == 0, waiting.stderr
    assert "0 of 2,000 accepted requests are there" in waiting.stdout
    none = cli(gateway, "compare", "--site", "acme", "--kind", "submission")
    assert (none.returncode, "There is no active model" in none.stderr) == (2, True)
    one, other = publish(gateway), publish(gateway, seed=3)
    both = cli(gateway, "compare", one, other, "--site", "acme", "--kind", "submission", "--json", "--promote")
    assert both.returncode == 0, both.stderr
    assert json.loads(both.stdout)["promoted"] is True


# in the background


class Turns:
    def __init__(self) -> None:
        self.asked = 0

    async def take_turn(self, name: str, now: int, every: int) -> bool:
        self.asked += 1
        return self.asked == 1


def trainer(config: Any, tmp_path: Path, script: str, metrics: Metrics) -> tuple[Trainer, Turns]:
    (tmp_path / "run.py").write_text(script)
    turns = Turns()
    command = (sys.executable, str(tmp_path / "run.py"))
    return Trainer(lambda: config, tmp_path / "leadgate.yaml", turns, metrics, command=command), turns  # type: ignore[arg-type]


@pytest.fixture
def config(tmp_path: Path) -> Any:
    from gateway import config as configuration

    (tmp_path / "leadgate.yaml").write_text("sites:\n  - {name: acme, origin: 'http://127.0.0.1:9'}\n")
    return configuration.load(tmp_path / "leadgate.yaml")


async def test_training_is_another_process_and_only_one_does_it(config: Any, tmp_path: Path) -> None:
    metrics = Metrics()
    script = "import sys, os; open('said', 'w').write(' '.join(sys.argv[1:]) + os.environ['OMP_NUM_THREADS'])"
    one, turns = trainer(config, tmp_path, f"import os; os.chdir({str(tmp_path)!r}); {script}", metrics)
    assert await one.look() is True
    assert (tmp_path / "said").read_text() == f"model train --background --config {tmp_path / 'leadgate.yaml'}1"
    assert metrics.total("leadgate_model_rounds") == 1
    assert await one.look() is False  # another one has the turn
    assert turns.asked == 2


@pytest.mark.parametrize("script", ["import time; time.sleep(600)", "import sys; sys.exit('no')"])
async def test_training_that_hangs_or_fails_is_ended_and_counted(config: Any, tmp_path: Path, script: str) -> None:
    metrics = Metrics()
    short = config.model_copy(update={"model": config.model.model_copy(update={"max_seconds": 2})})
    one, _ = trainer(short, tmp_path, script, metrics)
    assert await asyncio.wait_for(one.look(), 60) is True
    assert metrics.counts["leadgate_model_rounds", "failed"] == 1


async def test_nothing_is_due_after_a_round_and_drift_is_shown(config: Any, tmp_path: Path) -> None:
    hour = 3_600_000_000
    for kind, result in ((Kind.LANDING, "waiting"), (Kind.SUBMISSION, "refused")):
        keep(config.models_path, "acme", kind, Note(NOW, f"acme/{kind}", result, "", drift={"address.1h": 0.5}))
    assert not is_due(config, NOW + hour // 2)
    assert is_due(config, NOW + hour)
    keep(
        config.models_path,
        "acme",
        Kind.LANDING,
        Note(NOW + 23 * hour, "acme/landing", "trained", "", drift={"address.1h": 0.5}),
    )
    assert not is_due(config, NOW + 23 * hour + hour // 2)
    metrics = Metrics()
    one, _ = trainer(config, tmp_path, "", metrics)
    await one.refresh()
    assert b'leadgate_model_drift{feature="address.1h",kind="landing",site="acme"} 0.5' in metrics.exposition()
