"""When people are told: once when it opens, once when it is over, reminders between, and a storm as one message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shp_core.alerts.concern import Concern
from shp_core.alerts.plan import BURST, RECENT, WINDOW, Kind, Notice, Told, due
from shp_core.codes import Code
from shp_core.healing.decide import Severity

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
REMIND = timedelta(hours=24)


def concern(number: int, opened: float = 0.0, closed: float | None = None) -> Concern:
    """An incident that opened and closed so many minutes after the start."""
    over = None if closed is None else START + timedelta(minutes=closed)
    held = (("sales", f"n{number}"),)
    code = (f"no_rows/f{number}", Severity.WARNING, Code.NO_ROWS, "The sheet has no rows.")
    return Concern(number, *code, START + timedelta(minutes=opened), over, None, held if over is None else (), held)


@dataclass
class Reader:
    """Somebody who is told: all that reached them."""

    messages: list[tuple[datetime, tuple[Notice, ...]]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def look(self, concerns: list[Concern], minutes: float, remind: timedelta = REMIND) -> list[tuple[Notice, ...]]:
        """What is due at this minute; it counts as told."""
        now = START + timedelta(minutes=minutes)
        found = due(concerns, self.told, now, remind)
        for notices in found:
            self.messages.append((now, notices))
            self.told += [Told(notice.concern.id, notice.kind, now, len(self.messages)) for notice in notices]
        return found

    @property
    def counts(self) -> Counter[tuple[int, Kind]]:
        """How often each thing was told."""
        return Counter((notice.concern.id, notice.kind) for _, notices in self.messages for notice in notices)


def test_an_incident_is_told_once_when_it_opens() -> None:
    """The same message would come every few seconds until somebody mends it."""
    reader = Reader()
    assert [[notice.kind for notice in message] for message in reader.look([concern(1)], 0)] == [[Kind.OPENED]]
    assert [reader.look([concern(1)], minutes) for minutes in (0.1, 5, 60, 1439)] == [[], [], [], []]


def test_it_is_told_once_when_it_is_over() -> None:
    """Nobody would know that the call at night was for nothing, or be told so twice."""
    reader = Reader()
    reader.look([concern(1)], 0)
    assert [[notice.kind for notice in message] for message in reader.look([concern(1, closed=9)], 10)] == [[Kind.CLOSED]]
    assert reader.look([concern(1, closed=9)], 11) == []


def test_the_end_is_told_however_long_nobody_looked() -> None:
    """After a weekend without the platform people would wait for an end that was there long ago."""
    reader = Reader()
    reader.look([concern(1)], 0)
    assert len(reader.look([concern(1, closed=9)], 5000)) == 1


def test_what_lasts_is_brought_back_to_mind_once_in_a_while() -> None:
    """A message that was overlooked would be the last."""
    reader = Reader()
    for hour in range(73):
        reader.look([concern(1)], hour * 60)
    assert [notice.number for _, (notice,) in reader.messages] == [0, 1, 2, 3]
    assert reader.counts == {(1, Kind.OPENED): 1, (1, Kind.REMINDER): 3}


def test_what_was_over_at_once_is_told_once_with_its_end() -> None:
    """A short outage would be told as if it lasted, or not at all."""
    reader = Reader()
    (message,) = reader.look([concern(1, closed=1)], 2)
    assert [notice.kind for notice in message] == [Kind.CLOSED]
    assert reader.look([concern(1, closed=1)], 3) == []


def test_the_past_is_not_told_to_who_comes_new() -> None:
    """A new address would get every incident of the last year."""
    long_ago = RECENT / timedelta(minutes=1) + 2
    assert Reader().look([concern(1, closed=1)], long_ago) == []


def test_a_storm_is_one_message() -> None:
    """Forty feeds that are late would be forty messages, and the one that matters among them unread."""
    reader = Reader()
    (message,) = reader.look([concern(number) for number in range(1, 41)], 0)
    assert [notice.concern.id for notice in message] == list(range(1, 41))


def test_a_storm_that_comes_in_drops_is_folded_too() -> None:
    """One incident every few seconds would get round the folding."""
    reader, known = Reader(), list[Concern]()
    for number in range(1, 31):
        known.append(concern(number, opened=number / 6))
        reader.look(known, number / 6)
    assert len(reader.messages) == BURST
    reader.look(known, 5.5)
    assert sum(len(notices) for _, notices in reader.messages) == 30
    assert len(reader.messages) == BURST + 1


def test_a_few_are_told_one_by_one() -> None:
    """Two incidents that have nothing to do with each other would be one message."""
    assert [len(message) for message in Reader().look([concern(1), concern(2)], 0)] == [1, 1]


lives = st.lists(
    st.tuples(st.floats(0, 300), st.one_of(st.none(), st.floats(0, 300))).map(
        lambda span: (span[0], None if span[1] is None else span[0] + span[1])
    ),
    max_size=12,
)


@given(lives=lives, pauses=st.lists(st.floats(0.05, 50), min_size=1, max_size=40))
def test_each_is_told_once_opened_and_once_closed_and_never_twice(lives: list[tuple[float, float | None]], pauses: list[float]) -> None:
    """People who are told twice stop reading; people who are not told do not know."""
    reader, minute = Reader(), 0.0
    known = [concern(number, *span) for number, span in enumerate(lives, 1)]
    for pause in [*pauses, 700, *([6] * 4)]:  # at the end everything has happened, and there is room for all of it
        minute += pause
        now = START + timedelta(minutes=minute)
        seen = [one for one in known if one.opened_at <= now]
        reader.look([replace(one, closed_at=None) if one.closed_at and one.closed_at > now else one for one in seen], minute)
    counts = reader.counts
    assert all(count == 1 for (_, kind), count in counts.items() if kind is not Kind.REMINDER)
    for one in known:
        opened, closed = counts[one.id, Kind.OPENED], counts[one.id, Kind.CLOSED]
        assert opened == 1 if one.closed_at is None else (closed == 1 if opened else closed <= 1)
        kinds = [notice.kind for _, notices in reader.messages for notice in notices if notice.concern.id == one.id]
        assert kinds == sorted(kinds, key=[Kind.OPENED, Kind.REMINDER, Kind.CLOSED].index)
    assert all(_within(reader, at) <= BURST for at, _ in reader.messages)


def _within(reader: Reader, end: datetime) -> int:
    return sum(end - WINDOW < at <= end for at, _ in reader.messages)
