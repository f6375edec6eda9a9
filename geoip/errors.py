"""What can go wrong with network data. Every message names the place and what to do about it."""

from __future__ import annotations


class GeoipError(Exception):
    """A database or list cannot be used, or an address cannot be looked up."""
