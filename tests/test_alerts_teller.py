"""From an incident in the ledger to a letter that is delivered: each once, in order, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shp_core.alerts.routing import Route, Routing
from shp_core.clock import ManualClock
from shp_core.codes import Code
from shp_core.healing.decide import Severity
from shp_resources.alerts.channels import Channels, Letter, Undelivered
from shp_resources.alerts.teller import GIVEN_UP_AFTER, PAUSES, Teller
from shp_resources.alerts.webhook import Webhook
from shp_resources.ledger import Ledger
from tests.support.ledgers import opened
from tests.support.mailbox import Hook, hook_server
from tests.support.postgres import rows

OPS, OWNER = "webhook:ops", "mail:owner@example.com"
ROUTING = Routing((Route((OPS,)),), Severity.WARNING)


@dataclass
class Box:
    """E-mail as it would arrive; refuses when it is told to."""

    refuses: bool = False
    letters: list[tuple[str, Letter]] = field(default_factory=list)

    def send(self, address: str, letter: Letter) -> None:
        """Take a letter."""
        if self.refuses:
            raise Undelivered("the mail server refuses")
        self.letters.append((address, letter))


@dataclass
class Office:
    """One who tells, and all that people got."""

    ledger: Ledger
    hook: Hook
    box: Box
    clock: ManualClock
    dsn: str

    @property
    def teller(self) -> Teller:
        """One who tells, as a restarted process makes it."""
        channels = Channels(self.box, {"ops": Webhook(self.hook.url, "plain")})
        owners = {"sales": "owner@example.com", "stock": "team:stock"}
        return Teller(self.ledger, channels, ROUTING, lambda: owners, None, self.clock)

    def look(self, seconds: float = 0) -> None:
        """Let so much time pass, then one look."""
        self.clock.advance(timedelta(seconds=seconds))
        self.teller.look()
        self.teller.deliver()

    def open(self, cause: str = "warehouse", feed: str = "sales", partition: str = "n1", severity: str = "critical") -> int:
        """An incident opens, or gets one more partition."""
        said = {"severity": severity, "code": str(Code.SINK_UNREACHABLE), "message": "warehouse: no answer"}
        return self.ledger.incidents.join(cause, feed, partition, at=self.clock.now(), **said)

    def close(self, number: int) -> None:
        """All of it is healed."""
        (incident,) = [one for one in self.ledger.incidents.open() if one.id == number]
        for member in incident.held:
            self.ledger.incidents.leave(number, member, "healed", self.clock.now())
        assert self.ledger.incidents.close(number, "1 partitions were read again.", self.clock.now())

    @property
    def told(self) -> list[str]:
        """What the operators read, by the first words of each subject."""
        return [body["subject"].removeprefix("[SHP] ").partition(" (")[0] for body in self.hook.kept]


@pytest.fixture
def office(prepared_dsn: str) -> Iterator[Office]:
    """A ledger, a webhook for the operators, e-mail for owners."""
    with opened(prepared_dsn) as ledger, hook_server() as hook:
        yield Office(ledger, hook, Box(), ManualClock(datetime.now(UTC)), prepared_dsn)


def test_an_incident_is_told_when_it_opens_and_when_it_is_over(office: Office) -> None:
    """Nobody would know, or nobody would know that it is over."""
    number = office.open()
    office.look()
    office.open(partition="n2")
    office.look(60)
    office.close(number)
    office.look(60)
    office.look(60)
    assert office.told == ["critical: warehouse", "over: warehouse"]
    assert "Partitions (2): sales/n1, sales/n2" in office.hook.kept[1]["text"]
    assert [address for address, _ in office.box.letters] == ["owner@example.com"] * 2


def test_nothing_is_told_twice_after_a_restart(office: Office) -> None:
    """Each restart would send everything again."""
    office.open()
    for _ in range(5):
        office.look(1)  # each look is made by a new one who tells, as after a restart
    assert office.told == ["critical: warehouse"]


def test_one_who_died_between_writing_and_sending_has_told_nothing_and_lost_nothing(office: Office) -> None:
    """A letter that was written and not sent would be lost with the process."""
    office.open()
    office.teller.look()
    assert office.told == []
    office.look(1)
    assert office.told == ["critical: warehouse"]


def test_a_webhook_that_fails_twice_is_tried_again_with_growing_pauses(office: Office) -> None:
    """A minute's outage of the chat would swallow the alert."""
    office.hook.answers[:] = [500, 503]
    office.open()
    at = []
    for second in range(60):
        before = len(office.hook.bodies)
        office.look(1)
        at += [second] * (len(office.hook.bodies) - before)
    assert office.told == ["critical: warehouse"]
    assert at == [0, PAUSES.longest(1), PAUSES.longest(1) + PAUSES.longest(2)]
    assert {body["id"] for body in office.hook.bodies} == {office.hook.kept[0]["id"]}


def test_a_channel_that_fails_keeps_no_other_waiting(office: Office) -> None:
    """The owner would not hear because the operators' chat is down."""
    office.hook.answers[:] = [500] * 50
    office.open()
    office.look()
    assert [letter.subject.partition(" (")[0] for _, letter in office.box.letters] == ["[SHP] critical: warehouse"]


def test_letters_keep_their_order_over_an_outage_of_the_channel(office: Office) -> None:
    """People would read that it is over, and then that it began."""
    office.hook.answers[:] = [500] * 4
    number = office.open()
    office.look()
    office.close(number)
    for _ in range(40):
        office.look(10)
    assert office.told == ["critical: warehouse", "over: warehouse"]


def test_why_a_letter_waits_can_be_read(office: Office) -> None:
    """Nobody would know that nobody was told."""
    office.box.refuses = True
    office.open()
    office.look()
    (waiting,) = office.ledger.outbox.waiting()
    assert (waiting.destination, waiting.letters, waiting.tries) == (OWNER, 1, 1)
    assert rows(office.dsn, "select error, sent_at from shp.alerts where destination = %s", OWNER) == [("the mail server refuses", None)]


def test_what_is_too_old_to_help_is_given_up(office: Office) -> None:
    """A mail server that comes back after a month would send a month of alarms."""
    office.box.refuses = True
    number = office.open()
    office.look()
    office.close(number)
    office.clock.advance(GIVEN_UP_AFTER)
    office.box.refuses = False
    office.look(1)
    assert [letter.subject.partition(" (")[0] for _, letter in office.box.letters] == ["[SHP] over: warehouse"]
    assert office.ledger.outbox.waiting() == []


def test_an_owner_whose_feed_joins_later_is_told_then(office: Office) -> None:
    """The second feed's owner would never hear of the outage."""
    office.open(feed="stock")
    office.look()
    assert office.box.letters == []
    office.open(feed="sales", partition="n9")
    office.look(1)
    assert [address for address, _ in office.box.letters] == ["owner@example.com"]
    assert office.told == ["critical: warehouse"]


def test_a_storm_is_one_letter(office: Office) -> None:
    """Twenty feeds that are late at once would be twenty letters."""
    for number in range(20):
        office.open(f"late/f{number}", "stock", f"p{number}", "warning")
    office.look()
    assert office.told == ["20 incidents are open, 0 are over"]
    assert rows(office.dsn, "select count(*), count(distinct alert) from shp.alert_tellings") == [(20, 1)]


def test_two_that_look_at_once_tell_once(office: Office) -> None:
    """Two watchdogs that overlap at a restart would tell everything twice."""
    office.open()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: _look_alone(office), range(8)))
    assert rows(office.dsn, "select destination, count(*) from shp.alerts group by 1 order by 1") == [(OWNER, 1), (OPS, 1)]
    assert office.told == ["critical: warehouse"]


def _look_alone(office: Office) -> None:
    ledger = Ledger(office.dsn)
    teller = replace(office.teller, ledger=ledger)
    teller.look()
    teller.deliver()


def test_a_destination_that_is_gone_keeps_nothing_waiting_for_ever(office: Office) -> None:
    """A webhook taken out of the file would be tried for ever."""
    office.open()
    office.teller.look()
    bare: Any = replace(office.teller, channels=Channels(office.box))
    assert bare.deliver() == 1
    assert [waiting.destination for waiting in office.ledger.outbox.waiting()] == [OPS]
    office.clock.advance(GIVEN_UP_AFTER + timedelta(seconds=1))
    bare.deliver()
    assert office.ledger.outbox.waiting() == []


def test_no_row_of_the_ledger_holds_an_address_of_a_webhook(office: Office) -> None:
    """Whoever may read the ledger could write into the chat."""
    office.hook.answers[:] = [500]
    office.open()
    office.look()
    kept = rows(office.dsn, "select t::text from shp.alerts t union all select t::text from shp.alert_tellings t")
    assert len(kept) == 4
    assert "planted" not in str(kept)
