"""Comment spam with one video left out, pitches sent through forms, and ordinary messages of people."""

from __future__ import annotations

from bench import texts
from bench.grounds import data
from bench.grounds.judge import Judge, post
from bench.table import Ground, Row, row
from detectors.observation import Kind, Observation

SHIFT = 100_000.0


def rows(judge: Judge) -> list[Row]:
    data.path("comment-spam/comments.csv")
    bad, good = texts.left_out(judge.reference)
    # thousandths of log-odds, around 0: moved so that whatever says least is above 0
    shown = [max(1.0, SHIFT + score) for score in bad], [max(1.0, SHIFT + score) for score in good]
    least = SHIFT + float(judge.reference.texts.limits["promotion"]["least"])
    note = "comments, short and about music: no leads; vocabulary fitted without the video that is judged"
    found = [row("comment spam, one video left out", "vocabulary", *shown, service=least, note=note)]
    scorers = judge.scorers(_observe, ("text",), Kind.SUBMISSION)
    people = [text for _, text, spam in texts.comments() if not spam]
    spam = [text for _, text, is_spam in texts.comments() if is_spam]
    seen = "the shipped vocabulary has seen these comments"
    found += Ground("comment spam, as shipped", spam, people, scorers, seen).rows()
    own = "pitches and enquiries are our own"
    enquiries = [text for _, text in texts.enquiries()]
    return found + Ground("pitches through forms", texts.pitches(), enquiries, scorers, own).rows()


def _observe(text: str) -> Observation:
    return post((), {"full_name": "Maria Keller", "email": "maria.keller@web.de", "message": text})
