"""The first leadgate.yaml: short enough to read, every choice explained."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from gateway.config.values import OriginUrl

_TEMPLATE = """\
# yaml-language-server: $schema=leadgate.schema.json
# Leadgate's settings. Check them with: leadgate check. Changes take effect when the file is saved.
# All settings, with units and defaults: docs/reference/config.md. (leadgate check --schema > leadgate.schema.json lets
# an editor complete and check them.) Secrets never stand here: they come from the environment or a file.

listen: 127.0.0.1:8080              # where visitors connect; 0.0.0.0:8080 for every address of this machine
admin:
  listen: 127.0.0.1:8081            # console and API, for you only; another address needs LEADGATE_ADMIN_TOKEN

# Your own proxies and CDN, which alone are believed about a visitor's address. Empty: nobody.
trusted_proxies: []                 # for example [10.0.0.0/8]

# Paths count from this file: three slashes for a relative one, four for an absolute one.
store: sqlite:///var/leadgate.db    # leads and records; several workers or machines: postgresql://HOST:5432/NAME
# state: redis://HOST:6379/0        # counters and sessions; left out: in this process
# workers: 2                        # processes; more than one need both of the above shared
keys:
  directory: var/keys               # made at first start; back it up, stored leads cannot be read without it

sites:
  - name: main                      # stands in records and reports
    # hosts: [www.example.com]      # left out: any host
    origin: @ORIGIN@ # the web server behind Leadgate

    # monitor  judge and record; visitors notice nothing. Begin here, and read what it finds.
    # tag      also tell the origin, in X-Lead-* headers
    # enforce  also hold and decline; needs a reviewer (below)
    mode: monitor

    # How visits are joined: derived (a hash that changes daily, no cookie), cookie (first-party, signed) or off.
    session: derived

    # Pages that ads lead to; * stands for any characters.
    landing_pages:
      - path: "/offer*"

    # Forms that bring leads: where they are sent, and which of their fields holds what.
    forms:
      - name: quote
        path: /lead
        fields: {email: email, phone: phone, full_name: name, company: company, message: message}
        # honeypot: lg_note_k7      # a field people do not see; whatever fills it in is a program
        success: {status: [200, 302, 303]}  # how the origin says that it took the lead; also location: and body:
        on_review: hold             # in enforce, an uncertain lead: hold (thank, wait for a person) or forward

# Who looks at held leads. Needed for mode: enforce.
# reviewer: {email: leads@example.com}
# mail: {host: mail.example.com, sender: leadgate@example.com}  # writes to the reviewer

# Visitors that are always accepted or always rejected.
# lists:
#   allow: [{name: office, addresses: [192.0.2.0/24], note: our own tests}]
#   deny: [{name: competitor, email_domains: [example.net]}]
"""

_ORIGIN: TypeAdapter[str] = TypeAdapter(OriginUrl)
DEFAULT_ORIGIN = "http://127.0.0.1:9000"


def template(origin: str | None = None) -> str:
    """A commented leadgate.yaml that loads as it is. `origin`: address of the web server, http or https, host and port.

    Raises ValueError, with the remedy as its text, where the origin is not such an address.
    """
    return _TEMPLATE.replace("@ORIGIN@", f"{checked_origin(origin or DEFAULT_ORIGIN):<27}")


def checked_origin(origin: str) -> str:
    """The address as the settings write it. Raises ValueError with what was found and the remedy."""
    try:
        return str(_ORIGIN.validate_python(origin))
    except ValidationError as error:
        context = error.errors()[0].get("ctx", {})
        raise ValueError(f"{context['message']}; {context['remedy']}") from None
