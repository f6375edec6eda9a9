"""Settings that cannot work are refused before anything is connected; what Redis refuses is put into words."""

from __future__ import annotations

import socket
import ssl

import pytest

from gateway.stores.redis.errors import connecting, explain
from gateway.stores.redis.settings import RedisSettings

NODE = ("redis.example", 6379)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"nodes": ()}, "no server"),
        ({"nodes": (NODE, NODE)}, "exactly one"),
        ({"mode": "sentinel"}, "master is missing"),
        ({"mode": "cluster", "db": 1}, "only database 0"),
        ({"username": "gate"}, "needs a password"),
        ({"deadline_s": 0}, "deadlines"),
        ({"connect_s": 61}, "deadlines"),
        ({"prefix": "a{b"}, "prefix"),
    ],
)
def test_what_cannot_work_is_refused(values, said):
    with pytest.raises(ValueError, match=said):
        RedisSettings(**({"mode": "single", "nodes": (NODE,)} | values))


def test_settings_do_not_show_secrets():
    settings = RedisSettings("single", (NODE,), username="gate", password="secretword", sentinel_password="otherword")
    assert repr(settings) == str(settings) == "RedisSettings(single, redis.example:6379)"


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'. script: abc", "full", "redis: full (maxmemory)"),
        ("LOADING Redis is loading the dataset in memory", "loading", "redis: still loading its data"),
        ("READONLY You can't write against a read only replica.", "replica", "redis: not the master any more"),
        ("CLUSTERDOWN The cluster is down", "down", "redis: the cluster is down"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "moving", "redis: the slot is just being moved"),
        ("NOAUTH Authentication required.", "refused", "redis: asks for a password"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "refused", "redis: refuses the password"),
        ("NOPERM this user has no permissions", "refused", "redis: the user lacks a right"),
        (
            "MISCONF Redis is configured to save RDB snapshots",
            "disk",
            "redis: cannot save, and therefore refuses writes",
        ),
        ("ERR unknown command 'x', with args beginning with: 'secretword'", "other", "redis: refused (ERR)"),
        ("", "other", "redis: refused (ERR)"),
    ],
)
def test_errors_in_words(text, kind, reason):
    failure = explain(text)
    assert (failure.kind, failure.reason) == (kind, reason)
    assert "secretword" not in failure.remedy


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("NOPERM this user has no permissions to run the 'evalsha' command", "(+evalsha)"),
        ("NOPERM this user has no permissions to run the 'script|load' command", "(+script|load)"),
        ("NOPERM this user has no permissions to access one of the keys used as arguments", "~lg1:*"),
        ("ERR The user executing the script can't access at least one of the keys mentioned", "~lg1:*"),
    ],
)
def test_the_missing_right_is_named_where_the_server_names_it(text, right):
    assert f"lacks a right {right}" in explain(text).remedy.replace("(to its keys, ", "").replace("*)", "*")


def test_without_an_answer_in_tls_its_absence_is_thought_of():
    assert "redis://" in connecting(TimeoutError(), tls=True).remedy
    assert "redis://" not in connecting(TimeoutError()).remedy


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "redis: no connection in time"),
        (ConnectionRefusedError(), "redis: connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "redis: host name not known"),
        (ssl.SSLCertVerificationError(), "redis: certificate not trusted"),
        (ssl.SSLError(), "redis: connection broken off"),
        (OSError(113, "secretword"), "redis: no connection (OSError)"),
    ],
)
def test_why_there_is_no_connection(error, reason):
    failure = connecting(error)
    assert failure.reason == reason
    assert failure.remedy
    assert "secretword" not in repr(failure)
