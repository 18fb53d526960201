"""Tells a webhook (Slack's, Teams', or one of your own) and people by e-mail that a run failed."""

from __future__ import annotations

import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Literal
from urllib.parse import urlsplit

from c360_graph.settings import Settings
from c360_graph.text import visible, visible_line

_TIMEOUT_SECONDS = 10.0
_MOST_TEXT = 2_000
"""Slack cuts a message after 4,000 characters."""


@dataclass(frozen=True, kw_only=True)
class FailureNotice:
    """What is told of a failed run."""

    run_id: str
    job: str
    message: str
    failed_steps: tuple[str, ...] = ()
    run_url: str | None = None

    def body(self) -> bytes:
        """JSON: `text` for a chat, and the same in parts for a program.

        >>> notice = FailureNotice(run_id="4c1f", job="build_graph", message="Steps failed: ['a'].")
        >>> json.loads(notice.body())["text"]
        "build_graph failed (run 4c1f): Steps failed: ['a']."
        """
        where = f"run {self.run_id}" if self.run_url is None else self.run_url
        message = visible(self.message)[:_MOST_TEXT]
        return json.dumps(
            {
                "text": f"{self.job} failed ({where}): {message}",
                "status": "failed",
                "job": self.job,
                "run_id": self.run_id,
                "run_url": self.run_url,
                "failed_steps": list(self.failed_steps),
                "message": message,
            }
        ).encode()


def post(notice: FailureNotice, *, url: str) -> str | None:
    """Send a notice; why it could not be, None where it was.

    The address is not told, since whoever has it can write to the chat.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        return "C360_FAILURE_WEBHOOK is not an http or https URL"
    request = urllib.request.Request(  # noqa: S310
        url, data=notice.body(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        return f"the webhook answered {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        return f"the webhook cannot be reached: {reason}"


Tls = Literal["starttls", "tls", "none"]
PORTS: dict[Tls, int] = {"starttls": 587, "tls": 465, "none": 25}
_MAIL_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail is handed in, and for whom it is."""

    host: str
    port: int
    tls: Tls
    sender: str
    recipients: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def mail_server(settings: Settings) -> MailServer | None:
    """What the settings say; None where nobody is to be told."""
    recipients = tuple(
        filter(None, map(str.strip, (settings.c360_failure_email_to or "").split(",")))
    )
    if not recipients:
        return None
    password = settings.c360_smtp_password
    return MailServer(
        host=settings.c360_smtp_host,
        port=settings.c360_smtp_port or PORTS[settings.c360_smtp_tls],
        tls=settings.c360_smtp_tls,
        sender=settings.c360_smtp_from or recipients[0],
        recipients=recipients,
        user=settings.c360_smtp_user,
        password=password.get_secret_value() if password else None,
    )


def letter(notice: FailureNotice, *, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """The mail: which run failed in which steps, and where to read why. No reason, as one may hold values.

    >>> notice = FailureNotice(run_id="4c1f", job="build_graph", message="...", failed_steps=("a", "b"))
    >>> mail = letter(notice, sender="etl@example.com", recipients=("ann@example.com",))
    >>> mail["Subject"]
    'c360_graph: build_graph failed'
    >>> print(mail.get_content().strip())
    Run 4c1f of build_graph failed.
    <BLANKLINE>
    Failed steps: a, b
    <BLANKLINE>
    The reasons are in Dagster, and in etl_run_logs of the control database.

    Raises:
        ValueError: an address cannot be one.
    """
    mail = EmailMessage()
    mail["Subject"] = f"c360_graph: {visible_line(notice.job)} failed"
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = formatdate()
    # Without the name of this machine.
    mail["Message-ID"] = make_msgid(domain="c360-graph.invalid")
    steps = ", ".join(map(visible_line, notice.failed_steps))
    lines = [
        f"Run {notice.run_id} of {visible_line(notice.job)} failed.",
        *([notice.run_url] if notice.run_url else []),
        f"Failed steps: {steps or 'none; it failed outside of a step'}",
        "The reasons are in Dagster, and in etl_run_logs of the control database.",
    ]
    mail.set_content("\n\n".join(lines) + "\n")
    return mail


def send(notice: FailureNotice, server: MailServer) -> str | None:
    """Hand the mail in; why it could not be, None where it was. No address and no password is told."""
    try:
        mail = letter(notice, sender=server.sender, recipients=server.recipients)
    except ValueError:
        return "an address in C360_FAILURE_EMAIL_TO or C360_SMTP_FROM cannot be used"
    try:
        with _connected(server) as connection:
            if server.user is not None:
                connection.login(server.user, server.password or "")
            refused = connection.send_message(mail)
    except smtplib.SMTPRecipientsRefused:
        return "the mail server refused every recipient"
    except smtplib.SMTPNotSupportedError:
        return "the mail server does not support what C360_SMTP_TLS or C360_SMTP_USER asks for"
    except smtplib.SMTPResponseException as error:
        # Its words may repeat an address.
        return f"the mail server answered {error.smtp_code}"
    except ssl.SSLCertVerificationError:
        return "the certificate of the mail server cannot be verified"
    except (OSError, ValueError, smtplib.SMTPException) as error:
        return f"the mail server cannot be reached: {type(error).__name__}"
    if refused:
        return f"the mail server refused {len(refused)} of {len(server.recipients)} recipients"
    return None


@contextmanager
def _connected(server: MailServer) -> Iterator[smtplib.SMTP]:
    if server.tls == "tls":
        context = ssl.create_default_context()
        with smtplib.SMTP_SSL(
            server.host, server.port, timeout=_MAIL_TIMEOUT_SECONDS, context=context
        ) as connection:
            yield connection
        return
    with smtplib.SMTP(server.host, server.port, timeout=_MAIL_TIMEOUT_SECONDS) as connection:
        if server.tls == "starttls":
            connection.starttls(context=ssl.create_default_context())
        yield connection
