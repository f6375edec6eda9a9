"""Model files: signed, whole, and refused with place and remedy where they are not."""

from __future__ import annotations

import os
import random
from pathlib import Path

import msgspec
import pytest
from usual_rows import NOW, trained

from detectors.anomaly.model import Models
from detectors.observation import Kind
from gateway.models import files
from gateway.models.files import FileProblem, Shelf, Signer, Standing, load_models
from gateway.stores.keys import TOKEN, KeyRing

KIND = Kind.LANDING


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    KeyRing.open(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def shelf(tmp_path: Path, keys: Path) -> Shelf:
    return Shelf(tmp_path / "models", "acme", KIND, Signer.open(keys))


def publish(shelf: Shelf, role: str = "active") -> str:
    made = trained(KIND)
    shelf.publish(made.about, made.onnx)
    shelf.stand(Standing(shelf.place, **{role: made.about.version}))
    return made.about.version


def loaded(shelf: Shelf, keys: Path, sites: tuple[str, ...] = ("acme",)) -> tuple[Models, list[FileProblem]]:
    return load_models(shelf.path.parent.parent, keys, sites)


def test_what_is_published_is_loaded(shelf: Shelf, keys: Path) -> None:
    version = publish(shelf)
    models, problems = loaded(shelf, keys)
    assert problems == []
    assert models.versions() == {"acme/landing": version}
    assert sorted(path.name for path in shelf.path.iterdir()) == [f"{version}.json", f"{version}.onnx", "standing.json"]
    publish(shelf, "shadow")
    assert loaded(shelf, keys)[0].versions() == {"acme/landing (shadow)": version}


def test_no_directory_no_model_and_no_problem(tmp_path: Path, keys: Path) -> None:
    models, problems = load_models(tmp_path / "none", keys, ["acme"])
    assert (models.versions(), problems) == ({}, [])


def test_other_sites_have_no_part_in_it(shelf: Shelf, keys: Path) -> None:
    publish(shelf)
    assert loaded(shelf, keys, ("other",))[0].versions() == {}


def refused(shelf: Shelf, keys: Path) -> str:
    models, problems = loaded(shelf, keys)
    assert models.active == {}
    [problem] = problems
    assert str(shelf.path.parent.parent.parent) in str(problem)
    assert problem.remedy
    return str(problem)


def test_a_changed_description_is_refused(shelf: Shelf, keys: Path) -> None:
    path = shelf.path / f"{publish(shelf)}.json"
    path.write_bytes(path.read_bytes().replace(b'"trimmed":240', b'"trimmed":241'))
    assert "signature does not hold" in refused(shelf, keys)


def test_changed_trees_are_refused(shelf: Shelf, keys: Path) -> None:
    path = shelf.path / f"{publish(shelf)}.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "not those it was published with" in refused(shelf, keys)


def test_trees_that_are_too_large_or_gone_are_refused(
    shelf: Shelf, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shelf.path / f"{publish(shelf)}.onnx"
    with path.open("r+b") as file:
        file.truncate(files.MOST_BYTES + 1)
    assert "more than 32 MiB" in refused(shelf, keys)
    path.unlink()
    assert "cannot be read" in refused(shelf, keys)


def test_a_model_of_another_installation_is_refused(shelf: Shelf, keys: Path, tmp_path: Path) -> None:
    publish(shelf)
    KeyRing.open(tmp_path / "others")
    assert "signed by a key that is not in the keys directory" in refused(shelf, tmp_path / "others")


def test_older_keys_are_trusted_further(shelf: Shelf, keys: Path) -> None:
    version = publish(shelf)
    KeyRing.open(keys).add(TOKEN)
    assert loaded(shelf, keys)[0].versions() == {"acme/landing": version}


def test_without_keys_nothing_is_trusted(shelf: Shelf, keys: Path, tmp_path: Path) -> None:
    publish(shelf)
    models, [problem] = loaded(shelf, tmp_path / "nowhere")
    assert models.active == {}
    assert "keys" in str(problem)


def test_a_standing_does_not_count_elsewhere(shelf: Shelf, keys: Path) -> None:
    publish(shelf)
    other = shelf.path.parent / "submission"
    os.rename(shelf.path, other)
    assert "does not belong to acme/submission" in refused(shelf, keys)


def test_a_description_does_not_count_under_another_name(shelf: Shelf, keys: Path) -> None:
    version = publish(shelf)
    other = "20200101-000000-" + version[-8:]
    for suffix in (".json", ".onnx"):
        os.rename(shelf.path / (version + suffix), shelf.path / (other + suffix))
    shelf.stand(Standing(shelf.place, other))
    assert version in refused(shelf, keys)


def test_a_version_is_no_path(shelf: Shelf, keys: Path) -> None:
    publish(shelf)
    shelf.stand(Standing(shelf.place, "../../../etc/passwd"))
    assert "does not belong" in refused(shelf, keys)


def test_damaged_files_are_refused_and_never_fail_otherwise(shelf: Shelf, keys: Path) -> None:
    version = publish(shelf)
    chance = random.Random(3)
    whole = {path: path.read_bytes() for path in shelf.path.iterdir()}
    for _ in range(60):
        path = chance.choice(sorted(whole))
        data = bytearray(whole[path])
        place = chance.randrange(len(data))
        if chance.random() < 0.4:
            data[place] ^= 1 << chance.randrange(8)
        elif chance.random() < 0.5:
            del data[place:]
        else:
            data[place:place] = chance.randbytes(20)
        path.write_bytes(data)
        models, problems = loaded(shelf, keys)
        assert (models.versions() == {"acme/landing": version}) != bool(problems), path
        assert not models.active or (bytes(data) != whole[path] and path.name.endswith(".json"))
        path.write_bytes(whole[path])


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 100_000, b"\x80\x04\x95pickle.", b'{"key":"a","signature":"b","content":']
)
def test_foreign_content_is_refused(shelf: Shelf, keys: Path, content: bytes) -> None:
    publish(shelf)
    (shelf.path / "standing.json").write_bytes(content)
    refused(shelf, keys)


def test_only_a_few_versions_are_kept_and_those_in_use_always(shelf: Shelf) -> None:
    made = trained(KIND)
    versions = [f"2026010{day}-000000-00000000" for day in range(1, 9)]
    for version in versions:
        shelf.publish(msgspec.structs.replace(made.about, version=version), made.onnx)
    shelf.stand(Standing(shelf.place, versions[0], versions[1], NOW))
    assert shelf.versions() == [*versions[:2], *versions[-files.KEPT :]]


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path, keys: Path) -> None:
    (tmp_path / "models").write_text("a file, no directory")
    with pytest.raises(FileProblem, match=r"cannot be written.*model\.directory"):
        publish(Shelf(tmp_path / "models", "acme", KIND, Signer.open(keys)))
