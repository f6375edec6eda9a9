"""A small site as one would buy ads for: a landing page with a quote form, a thank-you page, and an inbox that shows what the site received.

It knows nothing of the gateway; run it alone with `python examples/site/site.py --port 9000`.
"""

from __future__ import annotations

import argparse
import html
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

PAGES = Path(__file__).parent / "pages"
INBOX: web.AppKey[deque[dict[str, str]]] = web.AppKey("inbox", deque)
SHOWN = ("X-Lead-Verdict", "X-Lead-Quality", "X-Lead-Ivt", "X-Lead-Reasons", "X-Lead-Id")


def page(name: str) -> web.Response:
    return web.Response(
        text=(PAGES / name).read_text("utf-8"), content_type="text/html", headers={"Cache-Control": "no-cache"}
    )


async def offer(_: web.Request) -> web.Response:
    return page("offer.html")


async def thanks(_: web.Request) -> web.Response:
    return page("thanks.html")


async def lead(request: web.Request) -> web.Response:
    form = await request.post()
    if not str(form.get("email", "")).strip():
        return web.Response(status=422, text="Please go back and give an e-mail address.")
    row = {key: str(value) for key, value in form.items() if not key.startswith("_lg")}
    row |= {name: request.headers.get(name, "–") for name in SHOWN}
    row["at"] = datetime.now(UTC).strftime("%H:%M:%S")
    request.app[INBOX].appendleft(row)
    raise web.HTTPSeeOther("/thanks")


async def inbox(request: web.Request) -> web.Response:
    columns = ("at", "full_name", "email", "phone", "message", *SHOWN)
    head = "".join(f"<th scope=col>{html.escape(name)}</th>" for name in columns)
    rows = "".join(
        "<tr>" + "".join(f'<td data-name="{name}">{html.escape(row.get(name, ""))}</td>' for name in columns) + "</tr>"
        for row in request.app[INBOX]
    )
    empty = "" if rows else "<p>Nothing yet. Send the form on <a href=/offer>the offer page</a>.</p>"
    text = (
        (PAGES / "inbox.html")
        .read_text("utf-8")
        .replace("{{head}}", head)
        .replace("{{rows}}", rows)
        .replace("{{empty}}", empty)
    )
    return web.Response(text=text, content_type="text/html")


async def home(_: web.Request) -> web.Response:
    raise web.HTTPFound("/offer")


def app() -> web.Application:
    site = web.Application(client_max_size=40 * 1024 * 1024)
    site[INBOX] = deque(maxlen=200)
    site.add_routes(
        [
            web.get("/", home),
            web.get("/offer", offer),
            web.get("/thanks", thanks),
            web.post("/lead", lead),
            web.get("/inbox", inbox),
            web.static("/static", PAGES / "static"),
        ]
    )
    return site


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=9000)
    web.run_app(
        app(), host="127.0.0.1", port=arguments.parse_args().port, print=None, access_log=None, handle_signals=True
    )
