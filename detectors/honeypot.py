"""The honeypot: a field that no person sees holds something.

A trap catches people too where a browser fills it for them. Browsers and password managers decide by the field's name (and label): one called like a
contact detail is filled for real visitors. So what is found in such a field is a hint at most, and only a field with a neutral name is decisive.

* neutral name, any value                                form.honeypot (decisive)
* neutral name, the value of another field of the form   form.honeypot_copy (a browser may have taken it for the second e-mail field: held, not rejected)
* a name that browsers fill                              form.honeypot_autofill (hint)
* a name that browsers fill, several lines or markup     form.honeypot (no browser keeps that in a profile)

A screen reader must not meet the field either: render it with aria-hidden, tabindex=-1 and autocomplete=off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from detectors.data_files import load
from detectors.observation import Lead, Observation
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True

DEFAULT_NAME = "lg_note_k7"
"""Name of the honeypot where the site owner gives none: no word in it is one that a browser, a password manager or a translation tool fills."""

_FILLED_WORDS = frozenset(word for words in load("autofill_names.yaml")[0]["words"].values() for word in words)
_SPLIT = re.compile(r"[^a-z0-9]+|(?<=[a-z])(?=[0-9])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_PROFILE = re.compile(r"[\n\r]|<\s*a\s|\[url|https?://.*https?://", re.IGNORECASE | re.DOTALL)


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    lead = obs.lead
    if not isinstance(lead, Lead) or not lead.honeypot:
        return
    values = {value.strip() for value in lead.honeypot}
    names = [name for name, value in lead.fields if name in ref.form.honeypots and value.strip() in values]
    if not names:  # the source tells the values only
        yield Signal("form.honeypot", evidence=("a hidden field",))
        return
    elsewhere = {
        value.strip().casefold() for name, value in lead.fields if name not in ref.form.honeypots and value.strip()
    }
    for name, value in lead.fields:
        if name not in names or value.strip() not in values:
            continue
        if is_filled_by_browsers(name):
            odd = _NO_PROFILE.search(value[:2000]) is not None
            yield Signal("form.honeypot" if odd else "form.honeypot_autofill", evidence=(name[:60],))
        elif value.strip().casefold() in elsewhere:
            yield Signal("form.honeypot_copy", evidence=(name[:60],))
        else:
            yield Signal("form.honeypot", evidence=(name[:60],))
        return  # one trap is enough: a second says nothing new


@lru_cache(maxsize=256)
def is_filled_by_browsers(name: str) -> bool:
    """Is a field of this name one that browsers or password managers fill by themselves?"""
    spaced = _CAMEL.sub("_", name[:100]).lower()
    words = [word for word in _SPLIT.split(spaced) if word]
    joined = {"".join(words), "-".join(words)} | {a + b for a, b in pairwise(words)}
    return not _FILLED_WORDS.isdisjoint(words) or not _FILLED_WORDS.isdisjoint(joined)
