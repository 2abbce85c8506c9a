"""Sends due alerts every few seconds, in a thread of its own; a ledger that is away, or a channel, is asked again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from shp_core.errors import Fault, UsageError
from shp_core.feeds.alerting import AlertsSection
from shp_core.feeds.load import load_catalogue
from shp_core.feeds.platform import load_platform
from shp_resources.alerts.teller import Teller, channels_of
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock

TELL_SECONDS = 5.0
_log = logging.getLogger("shp.watchdog")


class Telling:
    """The thread that tells people.

    Args:
        teller: looks and delivers.
        emergency: looks first, and asks no ledger.
        troubles: looks then, and writes into the ledger what is to be told.
        pause: seconds between two looks.
    """

    def __init__(
        self,
        teller: Teller,
        emergency: Callable[[], None] = lambda: None,
        troubles: Callable[[], None] = lambda: None,
        pause: float = TELL_SECONDS,
    ) -> None:
        self._teller, self._emergency, self._troubles, self._pause = teller, emergency, troubles, pause
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telling", daemon=True)
        self._away = False

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self) -> None:
        """Tell no more; a letter that is on its way is finished or tried again later."""
        self._ending.set()

    @property
    def alive(self) -> bool:
        """Whether people are still told."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._ending.wait(self._pause):
            self._look()

    def _look(self) -> None:
        self._emergency()
        try:
            self._troubles()
            self._teller.look()
            self._teller.deliver()
        except Fault as fault:
            if not self._away:
                _log.warning("nobody can be told: %s", fault.message)
            self._away = True
        else:
            self._away = False


def teller_of(settings: Settings, ledger: Ledger) -> Teller:
    """Who tells people of an installation's incidents.

    Args:
        settings: the installation.
        ledger: its ledger.
    """
    section = _section(settings)
    owners = _owners(settings)
    channels = channels_of(settings.alerts, section)
    return Teller(ledger, channels, section.routing(), lambda: owners, settings.alerts.operators, SystemClock())


def _section(settings: Settings) -> AlertsSection:
    try:
        return load_platform(settings.platform_file).alerts
    except UsageError as error:  # a slip in the file must not silence the alerts
        _log.warning("alerts go where they go by default: %s", error.message)
        return AlertsSection()


def _owners(settings: Settings) -> Mapping[str, str]:
    feeds = load_catalogue(settings.feeds, settings.marts, settings.last_good).feeds
    return {name: feed.owner for name, feed in feeds.items()}
