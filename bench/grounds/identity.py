"""Names typed at random against people of all locales, and mistyped mail providers; see bench/identity.py."""

from __future__ import annotations

from bench.identity import rows

__all__ = ["rows"]
