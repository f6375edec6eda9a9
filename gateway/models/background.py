"""Starts training beside the serving process: a process of its own, of lowest priority, bounded in time and memory, on one machine at a time."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from detectors.observation import Kind
from gateway.config import Config
from gateway.log import log
from gateway.metrics import Metrics
from gateway.model import now_us
from gateway.models.notes import Note, last, notes
from gateway.stores.errors import StoreError
from gateway.stores.records import Store

FIRST_LOOK_S = 600.0
"""A gateway that was just started has visitors to serve first."""
LOOK_EVERY_S = 1_200.0
HOUR_US = 3_600_000_000
TURN_US = HOUR_US // 2
"""Only one of many gateways trains within this time."""
TURN = "model training"
MOST_OUTPUT = 2_000
"""Characters of what a failed training said that are logged."""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Trainer:
    """settings: those in force now; path: their file; command: what is run, of which `model train` is told the rest."""

    def __init__(
        self,
        settings: Callable[[], Config],
        path: Path,
        store: Store,
        metrics: Metrics,
        environ: Mapping[str, str] = os.environ,
        *,
        first_look_s: float = FIRST_LOOK_S,
        command: Sequence[str] = (sys.executable, "-m", "gateway.cli"),
    ) -> None:
        self._settings = settings
        self._path = path
        self._store = store
        self._metrics = metrics
        self._environ = environ
        self._first_look_s = first_look_s
        self._command = tuple(command)
        self._notes: tuple[Note, ...] = ()
        metrics.labelled_gauge("leadgate_model_drift", self.drift)

    async def run(self) -> None:
        """Looks now and then, until it is cancelled."""
        await self.refresh()
        await asyncio.sleep(self._first_look_s)
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> bool:
        """Trains where something is due and nobody else does; True if it did."""
        config = self._settings()
        due = config.model.enabled and await asyncio.to_thread(is_due, config, now_us())
        try:
            mine = due and await self._store.take_turn(TURN, now_us(), TURN_US)
        except StoreError:  # away: looked again later; the store's own trouble is told elsewhere
            mine = False
        if mine:
            await self._train(config)
        await self.refresh()
        return mine

    async def refresh(self) -> None:
        config = self._settings()
        names = [site.name for site in config.sites] if config.model.enabled else []
        self._notes = await asyncio.to_thread(lambda: tuple(notes(config.models_path, names)))

    def drift(self) -> dict[tuple[str, ...], float]:
        """Stability index by (site, kind, feature), as the last round measured it."""
        return {(*note.place.split("/", 1), name): index for note in self._notes for name, index in note.drift.items()}

    async def _train(self, config: Config) -> None:
        arguments = ("model", "train", "--background", "--config", str(self._path))
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self._environ) | _ONE_THREAD,
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), config.model.max_seconds)
        except TimeoutError:
            self._failed(f"it took longer than model.max_seconds ({config.model.max_seconds})")
        else:
            if process.returncode == 0:
                self._metrics.count("leadgate_model_rounds", "done")
                log.info("models trained")
            else:
                self._failed(
                    said[-MOST_OUTPUT:].decode("utf-8", "replace").strip() or f"exit code {process.returncode}"
                )
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _failed(self, problem: str) -> None:
        self._metrics.count("leadgate_model_rounds", "failed")
        log.warning("model training failed", problem=problem, remedy="leadgate model status; leadgate model train")


def is_due(config: Config, now: int) -> bool:
    """Is there a site and kind that was not looked at for `model.every_hours`, or for an hour where it waits for more traffic or for its trial to end?"""
    every = config.model.every_hours * HOUR_US
    for site in config.sites:
        for kind in Kind:
            note = last(config.models_path, site.name, kind)
            wait = every if note is not None and note.result == "refused" else min(every, HOUR_US)
            if note is None or now - note.at >= wait:
                return True
    return False
