"""Leases: one worker per partition; nobody waits for the dead, and nobody goes on believing in a lease it lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import FaultKind
from shp_resources.ledger import Holder, LeaseLost, Ledger, process_alive
from tests.support.ledgers import FEED, PARTITION, blocked_by, opened
from tests.support.postgres import rows
from tests.support.waiting import until

ME = Holder("here", 100, 1.0, "run-1")
OTHER = Holder("here", 200, 2.0, "run-2")
ELSEWHERE = Holder("there", 300, 3.0, "run-3")


@pytest.fixture
def ledger(prepared_dsn: str) -> Iterator[Ledger]:
    """A ledger in a database of the test's own."""
    with opened(prepared_dsn, pooled=True) as ledger:
        yield ledger


def _take(ledger: Ledger, holder: Holder, *, ttl: float = 30.0, alive: Callable[[int, float], bool] | None = None) -> bool:
    return ledger.leases.acquire(FEED, PARTITION, holder, ttl_seconds=ttl, alive=alive)


def _expire(dsn: str) -> None:
    rows(dsn, "update shp.leases set expires_at = clock_timestamp() - interval '1 second'")


def _give_to(dsn: str, holder: Holder) -> None:
    rows(dsn, "update shp.leases set holder = %s", str(holder))


def _expires(dsn: str) -> datetime:
    ((at,),) = rows(dsn, "select expires_at from shp.leases")
    assert isinstance(at, datetime)
    return at


def _seconds_left(dsn: str) -> float:
    return float(rows(dsn, "select extract(epoch from expires_at - clock_timestamp()) from shp.leases")[0][0])


# taking and giving back


def test_one_holds_and_others_do_not(ledger: Ledger) -> None:
    """Two workers would load one partition at once."""
    assert _take(ledger, ME)
    assert not _take(ledger, OTHER)
    assert ledger.leases.holder(FEED, PARTITION) == str(ME)
    assert ledger.leases.acquire(FEED, "p2", OTHER)


def test_the_holder_may_take_it_again(ledger: Ledger, prepared_dsn: str) -> None:
    """The second step of a run would be locked out by its first."""
    assert _take(ledger, ME, ttl=5)
    since = rows(prepared_dsn, "select acquired_at from shp.leases")
    assert _take(ledger, ME, ttl=600)
    assert rows(prepared_dsn, "select acquired_at from shp.leases") == since
    assert _seconds_left(prepared_dsn) > 500


def test_another_run_of_the_same_process_is_another_holder(ledger: Ledger) -> None:
    """Two threads of `shp ingest` would load one partition at once."""
    assert _take(ledger, ME)
    assert not _take(ledger, replace(ME, run_id="run-9"))


def test_given_back_it_is_free(ledger: Ledger) -> None:
    """A partition would stay locked after its run."""
    _take(ledger, ME)
    assert ledger.leases.release(FEED, PARTITION, ME)
    assert ledger.leases.holder(FEED, PARTITION) is None
    assert _take(ledger, OTHER)


def test_nobody_gives_back_what_is_not_his(ledger: Ledger) -> None:
    """A worker that lost its lease would free its successor's."""
    _take(ledger, ME)
    assert not ledger.leases.release(FEED, PARTITION, OTHER)
    assert ledger.leases.holder(FEED, PARTITION) == str(ME)


def test_an_expired_lease_can_be_taken(ledger: Ledger, prepared_dsn: str) -> None:
    """A machine that is gone would lock its partitions for ever."""
    _take(ledger, ELSEWHERE)
    _expire(prepared_dsn)
    assert ledger.leases.holder(FEED, PARTITION) is None
    assert _take(ledger, ME)
    assert ledger.leases.holder(FEED, PARTITION) == str(ME)
    assert not _take(ledger, ELSEWHERE)


def test_renewing_keeps_it(ledger: Ledger, prepared_dsn: str) -> None:
    """A long load would lose its lease in the middle."""
    _take(ledger, ME, ttl=1)
    assert ledger.leases.renew(FEED, PARTITION, ME, ttl_seconds=600)
    assert _seconds_left(prepared_dsn) > 500
    assert not ledger.leases.renew(FEED, PARTITION, OTHER)
    assert ledger.leases.holder(FEED, PARTITION) == str(ME)


def test_nobody_renews_what_another_took(ledger: Ledger, prepared_dsn: str) -> None:
    """A worker that hung would take its partition back from the one that has it now."""
    _take(ledger, ME)
    _expire(prepared_dsn)
    _take(ledger, OTHER)
    assert not ledger.leases.renew(FEED, PARTITION, ME)
    assert ledger.leases.holder(FEED, PARTITION) == str(OTHER)


def test_a_lease_is_seen_at_once_even_inside_a_transaction(ledger: Ledger, prepared_dsn: str) -> None:
    """Another worker would not see a lease that is taken in an open transaction, and wait for its end."""
    with opened(prepared_dsn) as other, ledger.transaction():
        assert _take(ledger, ME)
        assert not _take(other, OTHER)


# holders that are gone


def test_the_lease_of_a_dead_process_of_this_machine_is_free_at_once(ledger: Ledger) -> None:
    """After a killed worker its partition would wait half a minute for nothing."""
    asked: list[tuple[int, float]] = []

    def dead(pid: int, started: float) -> bool:
        asked.append((pid, started))
        return False

    _take(ledger, OTHER)
    assert _take(ledger, ME, alive=dead)
    assert asked == [(OTHER.pid, OTHER.started)]
    assert ledger.leases.holder(FEED, PARTITION) == str(ME)


def test_the_living_are_left_alone(ledger: Ledger) -> None:
    """A worker would be robbed of its partition while it loads."""
    _take(ledger, OTHER)
    assert not _take(ledger, ME, alive=lambda _pid, _started: True)
    assert not _take(ledger, ME)


def test_nobody_judges_processes_of_another_machine(ledger: Ledger) -> None:
    """A worker on another machine would be taken for dead, because its number means nothing here."""
    _take(ledger, ELSEWHERE)
    assert not _take(ledger, ME, alive=lambda _pid, _started: False)


def test_a_holder_of_another_form_is_left_alone(ledger: Ledger, prepared_dsn: str) -> None:
    """A lease that a later version wrote would crash this one."""
    _take(ledger, OTHER)
    rows(prepared_dsn, "update shp.leases set holder = 'somebody'")
    assert not _take(ledger, ME, alive=lambda _pid, _started: False)


def test_of_two_heirs_one_inherits(ledger: Ledger, prepared_dsn: str) -> None:
    """Two workers that find a dead one would both take its partition."""
    _take(ledger, Holder("here", 1, 1.0, "dead"))
    with opened(prepared_dsn) as other:
        start = threading.Barrier(2)
        won: list[Holder] = []

        def inherit(at: Ledger, heir: Holder) -> None:
            start.wait()
            if _take(at, heir, alive=lambda pid, _started: pid != 1):
                won.append(heir)

        threads = [threading.Thread(target=inherit, args=pair) for pair in ((ledger, ME), (other, OTHER))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(won) == 1
    assert ledger.leases.holder(FEED, PARTITION) == str(won[0])


@pytest.mark.parametrize("expired", [False, True])
def test_of_two_takers_at_once_one_gets_it(ledger: Ledger, prepared_dsn: str, expired: bool) -> None:
    """Two workers that start together would both believe that they are alone."""
    if expired:
        _take(ledger, ELSEWHERE)
        _expire(prepared_dsn)
    with opened(prepared_dsn) as other:
        for _ in range(10):
            start = threading.Barrier(2)
            won: list[Holder] = []

            def take(at: Ledger, holder: Holder, start: threading.Barrier = start, won: list[Holder] = won) -> None:
                start.wait()
                if _take(at, holder):
                    won.append(holder)

            threads = [threading.Thread(target=take, args=pair) for pair in ((ledger, ME), (other, OTHER))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(won) == 1
            _expire(prepared_dsn)


def test_a_taker_that_had_to_wait_sees_the_time_of_its_turn(ledger: Ledger, prepared_dsn: str) -> None:
    """A lease taken after a wait would have expired before it began."""
    _take(ledger, ELSEWHERE)
    _expire(prepared_dsn)

    def lock_row() -> None:
        with ledger._transactions.begin() as connection:
            connection.exec_driver_sql("select * from shp.leases for update")

    with opened(prepared_dsn) as other, blocked_by(prepared_dsn, ledger, lock_row, lambda: _take(other, ME, ttl=60)) as outcome:
        ((turn,),) = rows(prepared_dsn, "select clock_timestamp()")
    assert outcome.result()
    assert _expires(prepared_dsn) >= turn + timedelta(seconds=60)


# holding while a body runs


def test_held_is_held_and_given_back(ledger: Ledger) -> None:
    """A partition would be unprotected during its run, or locked after it."""
    with ledger.leases.held(FEED, PARTITION, ME) as lease:
        assert ledger.leases.holder(FEED, PARTITION) == str(ME)
        assert not lease.lost
        lease.check()
    assert ledger.leases.holder(FEED, PARTITION) is None


def test_what_another_holds_is_busy(ledger: Ledger) -> None:
    """A second run would start beside the first, or fail as a bug."""
    _take(ledger, OTHER)
    with pytest.raises(Fault) as raised, ledger.leases.held(FEED, PARTITION, ME):
        pytest.fail("the body ran")
    assert (raised.value.code, raised.value.kind) == (Code.PARTITION_BUSY, FaultKind.TRANSIENT)
    assert ledger.leases.holder(FEED, PARTITION) == str(OTHER)


def test_a_body_that_fails_gives_it_back(ledger: Ledger) -> None:
    """After a failed run its partition would stay locked, and the failure would be hidden."""
    with pytest.raises(KeyError, match="mine"), ledger.leases.held(FEED, PARTITION, ME):
        raise KeyError("mine")
    assert ledger.leases.holder(FEED, PARTITION) is None


def test_held_inside_held_ends_with_the_outer_one(ledger: Ledger) -> None:
    """A step inside a run that holds the partition would free it for others."""
    with ledger.leases.held(FEED, PARTITION, ME):
        with ledger.leases.held(FEED, PARTITION, ME):
            pass
        assert ledger.leases.holder(FEED, PARTITION) == str(ME)
        with ledger.leases.held(FEED, "p2", ME):
            pass
        assert ledger.leases.holder(FEED, PARTITION) == str(ME)
    assert ledger.leases.holder(FEED, PARTITION) is None


def test_it_is_renewed_while_the_body_runs(ledger: Ledger, prepared_dsn: str) -> None:
    """A load that takes longer than half a minute would be joined by a second one."""
    with ledger.leases.held(FEED, PARTITION, ME, renew_seconds=0.05) as lease:
        first = _expires(prepared_dsn)
        until(lambda: _expires(prepared_dsn) > first + timedelta(seconds=0.1))
        assert not lease.lost
        assert not _take(ledger, OTHER)
    assert ledger.leases.holder(FEED, PARTITION) is None


def test_renewing_goes_on_beside_an_open_transaction(ledger: Ledger, prepared_dsn: str) -> None:
    """A long statement on the worker's own connection would let the lease run out."""
    with ledger.leases.held(FEED, PARTITION, ME, renew_seconds=0.05) as lease, ledger.transaction():
        ledger.publications.newest()
        first = _expires(prepared_dsn)
        until(lambda: _expires(prepared_dsn) > first + timedelta(seconds=0.1))
        assert not lease.lost


def test_nothing_renews_after_the_end(ledger: Ledger) -> None:
    """A thread would go on for every partition that was ever loaded."""
    before = threading.active_count()
    with ledger.leases.held(FEED, PARTITION, ME, renew_seconds=0.05):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_a_lease_that_another_took_is_noticed_by_the_renewal(ledger: Ledger, prepared_dsn: str) -> None:
    """A worker that hung would go on beside the one that took over."""
    with pytest.raises(LeaseLost) as raised, ledger.leases.held(FEED, PARTITION, ME, renew_seconds=0.05) as lease:
        _give_to(prepared_dsn, OTHER)
        until(lambda: lease.lost)
        with pytest.raises(LeaseLost, match="another worker has it"):
            lease.check()
    assert raised.value.code is Code.PARTITION_BUSY
    assert ledger.leases.holder(FEED, PARTITION) == str(OTHER)


def test_a_lease_that_another_took_is_noticed_at_the_end(ledger: Ledger, prepared_dsn: str) -> None:
    """A worker whose machine slept through its renewals would report success."""
    with pytest.raises(LeaseLost), ledger.leases.held(FEED, PARTITION, ME, renew_seconds=60):
        _give_to(prepared_dsn, OTHER)


def test_a_lease_that_could_not_be_renewed_is_lost_in_time(ledger: Ledger) -> None:
    """While the ledger is away a worker would go on longer than its lease is good for."""
    with pytest.raises(LeaseLost, match="in time"), ledger.leases.held(FEED, PARTITION, ME, ttl_seconds=0.2, renew_seconds=60) as lease:
        until(lambda: lease.lost)


def test_a_ledger_that_is_away_for_a_moment_costs_nothing(ledger: Ledger, prepared_dsn: str) -> None:
    """A restart of the database would stop every load that is under way."""
    with ledger.leases.held(FEED, PARTITION, ME, ttl_seconds=5, renew_seconds=0.05) as lease:
        others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        rows(prepared_dsn, others)
        before = lease.valid_until
        until(lambda: lease.valid_until > before)
        assert not lease.lost


def test_the_bodys_own_failure_is_seen_also_when_the_ledger_is_away(ledger: Ledger, prepared_dsn: str) -> None:
    """A load that failed because the database died would be reported as something else."""
    with pytest.raises(KeyError, match="mine"), ledger.leases.held(FEED, PARTITION, ME):
        rows(prepared_dsn, "drop schema shp cascade")
        raise KeyError("mine")


# holders and processes


@given(
    st.builds(
        Holder,
        host=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        pid=st.integers(1, 2**31 - 1),
        started=st.integers(0, 10**12).map(lambda hundredths: hundredths / 100),
        run_id=st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]), max_size=40),
    )
)
def test_a_holder_can_be_read_back(holder: Holder) -> None:
    """A dead worker's lease could not be told from a living one's."""
    assert Holder.parse(str(holder)) == holder


@pytest.mark.parametrize("text", ["", "a:b:c", "host:pid:1.0:run", "host:1:then:run", "somebody"])
def test_what_is_no_holder_is_none(text: str) -> None:
    """A row that somebody wrote by hand would crash every worker."""
    assert Holder.parse(text) is None


def test_this_process_is_alive() -> None:
    """Every worker would take every other for dead."""
    here = Holder.here("run-1")
    assert here.pid == os.getpid()
    assert process_alive(here.pid, here.started)


def test_a_holder_that_was_written_down_is_still_alive() -> None:
    """Rounding in the stored text would make the living look dead."""
    written = Holder.parse(str(Holder.here("run-1")))
    assert written is not None and process_alive(written.pid, written.started)


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_no_process_is_not_alive(pid: int) -> None:
    """A missing process number would read as 'every process of my group', which always lives."""
    assert not process_alive(pid, time.time())


def test_a_later_process_with_the_same_number_is_another(ledger: Ledger) -> None:
    """After a reboot a stranger with the same number would keep a partition locked."""
    here = Holder.here("run-1")
    assert not process_alive(here.pid, here.started - 5)


def test_a_killed_process_is_not_alive_even_before_it_is_buried() -> None:
    """A killed worker whose parent has not looked yet would keep its partition locked."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        started = _start_of(child.pid)
        assert process_alive(child.pid, started)
        child.kill()
        until(lambda: not process_alive(child.pid, started))
    finally:
        child.kill()
        child.wait()
    assert not process_alive(child.pid, started)


def _start_of(pid: int) -> float:
    import psutil

    return psutil.Process(pid).create_time()
