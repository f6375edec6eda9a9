"""What all commands share: options, exit codes, and errors as one plain sentence."""

from __future__ import annotations

import asyncio
import errno
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar
from uuid import UUID

import orjson
import typer

from gateway import backends
from gateway import config as configuration
from gateway.config import Config, ConfigError
from gateway.labels.statement import MAX_BY
from gateway.reports.terminal import plain
from gateway.stores.errors import (
    StoreError,
    StoreUnavailable,
    StoreUnopenable,
    StoreUnreachable,
    UnknownLead,
    UnknownRecord,
)
from gateway.stores.records import Store
from geoip.errors import GeoipError
from rules.problems import RulesError

DONE, FAILED, BAD_USAGE = 0, 1, 2

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file. Default: LEADGATE_CONFIG, or ./leadgate.yaml.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


WHERE_IDS_STAND = "Ids stand in X-Lead-Id, in reports and in `leadgate leads list`."


def fail(message: str, code: int = FAILED) -> NoReturn:
    say(message, err=True)
    raise typer.Exit(code)


def say(text: str = "", *, err: bool = False) -> None:
    """Prints lines that may hold what strangers wrote: nothing in them moves the operator's cursor."""
    typer.echo(plain(text), err=err)


def an_id(text: str) -> str:
    """An id as the stores write it, however it was copied; what is no id stays as it is, and is found nowhere."""
    try:
        return str(UUID(text.strip()))
    except ValueError:
        return text


def person(by: str | None) -> str:
    """Who does it, for the history: the name given, else the system user."""
    try:
        name = (getpass.getuser() if by is None else by).strip()
    except (KeyError, OSError):  # a container's user without an entry in the system's list
        fail("This system user has no name: say who you are with --by", BAD_USAGE)
    if not 1 <= len(name) <= MAX_BY or not name.isprintable():
        fail(f"--by: write a name of 1 to {MAX_BY} characters, on one line", BAD_USAGE)
    return name


def print_json(value: object) -> None:
    """In UTF-8, whatever the terminal's alphabet is: programs read it."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def writable(page: Path | None) -> None:
    """Fails now, not after an hour of reading, where the page cannot be written. Leaves no empty one behind."""
    if page is None:
        return
    try:
        there = page.exists()
        page.open("a").close()
        if not there:
            page.unlink()
    except OSError as error:
        fail(f"{page}: it cannot be written ({error.strerror})", BAD_USAGE)


def write_page(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        fail(f"{path}: it cannot be written ({error.strerror})")


def load(path: Path | None) -> Config:
    """The settings, or exit code 2 with every problem named."""
    try:
        return configuration.load(path or configuration.default_path())
    except ConfigError as error:
        fail(configuration.render(error.problems), BAD_USAGE)


@asynccontextmanager
async def operator_store(config: Config) -> AsyncIterator[Store]:
    """The store of a configuration, beside running gateways. Raises StoreError."""
    store = await backends.operator_store(config)
    try:
        yield store
    finally:
        await store.close()


def with_store(path: Path | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """Run `work` on the store that the settings name; what is wrong with either ends the command in one sentence."""
    config = load(path)

    async def run() -> T:
        async with operator_store(config) as store:
            return await work(store)

    try:
        return asyncio.run(run())
    except (StoreUnavailable, StoreUnreachable) as error:
        fail(f"{error}" + (f"\n{_SPOOLED}" if config.store_place.shared else ""))
    except (UnknownLead, UnknownRecord) as error:
        fail(f"{error}. {WHERE_IDS_STAND}")
    except StoreError as error:
        fail(str(error))


_SPOOLED = "What came since then waits in the spool of the gateway's machine: leadgate db check"


def in_words(error: BaseException) -> str:
    """What keeps a command from going on: the place and what is wrong with it, without the system's number."""
    if isinstance(error, OSError) and error.strerror:
        told = f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
        return f"{told}. Stop what uses it, or name another address" if error.errno == errno.EADDRINUSE else told
    return str(error)


UNUSABLE = (StoreUnopenable, RulesError, GeoipError, OSError)
"""What keeps the gateway from starting, each with its place and remedy in the text."""
