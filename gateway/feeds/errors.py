"""Why a feed was not taken. The last good one stays in force."""

from __future__ import annotations


class FeedRefused(Exception):
    """what: what is wrong, with its place; remedy: what the operator can do."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}; {remedy}")
