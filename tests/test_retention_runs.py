"""Retention of Dagster's runs: five thousand old ones go, and no partition looks missing for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from shp_ops.retention import retention
from shp_ops.supervisor.daily import Daily
from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.scribe import Scribe
from tests.support.holders import REPOSITORY
from tests.support.platforms import FEED, Platform, order
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE

COPIES = 5000
OLD = datetime.now(UTC) - timedelta(days=200)
PARTITIONS = ["bad", "good", "new"]


def copied(dsn: str, table: str, which: str = "true") -> None:
    """For each run that is a copy put a copy of the table's rows beside those of its model."""
    query = "select column_name from information_schema.columns where table_schema = 'public' and table_name = %s and column_name <> 'id'"
    names = [name for (name,) in rows(dsn, query, table)]
    own = {"run_id": "o.copy", "event": "replace(t.event, t.run_id, o.copy)", "evaluation_event_storage_id": "null"}
    values = ", ".join(own.get(name, f"t.{name}") for name in names)
    source = f"{table} t join copies o using (run_id) where {which} order by o.copy, t.id"
    rows(dsn, f"insert into {table} ({', '.join(names)}) select {values} from {source}")


def aged(dsn: str, partition: str) -> None:
    """Let all runs have ended half a year ago, and that of a partition have been there five thousand times, with most of its events."""
    model = "select run_id from run_tags where key = 'dagster/partition' and value = %s"
    copies = f"select run_id, gen_random_uuid()::text as copy from ({model}) m, generate_series(1, %s)"
    rows(dsn, f"create table copies as {copies}", partition, COPIES)
    rows(dsn, "update runs set update_timestamp = %s, create_timestamp = %s, end_time = %s", OLD, OLD, OLD.timestamp())
    rows(dsn, "update event_logs set timestamp = %s", OLD)
    for table in ("runs", "run_tags", "asset_check_executions"):
        copied(dsn, table)
    copied(dsn, "event_logs", "t.asset_key is not null or t.dagster_event_type like 'STEP%' or t.dagster_event_type like 'PIPELINE%'")
    rows(dsn, "drop table copies")


def shown(platform: Platform, requests: Sequence[dg.RunRequest]) -> dict[str, Any]:
    """What Dagster tells of every asset's partitions, read anew; and whether sensors' requests count as made."""
    platform.sql("update asset_keys set cached_status_data = null")
    instance, kit = platform.instance, platform.kits[FEED]
    events = instance.event_log_storage
    materialized = dg.DagsterEventType.ASSET_MATERIALIZATION
    return {
        "states": [instance.get_status_by_partition(key, PARTITIONS, kit.partitions) for key in kit.keys],
        "materialized": [events.get_latest_storage_id_by_partition(key, materialized) for key in kit.keys],
        "not reached": [events.get_latest_asset_partition_materialization_attempts_without_materializations(key) for key in kit.keys],
        "last runs": [record.asset_entry.last_run_id for record in instance.get_asset_records(kit.keys)],
        "checks": platform.sql(
            "select distinct on (asset_key, check_name, partition) asset_key, check_name, partition, id, execution_status"
            " from asset_check_executions order by asset_key, check_name, partition, id desc"
        ),
        "asked for": [platform.was_requested(request) for request in requests],
    }


def database_bytes(platform: Platform) -> int:
    """Size of the database."""
    return int(platform.sql("select pg_database_size(current_database())")[0][0])


def test_five_thousand_old_runs_go_and_every_partition_stays_as_it_was(platform: Platform) -> None:
    """The database would fill the disk, or partitions would be missing in the UI, or everything old would be run again."""
    platform.drop("good.xlsx", [order(1)])
    platform.drop_bytes("bad.xlsx", b"no workbook")
    tick = platform.tick()
    platform.fulfil(tick)
    assert [platform.state(name)[0] for name in ("good", "bad")] == ["published", "quarantined"]
    aged(platform.dsn, "good")
    (new,) = platform.fulfil(_drop_new(platform))
    before, large = shown(platform, tick.requests), database_bytes(platform)
    assert before["asked for"] == [True, True]
    told = retention(platform.settings, dry_run=True)
    assert shown(platform, tick.requests) == before
    captured = [output(platform, "old", OLD), output(platform, "young", datetime.now(UTC))]
    letters(platform.dsn)
    log = daily(platform)
    assert [folder.exists() for folder in captured] == [False, True]
    assert platform.sql("select subject from shp.alerts order by 1") == [("sent lately",), ("waits",)]
    assert f"{told['runs']:,} runs, {told['events']:,} events" in log, "what was told is what went"
    assert told["runs"] == COPIES, "one of the same partition's stays"
    assert shown(platform, tick.requests) == before
    assert database_bytes(platform) < large / 2
    assert platform.tick().requests == [], "nothing is run again"
    left = [(run.run_id == new.run_id, run.tags["dagster/partition"]) for run in platform.instance.get_runs()]
    assert sorted(left) == [(False, "bad"), (False, "good"), (True, "new")]
    assert retention(platform.settings, dry_run=False)["runs"] == 0


def output(platform: Platform, run: str, at: datetime) -> Path:
    """The captured output of a run."""
    folder = platform.settings.home / "dagster" / "storage" / run / "compute_logs"
    folder.mkdir(parents=True)
    (folder / "step.out").write_text("said")
    os.utime(folder, (at.timestamp(), at.timestamp()))
    return folder


def letters(dsn: str) -> None:
    """Letters to people: one delivered long ago, one lately, one that still waits."""
    for subject, at, sent in (("sent long ago", OLD, OLD), ("sent lately", datetime.now(UTC), OLD), ("waits", OLD, None)):
        columns = "destination, subject, text, made_at, tries, next_try_at, sent_at"
        rows(dsn, f"insert into shp.alerts ({columns}) values ('log', %s, '-', %s, 1, %s, %s)", subject, at, at, sent)


def _drop_new(platform: Platform) -> Any:
    platform.drop("new.xlsx", [order(2)])
    return platform.tick()


def daily(platform: Platform) -> str:
    """Let a day pass for the supervisor, and wait for what it does then; what that said."""
    layout = Layout(platform.settings.home)
    layout.run.mkdir(parents=True, exist_ok=True)
    work = Daily(
        layout, Scribe.over(layout.log("retention")), lambda: {**os.environ, "PYTHONPATH": str(REPOSITORY)}, platform.settings.home
    )
    assert not work.look(), "the first day has just begun"
    os.utime(layout.run / "retention", (OLD.timestamp(), OLD.timestamp()))
    assert work.look()
    assert not work.look(), "it is done once"
    assert work._child is not None
    assert work._child.wait(PATIENCE) == 0, layout.log("retention").read_text()
    return layout.log("retention").read_text(encoding="utf-8")
