"""What breaks in the middle: lost connections, killed backends, damaged artefacts; the tables stay as they were."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_resources.warehouse import Held, Warehouse
from tests.support.waiting import PATIENCE, until
from tests.support.warehouse import EVERY_TYPE, ITEMS, Delivery, Desk, contract_of, delivery, reject, reject_batch, target_of

CONTRACT = contract_of(ITEMS)
OLD = delivery(CONTRACT, [("1", "old"), ("2", "old")], rejects=(reject_batch(reject(7, "old")),))
RIVAL = delivery(CONTRACT, [("2", "rival"), ("3", "rival")])
NEW = delivery(CONTRACT, [(str(key), "new") for key in range(2, 5_000)], batch_rows=500, rejects=(reject_batch(reject(8, "new")),))
_LOST = {Code.SINK_UNREACHABLE, Code.TRANSIENT}
_END_PUBLISHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'shp'"
    " AND pid <> pg_backend_pid() AND state <> 'idle'"
)


@pytest.fixture(params=[True, False], ids=["pooled", "plain"])
def desk(request: pytest.FixtureRequest, database_dsn: str) -> Desk:
    """Two partitions that share a key are published."""
    desk = Desk(database_dsn, target_of(ITEMS))
    desk.__dict__["warehouse"] = Warehouse(lambda: database_dsn, pooled=request.param)
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    return desk


def killing(desk: Desk, batches: Iterable[pa.RecordBatch], after: int) -> Iterator[pa.RecordBatch]:
    """Batches; before the one with this number the server ends the publisher's backend."""
    for number, batch in enumerate(batches):
        if number == after:
            assert desk.rows(_END_PUBLISHERS) == [(True,)]
            until(lambda: desk.rows(_END_PUBLISHERS) == [])
        yield batch


def fails(desk: Desk, given: Delivery, clean: Iterable[pa.RecordBatch], rejects: Iterable[pa.RecordBatch]) -> Fault:
    """The publication fails, everything stays as it was, and the next try succeeds."""
    before = desk.contents(), desk.places(), desk.rows("SELECT * FROM shp_pub.fences ORDER BY 2")
    with pytest.raises(Fault) as raised:
        desk.warehouse.publish(desk.target, desk.publication("p1", given), clean, rejects)
    assert (desk.contents(), desk.places(), desk.rows("SELECT * FROM shp_pub.fences ORDER BY 2")) == before
    assert desk.held("p1") == Held(2, 0, OLD.hash)
    assert desk.publish("p1", given).loaded == given.rows
    assert desk.held("p1") == Held(given.rows, 0, given.hash)
    return raised.value


@pytest.mark.parametrize("after", [0, 1, 9])
def test_a_backend_killed_in_the_middle_of_the_copy(desk: Desk, after: int) -> None:
    """If this failed, a restart of the database while a file is loaded would leave half of it, or stop the feed."""
    fault = fails(desk, NEW, killing(desk, NEW.batches, after), NEW.rejects)
    assert fault.code in _LOST, fault.message
    assert fault.evidence.system == "warehouse" and fault.evidence.sqlstate in ("57P01", "08006")


def test_a_backend_killed_after_the_rows_were_moved(desk: Desk) -> None:
    """If this failed, displaced rows would have moved although the publication that moved them never was."""
    fault = fails(desk, NEW, NEW.batches, killing(desk, NEW.rejects, 0))
    assert fault.code in _LOST, fault.message


def test_a_backend_killed_at_commit(desk: Desk) -> None:
    """If this failed, a publication could be told as done that the database has forgotten."""
    desk.rows(
        "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';"
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON shp_pub.publications DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION public.die()"
    )
    before = desk.contents(), desk.places()
    with pytest.raises(Fault) as raised:
        desk.publish("p1", NEW)
    assert raised.value.code in _LOST
    assert (desk.contents(), desk.places()) == before
    desk.rows("DROP TRIGGER die ON shp_pub.publications")
    assert desk.publish("p1", NEW).loaded == NEW.rows


def test_a_lost_connection_is_told_once_and_plainly(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """If this failed, the first thing an operator reads would be a pool's trace about a rollback that cannot be."""
    with caplog.at_level(logging.WARNING):
        fault = fails(desk, NEW, killing(desk, NEW.batches, 2), [])
    assert "connection" in fault.message
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_damaged_artefact_keeps_its_own_name(desk: Desk) -> None:
    """If this failed, a damaged artefact would be told as a query that somebody cancelled, and retried for nothing."""

    def broken(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from list(batches)[:2]
        raise Fault(Code.ARTEFACT_DAMAGED, "clean.parquet cannot be read.", Evidence("store"))

    assert fails(desk, NEW, broken(NEW.batches), []).code is Code.ARTEFACT_DAMAGED
    desk.publish("p1", OLD)
    assert fails(desk, NEW, NEW.batches, broken([])).code is Code.ARTEFACT_DAMAGED


def test_a_mistake_of_ours_keeps_its_own_name(desk: Desk) -> None:
    """If this failed, a mistake in the code would look like a passing failure of the database."""

    def mistaken() -> Iterator[pa.RecordBatch]:
        yield NEW.batches[0]
        yield NEW.batches[0].select(["id"])

    with pytest.raises(KeyError):
        desk.warehouse.publish(desk.target, desk.publication("p1", NEW), mistaken(), [])
    assert desk.held("p1") == Held(2, 0, OLD.hash)


def test_an_interruption_is_an_interruption(desk: Desk) -> None:
    """If this failed, Ctrl-C while a file is loaded would be taken for a failure of the database, and nothing would stop."""

    def interrupted() -> Iterator[pa.RecordBatch]:
        yield NEW.batches[0]
        signal.raise_signal(signal.SIGINT)
        yield NEW.batches[1]

    before = desk.contents(), desk.places()
    with pytest.raises(KeyboardInterrupt):
        desk.warehouse.publish(desk.target, desk.publication("p1", NEW), interrupted(), [])
    assert (desk.contents(), desk.places()) == before
    assert desk.publish("p1", NEW).loaded == NEW.rows


def test_a_twin_key_from_a_mistake_upstream_is_not_loaded(desk: Desk) -> None:
    """If this failed, a mistake in the split would put one of two rows into the table, and nobody would know which."""
    twins = delivery(CONTRACT, [("7", "one of two"), ("7", "the other")])
    before = desk.contents(), desk.places()
    with pytest.raises(Fault) as raised:
        desk.publish("p1", twins)
    assert raised.value.code is Code.CODE_BUG
    assert raised.value.evidence.sqlstate == "23505"
    assert "one of two" not in str(raised.value) and "one of two" not in repr(raised.value.__cause__)
    assert (desk.contents(), desk.places()) == before


def test_no_rights_and_read_only_are_told_apart(desk: Desk) -> None:
    """If this failed, the platform would knock again and again where only a person can open."""
    name = desk.dsn.rpartition("/")[2]
    desk.rows(f"ALTER DATABASE {name} SET default_transaction_read_only TO on")
    other = Desk(desk.dsn, desk.target, arrivals=desk.arrivals)
    with pytest.raises(Fault) as raised:
        other.publish("p1", NEW)
    assert (raised.value.code, raised.value.evidence.sqlstate) == (Code.SINK_UNREACHABLE, "25006")
    desk.connection.close()


def test_a_role_that_may_not_write_is_refused(database_dsn: str) -> None:
    """If this failed, a missing right would be taken for a passing failure and tried for a day."""
    desk = Desk(database_dsn, target_of(ITEMS))
    desk.publish("p1", OLD)
    role = f"reader_{os.getpid()}"
    desk.rows(f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA warehouse, shp_pub, quarantine, mart TO {role}")
    desk.rows(f"GRANT SELECT ON ALL TABLES IN SCHEMA warehouse, shp_pub TO {role}")
    try:
        limited = Desk(f"{database_dsn}?options=-c%20role%3D{role}", desk.target, arrivals=1)
        assert limited.held("p1") == Held(2, 0, OLD.hash)
        with pytest.raises(Fault) as raised:
            limited.publish("p1", NEW)
        assert (raised.value.code, raised.value.evidence.sqlstate) == (Code.SINK_REFUSED, "42501")
    finally:
        desk.rows(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_no_address_says_what_to_do() -> None:
    """If this failed, a stopped embedded server would look like a mistake in the code."""
    with pytest.raises(Fault) as raised:
        Warehouse(lambda: None).read_back(target_of(ITEMS), "p1")
    assert raised.value.code is Code.SINK_UNREACHABLE
    assert "shp up" in raised.value.next_step


_PUBLISH_AND_DIE = """
    import os, signal, sys
    from tests.support.warehouse import Desk, ITEMS, contract_of, delivery, target_of
    dsn, after = sys.argv[1], int(sys.argv[2])
    desk = Desk(dsn, target_of(ITEMS), arrivals=2)
    given = delivery(contract_of(ITEMS), [(str(key), "new") for key in range(2, 5_000)], batch_rows=500)
    def batches():
        for number, batch in enumerate(given.batches):
            if number == after:
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch
    desk.warehouse.publish(desk.target, desk.publication("p1", given), batches(), [])
"""


@pytest.mark.parametrize("after", [0, 5])
def test_a_killed_worker_leaves_no_trace_and_no_lock(database_dsn: str, after: int) -> None:
    """If this failed, a worker that dies would leave half a partition, or a lock that stops its feed."""
    desk = Desk(database_dsn, target_of(ITEMS))
    desk.publish("p1", OLD)
    before = desk.contents(), desk.places()
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PUBLISH_AND_DIE), database_dsn, str(after)], env=environ, timeout=PATIENCE, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert (desk.contents(), desk.places()) == before
    assert desk.publish("p1", NEW).loaded == NEW.rows
    assert desk.held("p1") == Held(NEW.rows, 0, NEW.hash)


def test_values_of_cells_do_not_leave_with_errors(database_dsn: str) -> None:
    """If this failed, personal data would stand in logs and in the ledger."""
    desk = Desk(database_dsn, target_of(EVERY_TYPE))
    desk.publish("p1", delivery(desk.target.contract, []))
    desk.rows("ALTER TABLE warehouse.every_type_rows ADD CHECK (text <> 'Jane Doe')")
    with pytest.raises(Fault) as raised:
        desk.publish("p1", delivery(desk.target.contract, [("1", *[None] * 5, "Jane Doe", None)]))
    shown, error = "", raised.value
    while error is not None:
        shown += f"{error} {error!r} "
        error = error.__cause__
    assert "Jane" not in shown
    assert raised.value.evidence.sqlstate == "23514"
