"""What every way to a verdict says alike: the verdict's header fields, and that a request goes on without one."""

from __future__ import annotations

from gateway.delivery.headers import Field, lead_headers
from gateway.log import seldom
from gateway.metrics import Metrics
from gateway.model import Mode
from gateway.pipeline import Judged


def verdict_headers(judged: Judged) -> list[Field]:
    """The verdict for the origin, in `tag` and `enforce`; nothing in `monitor`."""
    return [] if judged.by.mode is Mode.MONITOR else lead_headers(judged.arrival.id, judged.verdict)


def fail_open(metrics: Metrics, site: str, where: str, error: Exception) -> None:
    """Count and tell that a request goes on without a decision because of a fault of ours."""
    metrics.count("leadgate_fail_open", site, where)
    seldom("fail open", where, type(error).__name__, reason=where, site=site, error=repr(error))
