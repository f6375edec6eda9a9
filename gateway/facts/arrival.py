"""What intake has learned of one request: the input of the facts layer, built by the edge from a socket and by replay from a log line."""

from __future__ import annotations

import msgspec

from detectors.behaviour import Pointer
from detectors.observation import (
    Client,
    Kind,
    Lead,
    Page,
    Request,
    Unavailable,
)
from gateway.intake.clicks import FoundClick
from gateway.intake.render_token import TokenReading


class Arrival(msgspec.Struct, frozen=True):
    """One request, before any fact was looked up.

    id       UUIDv7, becomes observation, record and lead id
    cookie   (session id, issued in UTC microseconds) of a valid session cookie; None asks for a derived session
    content  digest of the form's content without our token; None on a landing
    peer     socket address of the visitor's connection, "address:port", or None
    form     name of the form; None on a landing
    pointer  how the pointer moved, where an application told
    contacts normalised e-mail addresses and phone numbers of the lead, as ("email", value) or ("phone", value)
    """

    id: str
    kind: Kind
    site: str
    at: int
    client: Client | Unavailable
    request: Request
    page: Page
    session_mode: str = "derived"
    cookie: tuple[str, int] | None = None
    click: FoundClick | None = None
    token: TokenReading | None = None
    lead: Lead | Unavailable | None = None
    content: bytes | None = None
    contacts: tuple[tuple[str, str], ...] = ()
    form: str | None = None
    peer: str | None = None
    pointer: Pointer | None = None
