"""Messages to the reviewer, through a real SMTP server on a loopback socket."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from servers import free_port

from gateway.config.process import Mail, Reviewer
from gateway.delivery.mail import MailFailed, send
from gateway.metrics import Metrics
from gateway.model import now_us
from gateway.stores.leads import Conservation
from gateway.watch import Watch

DAY_US = 86_400_000_000
REVIEWER = Reviewer(email="sales@example.org", name="Sales")


class Inbox:
    def __init__(self) -> None:
        self.received: list[Any] = []
        self.refuse = False

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        if self.refuse:
            return "451 mailbox is full"
        self.received.append((envelope.mail_from, envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


def authenticate(server: object, session: object, envelope: object, mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=data.password == b"s3cret")


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    handler = Inbox()
    port = free_port()
    controller = Controller(handler, "127.0.0.1", port, authenticator=authenticate, auth_require_tls=False)
    controller.start()
    yield handler, port
    controller.stop()


def mail(port: int, **more: Any) -> Mail:
    return Mail(host="127.0.0.1", port=port, sender="leadgate@example.org", **more)


async def test_a_message_arrives(inbox: tuple[Inbox, int]) -> None:
    await send(mail(inbox[1]), REVIEWER, "3 held leads wait for you", "Look at them.\n")
    sender, to, message = inbox[0].received[0]
    assert (sender, to, message["Subject"]) == (
        "leadgate@example.org",
        ["sales@example.org"],
        "3 held leads wait for you",
    )
    assert message.get_payload().strip() == "Look at them."


async def test_a_password_comes_from_the_environment(inbox: tuple[Inbox, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.delivery.mail.TIMEOUT_S", 2)  # the second way to log in is met with silence
    told = mail(inbox[1], username="leadgate", password_env="SMTP_PASSWORD")
    await send(told, REVIEWER, "s", "t", {"SMTP_PASSWORD": "s3cret"})
    assert len(inbox[0].received) == 1
    with pytest.raises(MailFailed, match="did not take the message"):
        await send(told, REVIEWER, "s", "t", {"SMTP_PASSWORD": "wrong"})


async def test_a_server_that_refuses_or_is_away_is_told_in_one_sentence(inbox: tuple[Inbox, int]) -> None:
    inbox[0].refuse = True
    with pytest.raises(MailFailed, match="mailbox is full"):
        await send(mail(inbox[1]), REVIEWER, "s", "t")
    with pytest.raises(MailFailed, match=r"127\.0\.0\.1:9 did not take the message"):
        await send(mail(9), REVIEWER, "s", "t")


class Waiting:
    """A store with two held leads, the older one received at `since`."""

    healthy, trouble, lag = True, None, 0

    def __init__(self, since: int) -> None:
        self.since = since
        self.turn = True

    async def take_turn(self, name: str, now: int, every: int) -> bool:
        assert (name, every) == ("reviewer mail", DAY_US)
        return self.turn

    async def conservation(self) -> Conservation:
        return Conservation(2, {"held": 2}, 0, True)

    async def oldest(self, _: object) -> int:
        return self.since


async def test_the_reviewer_hears_once_a_day_of_leads_nobody_looked_at(inbox: tuple[Inbox, int]) -> None:
    start = now_us()
    clock = [start + DAY_US // 2]
    config: Any = SimpleNamespace(mail=mail(inbox[1]), reviewer=REVIEWER)
    store: Any = Waiting(start)
    quiet: Any = SimpleNamespace(advice=tuple)
    watch = Watch(store, Metrics(), quiet, lambda: config, lambda: clock[0])
    for at, messages in ((DAY_US // 2, 0), (DAY_US + 1, 1), (DAY_US * 3 // 2, 1), (DAY_US * 2 + 2, 2)):
        clock[0] = start + at
        await watch._leads()
        assert len(inbox[0].received) == messages, at
    clock[0] = start + DAY_US * 4
    store.turn = False  # another gateway wrote already
    await watch._leads()
    assert len(inbox[0].received) == 2
    clock[0] = start + DAY_US * 2 + 2
    await watch._leads()
    message = inbox[0].received[0][2]
    assert message["Subject"] == "2 held leads wait for you"
    assert "leadgate leads list --state held" in message.get_payload()
    assert watch.advice() == ("2 held leads wait, the oldest for 48 hours: leadgate leads list --state held",)
    assert watch.oldest_s == pytest.approx(2 * 86_400)
