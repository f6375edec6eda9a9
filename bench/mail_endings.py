"""Which endings do throw-away mail domains prefer, and what do names tell of domains that no list has yet?

    python -m bench.mail_endings BAD GOOD [LATER_BAD LATER_GOOD]

Each file holds a domain a line. BAD are throw-away domains listed until a day, GOOD domains of people and firms; the endings chosen from them are looked for
in LATER_BAD (listed after that day) and LATER_GOOD (other good ones). The lists of the gateway are not asked: only what is in a name counts.
What is printed is a proposal for `fleeting_endings` of detectors/data/email_names.yaml, to be read by a person: endings of shops and of regions stay out.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from detectors.email_domains import EmailDomains, registrable

TIMES = 60
"""How much more frequent an ending has to be among throw-away domains."""

LEAST = 9
"""Throw-away domains below an ending from which its frequency is believed."""


def ending(domain: str) -> str | None:
    """Top-level domain of a domain registered directly below it; None for countries' endings and shared names."""
    _, _, suffix = (registrable(domain) or domain).partition(".")
    return suffix if "." not in suffix and len(suffix) > 2 and not suffix.startswith("xn--") else None


def preferred(bad: list[str], good: list[str]) -> dict[str, float]:
    """Ending → how many times as frequent it is among `bad`, one more good domain assumed than was seen."""
    of_bad, of_good = Counter(map(ending, bad)), Counter(map(ending, good))
    found = {}
    for name, count in of_bad.items():
        times = count / len(bad) * (len(good) + 1) / (of_good[name] + 1)
        if name is not None and count >= LEAST and times >= TIMES:
            found[name] = times
    return found


def told(domains: Iterable[str], endings: Iterable[str]) -> dict[str, int]:
    """How many domains are told by what: words of throw-away mail, a mailbox word, an ending of `endings`."""
    names, wanted = EmailDomains.builtin().names, frozenset(endings)
    found: Counter[str] = Counter()
    for domain in domains:
        registered = registrable(domain) or domain
        unlisted = names.unlisted(registered)
        if names.find(domain, registered) is not None:
            found["words"] += 1
        elif unlisted is not None and unlisted.word:
            found["mailbox word"] += 1
        elif ending(domain) in wanted:
            found["ending"] += 1
    return dict(found)


def _read(path: Path) -> list[str]:
    return sorted({line.strip().lower() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()})


def main() -> int:
    parser = argparse.ArgumentParser(description="Which endings throw-away mail domains prefer.")
    parser.add_argument("files", nargs="+", type=Path, help="BAD GOOD [LATER_BAD LATER_GOOD]")
    files = [_read(path) for path in parser.parse_args().files]
    if len(files) not in (2, 4):
        parser.error("two or four files")
    chosen = preferred(files[0], files[1])
    for name, times in sorted(chosen.items(), key=lambda pair: -pair[1]):
        print(f"{name:12} {times:6.0f} times")
    for title, domains in zip(("bad", "good", "later bad", "later good"), files, strict=False):
        print(
            f"{title:12} {len(domains):7,}",
            {what: f"{n / len(domains):.2%}" for what, n in told(domains, chosen).items()},
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
