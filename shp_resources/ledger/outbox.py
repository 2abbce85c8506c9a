"""The outbox: letters to people until they are delivered, and which notice stood in which letter.

Must not live here: what is due to whom (`shp_core.alerts`), and sending.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shp_core.alerts.plan import Kind, Notice, Told
from shp_core.alerts.words import Message
from shp_core.healing.backoff import Backoff
from shp_resources.alerts.channels import Letter
from shp_resources.ledger.incidents import Incident, Incidents
from shp_resources.ledger.transactions import Transactions
from shp_resources.ledger.trouble_tables import alert_tellings, alerts, incidents

_LOCK = 0x73687061  # "shpa"
_WAITS = alerts.c.sent_at.is_(None) & alerts.c.given_up_at.is_(None)


@dataclass(frozen=True)
class Waiting:
    """Letters to a destination that are not delivered yet.

    Args:
        destination: where to.
        letters: how many.
        oldest: when the oldest was written.
        tries: how often the oldest was tried.
    """

    destination: str
    letters: int
    oldest: datetime
    tries: int


class Outbox:
    """Letters and what was told.

    Args:
        transactions: of the ledger.
        known: the incidents.
    """

    def __init__(self, transactions: Transactions, known: Incidents) -> None:
        self._transactions, self._incidents = transactions, known

    def alone(self) -> bool:
        """Whether nobody else plans letters until this transaction ends."""
        with self._transactions.begin() as connection:
            return bool(connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))).scalar_one())

    def tellable(self, since: datetime) -> list[Incident]:
        """Incidents that there may be something to tell of: open, closed since, or told of and not told to be over."""
        told, end = alert_tellings.alias(), alert_tellings.alias()
        over = sa.exists().where(end.c.incident == told.c.incident, end.c.destination == told.c.destination, end.c.kind == str(Kind.CLOSED))
        unfinished = sa.exists().where(told.c.incident == incidents.c.id, ~over)
        return self._incidents.where(incidents.c.closed_at.is_(None) | (incidents.c.closed_at >= since) | unfinished)

    def told(self, numbers: Collection[int], since: datetime) -> dict[str, list[Told]]:
        """By destination, all that was told of these incidents, and whatever was told since.

        Args:
            numbers: of incidents.
            since: from when on everything counts.
        """
        query = sa.select(alert_tellings).where(alert_tellings.c.incident.in_(numbers) | (alert_tellings.c.at > since))
        found: dict[str, list[Told]] = {}
        with self._transactions.begin() as connection:
            for row in connection.execute(query):
                found.setdefault(row.destination, []).append(Told(row.incident, Kind(row.kind), row.at, row.alert))
        return found

    def put(self, destination: str, message: Message, notices: Sequence[Notice], at: datetime) -> int:
        """Write a letter, and note what it tells.

        Args:
            destination: where to.
            message: what it says.
            notices: what it tells.
            at: now.

        Returns:
            Its number.
        """
        letter = {"destination": destination, "subject": message.subject, "text": message.text, "made_at": at, "next_try_at": at}
        with self._transactions.begin() as connection:
            number: int = connection.execute(sa.insert(alerts).values(**letter, tries=0).returning(alerts.c.id)).scalar_one()
            rows = [{"incident": one.concern.id, "kind": str(one.kind), "number": one.number} for one in notices]
            connection.execute(sa.insert(alert_tellings), [{**row, "destination": destination, "alert": number, "at": at} for row in rows])
        return number

    def destinations(self, now: datetime) -> list[str]:
        """Where a letter waits whose next try is due, longest waiting first."""
        oldest = sa.func.min(alerts.c.id)
        query = sa.select(alerts.c.destination).where(_WAITS, alerts.c.next_try_at <= now).group_by(alerts.c.destination).order_by(oldest)
        with self._transactions.begin() as connection:
            return list(connection.execute(query).scalars())

    def claim(self, destination: str, now: datetime, pauses: Backoff) -> Letter | None:
        """The oldest letter to a destination, if its try is due; nobody else gets it before its next try.

        Letters to one destination keep their order, so that nobody reads of an end before its beginning.

        Args:
            destination: where to.
            now: the present instant.
            pauses: between tries.
        """
        first = sa.select(alerts).where(_WAITS, alerts.c.destination == destination).order_by(alerts.c.id).limit(1).with_for_update()
        with self._transactions.begin() as connection:
            row = connection.execute(first).one_or_none()
            if row is None or row.next_try_at > now:
                return None
            again = now + timedelta(seconds=pauses.longest(row.tries + 1))
            connection.execute(sa.update(alerts).where(alerts.c.id == row.id).values(tries=row.tries + 1, next_try_at=again))
        return Letter(row.id, row.subject, row.text, row.made_at)

    def sent(self, number: int, at: datetime) -> None:
        """Note that a letter was delivered."""
        self._change(number, sent_at=at, error=None)

    def failed(self, number: int, why: str) -> None:
        """Note why a letter was not delivered."""
        self._change(number, error=why)

    def give_up(self, made_before: datetime, now: datetime) -> int:
        """Give up letters that are too old to help anybody; how many."""
        old = sa.update(alerts).where(_WAITS, alerts.c.made_at < made_before)
        with self._transactions.begin() as connection:
            return connection.execute(old.values(given_up_at=now)).rowcount

    def count_done(self, before: datetime) -> int:
        """How many letters were delivered or given up, and written before that."""
        query = sa.select(sa.func.count()).select_from(alerts).where(~_WAITS, alerts.c.made_at < before)
        with self._transactions.begin() as connection:
            return int(connection.execute(query).scalar_one())

    def forget_done(self, before: datetime) -> None:
        """Remove letters that were delivered or given up, and written before that; what was told of which incident stays known."""
        with self._transactions.begin() as connection:
            connection.execute(sa.delete(alerts).where(~_WAITS, alerts.c.made_at < before))

    def waiting(self) -> list[Waiting]:
        """What is not delivered yet, by destination."""
        columns = (alerts.c.destination, sa.func.count(), sa.func.min(alerts.c.made_at), sa.func.max(alerts.c.tries))
        query = sa.select(*columns).where(_WAITS).group_by(alerts.c.destination).order_by(alerts.c.destination)
        with self._transactions.begin() as connection:
            return [Waiting(*row) for row in connection.execute(query)]

    def _change(self, number: int, **values: object) -> None:
        with self._transactions.begin() as connection:
            connection.execute(sa.update(alerts).where(alerts.c.id == number).values(**values))
