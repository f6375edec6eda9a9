"""Free text: what is sold in it, where it leads, and whether it says anything at all.

A text never decides. Customers send links to their own site, write in capitals, in their own language, and ask an agency for the very things that are
pitched to others. So what only somebody says who offers something counts, what he talks about counts beside it, and all bands are low or medium.
Evidence names our own phrases and kinds, never what the person wrote.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.free_text import free_texts
from detectors.observation import Lead, Observation
from detectors.signal import Signal
from detectors.text_gibberish import judge
from detectors.text_language import foreign
from detectors.text_links import links, markup, template_marks
from detectors.text_phrases import plain

if TYPE_CHECKING:
    from detectors.reference import Reference
    from detectors.text_lists import Texts

FORMS_ONLY = True
"""Nothing to look at where no form was posted."""

SHOWN = 3
"""Phrases and categories that evidence names."""

_TAG = re.compile(r"<[^<>]{1,300}>")


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if not isinstance(obs.lead, Lead):
        return
    told: set[str] = set()
    for text in free_texts(obs.lead):
        for signal in _of_one(text, ref):
            if signal.id not in told:  # the message comes first
                told.add(signal.id)
                yield signal


def _of_one(text: str, ref: Reference) -> Iterator[Signal]:
    lists, limits = ref.texts, ref.texts.limits
    if "<" in text or "&" in text:
        yield from _markup(text)
        text = _TAG.sub(" ", html.unescape(text))
    else:
        yield from _markup(text)
    found = links(text, lists.shorteners, lists.invitations)
    words = found.rest
    of_links = limits["links"]
    if found.number:
        few = _is_short(words, of_links["only_words"])
        strength = min(1.0, found.number / of_links["full"]) if found.number >= of_links["many"] else 0.0
        strength = max(strength, of_links["kinds"] if found.kinds else 0.0, of_links["only"] if few else 0.0)
        if strength:
            kinds = [*found.kinds, "nothing else said"] if few else found.kinds
            yield Signal("text.links", (str(found.number), ", ".join(kinds) or "ordinary"), round(strength, 3))
    everything = plain(text)
    yield from _pitch(everything, plain(words) if found.number else everything, found.number > 0, lists)
    gibberish = judge(words, limits["gibberish"]["least_letters"], limits["gibberish"]["share"])
    if gibberish:
        yield Signal("text.gibberish", (gibberish.kind,))
        return
    if ref.site.languages:
        of_language = limits["language"]
        told = lists.languages.tell(words)
        if told.words >= of_language["least_words"]:
            code = foreign(told, frozenset(ref.site.languages), lists.languages, of_language["ahead"])
            if code:
                yield Signal("text.language", (code, ", ".join(ref.site.languages[:5])))


def _is_short(text: str, most: int) -> bool:
    """No more than `most` words? Where words stand together (Chinese, Japanese, Thai, Khmer, Lao, Burmese) or are long (Tamil, Georgian), letters
    tell more."""
    if len(text.split(None, most)) > most:
        return False
    return text.isascii() or sum(character.isalpha() and character > "\u0530" for character in text) / 3 <= most


def _markup(text: str) -> Iterator[Signal]:
    kinds = markup(text)
    if kinds:
        yield Signal("text.markup", (", ".join(kinds),), 0.5 if kinds == ("HTML",) else 1.0)
    marks = template_marks(text)
    if marks:
        yield Signal("text.template", (str(marks),), 0.5 if marks == 1 else 1.0)


def _pitch(everything: str, words: str, linked: bool, lists: Texts) -> Iterator[Signal]:
    limits = lists.limits["phrases"]
    found = lists.phrases.find(everything)
    pitch = [phrase for phrase in found if phrase.pitch]
    if pitch:
        topics = min(3, len(found) - len(pitch)) + linked
        total = limits["pitch"] * len(pitch) + limits["topic"] * topics
        if total >= limits["least"]:
            categories = list(dict.fromkeys(phrase.category for phrase in pitch))
            yield Signal(
                "text.spam_phrases",
                (
                    str(len(found)),
                    ", ".join(categories[:SHOWN]),
                    ", ".join(phrase.phrase.rstrip("*") for phrase in pitch[:SHOWN]),
                ),
                round(min(1.0, total / limits["full"]), 3),
            )
    limits = lists.limits["promotion"]
    score, top = lists.vocabulary.score(words, linked)
    if score >= limits["least"] and top:
        strength = (score - limits["least"]) / (limits["full"] - limits["least"])
        yield Signal("text.promotion", (", ".join(top),), round(min(1.0, 0.4 + 0.6 * strength), 3))
