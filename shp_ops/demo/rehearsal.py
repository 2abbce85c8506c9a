"""`shp demo --faults`: a real platform, real faults, nobody lends a hand but where a person must, and the proof.

    a source that goes away, a file cut in half, a renamed column · a worker killed · the database killed in mid-load · a restart

Must not live here: what the command shows.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from shp_core.codes import Code
from shp_core.errors import Fault, ShpError
from shp_core.states import State
from shp_ops.accept import accept
from shp_ops.demo.home import claim
from shp_ops.demo.rehearsal_files import DRIFTED, FEED, FEED_FILE, Book, drop
from shp_ops.supervisor.platform import Platform
from shp_ops.supervisor.state import PlatformState
from shp_resources.ledger import Incident, Ledger, PartitionRecord
from shp_resources.settings import Settings
from shp_resources.warehouse import Warehouse

T = TypeVar("T")

_PATIENCE_SECONDS = 150.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Act:
    """One fault.

    Args:
        done: what was done to the platform.
        seen: what it made of it.
        seconds: from the fault to where everything was published again; None where it was not.
    """

    done: str
    seen: str
    seconds: float | None


@dataclass(frozen=True)
class Rehearsed:
    """What the rehearsal shows at its end.

    Args:
        acts: the faults, in order.
        proof: per comparison its name, what the tables say by SQL, and what was delivered.
        incidents: what people were told.
    """

    acts: list[Act] = field(default_factory=list)
    proof: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)

    @property
    def proven(self) -> bool:
        """Whether everything healed, nothing is lost or there twice, and every incident is over."""
        equal = bool(self.proof) and all(held == delivered for _, held, delivered in self.proof)
        healed = all(act.seconds is not None for act in self.acts)
        return equal and healed and all(incident.closed_at is not None for incident in self.incidents)


def rehearse(settings: Settings, say: Callable[[str], None]) -> Rehearsed:
    """Play it, in a home that is made anew.

    Args:
        settings: made by `demo_settings`.
        say: takes a line for people.

    Raises:
        ShpError: it took too long, or the platform could not be started.
    """
    settings = _made_anew(settings)
    with Platform(settings, tell=say).running() as platform:
        stage = Stage(settings, say, Ledger(lambda: platform.dsn))
        acts = [*_files_go_wrong(stage), _worker_killed(stage), _database_killed(stage)]
        stage.drop(*stage.books("after", 3))
        stage.until(lambda: any(record.state is not State.ARRIVED for record in stage.records("after")))
    say("-- the platform was stopped in mid-load; starting it again")
    began = time.monotonic()
    with Platform(settings, tell=say).running() as platform:
        stage.ledger = Ledger(lambda: platform.dsn)
        seconds = stage.healed(began)
        acts.append(Act("platform stopped in mid-load and started again", "3 files were taken up again", seconds))
        stage.until(lambda: not stage.ledger.incidents.open())
        proof = _proof(Warehouse(lambda: platform.dsn), stage.delivered)
        return Rehearsed(acts, proof, stage.ask(lambda: stage.ledger.incidents.newest(100)))


@dataclass
class Stage:
    """The platform that is troubled, and what was delivered to it.

    Args:
        settings: the installation.
        say: takes a line for people.
        ledger: its ledger.
        delivered: every workbook that must be published in the end.
    """

    settings: Settings
    say: Callable[[str], None]
    ledger: Ledger
    delivered: list[Book] = field(default_factory=list)

    def books(self, name: str, count: int) -> list[Book]:
        """The next workbooks, called after what happens to them."""
        first = len(self.delivered) + 1
        made = [Book(f"{name}_{number + 1}", first + number) for number in range(count)]
        self.delivered += made
        return made

    def drop(self, *books: Book) -> None:
        """They come."""
        for book in books:
            drop(self.settings.landing / FEED, book)

    def ask(self, do: Callable[[], T]) -> T:
        """Ask the ledger, which may be away for a moment."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return do()
            except Fault:
                if time.monotonic() > end:
                    raise
                time.sleep(_LOOK_SECONDS)

    def records(self, name: str = "") -> list[PartitionRecord]:
        """Where the workbooks stand."""
        return [one for one in self.ask(lambda: self.ledger.partitions.list(FEED)) if one.partition.startswith(name)]

    def state(self, book: Book) -> State | None:
        """Where one of them stands."""
        return next((record.state for record in self.records() if record.partition == book.name), None)

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for something.

        Raises:
            ShpError: it did not happen.
        """
        end = time.monotonic() + _PATIENCE_SECONDS
        while not self.ask(true):
            if time.monotonic() > end:
                held = [f"{one.partition} {one.state} {one.code or ''}" for one in self.records() if not one.state.is_published]
                raise ShpError(
                    Code.CODE_BUG, f"Not healed after {_PATIENCE_SECONDS:.0f} s: {held}.", "Look at the logs in the demo's home."
                )
            time.sleep(_LOOK_SECONDS)

    def healed(self, began: float) -> float:
        """Wait until everything that was delivered is published; seconds since then."""
        names = {book.name for book in self.delivered}
        self.until(lambda: names <= {one.partition for one in self.records() if one.state.is_published})
        return time.monotonic() - began

    def published(self, books: list[Book], began: float) -> list[float]:
        """Wait until these are published; for each the seconds since then."""
        seconds: dict[str, float] = {}

        def note() -> bool:
            for record in self.records():
                if record.state.is_published:
                    seconds.setdefault(record.partition, time.monotonic() - began)
            return all(book.name in seconds for book in books)

        self.until(note)
        return [seconds[book.name] for book in books]


def _made_anew(settings: Settings) -> Settings:
    claim(settings)
    for name in ("landing", "store", "feeds", "postgres", "dagster", "run", "logs"):
        shutil.rmtree(settings.home / name, ignore_errors=True)
    own = replace(settings, feeds=settings.home / "feeds")
    own.feeds.mkdir(parents=True)
    (own.feeds / f"{FEED}.yaml").write_text(FEED_FILE, encoding="utf-8")
    return own


def _files_go_wrong(stage: Stage) -> list[Act]:
    """Three files go wrong at once, beside two that are well; each heals when its own cause is gone."""
    stage.say("-- of five files one goes away before it is copied, one comes cut in half, one with a renamed column")
    half, drifted, gone = (stage.books(name, 1)[0] for name in ("half", "drifted", "gone"))
    landing, whole, content = stage.settings.landing / FEED, half.content(), gone.content()
    stage.drop(*stage.books("calm", 2))
    drop(landing, half, whole[: len(whole) // 2])
    drop(landing, drifted, drifted.content(DRIFTED))
    path = drop(landing, gone, content)
    stage.until(lambda: stage.state(gone) is not None)
    path.unlink()
    stage.until(lambda: stage.state(gone) in (State.WAITING, State.PUBLISHED))
    stage.until(lambda: {stage.state(half), stage.state(drifted)} == {State.QUARANTINED})
    seen = _seen(stage, half, drifted, gone)
    stage.say("-- the file is put back, the whole one is delivered; a person accepts the new column: shp feeds accept")
    began = time.monotonic()
    drop(landing, gone, content)
    drop(landing, half, whole)
    accept(stage.settings, FEED, drifted.name).write()
    done = (
        "a file that was cut in half, then delivered whole",
        "a renamed column, accepted by a person",
        "a file taken away before it was copied, then put back",
    )
    seconds = stage.published([half, drifted, gone], began)
    return [Act(*told) for told in zip(done, seen, seconds, strict=True)]


def _seen(stage: Stage, half: Book, drifted: Book, gone: Book) -> tuple[str, str, str]:
    """What the platform made of three files that went wrong."""
    records = {record.partition: record for record in stage.records()}
    why = (records[drifted.name].message or "").rpartition("; ")[2].rstrip(".")
    waits = records[gone.name].state is State.WAITING
    return (
        f"it was quarantined ({records[half.name].code}), then loaded",
        f"it was held ({why})",
        "it waited for its source (source_missing)" if waits else "it had been copied in time",
    )


def _worker_killed(stage: Stage) -> Act:
    stage.say("-- a worker is killed (kill -9) while it works")
    stage.drop(*stage.books("killed", 3))
    stage.until(lambda: bool(stage.ledger.attempts.under_way(FEED)))
    victim = stage.ask(lambda: stage.ledger.attempts.under_way(FEED))[0]
    began = time.monotonic()
    _kill(victim.pid)
    seconds = stage.healed(began)
    ended = stage.ask(lambda: stage.ledger.attempts.of_partition(FEED, victim.partition))
    codes = [one.code for one in ended if one.code]
    return Act("a worker killed with kill -9", f"{victim.partition} ran again ({codes[0] if codes else 'it had just ended'})", seconds)


def _database_killed(stage: Stage) -> Act:
    stage.say("-- the database is killed (kill -9) in mid-load")
    stage.drop(*stage.books("outage", 6))
    stage.until(lambda: bool(stage.ledger.attempts.under_way(FEED)))
    began = time.monotonic()
    state = PlatformState.load(stage.settings.home / "run" / "platform.json")
    pid = state.services["postgres"].pid if state else None
    if pid is not None:
        _kill(pid)
    seconds = stage.healed(began)
    hit = sum(bool(one.code) for name in stage.records("outage") for one in stage.ledger.attempts.of_partition(FEED, name.partition))
    return Act("the database killed in mid-load", f"6 files were published, {hit} runs had been hit", seconds)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it had just ended
        return


def _proof(warehouse: Warehouse, delivered: list[Book]) -> list[tuple[str, Decimal, Decimal]]:
    """The tables by SQL, and what was delivered."""
    with warehouse.transaction(readonly=True) as cur:
        cur.execute('SELECT count(*), count(DISTINCT "order"), count(DISTINCT _partition), sum(amount) FROM warehouse.orders')
        rows, keys, partitions, total = (Decimal(value) for value in cur.fetchone())
        cur.execute("SELECT count(*) FROM shp_pub.publications WHERE feed = %s", (FEED,))
        publications = Decimal(cur.fetchone()[0])
    orders = Decimal(sum(len(book.orders) for book in delivered))
    files = Decimal(len(delivered))
    return [
        ("rows", rows, orders),
        ("distinct orders", keys, orders),
        ("sum of Amount", total, sum((book.total for book in delivered), Decimal(0))),
        ("partitions", partitions, files),
        ("publications", publications, files),
    ]
