"""What intake has learned of one request: the input of the facts layer, built by the edge from a socket and by replay from a log line."""

from __future__ import annotations

import msgspec

from detectors.observation import Client, Kind, Lead, Page, Request, Unavailable


class ClickId(msgspec.Struct, frozen=True, gc=False):
    """An ad click id as the query carried it; `value` is stored raw only in the personal group `browser`."""

    platform: str
    parameter: str
    value: str
    values: int = 1


class Token(msgspec.Struct, frozen=True, gc=False):
    """A render token as read from a form: state as in `RenderToken`, nonce names the page view, issued in UTC microseconds."""

    state: str
    nonce: str = ""
    issued_us: int = 0


class Arrival(msgspec.Struct, frozen=True):
    """One request, before any fact was looked up.

    id       UUIDv7, becomes observation, record and lead id
    cookie   (session id, issued in UTC microseconds) of a valid session cookie; None asks for a derived session
    content  digest of the form's content without our token; None on a landing
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
    click: ClickId | None = None
    token: Token | None = None
    lead: Lead | Unavailable | None = None
    content: bytes | None = None
    contacts: tuple[tuple[str, str], ...] = ()
    form: str | None = None
