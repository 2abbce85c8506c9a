"""The ways to people: what a destination is, and what all ways have in common."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shp_core.alerts.routing import LOG, MAIL, WEBHOOK

_log = logging.getLogger("shp.alerts")


class Undelivered(Exception):
    """A letter was not delivered; the message says why, without secrets."""


@dataclass(frozen=True)
class Letter:
    """A message on its way.

    Args:
        id: its number in the outbox; the same at each try.
        subject: one line.
        text: several.
        made_at: when it was written.
    """

    id: int
    subject: str
    text: str
    made_at: datetime


class _ToAddress(Protocol):
    def send(self, address: str, letter: Letter) -> None:
        """Send a letter to an address."""


class _ToOne(Protocol):
    def send(self, letter: Letter) -> None:
        """Send a letter."""


@dataclass(frozen=True)
class Channels:
    """What an installation can reach; the log always.

    Args:
        mail: sends to e-mail addresses, None where there is no mail server.
        webhooks: by name.
    """

    mail: _ToAddress | None = None
    webhooks: Mapping[str, _ToOne] = field(default_factory=dict)

    def reach(self, destination: str) -> bool:
        """Whether there is a way to a destination."""
        if destination.startswith(MAIL):
            return self.mail is not None
        return destination == LOG or destination.removeprefix(WEBHOOK) in self.webhooks

    def send(self, destination: str, letter: Letter) -> None:
        """Send a letter.

        Raises:
            Undelivered: it could not be delivered, or there is no way to the destination any more.
        """
        if not self.reach(destination):
            raise Undelivered("it is not set up any more")
        if destination == LOG:
            _log.warning("%s\n%s", letter.subject, letter.text)
        elif self.mail is not None and destination.startswith(MAIL):
            self.mail.send(destination.removeprefix(MAIL), letter)
        else:
            self.webhooks[destination.removeprefix(WEBHOOK)].send(letter)


def channel_of(destination: str) -> str:
    """What fails together: all mail, each webhook, the log."""
    return destination if destination.startswith(WEBHOOK) else destination.partition(":")[0]
