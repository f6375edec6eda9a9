"""How right the kind of network is: against lists of data centres, the reviewed table, samples and named ranges.

    python -m bench.kinds        reads LEADGATE_TEST_DATA (default ../shared/data), half a minute

The words of data/kind_words.yaml were written from names of systems with even numbers; "unseen" is the other half, of
which only the largest were read, for the reviewed table. The table itself has seen both halves.
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import maxminddb

from bench.grounds import data
from bench.table import Absent, Share
from geoip.kinds import Kinds
from geoip.published import builtin
from geoip.ranges import V4_BITS, Ranges

PEOPLE = frozenset({"consumer", "mobile", "mixed", "education"})
PROBES = 8
"""Addresses looked at in each announced network."""

System = tuple[str, int]
"""Name and announced IPv4 addresses."""


def main() -> int:
    kinds = Kinds.builtin()
    print(f"table and words {kinds.content_hash[:12]}, data {data.DATA}")
    try:
        with tempfile.NamedTemporaryFile(suffix=".mmdb") as unpacked:
            with gzip.open(data.path("ip-asn/asn-country-full.mmdb.gz")) as packed:
                shutil.copyfileobj(packed, unpacked)
            unpacked.flush()
            systems, labelled = _announced(Path(unpacked.name), kinds)
        _everything(kinds, systems)
        _lists(kinds)
        _words(kinds, systems)
        _samples(kinds)
        _named(labelled)
    except Absent as absent:
        print(f"not measured: {absent}")
        return 1
    return 0


def _announced(path: Path, kinds: Kinds) -> tuple[dict[int, System], Counter[tuple[str, str]]]:
    """Systems by number; and addresses by (kind without labels, kind of the label that names their range)."""
    ranges = Ranges(builtin(), order=("crawler", "relay", "tor", "vpn", "hosting", "cdn"))
    names: dict[int, str] = {}
    sizes: Counter[int] = Counter()
    labelled: Counter[tuple[str, str]] = Counter()
    with maxminddb.open_database(path) as database:
        for network, found in database:
            first = int(network.network_address)
            asn = found.get("autonomous_system_number") if isinstance(found, dict) else None
            if asn is None:
                continue
            names.setdefault(asn, found.get("autonomous_system_organization", ""))
            if network.version == 6 and first >= 1 << 32:
                continue
            sizes[asn] += network.num_addresses
            kind = kinds.of(asn, names[asn])
            probes = min(PROBES, network.num_addresses)
            for place in range(probes):
                labels = ranges.find(first + network.num_addresses * place // probes, V4_BITS)
                if labels:
                    labelled[kind, labels[0].partition(":")[0]] += network.num_addresses // probes
    return {asn: (name, sizes[asn]) for asn, name in names.items()}, labelled


def _everything(kinds: Kinds, systems: dict[int, System]) -> None:
    by_count: Counter[str] = Counter()
    by_size: Counter[str] = Counter()
    for asn, (name, size) in systems.items():
        kind = kinds.of(asn, name)
        by_count[kind] += 1
        by_size[kind] += size
    print(f"\nall {len(systems)} announced systems, {sum(by_size.values()):,} IPv4 addresses")
    print("  by address: " + _shares(by_size))
    print("  by system:  " + _shares(by_count))


def _lists(kinds: Kinds) -> None:
    rows = [row for row in data.table("ip-asn/hosting_asns.csv") if row["asn"].isdigit()]
    by_count: Counter[str] = Counter()
    by_size: Counter[str] = Counter()
    for row in rows:
        kind = kinds.of(int(row["asn"]), row["routed_name"] or row["list_name"])
        by_count[kind] += 1
        by_size[kind] += int(row["ipv4_addresses"] or 0)
    print(f"\n{len(rows)} systems on lists of data centres and VPNs (the lists hold carriers too)")
    print("  by address: " + _shares(by_size))
    print("  by system:  " + _shares(by_count))
    for half, said in ((0, "seen"), (1, "unseen")):
        named = [kinds.by_name(row["routed_name"] or row["list_name"]) for row in rows if int(row["asn"]) % 2 == half]
        print(f"  hosting by words alone, {said} half: {Share(named.count('hosting'), len(named))}")


def _words(kinds: Kinds, systems: dict[int, System]) -> None:
    """Words alone against the table, on the half they were not written from."""
    print("\nwords alone where the reviewed table knows better, unseen half")
    told: dict[str, Counter[str]] = {}
    for asn, (name, _) in systems.items():
        known = kinds.reviewed(asn)
        if known and asn % 2:
            told.setdefault(known, Counter())[kinds.by_name(name)] += 1
    for known, found in sorted(told.items()):
        print(f"  {known:<11} {_shares(found)}")
    people = sum((found for known, found in told.items() if known in PEOPLE), Counter[str]())
    print(f"  people's networks called hosting by their name: {Share(people['hosting'], people.total())}")


def _samples(kinds: Kinds) -> None:
    rows = [row for row in data.table("ip-asn/ip_asn_samples.csv") if row["asn"].isdigit()]
    found = Counter(kinds.of(int(row["asn"]), row["org"]) for row in rows)
    print(f"\n{len(rows)} sampled addresses: {_shares(found)}")


def _named(labelled: Counter[tuple[str, str]]) -> None:
    print("\naddresses in ranges that iporigin and is-crawler name, and what table and words say of their network")
    for label in ("hosting", "cdn", "vpn", "tor", "relay"):
        found = Counter({kind: size for (kind, said), size in labelled.items() if said == label})
        print(f"  {label:<8} {found.total():>12,}  {_shares(found)}")


def _shares(found: Counter[str]) -> str:
    whole = found.total() or 1
    return ", ".join(f"{kind or 'unknown'} {count / whole:.4f}" for kind, count in found.most_common())


if __name__ == "__main__":
    sys.exit(main())
