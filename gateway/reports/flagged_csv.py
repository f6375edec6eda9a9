"""Flagged page views as CSV: one row each, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from typing import TextIO

from gateway.reports.views import View, campaign_name, network_name, reasons_against

COLUMNS = {
    "time": "when, RFC 3339 in UTC",
    "click_id": "the ad platform's click id, whole; empty where the view carried none",
    "platform": "the ad platform the click id belongs to",
    "campaign": "utm_campaign with its source, or the platform's campaign number",
    "site": "site of the settings, or name of the log",
    "page": "path, without query",
    "address": "the visitor's address",
    "network": "published range or organisation the address belongs to, or its neighbourhood",
    "as_number": "autonomous system, where a database tells it",
    "organisation": "who announces the network, where a database tells it",
    "country": "two letters, where a database tells it",
    "user_agent": "as sent",
    "verdict": "accept, review or reject",
    "quality": "0-100, 100 best",
    "class": "givt, sivt, undecided or valid",
    "category": "kind of invalid traffic",
    "reasons": "what spoke against it, strongest first",
    "record_id": "for `leadgate explain`",
}
"""Columns and their meanings, in order."""

ENCODING = "utf-8-sig"
"""With the mark at the beginning that Excel needs to read anything but English."""

# A cell that begins so is a formula to a spreadsheet; visitors choose what stands in many of these cells.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "＝", "＋", "－", "＠")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before what would begin one; control characters become spaces."""
    guarded = "'" + text if text.lstrip(" ").startswith(_FORMULA) else text
    return _CONTROL.sub(" ", guarded)


def visitor_text(text: str) -> str:
    """Bytes a visitor sent, one character each, as the text they most likely are."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")


class FlaggedCsv:
    """Writes rows as they come. `rows` counts them.

    stream  opened with newline="" and ENCODING
    """

    def __init__(self, stream: TextIO) -> None:
        self._writer = csv.writer(stream)
        self._writer.writerow(COLUMNS)
        self.rows = 0

    def write(self, view: View) -> None:
        network, verdict = view.network, view.verdict
        self.rows += 1
        cells = (
            datetime.fromtimestamp(view.at / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            view.click[1] if view.click else "",
            view.click[0] if view.click else "",
            campaign_name(view.campaign),
            view.site,
            view.path,
            view.address or "",
            network_name(network, view.address),
            f"AS{network.asn}" if network is not None and network.asn is not None else "",
            (network.organisation or "") if network is not None else "",
            (network.country or "") if network is not None else "",
            visitor_text(view.agent or ""),
            verdict.decision.value,
            str(verdict.quality),
            verdict.ivt.value,
            verdict.category or "",
            "; ".join(reasons_against(verdict)),
            view.id,
        )
        self._writer.writerow([safe(cell) for cell in cells])
