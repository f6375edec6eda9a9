"""JSON log lines on standard error. Event names and their keys are public: people build alerts on them (docs/reference/logs.md)."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

_EMAIL = re.compile(r"[^\s@\"'<>,;:]{1,64}@[^\s@\"'<>,;:]{1,253}")
_IPV4 = re.compile(r"(?<!//)\b(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}\b(?!/)")
_IPV6 = re.compile(r"\b((?:[0-9a-f]{1,4}:){3})[0-9a-f:]{2,}\b(?!/)", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.:-])\+\d[\d ()-]{6,18}\d\b")

LEVELS = ("debug", "info", "warning", "error")

EVENTS = {
    "started": "The gateway listens; addresses, sites and the configuration's generation.",
    "reloaded": "A changed configuration is in force; the new generation.",
    "settings warning": "Something in the settings should be looked at, though they can be used; at start and after each reload.",
    "reload refused": "A changed configuration has problems, or needs a restart; the old one stays in force.",
    "proxy suspected": "Most visitors seem to come from one proxy that is not trusted; the line to add to the configuration.",
    "fail open": "A route passed traffic on without a decision; route and reason. Logged at most once a minute for each reason.",
    "origin failed": "The site behind the gateway could not be reached or broke off. Logged at most once a minute for each site and kind.",
    "store failed": "The system of record cannot commit; what to do. Logged at most once a minute.",
    "store recovered": "The system of record commits again.",
    "lead held": "A lead waits for a person.",
    "leads waiting": "Held leads nobody looked at for a day, and whom to tell.",
    "mail failed": "A message to the reviewer could not be sent; what the mail server said.",
    "outcome refused": "A message about what became of a lead was not signed as it must be; why. Once a minute for each source.",
    "outcome unmapped": "A message named stages that `map` does not know; how many. Once a minute for each source.",
    "lead released": "A held lead was sent to its destination, and how that ended.",
    "lead refused": "The origin did not take a released lead; it stays held.",
    "detector failed": "A detector raised an error; it counts as a fact that could not be had. Logged at most once a minute for each detector.",
    "models trained": "A round of training is over; `leadgate model status` tells what came of it.",
    "model training failed": "A round of training in the background came to nothing; why, and what to do. The models in force stay.",
    "record failed": "A record could not be made and was dropped, counted. Please report it. Logged at most once a minute.",
    "draining": "A stop was asked for; requests under way are finished first.",
    "stopped": "The process ends; requests that had to be cut off.",
    "hot state lost": "The shared state does not answer; this process counts by itself meanwhile, and verdicts say so.",
    "hot state back": "The shared state answers again, and for how long it did not.",
    "store spooling": "The shared store is away; leads and records are made durable in the local spool meanwhile.",
    "store drained": "All that waited in the local spool is in the shared store.",
    "worker started": "A worker process takes visitors; how many do.",
    "worker ended": "A worker process ended; how, and in how many seconds another one takes its place.",
    "workers rolling": "All workers are replaced one after another, or that came to an end; why.",
    "worker metrics": "A worker cannot tell the others what it counts; /metrics stands still for it. Once a minute.",
    "accept failed": "A visitor's connection could not be taken up; usually the process has too few file descriptors. Once a minute.",
    "campaign flooded": "A campaign's part gets far more clicks than usual and far fewer of its visitors go on; clicks, what is usual, the share in excess.",
    "campaign calm": "A flood of a campaign's part has ended, and how many minutes it lasted.",
    "handler failed": "A programming error reached the edge; the visitor got a 500 or the origin's page. Please report it. Once a minute for each kind.",
}


def mask(text: str) -> str:
    """`text` with e-mail addresses and phone numbers blacked out and IP addresses cut to their network, except servers' in a URL: those are the
    operator's own."""
    text = _EMAIL.sub("[e-mail]", text)
    text = _PHONE.sub("[phone]", text)
    text = _IPV4.sub(r"\1.x", text)
    return _IPV6.sub(r"\1x", text)


def _mask_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and key not in ("timestamp", "level", "remedy", "listen", "admin", "origin", "state"):
            event[key] = mask(value)
    return event


class Lost:
    """lines: how many could not be written by this process."""

    lines = 0


lost = Lost()


class _Unfailing:
    """A stream for log lines. A full disk below it, or a reader that went away, must not stop what the lines tell of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            lost.lines += 1

    def flush(self) -> None:
        """`write` did."""


def configure(level: str = "info", stream: TextIO | None = None, worker: int | None = None) -> None:
    """Logs go to `stream` (standard error where None) as one JSON object a line; `level` is one of LEVELS.

    worker  number of the worker whose lines these are; each then says so
    """

    def say_who(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        if worker is not None:
            event.setdefault("worker", worker)
        return event

    structlog.configure(
        processors=[
            say_who,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
            structlog.processors.format_exc_info,
            _mask_values,
            structlog.processors.JSONRenderer(sort_keys=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Unfailing(stream or sys.stderr))),
        cache_logger_on_first_use=False,
    )


log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Seldom:
    """Error lines that a flood of requests must not turn into a flood of lines: one for each kind in `every_s` seconds.

    The next line of the kind tells in `left_out` how many were not written; the counters at /metrics have them all.
    Kinds are made of what the program and its configuration know (a site's name, an error's type), never of what a
    visitor sends, so that there are few of them.
    """

    def __init__(self, every_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        # when the next may be written, and how many were not
        self._kinds: dict[tuple[str, ...], tuple[float, int]] = {}

    def __call__(self, event: str, *kind: str, **fields: object) -> None:
        now = self._clock()
        due, left_out = self._kinds.get((event, *kind), (now, 0))
        if now < due:
            self._kinds[event, *kind] = (due, left_out + 1)
            return
        self._kinds[event, *kind] = (now + self._every_s, 0)
        log.error(event, **fields, **({"left_out": left_out} if left_out else {}))


seldom = Seldom()


class Spell:
    """Trouble that comes and goes: is it time to tell of it? Of its beginning once in `every_s` seconds, of its end where its beginning was told.

    `begins` is asked again and again while it lasts: what began soon after the last time is told when it is still there later.
    """

    def __init__(self, every_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        self._due = clock()
        self._told = False

    def begins(self) -> bool:
        now = self._clock()
        if self._told or now < self._due:
            return False
        self._told, self._due = True, now + self._every_s
        return True

    def ends(self) -> bool:
        told, self._told = self._told, False
        return told
