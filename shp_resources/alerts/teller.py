"""One look of the one who tells: what is due goes into the outbox, what lies in the outbox is sent.

A letter is written into the outbox in the transaction that notes what it tells, so no restart tells it again; it is
claimed before it is sent, so a failed channel is asked again later, and never more often than its pauses say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from shp_core.alerts.concern import Concern
from shp_core.alerts.plan import RECENT, WINDOW, due
from shp_core.alerts.routing import Routing, destinations
from shp_core.alerts.words import message
from shp_core.clock import Clock
from shp_core.codes import Code
from shp_core.feeds.alerting import AlertsSection
from shp_core.healing.backoff import Backoff, Strategy
from shp_core.healing.decide import Severity
from shp_resources.alerts.channels import Channels, Letter, Undelivered, channel_of
from shp_resources.alerts.mail import Mail
from shp_resources.alerts.settings import AlertSettings
from shp_resources.alerts.webhook import Webhook
from shp_resources.ledger import Incident, Ledger

_log = logging.getLogger("shp.alerts")
PAUSES = Backoff(Strategy.EXPONENTIAL, first=10.0, cap=900.0)
GIVEN_UP_AFTER = timedelta(days=3)
_AT_ONCE = 50


@dataclass(frozen=True)
class Teller:
    """Tells people of incidents.

    Args:
        ledger: incidents, what was told before, and the outbox.
        channels: the ways to people.
        routing: who is told what.
        owners: by feed, its owner.
        operators: address of those who run the platform.
        clock: tells the time.
    """

    ledger: Ledger
    channels: Channels
    routing: Routing
    owners: Callable[[], Mapping[str, str]]
    operators: str | None
    clock: Clock

    def look(self) -> int:
        """Write what is due into the outbox; another one that does so at this moment is left to it.

        Returns:
            How many letters were written.
        """
        now = self.clock.now()
        with self.ledger.transaction():
            if not self.ledger.outbox.alone():
                return 0
            concerns = [_concern(incident) for incident in self.ledger.outbox.tellable(now - RECENT)]
            told = self.ledger.outbox.told([concern.id for concern in concerns], now - WINDOW)
            letters = 0
            for destination, here in self._by_destination(concerns).items():
                for notices in due(here, told.get(destination, ()), now, self.routing.remind):
                    self.ledger.outbox.put(destination, message(notices, now), notices, now)
                    letters += 1
            return letters

    def deliver(self) -> int:
        """Send what is due in the outbox; a channel that fails is not asked again in this look.

        Returns:
            How many letters were delivered.
        """
        delivered, failed = 0, set[str]()
        self.ledger.outbox.give_up(self.clock.now() - GIVEN_UP_AFTER, self.clock.now())
        for destination in self.ledger.outbox.destinations(self.clock.now()):
            while channel_of(destination) not in failed and delivered < _AT_ONCE:
                found = self.ledger.outbox.claim(destination, self.clock.now(), PAUSES)
                if found is None:
                    break
                if self._deliver(destination, found):
                    delivered += 1
                else:
                    failed.add(channel_of(destination))
        return delivered

    def _deliver(self, destination: str, letter: Letter) -> bool:
        try:
            self.channels.send(destination, letter)
        except Undelivered as error:
            _log.warning("alert %d is not delivered to %s: %s", letter.id, channel_of(destination), error)
            self.ledger.outbox.failed(letter.id, str(error))
            return False
        self.ledger.outbox.sent(letter.id, self.clock.now())
        return True

    def _by_destination(self, concerns: list[Concern]) -> dict[str, list[Concern]]:
        owners, found = self.owners(), dict[str, list[Concern]]()
        for concern in concerns:
            for destination in destinations(concern, self.routing, owners, self.operators):
                if self.channels.reach(destination):
                    found.setdefault(destination, []).append(concern)
        return found


def channels_of(settings: AlertSettings, section: AlertsSection) -> Channels:
    """The ways to people that are set up.

    Args:
        settings: the mail server, and the addresses of webhooks.
        section: `alerts` of `shp.yaml`, which says how each webhook reads.
    """
    known = {name: style for name, style in section.webhooks.items() if settings.webhooks.get(name)}
    webhooks = {name: Webhook(settings.webhooks[name], style) for name, style in known.items()}
    return Channels(Mail(settings.mail) if settings.mail else None, webhooks)


def _concern(incident: Incident) -> Concern:
    held = tuple((member.feed, member.partition) for member in incident.held)
    members = tuple((member.feed, member.partition) for member in incident.members)
    said = (incident.id, incident.cause, Severity(incident.severity), Code(incident.code), incident.message)
    return Concern(*said, incident.opened_at, incident.closed_at, incident.proof, held, members)
