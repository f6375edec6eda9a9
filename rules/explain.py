"""A verdict in plain sentences, the same for the command line, the API and the console. Pure text; everything comes from the record."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detectors.behaviour import Company
from detectors.observation import (
    Kind,
)
from geoip.network import Network
from rules.bands import in_words
from rules.verdict import PARTIAL, Applied, Decision, Ivt, Reason, Verdict

CLASSES = {
    Ivt.VALID: "Valid traffic",
    Ivt.GIVT: "General invalid traffic (found by routine means, such as lists of known programs and data centres)",
    Ivt.SIVT: "Sophisticated invalid traffic (it takes the appearance of people)",
    Ivt.UNDECIDED: "Undecided: what is known does not tell what kind of traffic this is. It counts neither as fraud nor as a saving",
}

FACT_NAMES = {
    "client": "the visitor's address",
    "request": "the request's headers",
    "network": "the network of the address",
    "velocity": "how often this visitor came",
    "session": "the visitor's session",
    "click": "the history of the ad click",
    "reverse": "the crawler's host name",
    "lead": "the form's content",
    "token": "the form's render token",
    "duplicate": "whether the lead was seen before",
    "mail": "whether the e-mail domain takes mail",
    "similar": "whether a text like this one came before",
    "journey": "how the visitor moved through the site",
    "campaign": "how the campaign does otherwise",
    "pointer": "how the pointer moved",
    "company": "which organisation the visitor's network belongs to",
}

_HEADLINES = {
    (Kind.LANDING, Decision.ACCEPT): "Accepted",
    (Kind.LANDING, Decision.REVIEW): "Flagged for review",
    (Kind.LANDING, Decision.REJECT): "Rejected",
    (Kind.SUBMISSION, Decision.ACCEPT): "Accepted",
    (Kind.SUBMISSION, Decision.REVIEW): "For review",
    (Kind.SUBMISSION, Decision.REJECT): "Rejected, and kept",
}
_ONLY_NOTED = {
    Decision.REVIEW: "For review, and passed on ({mode} mode)",
    Decision.REJECT: "Would be rejected, and passed on ({mode} mode)",
}
"""In `monitor` and `tag` nobody is held or declined."""


class Section(msgspec.Struct, frozen=True):
    """`key` is stable, for programs; `title` and `lines` are for people. No line ends with a full stop."""

    key: str
    title: str
    lines: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    """Sections in reading order; empty ones are left out."""

    headline: str
    sections: tuple[Section, ...]

    def as_text(self) -> str:
        rows = [self.headline]
        for section in self.sections:
            rows += ["", section.title, *(f"  {line}" for line in section.lines)]
        return "\n".join(rows)


def explain(
    verdict: Verdict,
    kind: Kind,
    *,
    generation: str = "",
    mode: str = "",
    network: Network | None = None,
    company: Company | None = None,
) -> Explanation:
    """Why the verdict is what it is. What is not known (generation, mode, network, company) is left out."""
    against = sorted((r for r in verdict.reasons if r.counted > 0), key=lambda r: -r.counted)
    trust = sorted((r for r in verdict.reasons if r.counted < 0), key=lambda r: r.counted)
    silent = [r for r in verdict.reasons if r.counted == 0]
    sections = (
        Section("decided", "What decided", tuple(_decided(verdict, mode))),
        Section("against", "What spoke against it", tuple(_finding(r) for r in against)),
        Section("for", "What spoke for it", tuple(_finding(r) for r in trust)),
        Section("noted", "What was noted without weight", tuple(_finding(r) for r in silent)),
        Section("rules", "Which rules changed what", tuple(_rule(applied) for applied in verdict.composites)),
        Section("caps", "Where a group of findings was limited", tuple(_caps(verdict))),
        Section("unchecked", "What could not be checked", tuple(_unchecked(verdict.unavailable))),
        Section("network", "Where it came from", tuple(_network(network, company))),
        Section("change", "What would have altered it", (verdict.nearest,) if verdict.nearest else ()),
        Section(
            "generation",
            "Judged by",
            (f"configuration, rules and lists of generation {generation}",) if generation else (),
        ),
    )
    return Explanation(headline(verdict, kind, mode), tuple(section for section in sections if section.lines))


def headline(verdict: Verdict, kind: Kind, mode: str = "") -> str:
    """One line: "For review: quality 34 of 100 (validity)". What became of a lead stands with the lead, not here."""
    if mode in ("monitor", "tag") and verdict.decision in _ONLY_NOTED:
        word = _ONLY_NOTED[verdict.decision].format(mode=mode)
    else:
        word = _HEADLINES[kind, verdict.decision]
    return f"{word}: quality {verdict.quality} of 100 (validity)"


def _decided(verdict: Verdict, mode: str) -> list[str]:
    how, _, rest = verdict.decided_by.partition(" ")
    fact = next((r.text for r in verdict.reasons if r.decisive), rest)
    opener = next((r.text for r in verdict.reasons if r.signal == rest), rest)
    if how == "threshold":
        below = rest.rpartition(" ")[2]
        side = "is below" if verdict.decision is Decision.REVIEW else "is not below"
        first = f"Quality {verdict.quality} {side} the threshold of {below}"
    elif how == "decisive":
        first = f"Something no real visitor produces ({rest}): {fact}"
    elif how == "allowed":
        first = f"Always let in by the rules ({rest}): {opener}"
    elif how in ("allow", "deny"):
        first = f"Your {how} list: {rest.removeprefix('list ')}. Lists win over everything that was found"
    else:
        first = f"Could not be decided: {rest}. Without enough facts nobody is rejected"
    lines = [first, CLASSES[verdict.ivt] + (f"; category: {verdict.category}" if verdict.category else "")]
    lines.append(f"Confidence {verdict.confidence} of 100: the share of expected facts that could be had")
    if mode in ("monitor", "tag") and verdict.decision is not Decision.ACCEPT:
        lines.append(f"The site is in {mode} mode: this was recorded, nobody was stopped")
    return lines


def _finding(reason: Reason) -> str:
    if reason.decisive:
        size = "decisive"
    elif reason.counted:
        size = f"{in_words(reason.counted)}, {abs(reason.counted) / 1000:.1f}"
    elif reason.changed_by:
        size = f"not counted: {reason.changed_by}"
    else:
        size = "informative"
    detail = [reason.signal]
    if 0 < reason.strength < 1000 and reason.counted:
        detail.append(f"at {reason.strength // 10} % of its weight")
    if reason.changed_by and reason.counted:
        detail.append(f"changed by rule {reason.changed_by}")
    detail.append(f"weight from {reason.source}")
    return f"{reason.text} [{size}] ({'; '.join(detail)})"


def _rule(applied: Applied) -> str:
    effects = ", ".join(applied.effects) or "nothing to change"
    why = f". {applied.text.removesuffix('.')}" if applied.text else ""
    return f"{applied.name}: {effects} ({applied.source}){why}"


def _caps(verdict: Verdict) -> list[str]:
    return [
        f"{group.group}: findings worth {group.total / 1000:.1f} counted as {group.counted / 1000:.1f}, "
        "because findings of one kind often have one cause"
        for group in verdict.groups
        if group.total != group.counted
    ]


def _unchecked(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{FACT_NAMES.get(name, name)}: {_why(reason)}" for name, reason in pairs]


def _why(reason: str) -> str:
    """ "partial: redis: no answer; counted in this process only" → "partial, counted in this process only (redis: no answer)"."""
    if not reason.startswith(PARTIAL):
        return reason
    cause, _, consequence = reason.removeprefix(PARTIAL).partition("; ")
    return f"partial, {consequence} ({cause})" if consequence else f"partial ({cause})"


_NOT_PUBLIC = {
    "loopback": "it is the machine itself",
    "private": "it is of a network of its own, such as an office's, or of a proxy in front of the gateway",
    "shared": "it is from inside an access provider's network",
    "link-local": "it is of a machine on the same cable",
}
"""Addresses that nobody on the internet has (geoip/published.py), for people."""


def _network(network: Network | None, company: Company | None) -> list[str]:
    if network is None:
        return []
    if network.kind == "reserved":
        name = network.labels[0].partition(":")[2] if network.labels else ""
        what = _NOT_PUBLIC.get(name, f"it is set aside for other uses ({name})" if name else "it is set aside")
        return [f"Not a public address: {what}"]
    place = [network.organisation or "an unknown organisation"]
    if network.asn:
        place.append(f"AS{network.asn}")
    if network.country:
        place.append(network.country)
    lines = [", ".join(place) + (f"; kind of network: {network.kind}" if network.kind else "")]
    if company is not None:
        lines.append(
            f"In the own network of {company.organisation}" + (f" ({company.domain})" if company.domain else "")
        )
    return lines
