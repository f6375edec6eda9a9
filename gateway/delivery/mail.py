"""Messages to the reviewer, sent through the operator's mail server. They hold counts and commands, never anything of a lead."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage

from gateway.config.process import Mail, Reviewer

TIMEOUT_S = 20.0


class MailFailed(Exception):
    """The mail server did not take the message; the text says why and what to do."""


async def send(
    mail: Mail, reviewer: Reviewer, subject: str, text: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Send one message; waits for the server, but not on the event loop. Raises MailFailed."""
    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = reviewer.email
    message["Subject"] = subject
    message.set_content(text)
    try:
        await asyncio.to_thread(_send, mail, message, environ)
    except (OSError, smtplib.SMTPException) as error:
        raise MailFailed(
            f"{mail.host}:{mail.port} did not take the message: {error}. Look at `mail` in the settings"
        ) from error


def _send(mail: Mail, message: EmailMessage, environ: Mapping[str, str]) -> None:
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if mail.security == "tls":
        server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_S)
    with server:
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.username is not None:
            server.login(mail.username, environ.get(mail.password_env or "", ""))
        server.send_message(message)
