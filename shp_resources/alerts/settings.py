"""Where alerts can go: the mail server and the addresses of webhooks, as the environment names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shp_core.codes import Code
from shp_core.errors import UsageError

MAIL_VARIABLES = ("SMTP_SERVER", "SMTP_PORT", "SENDER_EMAIL", "SENDER_PASSWORD", "RECIPIENT_EMAIL")
WEBHOOK_PREFIX = "SHP_WEBHOOK_"
_IMPLICIT, _IMPLICIT_PORT, _USUAL_PORT = "smtps://", 465, 587
_FILE = "_FILE"


@dataclass(frozen=True)
class MailServer:
    """A server that takes mail.

    Args:
        host: its name or address.
        port: its port.
        sender: the address that mail comes from, and the login where there is a password.
        password: of the login; None: without a login.
        implicit_tls: TLS from the first byte on; otherwise STARTTLS where the server offers it.
    """

    host: str
    port: int
    sender: str
    password: str | None = field(default=None, repr=False)
    implicit_tls: bool = False


@dataclass(frozen=True)
class AlertSettings:
    """Where alerts can go.

    Args:
        mail: the mail server, None where there is none.
        operators: address of those who run the platform.
        webhooks: addresses by name; they are secrets.
    """

    mail: MailServer | None = None
    operators: str | None = None
    webhooks: Mapping[str, str] = field(default_factory=dict, repr=False)

    def as_environment(self) -> dict[str, str]:
        """The variables with which another process reaches the same places; they hold secrets."""
        found = {f"{WEBHOOK_PREFIX}{name.upper()}": url for name, url in self.webhooks.items()}
        if self.operators:
            found["RECIPIENT_EMAIL"] = self.operators
        if self.mail is None:
            return found
        scheme = _IMPLICIT if self.mail.implicit_tls else ""
        found |= {"SMTP_SERVER": f"{scheme}{self.mail.host}", "SMTP_PORT": str(self.mail.port), "SENDER_EMAIL": self.mail.sender}
        return found | ({"SENDER_PASSWORD": self.mail.password} if self.mail.password else {})


def is_alert_variable(name: str) -> bool:
    """Whether a variable is one of these, named by value or by file."""
    return name.removesuffix(_FILE) in MAIL_VARIABLES or name.startswith(WEBHOOK_PREFIX)


def alert_settings(values: Mapping[str, str], secret: Callable[[str], str | None]) -> AlertSettings:
    """Read the settings.

    Args:
        values: the variables that are set.
        secret: reads one that may be named by file (`NAME_FILE`).

    Raises:
        UsageError: SMTP_PORT is no port, or there is a server and no sender.
    """
    names = {name.removesuffix(_FILE) for name in values if name.startswith(WEBHOOK_PREFIX)}
    webhooks = {name.removeprefix(WEBHOOK_PREFIX).lower(): secret(name) or "" for name in sorted(names)}
    return AlertSettings(_mail(values, secret), values.get("RECIPIENT_EMAIL"), webhooks)


def _mail(values: Mapping[str, str], secret: Callable[[str], str | None]) -> MailServer | None:
    server = values.get("SMTP_SERVER", "")
    if not server:
        return None
    if "SENDER_EMAIL" not in values:
        raise UsageError("SMTP_SERVER is set, and SENDER_EMAIL is not.", "Name the address that alerts come from.", Code.SETTINGS_INVALID)
    said = values.get("SMTP_PORT", str(_IMPLICIT_PORT if server.startswith(_IMPLICIT) else _USUAL_PORT))
    if not said.isascii() or not said.isdigit() or not 0 < int(said) < 65536:
        raise UsageError(f"SMTP_PORT is {said!r}.", "Write a port, such as 587 (STARTTLS) or 465 (TLS).", Code.SETTINGS_INVALID)
    implicit = server.startswith(_IMPLICIT) or int(said) == _IMPLICIT_PORT
    return MailServer(server.removeprefix(_IMPLICIT), int(said), values["SENDER_EMAIL"], secret("SENDER_PASSWORD"), implicit)
