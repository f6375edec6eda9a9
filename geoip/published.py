"""Ranges that operators publish about themselves, as labels: from the packages `iporigin` and `is-crawler`, and
IANA's registries.

The data stays in those packages (some of their sources name no licence) and grows with their releases; what stands
here is only what each list *means* to us.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from importlib import resources

from geoip.errors import GeoipError
from geoip.ranges import V4_BITS, V6_BITS, LabelledRange

KINDS = ("reserved", "crawler", "fetcher", "monitor", "relay", "tor", "vpn", "proxy", "hosting", "cdn", "mobile")
"""What a label's kind says, strongest statement first: a crawler's range lies inside a cloud, relay exits inside a CDN.

reserved  not a public address           relay   privacy relay of a browser or system maker: people
crawler   a declared crawler's own       tor     Tor exit
fetcher   fetches when a person asks     vpn     commercial VPN exit
          (assistants, translation)      proxy   a company's web gateway: people at work
monitor   uptime and speed monitors      hosting, cdn, mobile   who runs the network
"""

_BROADEST = {V4_BITS: 8, V6_BITS: 19}
"""No single operator publishes a wider range; wider ones in the lists are damage ("0/0" read out of a version
number)."""

_IPORIGIN_CRAWLERS = {
    "Amazonbot": "amazon",
    "Applebot": "applebot",
    "Bingbot": "bingbot",
    "ClaudeBot": "anthropic",
    "Common Crawl": "commoncrawl",
    "DuckDuckBot": "duckduckbot",
    "GPTBot": "openai",
    "Googlebot": "googlebot",
    "Internet Archive": "internet-archive",
    "Meta": "meta",
    "PerplexityBot": "perplexity",
}
_IPORIGIN_UNREAD = frozenset({"Cogent", "CDN77", "DataCamp"})
"""Ranges that say less than the operator's number. Households of a dozen small access providers stand in those of
Cogent, a carrier that the package counts as hosting; Datacamp (CDN77) rents out machines, a sixth of all VPN exits
among them, and the package counts all of it as a content network."""

_IPORIGIN_RELAYS = frozenset({"Apple Private Relay"})

_LISTS = {
    "google-common-crawlers": "crawler:googlebot",
    "google-special-crawlers": "crawler:google-ads",
    # App Engine and Google's proxies for people share these: never a crawler by range alone
    "google-user-triggered-fetchers": "fetcher:google",
    "google-user-triggered-fetchers-google": "fetcher:google",
    "google-user-triggered-agents": "fetcher:google",
    "bingbot": "crawler:bingbot",
    "duckduckbot": "crawler:duckduckbot",
    "applebot": "crawler:applebot",
    "gptbot": "crawler:openai",
    "oai-searchbot": "crawler:openai",
    "chatgpt-user": "fetcher:openai",
    "perplexitybot": "crawler:perplexity",
    "perplexity-user": "fetcher:perplexity",
    "claudebot": "crawler:anthropic",
    "mistralai-user": "fetcher:mistral",
    "telegrambot": "crawler:telegram",
    "ahrefsbot": "crawler:ahrefs",
    "yandexbot": "crawler:yandex",
    "kagibot": "crawler:kagi",
    "amazonbot": "crawler:amazon",
    "amzn-searchbot": "crawler:amazon",
    "amzn-user": "fetcher:amazon",
    "semrushbot": "crawler:semrush",
    "mojeekbot": "crawler:mojeek",
    "marginalia": "crawler:marginalia",
    "ccbot": "crawler:commoncrawl",
    "dataforseobot": "crawler:dataforseo",
    "facebookexternalhit-v4": "crawler:meta",
    "facebookexternalhit-v6": "crawler:meta",
    "twitterbot-v4": "crawler:x",
    "twitterbot-v6": "crawler:x",
    "botify": "crawler:botify",
    "qwantbot": "crawler:qwant",
    "seznambot": "crawler:seznam",
    "w3c-validator": "crawler:w3c",
    "uptimerobot": "monitor:uptimerobot",
    "pingdom": "monitor:pingdom",
    "pingdom-v6": "monitor:pingdom",
    "datadog": "monitor:datadog",
    "datadog-eu": "monitor:datadog",
    "newrelic-synthetics": "monitor:newrelic",
    "statuscake": "monitor:statuscake",
    "checkly": "monitor:checkly",
    "site24x7": "monitor:site24x7",
    "updown-v4": "monitor:updown",
    "updown-v6": "monitor:updown",
    "hetrixtools": "monitor:hetrixtools",
    "betteruptimebot": "monitor:betteruptime",
    "freshpingbot": "monitor:freshping",
    "outageowl": "monitor:outageowl",
    "webpagetestbot": "monitor:webpagetest",
    "sentry": "monitor:sentry",
    "zscaler": "proxy:zscaler",
    "fastly": "cdn:Fastly",
    "cloudflare-v4": "cdn:Cloudflare",
    "cloudflare-v6": "cdn:Cloudflare",
    "bunnycdn": "cdn:BunnyCDN",
    "akamai": "cdn:Akamai",
    "aws": "hosting:Amazon AWS",
    "azure-public": "hosting:Microsoft Azure",
    "oracle-cloud": "hosting:Oracle Cloud",
    "google-cloud": "hosting:Google Cloud",
    "gcp-cloud-nat": "hosting:Google Cloud",
    "github": "hosting:GitHub",
    "circleci": "hosting:CircleCI",
    "digitalocean": "hosting:DigitalOcean",
    "vultr": "hosting:Vultr",
    "linode-akamai": "hosting:Linode",
}
"""What each list of `is-crawler` means. Lists not named are not read: payment and mail callbacks that never browse,
`google-goog` (all of Google, people and cloud customers included) and `bytespider` (not an address)."""

RESERVED = (  # IANA special-purpose address registries (RFC 6890 and later), multicast included
    ("private", "10.0.0.0/8"),
    ("private", "172.16.0.0/12"),
    ("private", "192.168.0.0/16"),
    ("private", "fc00::/7"),
    ("shared", "100.64.0.0/10"),
    ("loopback", "127.0.0.0/8"),
    ("loopback", "::1/128"),
    ("link-local", "169.254.0.0/16"),
    ("link-local", "fe80::/10"),
    ("documentation", "192.0.2.0/24"),
    ("documentation", "198.51.100.0/24"),
    ("documentation", "203.0.113.0/24"),
    ("documentation", "2001:db8::/32"),
    ("documentation", "3fff::/20"),
    ("benchmark", "198.18.0.0/15"),
    ("multicast", "224.0.0.0/4"),
    ("multicast", "ff00::/8"),
    ("unspecified", "0.0.0.0/8"),
    ("unspecified", "::/128"),
    ("unassigned", "240.0.0.0/4"),
)


def builtin() -> Iterator[LabelledRange]:
    """All published ranges that the installed packages hold."""
    for name, network in RESERVED:
        yield _labelled(f"reserved:{name}", network)
    yield from _iporigin()
    yield from _is_crawler()


def _iporigin() -> Iterator[LabelledRange]:
    from iporigin import DatasetError  # loads 40,000 ranges: only where they are wanted
    from iporigin._data import dataset  # its public look-up parses each address anew, at ten times the cost

    try:
        data = dataset()  # type: ignore[no-untyped-call]
    except DatasetError as error:
        raise GeoipError(f"the ranges of the package iporigin cannot be read ({error}): reinstall it") from error
    labels = [_iporigin_label(provider, kind) for provider, kind in data.labels]
    for bits, starts, ends, ids in (
        (V4_BITS, data.v4_starts, data.v4_ends, data.v4_labels),
        (V6_BITS, data.v6_starts, data.v6_ends, data.v6_labels),
    ):
        for first, last, number in zip(starts, ends, ids, strict=True):
            label = labels[number]
            if label is not None:
                yield LabelledRange(bits, first, last, label)


def _iporigin_label(provider: str, kind: str) -> str | None:
    if provider in _IPORIGIN_UNREAD:
        return None
    if kind == "bot":
        return f"crawler:{_IPORIGIN_CRAWLERS.get(provider, provider.lower().replace(' ', '-'))}"
    if provider in _IPORIGIN_RELAYS:
        return f"relay:{provider}"
    return f"{kind}:{provider}"


def _is_crawler() -> Iterator[LabelledRange]:
    try:
        text = resources.files("is_crawler").joinpath("crawler-ip-ranges.json").read_text(encoding="utf-8")
        lists: dict[str, list[str]] = json.loads(text)
    except (OSError, ValueError) as error:
        raise GeoipError(f"the ranges of the package is-crawler cannot be read ({error}): reinstall it") from error
    for name, label in _LISTS.items():
        for network in lists.get(name, ()):
            try:
                entry = _labelled(label, network)
            except ValueError:
                continue  # about forty entries are no networks at all (`000/0`, `1/3`)
            if entry.last - entry.first < 1 << (entry.bits - _BROADEST[entry.bits]):
                yield entry


def _labelled(label: str, network: str) -> LabelledRange:
    net = ipaddress.ip_network(network, strict=False)
    return LabelledRange(net.max_prefixlen, int(net.network_address), int(net.broadcast_address), label)
