"""The walk of docs/CONTRIBUTING.md through a new detector works as it is written: its files are put into a copy of the tree and its tests run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = re.compile(r"```(?:python|yaml)\n# (\S+/\S+\.(?:py|yaml))\n(.*?)```", re.DOTALL)
LINE = re.compile(r"```diff\n\+( {4}(\w+)\.detect,\n)```")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("detectors", "rules", "geoip", "gateway", "docs", "tests/corpus", "tests/docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "data.cache"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environ.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, *command], cwd=copy, env=environ, capture_output=True, text=True, timeout=240, check=False
    )


def test_the_walk_through_a_new_detector(copy: Path) -> None:
    walk = (ROOT / "docs" / "CONTRIBUTING.md").read_text("utf-8").split("## Add a detector")[1].split("\n## ")[0]
    files = FILE.findall(walk)
    assert {Path(name).parts[0] for name, _ in files} == {"detectors", "rules", "tests"}
    for name, text in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        assert not (copy / name).exists(), name
        (copy / name).write_text(text, "utf-8")
    (line, module), *more = LINE.findall(walk)
    assert not more
    listing = copy / "detectors" / "__init__.py"
    text = listing.read_text("utf-8")
    text = text.replace("from detectors import (\n", f"from detectors import (\n    {module},\n", 1)
    listing.write_text(re.sub(r"(DETECTORS: .*?\n)\)\n", rf"\1{line})\n", text, count=1, flags=re.DOTALL), "utf-8")

    written = run(copy, "docs/generate.py")
    assert written.returncode == 0, written.stderr
    assert "job.link" in (copy / "docs" / "reference" / "signals.md").read_text("utf-8")
    tested = run(
        copy,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "tests/corpus",
        "tests/docs/test_signal_pages.py",
        "-k",
        "job",
    )
    assert tested.returncode == 0, tested.stdout
    assert "5 passed" in tested.stdout or "4 passed" in tested.stdout, tested.stdout

    (copy / "tests" / "corpus" / "job-title-is-a-link" / "innocent.yaml").unlink()
    lacking = run(
        copy,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "tests/docs/test_signal_pages.py",
        "-k",
        "job",
    )
    assert "under `absent:`" in lacking.stdout, "a signal without the people who look like it goes unnoticed"
