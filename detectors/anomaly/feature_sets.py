"""The two lists of features: of a page view and of a form post. Their order is the order of a model's inputs, and of what
`detectors.anomaly.reading` reads."""

from __future__ import annotations

from detectors.anomaly.features import Feature, events, members
from detectors.observation import Kind

EXPECTED_HEADERS = ("host", "user-agent", "accept", "accept-encoding", "accept-language")
"""What every browser sends, whatever its language."""

LEAST_BEATS = 4
"""Intervals between page views from which on their regularity tells something."""

_NO_SESSION = "sessions are off, or the session could not be read or is known in part"
_NO_HEADERS = "the source tells only some headers, or they were erased"
_NO_JOURNEY = "the journey is not measured, or too little of it was seen"
_NO_LEAD = "the form's fields could not be read, or were erased"

HEADERS = (
    Feature(
        "headers.count", "request headers of different names", "number", 64, _NO_HEADERS, "low", "plain",
        "{0} request headers",
    ),
    Feature(
        "headers.missing", f"headers every browser sends ({', '.join(EXPECTED_HEADERS)}) that are not there", "number", 5, _NO_HEADERS,
        "high", "plain", "{0} of the headers every browser sends are missing",
    ),
    Feature(
        "agent.length", "length of the user agent", "characters", 400, _NO_HEADERS, "low", "plain", "a user agent of {0} characters",
    ),
    Feature(
        "network.hosting", "does it come from a data centre (relays, VPN exits and crawlers in data centres do not count)", "yes or no", 1,
        "the network could not be looked up", "high", "plain", "from a data centre: {0}",
    ),
)  # fmt: skip

JOURNEY = (
    Feature(
        "journey.bare_pages", "earlier page views of the session, where it has fetched no picture, style or script", "number", 1000,
        _NO_JOURNEY, "high", "log", "{0} pages seen without fetching a picture, style or script",
    ),
    Feature(
        "journey.networks", "neighbourhoods that a cookie session was seen from within a day", "number", 64, _NO_JOURNEY, "high", "log",
        "one session from {0} networks",
    ),
    Feature(
        "journey.beat_spread", f"spread of the pauses between page views (deviation over mean), from {LEAST_BEATS} pauses on", "share", 3,
        _NO_JOURNEY, "low", "plain", "pauses between pages differ by {0}",
    ),
)  # fmt: skip

LANDING = (
    events("address.1h", "page views from this address within an hour", "{0} page views an hour from this address"),
    events("address.1d", "page views from this address within a day", "{0} page views a day from this address"),
    events("address.each.1h", "page views within an hour for each browser seen at this address",
         "{0} page views an hour for each browser at this address"),
    events("prefix.each.1h", "page views within an hour for each browser seen in the neighbourhood",
         "{0} page views an hour for each browser in this network"),
    members("browser.addresses.1h", "addresses from which identical browsers came within an hour",
            "identical browsers from {0} addresses within an hour"),
    events("session.1m", "page views of the session within a minute", "{0} page views a minute in this session"),
    events("session.1d", "page views of the session within a day", "{0} page views a day in this session"),
    Feature(
        "session.pace", "page views of the session over its minutes", "number", 1000, _NO_SESSION, "high", "log",
        "{0} pages for each minute of the session",
    ),
    Feature(
        "click.seen", "page views with this ad click id; 1 without one", "times", 100_000, "the click id's seal could not be read", "high",
        "log", "this click id was used {0} times",
    ),
    members("click.browsers.1d", "browsers that came with this click id within a day; 0 without one",
            "this click id came with {0} browsers within a day"),
    Feature(
        "click.age", "seconds since the click id was first seen", "seconds", 90 * 86_400, "the click id's seal could not be read", "high",
        "log", "this click id was first used {0} ago",
    ),
    Feature(
        "click.moved", "do network and browser differ from the click id's first page view: 0, 1 or both", "number", 2,
        "the click id's seal could not be read", "high", "plain", "network or browser of the click id changed: {0} of 2",
    ),
    Feature(
        "click.values", "different values for the click id in one request", "number", 10, "the click id's seal could not be read", "high",
        "plain", "{0} values for one click id",
    ),
    *HEADERS,
    *JOURNEY,
)  # fmt: skip

SUBMISSION = (
    events("address.10m", "form posts from this address within 10 minutes", "{0} form posts within 10 minutes from this address"),
    events("address.1h", "form posts from this address within an hour", "{0} form posts an hour from this address"),
    events("address.1d", "form posts from this address within a day", "{0} form posts a day from this address"),
    events("address.each.1h", "form posts within an hour for each browser seen at this address",
         "{0} form posts an hour for each browser at this address"),
    events("prefix.1h", "form posts from neighbouring addresses (/24, /48) within an hour", "{0} form posts an hour from this network"),
    events("prefix.each.1h", "form posts within an hour for each browser seen in the neighbourhood",
         "{0} form posts an hour for each browser in this network"),
    events("browser.1h", "form posts of identical browsers within an hour", "{0} form posts an hour by identical browsers"),
    members("browser.addresses.1h", "addresses from which identical browsers posted within an hour",
            "identical browsers posted from {0} addresses within an hour"),
    events("session.1h", "form posts of the session within an hour", "{0} form posts an hour in this session"),
    events("session.1d", "form posts of the session within a day", "{0} form posts a day in this session"),
    events("email.1d", "form posts with this e-mail address within a day", "{0} form posts a day with one e-mail address"),
    members("email.networks.1d", "networks that posted this e-mail address within a day", "one e-mail address from {0} networks within a day"),
    events("phone.1d", "form posts with this phone number within a day", "{0} form posts a day with one phone number"),
    members("phone.networks.1d", "networks that posted this phone number within a day", "one phone number from {0} networks within a day"),
    Feature(
        "session.landings", "page views in the session before the post", "number", 1000, _NO_SESSION, "low", "log",
        "{0} pages seen before the form was posted",
    ),
    Feature(
        "session.age", "seconds since the session began", "seconds", 86_400, _NO_SESSION, "low", "log",
        "posted {0} after the session began",
    ),
    Feature(
        "token.age", "seconds from the form's rendering to the post", "seconds", 3 * 86_400, "the form has no token, or it does not tell", "low",
        "log", "posted {0} after the form was shown",
    ),
    Feature(
        "token.uses", "form posts with this token", "times", 10_000, "the form has no token, or its uses could not be read", "high", "log",
        "one rendering of the form was posted {0} times",
    ),
    Feature(
        "token.bad", "is the token malformed, forged or expired", "yes or no", 1, "the form has no token, or it could not be read", "high",
        "plain", "the form's token does not hold: {0}",
    ),
    Feature(
        "duplicate.body", "form posts with exactly this content in 30 days", "times", 10_000, "the seals could not be read", "high", "log",
        "the same content was posted {0} times",
    ),
    Feature(
        "duplicate.contact", "form posts with this e-mail address or phone number in 30 days", "times", 10_000, "the seals could not be read",
        "high", "log", "{0} form posts with this contact within 30 days",
    ),
    *HEADERS,
    Feature(
        "lead.length", "length of the free text", "characters", 20_000, _NO_LEAD, "high", "log", "a message of {0} characters",
    ),
    Feature("lead.digits", "digits in the free text, of all its characters", "share", 1, _NO_LEAD, "high", "plain", "{0} of the message are digits"),
    Feature("lead.links", "links in the free text", "number", 100, _NO_LEAD, "high", "log", "{0} links in the message"),
    Feature(
        "lead.repeated", "fields that hold what another field holds already (longer than three characters)", "number", 50, _NO_LEAD, "high",
        "log", "{0} fields repeat another one",
    ),
    Feature(
        "similar.seen", "form posts with nearly this text within a day; 1 for short texts", "times", 10_000, "similar texts could not be looked up",
        "high", "log", "nearly the same text {0} times within a day",
    ),
    Feature(
        "similar.networks", "networks that posted nearly this text within a day", "number", 64, "similar texts could not be looked up", "high", "log",
        "nearly the same text from {0} networks within a day",
    ),
    members("crossing.phones", "phone numbers given with this e-mail address within a day; 0 without one", "{0} phone numbers with one e-mail address"),
    members("crossing.emails", "e-mail addresses given with this phone number within a day; 0 without one", "{0} e-mail addresses with one phone number"),
    members("crossing.names", "names given with this phone number within a day; 0 without one", "{0} names with one phone number"),
    members("crossing.texts", "e-mail addresses given with this free text within a day; 0 for short texts", "{0} e-mail addresses with one text"),
    *JOURNEY,
)  # fmt: skip

FEATURES: dict[Kind, tuple[Feature, ...]] = {Kind.LANDING: LANDING, Kind.SUBMISSION: SUBMISSION}
NAMES: dict[Kind, tuple[str, ...]] = {kind: tuple(f.name for f in features) for kind, features in FEATURES.items()}
