"""The personal values of a record: three groups beside it, each with a salt of its own, of which the record holds digests."""

from __future__ import annotations

import os

import msgspec

from detectors.observation import Client, Lead, Observation
from gateway.stores.canonical import canonical, salted_digest
from gateway.stores.records import Personal

SALT_BYTES = 16


class NetworkGroup(msgspec.Struct, frozen=True, gc=False):
    """Personal group `network`: who sent the request, and the socket address it came from ("address:port")."""

    client: Client | None
    peer: str | None


class Salts:
    """Random salts, drawn from the system for many records at once: each call lets another thread run, and waiting for the next turn costs more
    than all else here. A forked process draws its own."""

    RECORDS = 128

    def __init__(self) -> None:
        self._drawn = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._drawn = b""

    def three(self) -> tuple[bytes, bytes, bytes]:
        at = self._at
        if at >= len(self._drawn):
            self._drawn, at = os.urandom(3 * SALT_BYTES * self.RECORDS), 0
        self._at = at + 3 * SALT_BYTES
        drawn = self._drawn
        return drawn[at : at + 16], drawn[at + 16 : at + 32], drawn[at + 32 : at + 48]


_SALTS = Salts()


def personal_groups(obs: Observation, peer: str | None) -> tuple[dict[str, str], tuple[Personal, ...]]:
    """The digests for the record, and the groups to stand beside it; only groups that exist."""
    network, browser, person = _SALTS.three()
    client = obs.client if isinstance(obs.client, Client) else None
    lead = obs.lead if isinstance(obs.lead, Lead) else None
    found = []
    if client is not None or peer is not None:
        terms = (f"address:{client.address}",) if client is not None else ()
        value = canonical(NetworkGroup(client, peer))
        found.append(Personal("network", network, value, terms))
    found.append(Personal("browser", browser, canonical(obs.request)))
    if lead is not None:
        found.append(Personal("person", person, canonical(lead), _person_terms(lead)))
    return {group.group: salted_digest(group.salt, group.value) for group in found}, tuple(found)


def _person_terms(lead: Lead) -> tuple[str, ...]:
    emails = {f"email:{value.strip().lower()}" for value in lead.values("email")}
    digits = ("".join(filter(str.isdigit, value)) for value in lead.values("phone"))
    return tuple(sorted(emails | {f"phone:{number}" for number in digits if number}))
