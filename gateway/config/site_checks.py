"""Contradictions within one site: forms that hide each other, pages that never match, words without effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from detectors.honeypot import is_filled_by_browsers
from gateway.config.problems import Loc, Severity
from gateway.config.sites import Form, Site
from gateway.config.values import pattern_regex

Result = tuple[Loc, str, str, Severity]


def check_site(site: Site, broken: Callable[..., bool]) -> Iterator[Result]:
    """(place within the site, what was found, remedy, severity). `broken`: whether a place was cut out."""
    if site.origin_ca is not None and site.origin.startswith("http:"):
        yield (
            ("origin_ca",),
            "origin_ca is given, and the origin is not https",
            "write an https origin, or take origin_ca out",
            "error",
        )
    if not site.landing_pages and not site.forms and not broken("landing_pages") and not broken("forms"):
        yield (
            (),
            "the site has neither landing_pages nor forms: nothing is judged",
            "add forms: or landing_pages:",
            "warning",
        )
    yield from _pages(site)
    names: dict[str, int] = {}
    for number, form in enumerate(site.forms):
        loc: Loc = ("forms", number)
        if form.name in names:
            yield (
                (*loc, "name"),
                f'two forms are called "{form.name}"',
                "give each its own name: records go by it",
                "error",
            )
        names[form.name] = number
        for earlier in site.forms[:number]:
            yield from _hidden(loc, form, earlier)
        for place, what, remedy, severity in _form(form, site.prefix):
            if not broken(*loc, *place):
                yield (*loc, *place), what, remedy, severity


def _same(path: str) -> str:
    """What paths are compared by: letter case and a final slash make no difference to routes."""
    return path.lower().rstrip("/") or "/"


def _pages(site: Site) -> Iterator[Result]:
    for number, page in enumerate(site.landing_pages):
        loc: Loc = ("landing_pages", number, "path")
        if page.path.lower().startswith(site.prefix):
            yield loc, f'"{page.path}" never matches: Leadgate answers {site.prefix} itself', "take it out", "error"
        for earlier in site.landing_pages[:number]:
            if _same(page.path) == _same(earlier.path):
                yield loc, f'"{page.path}" stands twice', "keep one of them", "error"
            elif re.fullmatch(pattern_regex(earlier.path.lower()), page.path.lower(), re.DOTALL):
                yield (
                    loc,
                    f'"{page.path}" is never reached: "{earlier.path}" above it matches first',
                    "put the narrower one first",
                    "warning",
                )


def _route_place(form: Form) -> Loc:
    return ("path",) if form.match is None else ("match", "path")


def _hidden(loc: Loc, form: Form, earlier: Form) -> Iterator[Result]:
    route, before = form.route, earlier.route
    if (_same(route.path), route.method) != (
        _same(before.path),
        before.method,
    ) or not before.fields.items() <= route.fields.items():
        return
    yield (
        (*loc, *_route_place(form)),
        f'the form "{earlier.name}" above takes every request to {route.path} first',
        "tell them apart: match: {path: " + route.path + ", fields: {field: value}} for each",
        "error",
    )


def _form(form: Form, prefix: str) -> Iterator[Result]:
    place = _route_place(form)
    if form.route.path.lower().startswith(prefix):
        yield (
            place,
            f'"{form.route.path}" never matches: Leadgate answers {prefix} itself',
            "write the path of the site's own form",
            "error",
        )
    mapping = form.fields.mapping()
    for number, name in enumerate(form.honeypot):
        if role := next((role for role, names in mapping.items() if name in names), None):
            yield (
                ("honeypot", number),
                f'"{name}" is also given as {role}: every person who fills it in would be rejected',
                "name a field that people do not see",
                "error",
            )
        elif is_filled_by_browsers(name):
            yield (
                ("honeypot", number),
                f'browsers and password managers fill fields called "{name}" for real visitors: what stands there is a hint only',
                "give the hidden field a neutral name in the page and here, for example lg_note_k7",
                "warning",
            )
    if not mapping and not form.honeypot:
        yield (
            ("fields",),
            "no field is named: e-mail, telephone and name cannot be judged",
            "add fields: {email: …, phone: …}",
            "warning",
        )
    if form.render_token == "off" and "min_seconds" in form.model_fields_set and form.min_seconds > 0:
        yield (
            ("min_seconds",),
            "without a render token nobody knows how long filling in took: min_seconds has no effect",
            "write render_token: auto, or take min_seconds out",
            "warning",
        )
