"""What checks the certificates of the servers that keep state and records."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path


def trusting(ca_file: str | None, *, checked: bool = True) -> ssl.SSLContext:
    """ca_file: PEM; None: the authorities that the system trusts. checked: certificate and host name. Raises OSError (ssl.SSLError is one) where the
    file cannot be used.
    """
    return _made(ca_file, 0 if ca_file is None else Path(ca_file).stat().st_mtime_ns, checked)


@lru_cache(maxsize=8)
def _made(ca_file: str | None, changed: int, checked: bool) -> ssl.SSLContext:
    """Once for each version of a file: reading the system's authorities takes some 50 ms, in which no visitor is served, and while a server is away
    each attempt to reach it would take them."""
    context = ssl.create_default_context(cafile=ca_file)
    if not checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
