"""Fetches one list over HTTP, from servers that nobody vouches for: bounded in size and time, never to private places."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import zlib
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from gateway.config.feeds import Feed as FeedSettings
from gateway.feeds.addresses import AddressForbidden, guarded_sockets
from gateway.feeds.errors import FeedRefused

MAX_BYTES = 64 * 1024 * 1024
"""Largest list, as sent and unpacked. The largest in use, of a privacy relay's exits, is 11 MB."""
MAX_REDIRECTS = 5
TOTAL_S = 120.0
"""Seconds one list may take, redirects included."""
CONNECT_S, STILL_S = 10.0, 20.0
"""Seconds to connect, and between two pieces of a body."""

AGENT = "leadgate-feeds"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Patience(NamedTuple):
    """Bounds of one fetch; tests take smaller ones."""

    total_s: float = TOTAL_S
    connect_s: float = CONNECT_S
    still_s: float = STILL_S
    max_bytes: int = MAX_BYTES


class Fetched(NamedTuple):
    """body: unpacked; None: unchanged since the last fetch. validators: for the next one."""

    body: bytes | None
    validators: dict[str, str]


def shown(url: str) -> str:
    """A URL for people and files: without its query, which may hold a key, and without who logs in there."""
    scheme, mark, rest = url.partition("?")[0].partition("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


async def fetch(
    feed: FeedSettings, known: dict[str, str], ca: Path | None, patience: Patience | None = None
) -> Fetched:
    """known: validators of the stored list. Raises FeedRefused."""
    assert feed.url is not None
    patience = patience or Patience()
    of = hashlib.sha256(f"{feed.format} {feed.url}".encode()).hexdigest()[:16]  # read otherwise, it is another list
    asked = known if known.get("of") == of else {}
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
    except (OSError, ssl.SSLError) as error:
        raise FeedRefused(f"{ca}: not a certificate authority ({error})", "name a PEM file with ca") from error
    timeout = aiohttp.ClientTimeout(total=patience.total_s, sock_connect=patience.connect_s, sock_read=patience.still_s)
    connector = aiohttp.TCPConnector(
        ssl=context, socket_factory=guarded_sockets(feed.allow_private), use_dns_cache=False, force_close=True
    )
    at = feed.url
    try:
        async with (
            asyncio.timeout(patience.total_s),
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False, trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(), max_line_size=8190, max_field_size=8190,
            ) as session,
        ):  # fmt: skip
            for _ in range(MAX_REDIRECTS + 1):
                headers = {"User-Agent": AGENT, "Accept-Encoding": "gzip", "Accept": "*/*"}
                if "etag" in asked:
                    headers["If-None-Match"] = asked["etag"]
                if "last-modified" in asked:
                    headers["If-Modified-Since"] = asked["last-modified"]
                async with session.get(URL(at, encoded=True), headers=headers, allow_redirects=False) as answer:
                    if answer.status in _REDIRECTS and "Location" in answer.headers:
                        at = _followed(feed, at, answer.headers["Location"])
                        continue
                    if answer.status == 304 and asked:
                        return Fetched(None, known)
                    if answer.status != 200:
                        raise FeedRefused(
                            f"{shown(at)}: the server answers {answer.status}", "look at the address in a browser"
                        )
                    body = await _body(answer, at, patience.max_bytes)
                    validators = {"of": of}
                    for name in ("etag", "last-modified"):
                        if 0 < len(value := answer.headers.get(name, "")) <= 500:
                            validators[name] = value
                    return Fetched(body, validators)
            raise FeedRefused(f"{shown(feed.url)}: more than {MAX_REDIRECTS} redirects", "name the last address itself")
    except TimeoutError as error:
        raise FeedRefused(
            f"{shown(at)}: no whole answer within {patience.total_s:g} seconds", "try again later"
        ) from error
    except (aiohttp.ClientError, OSError, ValueError, zlib.error) as error:
        raise FeedRefused(f"{shown(at)}: {_why(error)}", _remedy(error)) from error


def _followed(feed: FeedSettings, at: str, location: str) -> str:
    """Where a redirect leads, by the rules of the first address."""
    to = urljoin(at, location)
    scheme = urlsplit(to).scheme
    if scheme != "https" and not (scheme == "http" and feed.allow_http):
        raise FeedRefused(
            f"{shown(at)}: it redirects to {shown(to)[:200]}, which is not https",
            "name an address that stays with https",
        )
    return to


async def _body(answer: aiohttp.ClientResponse, at: str, most: int) -> bytes:
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise FeedRefused(f"{shown(at)}: packed as {encoding[:40]}, which was not asked for", "name another address")
    too_much = FeedRefused(f"{shown(at)}: more than {most} bytes", "this is no list of networks; look at the address")
    sent = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        sent += chunk
        if len(sent) > most:
            raise too_much
    if not sent.startswith(b"\x1f\x8b"):  # also a .gz file that is sent as it is
        return bytes(sent)
    unpacker = zlib.decompressobj(wbits=31)
    whole = unpacker.decompress(bytes(sent), most + 1)
    if len(whole) > most or unpacker.unconsumed_tail:
        raise too_much
    if not unpacker.eof or unpacker.unused_data:
        raise FeedRefused(f"{shown(at)}: the gzip data is cut off or followed by other data", "try again later")
    return whole


def _why(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AddressForbidden):
            return str(cause)
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    return f"cannot be fetched ({str(error)[:200] or type(error).__name__})"


def _remedy(error: BaseException) -> str:
    if _why(error).endswith(("public address", "link-local address", "one machine", "to the cloud")):
        return "only a feed with allow_private: true may be on a private address, and none on a link-local one"
    return "look at the address, and whether this machine reaches it"
