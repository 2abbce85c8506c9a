"""Dagster's storage as workers use it: few connections, few commits, and nothing lost when the database restarts."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetKey,
    AssetMaterialization,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    EventLogEntry,
)
from dagster._core.events import StepMaterializationData, StepSuccessData
from dagster_postgres.event_log import PostgresEventLogStorage

from shp_resources.dagster_storage import sqlalchemy_url
from shp_resources.embedded import EmbeddedServer
from shp_resources.event_storage import LeanEventLogStorage
from shp_resources.pooled_storage import PooledStorage, WorkerStorage
from shp_resources.processes import wait_until
from tests.support.forks import forks_in
from tests.support.holders import REPOSITORY
from tests.support.postgres import connected, fresh_database, rows
from tests.support.waiting import PATIENCE

ASSET = AssetKey(["raw", "sales"])
_OTHERS = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
_EVENTS = "select dagster_event_type, step_key, asset_key, partition from event_logs order by id"


@pytest.fixture
def dsn(postgres_server: str, platform_template: str) -> Iterator[str]:
    """A database with Dagster's tables."""
    with fresh_database(postgres_server, platform_template) as made:
        yield made


def entry(run_id: str, kind: DagsterEventType, data: Any = None) -> EventLogEntry:
    """An event as Dagster hands it to its storage."""
    happened = DagsterEvent(kind.value, "a_job", step_key="raw__sales", event_specific_data=data)
    return EventLogEntry(
        error_info=None,
        level=10,
        user_message="",
        run_id=run_id,
        timestamp=time.time(),
        step_key="raw__sales",
        job_name="a_job",
        dagster_event=happened,
    )


def materialized(run_id: str, partition: str = "one") -> EventLogEntry:
    """An asset was made."""
    return entry(
        run_id,
        DagsterEventType.ASSET_MATERIALIZATION,
        StepMaterializationData(AssetMaterialization(ASSET, partition=partition, tags={"a": "b"})),
    )


def checked(run_id: str, partition: str = "one") -> EventLogEntry:
    """A check was made."""
    result = AssetCheckEvaluation(ASSET, "schema", passed=True, metadata={}, severity=AssetCheckSeverity.WARN, partition=partition)
    return entry(run_id, DagsterEventType.ASSET_CHECK_EVALUATION, result)


def commits(dsn: str) -> int:
    """The number of the next transaction that writes: this one."""
    return int(rows(dsn, "select pg_current_xact_id()::text")[0][0])


# the same rows


def test_it_stores_what_dagsters_own_storage_stores(postgres_server: str, platform_template: str) -> None:
    """The UI, the sensors or a later version of Dagster would miss events, assets or checks."""
    kept = []
    for kind in (PostgresEventLogStorage, LeanEventLogStorage):
        with fresh_database(postgres_server, platform_template) as dsn:
            storage = kind(sqlalchemy_url(dsn), should_autocreate_tables=False)
            for event in (entry("a-run", DagsterEventType.STEP_START), materialized("a-run"), checked("a-run")):
                storage.store_event(event)
            storage.store_event_batch([materialized("a-run", "two"), materialized("a-run", "three")])
            kept.append(
                [
                    rows(dsn, _EVENTS),
                    rows(dsn, "select asset_key, last_run_id, last_materialization is not null from asset_keys"),
                    rows(dsn, "select asset_key, check_name, execution_status, partition, run_id from asset_check_executions"),
                    rows(dsn, "select asset_key, key, value from asset_event_tags order by event_id"),
                ]
            )
    assert kept[0] == kept[1]
    assert [len(table) for table in kept[0][:3]] == [5, 1, 1]


def test_an_event_is_one_transaction(dsn: str) -> None:
    """A run of sixty events would wait for the disk two hundred times instead of sixty times."""
    storage = LeanEventLogStorage(sqlalchemy_url(dsn), should_autocreate_tables=False)
    storage.store_event(materialized("a-run"))
    before = commits(dsn)
    for event in (entry("a-run", DagsterEventType.STEP_START), materialized("a-run"), checked("a-run")):
        storage.store_event(event)
    storage.store_event_batch([materialized("a-run", "two"), materialized("a-run", "three")])
    assert commits(dsn) - before == 4 + 1  # and the one that counts


def test_what_others_depend_on_waits_for_the_disk_and_the_rest_does_not(dsn: str) -> None:
    """A materialization would be lost when the database dies, or forty lines of a run's log would cost forty waits."""
    storage = LeanEventLogStorage(sqlalchemy_url(dsn) + "?options=-c%20synchronous_commit%3Don", should_autocreate_tables=False)
    seen: list[str] = []

    @sa.event.listens_for(storage._engine, "before_cursor_execute")
    def look(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO event_logs"):
            cursor.execute("show synchronous_commit")
            seen.append(cursor.fetchone()[0])

    storage.store_event(entry("a-run", DagsterEventType.STEP_START))
    storage.store_event(materialized("a-run"))
    storage.store_event(checked("a-run"))
    storage.store_event(entry("a-run", DagsterEventType.STEP_SUCCESS, StepSuccessData(1.0)))
    storage.store_event(entry("a-run", DagsterEventType.RUN_SUCCESS))
    storage.store_event_batch([materialized("a-run", "two"), materialized("a-run", "three")])
    assert seen == ["off", "on", "on", "on", "on", "on"]


@pytest.mark.parametrize("kind", [PooledStorage, WorkerStorage])
def test_an_event_that_cannot_be_stored_whole_is_not_stored_at_all(dsn: str, kind: type[PooledStorage]) -> None:
    """An asset would be green in the list and have no event, or the other way round."""
    storage = kind(sqlalchemy_url(dsn)).event_log_storage
    rows(dsn, "alter table asset_keys rename to elsewhere")
    with pytest.raises(sa.exc.ProgrammingError):
        storage.store_event(materialized("a-run"))
    assert rows(dsn, _EVENTS) == rows(dsn, f"select 1 {_OTHERS} and state <> 'idle'") == []
    rows(dsn, "alter table elsewhere rename to asset_keys")
    storage.store_event(materialized("a-run"))
    assert len(rows(dsn, _EVENTS)) == 1


# the pool


def use(storage: PooledStorage, run_id: str = "a-run") -> None:
    """Read and write through all three parts."""
    storage.event_log_storage.store_event(materialized(run_id))
    assert list(storage.run_storage.get_runs(limit=1)) == []
    assert list(storage.schedule_storage.all_instigator_state()) == []


@pytest.mark.parametrize(("kind", "name"), [(PooledStorage, "shp-dagster"), (WorkerStorage, "shp-run")])
def test_all_parts_share_few_connections_that_say_whose_they_are(dsn: str, kind: type[PooledStorage], name: str) -> None:
    """Ten workers would take thirty connections, and nobody could tell which of them to look at."""
    storage = kind(sqlalchemy_url(dsn))
    assert connected(dsn, 0)
    for _ in range(5):
        use(storage)
    assert connected(dsn, 1, name) and connected(dsn, 1)
    storage.run_storage.dispose()
    assert connected(dsn, 0)


def test_many_threads_leave_two_connections(dsn: str) -> None:
    """The daemon's threads would wait for each other, or the database run out of connections."""
    storage = PooledStorage(sqlalchemy_url(dsn))
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda number: use(storage, f"run-{number}"), range(48)))
    assert len(rows(dsn, _EVENTS)) == 48
    assert wait_until(lambda: rows(dsn, f"select count(*) <= 2 {_OTHERS}") == [(True,)], PATIENCE)


def test_what_an_address_sets_is_kept(dsn: str) -> None:
    """A search path or a time limit that somebody wrote into SHP_PG_DSN would be ignored."""
    address = sqlalchemy_url(dsn) + "?options=-c%20work_mem%3D7MB"
    for storage, limit in ((PooledStorage(address), "0"), (WorkerStorage(address), "1min")):
        with storage.run_storage.connect() as connection:  # type: ignore[attr-defined]
            assert connection.execute(sa.text("show work_mem")).scalar_one() == "7MB"
            assert connection.execute(sa.text("show statement_timeout")).scalar_one() == limit


def test_the_webserver_keeps_no_unchecked_connections(dsn: str) -> None:
    """The UI would show an error after each restart of the database."""
    storage = PooledStorage(sqlalchemy_url(dsn))
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.optimize_for_webserver(statement_timeout=1000, pool_recycle=3600, max_overflow=20)
    use(storage)
    rows(dsn, f"select pg_terminate_backend(pid) {_OTHERS}")
    assert connected(dsn, 0)
    use(storage)
    assert connected(dsn, 1)


@pytest.mark.parametrize("kind", [PooledStorage, WorkerStorage])
def test_a_connection_that_was_cut_is_replaced_before_it_is_used(dsn: str, kind: type[PooledStorage]) -> None:
    """A run would fail because of an administrator's `pg_terminate_backend` or a firewall between two of its statements."""
    storage = kind(sqlalchemy_url(dsn))
    for number in range(3):
        use(storage, f"run-{number}")
        rows(dsn, f"select pg_terminate_backend(pid) {_OTHERS}")
        assert connected(dsn, 0)
    use(storage, "run-3")
    assert len(rows(dsn, _EVENTS)) == 4


def test_a_connection_that_lay_idle_is_asked_first(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that vanished without a word (a lost machine) would be noticed by the statement that matters."""
    asked = f"select count(*) {_OTHERS} and query = 'select 1'"
    storage = WorkerStorage(sqlalchemy_url(dsn))
    use(storage)
    storage.run_storage.get_runs(limit=1)
    assert rows(dsn, asked) == [(0,)]
    monkeypatch.setattr("shp_resources.pooled_storage._TRUSTED_SECONDS", 0.0)
    with storage.run_storage.connect():  # type: ignore[attr-defined]
        assert rows(dsn, asked) == [(1,)]


def test_what_is_in_the_schema_is_looked_for_once_and_what_is_missing_again(dsn: str) -> None:
    """Half of what an idle platform asks its database would be whether tables from years ago are still there."""
    storage = PooledStorage(sqlalchemy_url(dsn))
    asked: list[str] = []
    sa.event.listen(storage.schedule_storage._engine, "before_cursor_execute", lambda *call: asked.append(call[2]))  # type: ignore[attr-defined]

    def looks() -> int:
        asked.clear()
        storage.schedule_storage.all_instigator_state()
        storage.run_storage.get_run_records(limit=1)
        storage.run_storage.has_backfill_tags_table()  # type: ignore[attr-defined]
        return sum("pg_catalog" in statement for statement in asked)

    rows(dsn, "alter table backfill_tags rename to elsewhere")
    assert looks() >= 2
    assert looks() == 1, "of what is missing"
    rows(dsn, "alter table elsewhere rename to backfill_tags")
    assert storage.run_storage.has_backfill_tags_table()  # type: ignore[attr-defined]
    assert looks() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_restart_in_mid_run_costs_a_reconnect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """Every restart of the database would fail the runs under way."""
    home = tmp_path / "server"
    server = EmbeddedServer(home)
    dsn = server.start()
    try:
        PooledStorage(sqlalchemy_url(dsn), should_autocreate_tables=True)
        with forks_in(tmp_path, dsn) as forks:
            go = tmp_path / "go"
            run_id, _ = forks.start().begun("wait_job", {"file": str(go)})
            postmaster = server.postmaster
            assert postmaster is not None
            time.sleep(0.5)  # it has told all it had to tell, and waits
            postmaster.send(number)
            assert postmaster.gone_within(PATIENCE)
            assert server.start() == dsn
            go.touch()
            assert forks.end_of(run_id) is DagsterRunStatus.SUCCESS, forks.log
            steps = forks.instance.all_logs(run_id, of_type=DagsterEventType.STEP_SUCCESS)
            assert len(steps) == 1
    finally:
        server.stop()


# through the instance


@pytest.fixture
def dagster_home(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with this database."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("SHP_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHP_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv("SHP_PG_DSN", dsn)
    return folder


def test_the_variable_decides(dagster_home: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers would look at the schema in each run, or the daemon would end statements that may take a while."""
    with DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("sales", ["one"])
        assert connected(dsn, 1, "shp-dagster") and connected(dsn, 0, "shp-run")
    assert connected(dsn, 0)
    monkeypatch.setenv("SHP_DB_POOL", "1")
    with DagsterInstance.get() as instance:
        assert list(instance.get_dynamic_partitions("sales")) == ["one"]
        assert connected(dsn, 0, "shp-dagster") and connected(dsn, 1, "shp-run")
    assert connected(dsn, 0)
