"""A database that is stopped in mid-load, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shp_core.healing.breaker import PAUSES, Phase
from shp_resources.embedded import EmbeddedServer
from shp_resources.warehouse import transfer
from tests.support.healing import Ward, calls_counted, number_of
from tests.support.platforms import order
from tests.support.postgres import rows

NAMES = [f"file{number}" for number in range(6)]
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A PostgreSQL of its own for the warehouse; the ledger's is another one."""
    server = EmbeddedServer(tmp_path / "warehouse", FAST)
    yield server
    server.stop()


def stopping(monkeypatch: pytest.MonkeyPatch, server: EmbeddedServer, at: int) -> None:
    """Stop the server in the middle of the nth load."""
    begun: list[int] = []
    plain = transfer.copy_clean

    def copy(*args: Any) -> Any:
        begun.append(1)
        staged = plain(*args)
        if len(begun) == at:
            server.stop()
        return staged

    monkeypatch.setattr(transfer, "copy_clean", copy)


def test_a_database_stopped_in_mid_load_and_back(ward: Ward, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage at night would mean a morning of pressing buttons, half partitions, or rows that are there twice."""
    ward.platform.turn_to(server.start())
    stopping(monkeypatch, server, at=3)
    ward.drop(*NAMES)
    ward.look("arrivals")
    states = list(ward.states().values())
    assert states.count("published") == 2
    ward.later(PAUSES.first)
    ward.look("recovery")
    assert ward.phase() is Phase.OPEN
    with calls_counted() as calls:
        ward.drop("late")
        assert [result.success for result in ward.look("arrivals", "redrives")] == [False], "kept and validated, not published"
    assert calls == []
    (incident,) = ward.incidents()
    assert (incident.cause, incident.closed_at) == ("warehouse", None)
    assert "late" in {member.partition for member in incident.members}

    dsn = server.start()
    ward.platform.turn_to(dsn)
    ward.until(lambda: set(ward.states().values()) == {"published"})
    ward.until(lambda: all(found.closed_at for found in ward.incidents()), seconds=60)
    found = rows(dsn, 'select _partition, "order" from warehouse.orders order by 1')
    assert found == sorted((name, number_of(name)) for name in [*NAMES, "late"])
    (closed,) = ward.incidents()
    assert {member.outcome for member in closed.members} == {"healed"}
    assert closed.proof is not None and closed.proof.startswith(f"{len(closed.members)} partitions were read again")
    assert max(len(ward.platform.attempts(name)) for name in NAMES) <= 3, "nobody hammered"


def test_readers_keep_the_last_good_rows_while_a_correction_waits(ward: Ward, server: EmbeddedServer) -> None:
    """A table would lose its rows because their correction cannot be written yet."""
    ward.platform.turn_to(server.start())
    ward.drop("a")
    ward.look("arrivals")
    server.stop()
    ward.platform.drop("a.xlsx", [order(1), order(2)])
    ward.look("arrivals")
    assert ward.states() == {"a": "parked"}
    dsn = server.start()
    assert rows(dsn, 'select "order" from warehouse.orders') == [(number_of("a"),)]
    ward.platform.turn_to(dsn)
    ward.until(lambda: ward.states() == {"a": "published"})
    assert rows(dsn, 'select "order" from warehouse.orders order by 1') == [(1,), (2,)]
