"""What we lean on in Dagster and dagster-postgres without being promised it; an upgrade that changes it fails here first.

Each docstring says what of ours breaks. Nothing of ours is tested here, so a failure is news about Dagster.
"""

from __future__ import annotations

import inspect
import logging
import signal
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._cli.api import execute_run_command
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import reconstruct_repository_def_from_pointer
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterUnknownPartitionError
from dagster._core.events import EngineEventData
from dagster._core.execution import compute_logs, context_creation_job
from dagster._core.launcher.base import CheckRunHealthResult, RunLauncher, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._daemon import backfill, controller, daemon
from dagster._daemon.monitoring import run_monitoring
from dagster._grpc.types import ExecuteRunArgs
from dagster._utils.interrupts import capture_interrupts, raise_interrupts_as
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.utils import create_pg_connection

from shp_ops import daemon as our_daemon
from shp_ops.late_imports import _LATE
from shp_resources.dagster_storage import sqlalchemy_url
from tests.support.postgres import fresh_database
from tests.support.small_runs import defs as small_runs

STARTED, STARTING = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING


def source(thing: Any) -> str:
    """The source text of a function or class."""
    return inspect.getsource(thing)


@pytest.fixture
def url(postgres_server: str, platform_template: str) -> Iterator[str]:
    """A database with the tables of the installed version, as SQLAlchemy names it."""
    with fresh_database(postgres_server, platform_template) as dsn:
        yield sqlalchemy_url(dsn)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that is gone afterwards."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


# storage (shp_resources/event_storage.py, pooled_storage.py)


def test_all_access_to_events_goes_through_one_method(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event would be stored in several transactions again, half of them outside ours, and could be torn apart."""
    asked = []
    storage = PostgresEventLogStorage(url, should_autocreate_tables=False)

    def connect() -> Any:
        asked.append(1)
        return create_pg_connection(storage._engine)

    monkeypatch.setattr(storage, "_connect", connect)
    with storage.run_connection("a-run"), storage.index_connection(), storage.index_transaction():
        assert len(asked) == 3


def test_a_transaction_under_way_is_joined(url: str) -> None:
    """`index_transaction` would begin a second transaction on a connection that has one, and commit the first one half done."""
    storage = PostgresEventLogStorage(url, should_autocreate_tables=False)
    with create_pg_connection(storage._engine) as connection:
        connection.exec_driver_sql("begin")
        storage._connect = lambda: _Given(connection)  # type: ignore[method-assign, assignment, return-value]
        with storage.index_transaction() as joined:
            assert joined is connection
        connection.exec_driver_sql("rollback")


class _Given:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sa.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        """Somebody else's connection stays open."""


def test_the_plain_form_of_storing_does_all_but_notify() -> None:
    """Ours would leave out something that dagster-postgres' own form has learnt to do."""
    assert "NOTIFY" not in source(SqlEventLogStorage.store_event)
    own, plain = source(PostgresEventLogStorage.store_event), source(SqlEventLogStorage.store_event)
    for step in ("_store_asset_event_tags", "_store_asset_event(", "store_asset_check_event"):
        assert own.count(step) == plain.count(step) == 1


def test_nobody_listens_to_the_notifications() -> None:
    """The UI would not see new events until somebody reloads the page."""
    assert "SqlPollingEventWatcher" in source(PostgresEventLogStorage.watch)
    assert "NOTIFY" in source(PostgresEventLogStorage.store_event)  # if this is gone, so can ours be


def test_the_storage_consists_of_three_parts_with_an_engine_each(url: str) -> None:
    """The pool would be made and not be used."""
    storage = DagsterPostgresStorage(url, should_autocreate_tables=False)
    parts = [storage._run_storage, storage._event_log_storage, storage._schedule_storage]
    assert [storage.run_storage, storage.event_log_storage, storage.schedule_storage] == parts
    for part in parts:
        assert isinstance(part._engine, sa.Engine)
    assert storage._run_storage._engine is not storage._event_log_storage._engine


def test_the_questions_about_the_schema_have_the_answers_we_give(url: str) -> None:
    """Workers would write into columns that are not there, or leave out what the UI needs."""
    runs = PostgresRunStorage(url, should_autocreate_tables=False)
    events = PostgresEventLogStorage(url, should_autocreate_tables=False)
    assert runs.has_run_stats_index_cols() and runs.has_backfill_id_column()
    assert events.has_asset_key_col("last_materialization_timestamp")
    with events.index_connection() as connection:
        assert events._has_asset_key_col_on_connection(connection, "last_materialization_timestamp")
    for name in ("asset_event_tags", "asset_check_executions", "concurrency_limits", "dynamic_partitions", "secondary_indexes"):
        assert events.has_table(name)


def test_what_a_run_plans_is_offered_as_a_batch(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirteen transactions would be made for each run that is requested, instead of one."""
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "100")
    batches: list[int] = []
    storage = instance.event_log_storage
    monkeypatch.setattr(storage, "store_event_batch", lambda events: batches.append(len(events)))
    instance.create_run_for_job(small_runs.resolve_job_def("quick_job"))
    assert batches == [3]


# runs (shp_ops/forkserver, shp_resources/run_launcher.py)


def test_a_worker_is_started_by_one_call() -> None:
    """Nothing would run at all."""
    assert list(inspect.signature(execute_run_command.callback).parameters) == ["input_json", "compressed_input_json"]  # type: ignore[arg-type]
    assert {"job_origin", "run_id", "instance_ref", "set_exit_code_on_failure"} <= set(inspect.signature(ExecuteRunArgs).parameters)


def test_a_second_worker_for_a_run_does_nothing() -> None:
    """A worker that comes late, after the run was given to another one, would do it again."""
    text = source(import_module("dagster._core.execution.api").execute_run_iterator)
    assert "Ignoring a run worker that started after the run had already finished." in text
    assert "Ignoring a duplicate run" in text


def test_definitions_are_made_once_for_a_module() -> None:
    """Each worker would make all definitions again: half a second a run."""
    pointer = ModuleCodePointer("tests.support.small_runs", "defs", None)
    assert pointer.module == "tests.support.small_runs"
    first = reconstruct_repository_def_from_pointer(pointer)
    assert first.get_all_jobs()
    assert reconstruct_repository_def_from_pointer(pointer).get_job("quick_job") is first.get_job("quick_job")


@pytest.mark.parametrize("name", _LATE)
def test_what_the_fork_server_imports_ahead_is_there(name: str) -> None:
    """The fork server would not start."""
    assert import_module(name)


def test_the_console_logger_is_chosen_where_we_replace_it() -> None:
    """Every event of every run would be written to the fork server's log."""
    assert context_creation_job.default_system_loggers(None)[0][0] is dg.colored_console_logger  # type: ignore[attr-defined]
    assert "in default_system_loggers(context_creation_data.instance)" in source(context_creation_job.create_log_manager)


def test_sigterm_and_sigint_interrupt_a_run_alike() -> None:
    """`shp down` would kill workers instead of interrupting them, and `except Exception` would swallow the interruption."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with capture_interrupts(), raise_interrupts_as(DagsterExecutionInterruptedError):
            assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT)
            with pytest.raises(DagsterExecutionInterruptedError):
                signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not issubclass(DagsterExecutionInterruptedError, Exception)


def test_monitoring_asks_the_launcher_of_started_runs_and_looks_twice() -> None:
    """A run that ends while it is looked at would be failed, or nobody would ask whether its worker lives."""
    text = source(run_monitoring.monitor_started_run)
    assert text.index("check_run_worker_health") < text.index("get_run_by_id") < text.index("report_run_failed")
    assert {"check_run_worker_health", "supports_check_run_worker_health", "launch_run", "terminate"} <= set(dir(RunLauncher))
    assert CheckRunHealthResult(WorkerStatus.NOT_FOUND, "why").msg == "why"
    assert not DefaultRunLauncher().supports_check_run_worker_health  # if it learns to, compare it with ours


def test_a_worker_tells_its_pid() -> None:
    """Runs of a code server that died would be STARTED for ever."""
    assert str(EngineEventData.in_process(4711).metadata["pid"].value) == "4711"


def test_who_launched_a_run_can_be_told_from_its_events(instance: dg.DagsterInstance) -> None:
    """Runs that nobody launched (`shp ingest`, `dagster asset materialize`) would be failed for want of a worker."""
    done = small_runs.resolve_job_def("quick_job").execute_in_process(instance=instance)
    records = instance.get_records_for_run(done.run_id, of_type=dg.DagsterEventType.RUN_STARTING, limit=1).records
    assert list(records) == []


def test_the_queue_is_looked_at_in_steps_of_half_a_second() -> None:
    """An interval below that would be a busy loop."""
    assert "shutdown_event.wait(0.5)" in source(daemon.IntervalDaemon.core_loop)


# output of runs (shp_resources/compute_logs.py)


def test_captured_output_has_its_place(tmp_path: Path) -> None:
    """The UI would look for output where we do not put it."""
    manager = LocalComputeLogManager(str(tmp_path))
    places = [manager.get_captured_local_path(["a-run", "compute_logs", "key"], kind) for kind in ("out", "err", "complete")]
    assert places == [str(tmp_path / "a-run" / "compute_logs" / f"key.{kind}") for kind in ("out", "err", "complete")]
    assert IO_TYPE_EXTENSION == {ComputeIOType.STDOUT: "out", ComputeIOType.STDERR: "err"}
    Path(places[2]).parent.mkdir(parents=True)
    Path(places[2]).touch()
    assert manager.is_capture_complete(["a-run", "compute_logs", "key"])


def test_repeating_output_costs_processes() -> None:
    """If Dagster has stopped starting them, our manager can go."""
    assert source(compute_logs.execute_posix_tail).count("subprocess.Popen") == 2


# the graph (shp_assets)


def _two_outputs(*yielded: str) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="makes_two",
        outs={name: dg.AssetOut(key=name, dagster_type=dg.Nothing, is_required=False) for name in ("kept", "left_out")},
        check_specs=[dg.AssetCheckSpec("sound", asset="kept", blocking=True)],
    )
    def makes_two() -> Iterator[Any]:
        for name in yielded:
            yield dg.MaterializeResult(asset_key=name)
        yield dg.AssetCheckResult(asset_key="kept", check_name="sound", passed=False)

    return makes_two


@dg.asset(deps=["left_out"])
def after_left_out() -> None:
    """Needs what was left out."""


@dg.asset(deps=["kept"])
def after_kept() -> None:
    """Needs what has a failing blocking check."""


def test_an_output_that_is_not_required_and_not_yielded_stays_missing(instance: dg.DagsterInstance) -> None:
    """A refused delivery would be green in `validated`, and the warehouse would be asked to publish it."""
    done = dg.materialize([_two_outputs("kept"), after_left_out, after_kept], instance=instance, raise_on_error=False)
    made = {event.asset_key.to_user_string() for event in done.get_asset_materialization_events() if event.asset_key}
    assert made == {"kept"}


def test_a_failed_blocking_check_leaves_its_asset_materialized_and_what_follows_undone(instance: dg.DagsterInstance) -> None:
    """Rows that do not add up would be published, or the partition would be told apart in another way than by its verdict."""
    done = dg.materialize([_two_outputs("kept"), after_kept], instance=instance, raise_on_error=False)
    assert not done.success
    made = {event.asset_key.to_user_string() for event in done.get_asset_materialization_events() if event.asset_key}
    assert made == {"kept"}


def test_a_partitioned_check_keeps_a_result_for_each_partition(instance: dg.DagsterInstance) -> None:
    """The result of today's file would stand for yesterday's."""
    parts = dg.StaticPartitionsDefinition(["one", "two"])

    @dg.asset(partitions_def=parts, check_specs=[dg.AssetCheckSpec("sound", asset="checked", partitions_def=parts)])
    def checked(context) -> Iterator[Any]:  # type: ignore[no-untyped-def]
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name="sound", passed=context.partition_key == "one")

    for key in ("one", "two"):
        dg.materialize([checked], partition_key=key, instance=instance)
    events = instance.get_event_records(dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION))
    results = [record.event_log_entry.get_dagster_event().asset_check_evaluation_data for record in events]
    assert {result.partition: result.passed for result in results} == {"one": True, "two": False}


def test_a_run_in_this_process_names_no_selection(instance: dg.DagsterInstance) -> None:
    """`shp ingest` would be taken for a run of some steps that does not reach the warehouse."""
    parts = dg.StaticPartitionsDefinition(["one"])

    @dg.asset(partitions_def=parts)
    def chosen() -> None:
        """The one."""

    definitions = dg.Definitions(assets=[chosen, after_left_out])
    whole = definitions.get_repository_def().get_implicit_global_asset_job_def()
    done = whole.get_subset(asset_selection={dg.AssetKey("chosen")}).execute_in_process(instance=instance, partition_key="one")
    run = instance.get_run_by_id(done.run_id)
    assert run is not None
    assert not run.asset_selection or run.asset_selection == {dg.AssetKey("chosen")}
    assert run.tags["dagster/partition"] == "one"


def _tick(instance: dg.DagsterInstance, result: dg.SensorResult) -> SensorExecutionData:
    files = dg.DynamicPartitionsDefinition(name="files")

    @dg.asset(partitions_def=files)
    def raw() -> None:
        """One file."""

    @dg.sensor(asset_selection=[raw])
    def arrivals() -> dg.SensorResult:
        return result

    repository = dg.Definitions(assets=[raw], sensors=[arrivals]).get_repository_def()
    with dg.SensorEvaluationContext(instance.get_ref(), repository_def=repository) as context:  # as the code server makes it
        return repository.get_sensor_def("arrivals").evaluate_tick(context)


def _request(key: str) -> dg.RunRequest:
    return dg.RunRequest(partition_key=key, asset_selection=[dg.AssetKey("raw")])


def test_a_key_that_a_tick_adds_may_be_asked_for_in_the_same_tick(instance: dg.DagsterInstance) -> None:
    """A new file would be loaded a tick later, or never."""
    added = dg.DynamicPartitionsDefinition(name="files").build_add_request(["new"])
    data = _tick(instance, dg.SensorResult(run_requests=[_request("new")], dynamic_partitions_requests=[added]))
    assert [request.partition_key for request in data.run_requests or []] == ["new"]


def test_one_unknown_key_fails_the_whole_tick(instance: dg.DagsterInstance) -> None:
    """If this has become harmless, the arrivals sensor need not ask for each key whether it is known."""
    instance.add_dynamic_partitions("files", ["known"])
    requests = [_request(key) for key in ("known", "unknown")]
    with pytest.raises(DagsterUnknownPartitionError):
        _tick(instance, dg.SensorResult(run_requests=requests))


def test_daily_partitions_end_yesterday_unless_told_otherwise() -> None:
    """Today's file would have no partition until tomorrow, or tomorrow's would have one today."""
    now = time.strftime("%Y-%m-%d", time.gmtime())
    assert not dg.DailyPartitionsDefinition("2026-01-01").has_partition_key(now)
    assert dg.DailyPartitionsDefinition("2026-01-01", end_offset=1).has_partition_key(now)


def test_a_failure_of_ours_is_never_retried(instance: dg.DagsterInstance) -> None:
    """A second retry layer would start runs that the ledger knows nothing of."""

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=3))
    def refused() -> None:
        raise dg.Failure("refused", allow_retries=False)

    done = dg.materialize([refused], instance=instance, raise_on_error=False)
    assert [event.event_type for event in done.all_events if "RESTART" in event.event_type_value] == []


def test_a_failure_hook_sees_what_failed(instance: dg.DagsterInstance) -> None:
    """What fails outside an asset's body would have no verdict."""
    seen: list[tuple[str, str]] = []

    @dg.failure_hook
    def caught(context: dg.HookContext) -> None:
        assert context.instance is not None
        seen.append((type(context.op_exception).__name__, context.op.name))

    @dg.asset(hooks={caught})
    def breaks() -> None:
        raise KeyError("missing")

    dg.materialize([breaks], instance=instance, raise_on_error=False)
    assert seen == [("KeyError", "breaks")]


def test_freshness_policies_are_made_as_we_make_them() -> None:
    """The definitions would not load."""
    assert {"fail_window", "warn_window"} <= set(inspect.signature(dg.FreshnessPolicy.time_window).parameters)
    assert {"deadline_cron", "lower_bound_delta", "timezone"} <= set(inspect.signature(dg.FreshnessPolicy.cron).parameters)


def test_the_pause_between_two_looks_at_backfills_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backfill would begin half a minute after it was launched, and another half later be called done."""
    pauses: list[float] = []
    stop = SimpleNamespace(wait=pauses.append)
    monkeypatch.setattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS", controller.DEFAULT_DAEMON_INTERVAL_SECONDS)
    monkeypatch.setattr(controller, "QueuedRunCoordinatorDaemon", controller.QueuedRunCoordinatorDaemon)  # type: ignore[attr-defined]
    monkeypatch.setattr(our_daemon, "main", lambda: None)
    monkeypatch.setattr(backfill, "execute_backfill_iteration", lambda *_, **__: iter(()))
    our_daemon.run()
    looks = backfill.execute_backfill_iteration_loop(cast(Any, None), logging.getLogger(), cast(Any, stop))
    while len(pauses) < 2:
        next(looks)
    assert all(0 < pause <= our_daemon.BACKFILL_SECONDS for pause in pauses)


def test_the_newest_version_of_its_tables_is_the_one_we_know() -> None:
    """Every start would make a backup and an upgrade of what is current, or miss that they are needed."""
    import dagster_postgres
    from alembic.script import ScriptDirectory
    from dagster._core.storage.sql import get_alembic_config

    from shp_resources.dagster_upgrade import STORAGE_HEAD

    assert ScriptDirectory.from_config(get_alembic_config(dagster_postgres.__file__)).get_current_head() == STORAGE_HEAD
