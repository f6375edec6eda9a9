"""What the gateway answers itself stands below a path that the site can choose; all else is the site's."""

from __future__ import annotations

from origin import Origin, response
from running import Start, site
from visitor import person


def test_a_site_may_choose_where_our_own_pages_stand(origin: Origin, gateways: Start) -> None:
    forms = [
        {
            "name": "quote",
            "path": "/lead",
            "fields": {"email": "email"},
            "honeypot": "lg_note_k7",
            "responses": "redirect",
        }
    ]
    gateway = gateways({"sites": [site(origin, "enforce", forms, prefix="/gate/")]}).start()
    origin.scripts["/_lg/received"] = response("the site's own", "200 OK")
    declined = gateway.browser().post("/lead", person() | {"lg_note_k7": "x"})
    assert declined.status == 303
    location = declined.field("Location") or ""
    assert location.startswith("/gate/declined?reference=")
    assert "We could not accept this message" in gateway.browser().get(location).text
    assert gateway.browser().get("/_lg/received").text == "the site's own"
    assert gateway.browser().get("/gate/unknown").status == 404
