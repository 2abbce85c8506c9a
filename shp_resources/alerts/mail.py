"""A message by SMTP: TLS with a verified certificate wherever the server has it, and never a password without."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime

from shp_resources.alerts.channels import Letter, Undelivered
from shp_resources.alerts.settings import MailServer

SECONDS = 10.0


class Mail:
    """Sends to e-mail addresses.

    Args:
        server: the mail server.
        seconds: how long each of its answers is waited for.
    """

    def __init__(self, server: MailServer, seconds: float = SECONDS) -> None:
        self._server, self._seconds = server, seconds

    def send(self, address: str, letter: Letter) -> None:
        """Send a letter to an address.

        Raises:
            Undelivered: the server was not reached, refused, or took too long.
        """
        try:
            with self._connected() as client:
                self._secure(client)
                client.send_message(self._mail(address, letter))
        except smtplib.SMTPResponseException as error:
            raise Undelivered(f"the mail server refuses ({type(error).__name__}, {error.smtp_code})") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise Undelivered(f"the mail server refuses the recipient ({error.recipients[address][0]})") from error
        except (smtplib.SMTPException, OSError) as error:  # an OSError's words hold no secret: only names and numbers
            raise Undelivered(f"the mail server cannot be used ({type(error).__name__}: {error})") from error

    def _connected(self) -> smtplib.SMTP:
        place = (self._server.host, self._server.port)
        if self._server.implicit_tls:
            return smtplib.SMTP_SSL(*place, timeout=self._seconds, context=ssl.create_default_context())
        return smtplib.SMTP(*place, timeout=self._seconds)

    def _secure(self, client: smtplib.SMTP) -> None:
        client.ehlo()
        if not self._server.implicit_tls and client.has_extn("starttls"):
            client.starttls(context=ssl.create_default_context())
            client.ehlo()
        if self._server.password is None:
            return
        if not isinstance(client.sock, ssl.SSLSocket):
            raise Undelivered("the mail server offers no TLS, and the password is not sent without")
        client.login(self._server.sender, self._server.password)

    def _mail(self, address: str, letter: Letter) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._server.sender, address
        mail["Subject"] = " ".join(letter.subject.split())
        mail["Date"] = format_datetime(letter.made_at)
        mail["Message-ID"] = f"<shp-{letter.id}-{letter.made_at:%Y%m%d%H%M%S%f}@{self._server.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.text)
        return mail
