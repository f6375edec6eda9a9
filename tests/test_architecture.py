"""The arrows of docs/architecture.md: imports point downwards, detectors and rules are pure, every part has its test, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("gateway", "detectors", "rules", "geoip")

FLOORS = (
    {"gateway.cli"},
    {"gateway.serving"},
    {"gateway.app"},
    {"gateway.built"},
    {"gateway.console", "gateway.edge", "gateway.replay", "gateway.watch", "gateway.learning"},
    {"gateway.visits"},
    {"gateway.generation"},
    {"gateway.pipeline"},
    {"gateway.models"},
    {"gateway.evidence"},
    {"gateway.facts", "gateway.delivery", "gateway.reports"},
    {
        "gateway.reload",
        "gateway.passport",
        "gateway.bounds",
        "gateway.backends",
        "gateway.workers",
        "gateway.lasting",
        "gateway.labels",
        "gateway.feeds",
        "gateway.campaigns",
    },
    {"gateway.stores"},
    {"gateway.upstream"},
    {"gateway.intake"},
    {"gateway.web"},
    {"gateway.config"},
    {"gateway.log", "gateway.metrics", "gateway.model"},
    {"rules"},
    {"detectors"},
    {"geoip"},
)
"""From the top. A part imports only what stands on a floor below its own, never its neighbour."""

LEVEL = {part: level for level, parts in enumerate(FLOORS) for part in parts}
TOP_LEVEL = {
    "gateway", "detectors", "rules", "geoip", "tests", "docs", "bench", "examples",
    "docker-compose.yml", "pyproject.toml", "README.md", "Makefile",
}  # fmt: skip
MOST_LINES = 350

IMPURE = {
    "socket", "ssl", "selectors", "asyncio", "aiohttp", "aiodns", "http", "urllib.request", "sqlite3", "redis", "subprocess", "multiprocessing",
    "time", "datetime", "random", "secrets", "uuid", "uuid_utils", "os", "io", "shutil", "tempfile", "glob", "signal", "sklearn",
}  # fmt: skip
"""What reaches sockets, the disk, the clock or chance."""

DISK_CALLS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "stat"}
READS_AT_LOAD = {"detectors/data_files.py", "detectors/email_domains.py", "rules/loader.py"}
"""The files that read shipped lists or the operator's rules while a generation is built."""

HELPERS = {
    "agent_patterns": "tests/detectors/test_agents.py",
    "behaviour": "tests/evidence/test_record_campaigns.py",
    "browsers": "tests/detectors/test_headers.py",
    "client_hints": "tests/detectors/test_headers.py",
    "crawler_operators": "tests/detectors/test_crawlers.py",
    "data_files": "tests/detectors/test_run.py",
    "explain": "tests/detectors/test_anomaly.py",
    "feature_sets": "tests/detectors/test_anomaly_features.py",
    "features": "tests/detectors/test_anomaly_features.py",
    "header_orders": "tests/browser/test_header_orders.py",
    "model": "tests/detectors/test_anomaly.py",
    "network": "tests/detectors/test_network_kinds.py",
    "observation": "tests/evidence/test_record.py",
    "reading": "tests/detectors/test_anomaly_features.py",
    "reference": "tests/detectors/test_run.py",
    "score": "tests/detectors/test_anomaly.py",
    "signal": "tests/detectors/test_run.py",
    "trees": "tests/detectors/test_anomaly.py",
}
"""Modules of detectors/ whose test has another name: parts of one detector, and the shared vocabulary."""


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module a file imports, wherever in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def part(name: str) -> str | None:
    """The part of the house a dotted name belongs to; None for everything from outside."""
    first, *rest = name.split(".")
    if first not in PACKAGES:
        return None
    return f"{first}.{rest[0]}" if first == "gateway" and rest else first


def broken_arrows(path: Path, owner: str) -> list[str]:
    """Imports of `path` (of the part `owner`) that do not point downwards."""
    found = []
    for name, line in imports(path):
        target = part(name)
        if target is None or target == owner:
            continue
        if target not in LEVEL:
            found.append(
                f"{path.name}:{line}: {target} has no floor in tests/test_architecture.py and docs/architecture.md"
            )
        elif LEVEL[target] <= LEVEL[owner]:
            found.append(f"{path.name}:{line}: {owner} must not import {name}, which is on a floor above or beside it")
    return found


def owner_of(path: Path) -> str:
    return part(".".join(path.relative_to(ROOT).with_suffix("").parts[:2])) or ""


def test_imports_point_downwards() -> None:
    files = [path for path in sources(*PACKAGES) if path != ROOT / "gateway" / "__init__.py"]
    assert len(files) > 100
    unplaced = {owner_of(path) for path in files} - LEVEL.keys()
    assert not unplaced, f"give these a floor here and in docs/architecture.md: {sorted(unplaced)}"
    assert [wrong for path in files for wrong in broken_arrows(path, owner_of(path))] == []


@pytest.mark.parametrize(
    ("owner", "line"),
    [
        ("gateway.intake", "from gateway.upstream.client import Upstream"),
        ("gateway.console", "from gateway.edge import Edge"),
        ("detectors", "import rules.loader"),
        ("gateway.stores", "from gateway import app"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, owner: str, line: str) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(f"def inside() -> None:\n    {line}\n")
    assert len(broken_arrows(planted, owner)) == 1


def test_the_page_lists_the_floors_as_they_are() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    shown = page.split("<!-- floors -->\n")[1].split("<!-- /floors -->")[0]
    floors = [
        {name.strip(" `") for name in line.split("|")[2].split(",")}
        for line in shown.splitlines()
        if line.startswith("| ") and "`" in line
    ]
    assert floors == list(FLOORS)


def test_detectors_and_rules_are_pure() -> None:
    for path in sources("detectors", "rules"):
        for name, line in imports(path):
            words = name.split(".")
            reached = {".".join(words[:n]) for n in range(1, len(words) + 1)} & IMPURE
            assert not reached, f"{path.relative_to(ROOT)}:{line} imports {name}"


def test_only_loaders_read_files() -> None:
    found = set()
    for path in sources("detectors", "rules"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in DISK_CALLS:
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == READS_AT_LOAD


TRAINING = {"gateway/models/forest.py", "gateway/models/training.py"}
"""What alone may import what models are grown and written with."""


def test_the_serving_process_does_not_learn() -> None:
    """scikit-learn costs 165 MB and seconds at start: training is another process."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sources(*PACKAGES)
        if any(name.split(".")[0] in ("sklearn", "onnx") for name, _ in imports(path))
    }
    assert found == TRAINING
    seen = "import sys, gateway.serving, gateway.cli.main; print(sorted({n.split('.')[0] for n in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", seen], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "'gateway'" in loaded
    assert not [name for name in ("sklearn", "onnx", "onnxruntime", "scipy") if f"'{name}'" in loaded]


def test_every_module_of_detectors_has_its_test() -> None:
    modules = {path.stem for path in sources("detectors")} - {"__init__"}
    assert modules >= HELPERS.keys(), "HELPERS names modules that are gone"
    missing = []
    for name in sorted(modules):
        test = ROOT / HELPERS.get(name, f"tests/detectors/test_{name}.py")
        if not test.exists():
            missing.append(f"detectors/{name}.py has no {test.relative_to(ROOT)}")
    assert missing == []


def test_files_stay_small() -> None:
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in sources(*PACKAGES)
    }
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_the_top_level_is_what_it_should_be() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: what belongs to the project cannot be told from what was made in it")
    names = {name.partition("/")[0] for name in listed.stdout.split("\0") if name}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL
