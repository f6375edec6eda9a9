"""What a report needs of one judged page view, and the words for it: the same in every report, whatever the records come from."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network

import msgspec

from geoip.network import Network
from rules.verdict import Decision, Ivt, Verdict

CLASS_WORDS = {
    Ivt.VALID: "Valid",
    Ivt.GIVT: "General invalid (GIVT)",
    Ivt.SIVT: "Sophisticated invalid (SIVT)",
    Ivt.UNDECIDED: "Undecided",
}
CLASS_MEANINGS = {
    Ivt.VALID: "Nothing found, or too little to call it anything but a person.",
    Ivt.GIVT: "Found by routine means: programs that declare themselves, data centres, irregular volumes.",
    Ivt.SIVT: "Takes the appearance of people: false browsers, manipulated behaviour.",
    Ivt.UNDECIDED: "What is known does not tell. Counts neither as invalid nor as a saving.",
}
PLATFORM_WORDS = {
    "google": "Google Ads",
    "meta": "Meta",
    "microsoft": "Microsoft Advertising",
    "tiktok": "TikTok",
    "linkedin": "LinkedIn",
    "x": "X",
    "pinterest": "Pinterest",
    "reddit": "Reddit",
    "snap": "Snapchat",
    "yandex": "Yandex",
}
FACT_WORDS = {
    "client": "visitor's address",
    "network": "network",
    "velocity": "pace",
    "session": "session",
    "click": "click id",
    "reverse": "host name of the address",
}
"""Facts that page views can lack, for people who read reports."""
DECISION_WORDS = {Decision.ACCEPT: "Accepted", Decision.REVIEW: "For review", Decision.REJECT: "Rejected"}


class View(msgspec.Struct, frozen=True, gc=False):
    """One judged page view.

    at        UTC microseconds
    click     (platform, click id) where it carries one
    address   the visitor's address, or None
    agent     User-Agent; "" where there was none, None where the source does not tell
    """

    id: str
    at: int
    site: str
    path: str
    campaign: dict[str, str]
    click: tuple[str, str] | None
    address: str | None
    network: Network | None
    agent: str | None
    verdict: Verdict

    @property
    def flagged(self) -> bool:
        """Did it not pass as valid: sent to review, rejected, or invalid traffic that was let in, as crawlers are?"""
        verdict = self.verdict
        return verdict.decision is not Decision.ACCEPT or verdict.ivt is Ivt.GIVT or verdict.ivt is Ivt.SIVT


def reasons_against(verdict: Verdict) -> list[str]:
    """What spoke against it, strongest first, in words."""
    found = sorted([r for r in verdict.reasons if r.counted > 0], key=lambda r: -r.counted)
    return [reason.text for reason in found]


def campaign_name(campaign: dict[str, str]) -> str:
    """How people know a campaign: its utm_campaign with where it runs, or the platform's number; "" where the address names none."""
    name = campaign.get("utm_campaign") or ""
    number = campaign.get("gad_campaignid") or campaign.get("campaignid") or campaign.get("utm_id") or ""
    source = campaign.get("utm_source") or ""
    words = name or (f"campaign {number}" if number else "")
    if source and words:
        return f"{words} ({source})"
    return words or (f"source {source}" if source else "")


def cut_address(address: str) -> str:
    """The neighbourhood of an address, which names no household: /24 of IPv4, /48 of IPv6."""
    return _cut(address)


@lru_cache(4096)
def _cut(address: str) -> str:
    try:
        ip = ip_address(address)
    except ValueError:
        return "unknown"
    return str(ip_network((int(ip) >> 8 << 8, 24) if ip.version == 4 else (int(ip) >> 80 << 80, 48)))


def network_name(network: Network | None, address: str | None) -> str:
    """Who runs the network: organisation, or the published range, or just where it lies."""
    if network is not None:
        if network.organisation:
            return network.organisation
        if network.labels:
            kind, _, name = network.labels[0].partition(":")
            return f"{name} ({_KINDS.get(kind, kind)})"
        if network.asn is not None:
            return f"AS{network.asn}"
    return cut_address(address) if address else "unknown"


_KINDS = {
    "reserved": "not a public address",
    "crawler": "crawler",
    "fetcher": "fetches pages for people",
    "monitor": "monitoring service",
    "relay": "privacy relay",
    "tor": "Tor",
    "vpn": "VPN",
    "proxy": "company gateway",
    "hosting": "data centre",
    "cdn": "content delivery network",
    "mobile": "mobile carrier",
}
_ASIDE = re.compile(r"\s*\([^()]*\{\d\}[^()]*\)")
_HOLE = re.compile(r"\{\d\}")
_APPENDED = re.compile(r"[:,] …(?:, (?:proved )?by …)?|, (?:proved )?by …|, now from …")
_WORDS = (
    ("… page views", "Many page views"),
    ("… forms", "Many forms"),
    ("within …", "within a short time"),
    ("… times", "several times"),
)


def general_text(template: str) -> str:
    """A signal's text without its evidence: "{0} page views within {1} from one address (browsers: {2})" → "Many page views within a short time
    from one address"."""
    text = _APPENDED.sub("", _HOLE.sub("…", _ASIDE.sub("", template)))
    for hole, word in _WORDS:
        text = text.replace(hole, word)
    return text
