"""The platform itself is not ready: people are told past the ledger, once, and once when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shp_core.alerts.outage import PATIENCE
from shp_core.alerts.routing import Routing
from shp_core.clock import ManualClock
from shp_ops.watchdog.emergency import Emergency
from shp_resources.alerts.channels import Channels, Letter, Undelivered
from shp_resources.alerts.teller import Teller
from shp_resources.ledger import Ledger
from tests.support.platforms import NOBODY

START = datetime(2026, 11, 21, 3, tzinfo=UTC)
MINUTE = PATIENCE.total_seconds()


@dataclass
class Night:
    """A night on which services go away: what the operators' mail server took.

    Args:
        path: the file of what was told.
    """

    path: Path
    away: dict[str, str | None] = field(default_factory=lambda: {"postgres": None, "web": None})
    letters: list[Letter] = field(default_factory=list)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    refuses: bool = False

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The watchdog is started anew; its ledger is nowhere."""
        teller = Teller(Ledger(NOBODY), Channels(self), Routing(), dict, "night@example.com", self.clock)
        self.emergency = Emergency(lambda: self.away, teller, self.path)

    def send(self, address: str, letter: Letter) -> None:
        """Take a letter, or refuse it."""
        if self.refuses:
            raise Undelivered("refused")
        assert address == "night@example.com"
        self.letters.append(letter)

    def look(self, seconds: float = 0.0) -> list[str]:
        """After so many seconds; all subjects so far."""
        self.clock.advance(timedelta(seconds=seconds))
        self.emergency.look()
        return [letter.subject.removeprefix("[SHP] ") for letter in self.letters]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A night that begins well."""
    return Night(tmp_path / "told.json")


def test_a_database_that_stays_away_is_told_past_the_ledger(night: Night) -> None:
    """The worst outage would be the one of which nobody hears: the outbox lies in that database."""
    night.away["postgres"] = "connection refused"
    assert night.look() == []
    assert night.look(MINUTE) == ["critical: postgres (ledger_unreachable)"]
    assert "postgres: connection refused" in night.letters[0].text
    assert "Since 2026-11-21 03:00 UTC" in night.letters[0].text
    assert "shp status, docs/runbook.md#ledger_unreachable" in night.letters[0].text
    night.away["postgres"] = None
    assert night.look(5)[1:] == ["over: postgres (ledger_unreachable)"]
    assert night.look(500)[2:] == []


def test_a_restart_of_a_service_calls_nobody(night: Night) -> None:
    """Every edited feed file starts the code server again; people would be called for that."""
    for _ in range(20):
        night.away["web"] = "is loading"
        night.look(MINUTE / 2)
        night.away["web"] = None
        assert night.look(5) == []


def test_it_is_told_once_however_often_the_watchdog_starts(night: Night) -> None:
    """A watchdog that is started again and again in an outage would send a message each time."""
    night.away["web"] = "does not answer"
    night.look()
    for _ in range(5):
        night.restart()
        subjects = night.look(MINUTE)
    assert subjects == ["critical: web (service_failed)"]
    night.away["web"] = None
    night.restart()
    assert night.look(1)[1:] == ["over: web (service_failed)"]


def test_a_mail_server_that_is_away_too_is_asked_again(night: Night) -> None:
    """Where one machine dies, often two do; the message would be lost."""
    night.away["postgres"], night.refuses = "away", True
    night.look()
    assert night.look(MINUTE) == []
    night.restart()
    night.refuses = False
    assert night.look(60) == ["critical: postgres (ledger_unreachable)"]
    assert night.look(60)[1:] == []


def test_what_lasts_is_brought_back_to_mind(night: Night) -> None:
    """A message in the night that nobody read would be the last."""
    night.away["web"] = "does not answer"
    for _ in range(50):
        subjects = night.look(3600)
    assert subjects == ["critical: web (service_failed)", *["still critical: web (service_failed)"] * 2]


def test_a_home_that_cannot_be_written_silences_nothing(night: Night) -> None:
    """A full disk would end the watchdog, and with it the message about the full disk."""
    night.path = night.path / "missing" / "told.json"
    night.restart()
    night.away["postgres"] = "no space left on device"
    night.look()
    assert night.look(MINUTE) == ["critical: postgres (ledger_unreachable)"]
    assert night.look(60)[1:] == []


def test_a_file_that_was_cut_off_stops_nothing(night: Night) -> None:
    """After a crash of the machine the watchdog would die at each start."""
    night.path.write_text('{"outage": {"si')
    night.restart()
    night.away["web"] = "does not answer"
    night.look()
    assert len(night.look(MINUTE)) == 1
