"""Model files on disk: data only, signed, put in place whole or not at all, and looked through before they are used.

    <directory>/<site>/<kind>/standing.json      which version counts and which is tried out; written last, so that its change means a reload
    <directory>/<site>/<kind>/<version>.json     {"key", "signature", "content"}: description of a model, signed
    <directory>/<site>/<kind>/<version>.onnx     its trees; their hash stands in the signed description

Signatures are HMAC-SHA256 under a key derived from the token keys, so that a model of another installation, or one that somebody else wrote, is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from detectors.anomaly.model import Description, Model, Models, decode
from detectors.anomaly.trees import TRAIN_AGAIN, ModelProblem
from detectors.observation import Kind
from gateway.config import Config
from gateway.stores.errors import KeyProblem
from gateway.stores.keys import TOKEN, Key, KeyRing

MOST_BYTES = 32 * 1024 * 1024
"""A model of 100 trees has about 2 MB; more than this is none of ours."""
KEPT = 4
"""Versions kept of each site and kind, so that `model compare` can look back."""
STANDING = "standing.json"
MOST_SITES = 2_000
"""Directories looked at: as many sites as settings may have, times two kinds."""

_VERSION = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
T = TypeVar("T")


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version is what. shadow_since: UTC microseconds; place: "site/kind", so that it counts nowhere else."""

    place: str
    active: str | None = None
    shadow: str | None = None
    shadow_since: int = 0


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    signature: str
    content: msgspec.Raw


class FileProblem(Exception):
    """A model file that is not used: which, why, and what to do."""

    def __init__(self, path: Path, problem: str, remedy: str = TRAIN_AGAIN) -> None:
        self.path, self.problem, self.remedy = path, problem, remedy
        super().__init__(f"{path}: {problem}. {remedy}")


class Signer:
    """Signs with the newest key and trusts all that are there. `Signer.open` reads a keys directory and makes nothing."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = {key.id: key.derive("model") for key in keys}
        self._newest = keys[0].id if keys else ""

    @classmethod
    def open(cls, keys: Path) -> Signer:
        """Raises FileProblem where there are no keys to trust a model by."""
        try:
            return cls(KeyRing.open(keys, None).all(TOKEN))
        except KeyProblem as error:
            raise FileProblem(keys, "the keys that sign models cannot be read", str(error)) from error

    def seal(self, content: bytes) -> bytes:
        signed = _Signed(self._newest, self._sign(self._newest, content), msgspec.Raw(content))
        return msgspec.json.encode(signed)

    def open_sealed(self, path: Path) -> bytes:
        """The content of a signed file. Raises FileProblem."""
        try:
            signed = msgspec.json.decode(read(path), type=_Signed)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise FileProblem(path, "it is no model file, or damaged") from error
        if signed.key not in self._keys:
            raise FileProblem(path, "it is signed by a key that is not in the keys directory")
        content = bytes(signed.content)
        if not hmac.compare_digest(self._sign(signed.key, content).encode(), signed.signature.encode()):
            raise FileProblem(path, "its signature does not hold: somebody changed it, or it is damaged")
        return content

    def _sign(self, key: str, content: bytes) -> str:
        return hmac.new(self._keys[key], content, hashlib.sha256).hexdigest()


def read(path: Path) -> bytes:
    """Raises FileProblem."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise FileProblem(path, f"it cannot be read ({error.strerror})") from error
    if len(data) > MOST_BYTES:
        raise FileProblem(path, f"it has more than {MOST_BYTES // 1024 // 1024} MiB, which no model of ours has")
    return data


class Shelf:
    """The model files of one site and kind."""

    def __init__(self, directory: Path, site: str, kind: Kind, signer: Signer) -> None:
        self.path = directory / site / kind.value
        self.site, self.kind, self._signer = site, kind, signer

    @property
    def place(self) -> str:
        return f"{self.site}/{self.kind.value}"

    def standing(self) -> Standing:
        """Raises FileProblem."""
        path = self.path / STANDING
        if not path.exists():
            return Standing(self.place)
        found = _decoded(path, self._signer.open_sealed(path), Standing)
        versions = [version for version in (found.active, found.shadow) if version is not None]
        if found.place != self.place or not all(map(_VERSION.fullmatch, versions)):
            raise FileProblem(path, f"it does not belong to {self.place}")
        return found

    def versions(self) -> list[str]:
        """Oldest first."""
        try:
            names = [path.stem for path in self.path.glob("*.json")]
        except OSError:
            return []
        return sorted(name for name in names if _VERSION.fullmatch(name))

    def about(self, version: str) -> Description:
        """The description alone. Raises FileProblem."""
        path = self.path / f"{version}.json"
        content = self._signer.open_sealed(path)
        try:
            about = decode(content)
        except ModelProblem as error:
            raise FileProblem(path, error.problem, error.remedy) from error
        if (about.site, about.kind, about.version) != (self.site, self.kind, version):
            raise FileProblem(path, f"it is the model of {about.site}/{about.kind}, version {about.version}")
        return about

    def load(self, version: str) -> Model:
        """Raises FileProblem."""
        about = self.about(version)
        path = self.path / f"{version}.onnx"
        try:
            return Model(about, read(path))
        except ModelProblem as error:
            raise FileProblem(path, error.problem, error.remedy) from error

    def publish(self, about: Description, onnx: bytes) -> None:
        """Trees first, then their description; a version counts only once `stand` names it. Raises FileProblem."""
        self._write(f"{about.version}.onnx", onnx)
        self._write(f"{about.version}.json", self._signer.seal(msgspec.json.encode(about)))

    def stand(self, standing: Standing) -> None:
        """Raises FileProblem."""
        self._write(STANDING, self._signer.seal(msgspec.json.encode(standing)))
        kept = {standing.active, standing.shadow, *self.versions()[-KEPT:]}
        for version in self.versions():
            if version not in kept:
                for suffix in (".json", ".onnx"):
                    (self.path / (version + suffix)).unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> None:
        write(self.path / name, data)


def write(path: Path, data: bytes) -> None:
    """Whole or not at all, and on the disk when it returns. Raises FileProblem."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        problem = f"it cannot be written ({error.strerror})"
        raise FileProblem(path, problem, "Make model.directory writable, with room") from error


def _decoded(path: Path, content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FileProblem(path, "it holds something else than it should") from error


def load_models(directory: Path, keys: Path, sites: Sequence[str]) -> tuple[Models, list[FileProblem]]:
    """The models in force for these sites, and the files that are not used. Never raises: without a model nothing is said."""
    problems: list[FileProblem] = []
    active: dict[tuple[str, str], Model] = {}
    shadow: dict[tuple[str, str], Model] = {}
    present = list(standings(directory, sites))
    if not present:
        return Models.builtin(), problems
    try:
        signer = Signer.open(keys)
    except FileProblem as error:
        return Models.builtin(), [error]
    for site, kind in present:
        shelf = Shelf(directory, site, kind, signer)
        try:
            standing = shelf.standing()
        except FileProblem as error:
            problems.append(error)
            continue
        for version, into in ((standing.active, active), (standing.shadow, shadow)):
            if version is not None:
                try:
                    into[site, kind] = shelf.load(version)
                except FileProblem as error:
                    problems.append(error)
    return Models.of(active, shadow), problems


def standings(directory: Path, sites: Sequence[str]) -> Iterator[tuple[str, Kind]]:
    """Sites and kinds that have a standing file."""
    for site in list(sites)[:MOST_SITES]:
        for kind in Kind:
            if (directory / site / kind.value / STANDING).exists():
                yield site, kind


def models_for(config: Config) -> tuple[Models, list[FileProblem]]:
    """As the settings say."""
    if not config.model.enabled:
        return Models.builtin(), []
    return load_models(config.models_path, config.keys_path, [site.name for site in config.sites])
