from __future__ import annotations

import os
import ssl

import pytest
from authority import certificates

from gateway.stores.tls import trusting


def test_a_file_is_read_once_and_again_when_it_changed(tmp_path):
    """While a server is away it is tried every moment."""
    file = certificates(tmp_path).ca
    first = trusting(str(file))
    assert trusting(str(file)) is first
    assert (first.verify_mode, first.check_hostname) == (ssl.CERT_REQUIRED, True)
    os.utime(file, ns=(1, 1))
    assert trusting(str(file)) is not first
    assert trusting(None) is trusting(None)


def test_unchecked_is_another_one(tmp_path):
    assert trusting(None, checked=False).verify_mode is ssl.CERT_NONE
    assert trusting(None).verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_cannot_be_used(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(OSError):  # noqa: PT011 - in several words
        trusting(str(file))
