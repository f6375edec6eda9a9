"""What all commands share: options, exit codes, and errors as one plain sentence."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import orjson
import typer

from gateway import config as configuration
from gateway.config import Config, ConfigError
from gateway.stores.errors import StoreError, StoreUnopenable
from gateway.stores.keys import KeyRing
from gateway.stores.sqlite import SqliteStore
from geoip.errors import GeoipError
from rules.problems import RulesError

DONE, FAILED, BAD_USAGE = 0, 1, 2

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file. Default: LEADGATE_CONFIG, or ./leadgate.yaml.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def fail(message: str, code: int = FAILED) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(code)


def print_json(value: object) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def load(path: Path | None) -> Config:
    """The settings, or exit code 2 with every problem named."""
    try:
        return configuration.load(path or configuration.default_path())
    except ConfigError as error:
        fail(configuration.render(error.problems), BAD_USAGE)


@asynccontextmanager
async def operator_store(config: Config) -> AsyncIterator[SqliteStore]:
    """The store of a configuration, beside a running gateway."""
    if not config.store_path.exists():
        fail(f"{config.store_path}: there is no store yet. It is made when the gateway first starts: leadgate serve")
    keys = KeyRing.open(config.keys_path, SqliteStore.keys_used(config.store_path))
    store = SqliteStore.open(config.store_path, keys, writer="operator")
    try:
        yield store
    finally:
        await store.close()


def with_store(path: Path | None, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """Run `work` on the store that the settings name; what is wrong with either ends the command in one sentence."""
    config = load(path)

    async def run() -> T:
        async with operator_store(config) as store:
            return await work(store)

    try:
        return asyncio.run(run())
    except StoreError as error:
        fail(str(error))


UNUSABLE = (StoreUnopenable, RulesError, GeoipError, OSError)
"""What keeps the gateway from starting, each with its place and remedy in the text."""
