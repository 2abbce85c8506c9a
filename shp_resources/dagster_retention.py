"""Runs and events of Dagster that are old, and that nothing shows or asks for any more.

Dagster has no retention of runs, and deleting one by its own call takes its materializations along: its partitions
would look missing. So the last word on each partition of each asset stays, with its run: the last materialization, the
last that was planned (a run that failed is told by that), the last observation, the last result of each check. All
runs of a partition that is not published stay, too: their run keys and their number say whether it was asked for.
Must not live here: artefacts, the ledger, sensors' ticks (Dagster's daemon prunes those itself, see `dagster.yaml`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from shp_resources.database import address, translate

_BATCH = 500
_SHOWN = ("PIPELINE_%", "STEP_FAILURE")
"""Events of a run that stays which its page cannot do without."""

_OLD = """
CREATE TEMP TABLE last_words AS
    SELECT max(id) AS id FROM event_logs
    WHERE asset_key IS NOT NULL AND dagster_event_type IN
        ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED', 'ASSET_OBSERVATION', 'ASSET_FAILED_TO_MATERIALIZE')
    GROUP BY asset_key, partition, dagster_event_type;
INSERT INTO last_words
    SELECT evaluation_event_storage_id FROM asset_check_executions WHERE id IN
        (SELECT max(id) FROM asset_check_executions GROUP BY asset_key, check_name, partition)
    AND evaluation_event_storage_id IS NOT NULL;
CREATE UNIQUE INDEX ON last_words (id) WHERE id IS NOT NULL;
"""
_RUNS = """
CREATE TEMP TABLE old_runs AS
    SELECT row_number() OVER (ORDER BY id) AS number, run_id, false AS stays FROM runs
    WHERE status IN ('SUCCESS', 'FAILURE', 'CANCELED')
    AND coalesce(to_timestamp(end_time), update_timestamp AT TIME ZONE 'UTC') < %(before)s;
CREATE INDEX ON old_runs (run_id);
CREATE INDEX ON old_runs (number);
UPDATE old_runs o SET stays = true FROM event_logs e JOIN last_words w USING (id) WHERE e.run_id = o.run_id;
UPDATE old_runs o SET stays = true FROM asset_check_executions c WHERE c.run_id = o.run_id AND c.id IN
    (SELECT max(id) FROM asset_check_executions GROUP BY asset_key, check_name, partition);
"""
_UNPUBLISHED = """
UPDATE old_runs o SET stays = true FROM run_tags f JOIN run_tags p ON p.run_id = f.run_id AND p.key = 'dagster/partition'
    JOIN shp.partitions s ON s.feed = f.value AND s.partition = p.value AND s.state NOT IN ('published', 'published_with_rejects')
    WHERE f.key = 'shp/feed' AND f.run_id = o.run_id;
"""
_GOING = """
SELECT count(*) FILTER (WHERE NOT stays), (
    SELECT count(*) FROM event_logs e JOIN old_runs o USING (run_id) WHERE NOT EXISTS (SELECT FROM last_words w WHERE w.id = e.id)
    AND NOT (o.stays AND e.dagster_event_type LIKE ANY (%(shown)s))) FROM old_runs
"""
_EVENTS_GO = """
WITH gone AS (
    DELETE FROM event_logs e USING old_runs o WHERE o.number BETWEEN %(first)s AND %(last)s AND e.run_id = o.run_id
        AND NOT EXISTS (SELECT FROM last_words w WHERE w.id = e.id)
        AND NOT (o.stays AND e.dagster_event_type LIKE ANY (%(shown)s)) RETURNING e.id, e.dagster_event_type)
DELETE FROM asset_event_tags t USING gone
    WHERE t.event_id = gone.id AND gone.dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION')
"""
_CHECKS_GO = """
DELETE FROM asset_check_executions c USING old_runs o WHERE o.number BETWEEN %(first)s AND %(last)s AND c.run_id = o.run_id AND NOT o.stays
"""
_RUNS_GO = "DELETE FROM runs r USING old_runs o WHERE o.number BETWEEN %(first)s AND %(last)s AND r.run_id = o.run_id AND NOT o.stays"
_ENDED_BACKFILLS = (
    "status IN ('COMPLETED', 'COMPLETED_SUCCESS', 'COMPLETED_FAILED', 'FAILED', 'CANCELED') AND timestamp < %(before)s AT TIME ZONE 'UTC'"
)
_BACKFILLS_GO = (
    f"WITH gone AS (DELETE FROM bulk_actions WHERE {_ENDED_BACKFILLS} RETURNING key)"
    " DELETE FROM backfill_tags t USING gone WHERE t.backfill_id = gone.key"
)
_TABLES = ("event_logs", "runs", "run_tags", "asset_check_executions", "asset_event_tags", "bulk_actions", "backfill_tags")


@dataclass(frozen=True)
class Pruned:
    """What is old, or went.

    Args:
        runs: whole runs.
        events: events, of runs that stay, too.
        backfills: requests for many partitions that were worked off.
        run_ids: the runs.
        bytes: by how much the database is smaller; 0 before anything went.
    """

    runs: int
    events: int
    backfills: int
    run_ids: tuple[str, ...]
    bytes: int = 0


def old_runs(dsn: str, before: datetime) -> Pruned:
    """What would go.

    Args:
        dsn: `postgresql://…` of the database with Dagster's tables; without any, nothing goes.
        before: what ended earlier is old.

    Raises:
        Fault: the database failed.
    """
    with _looked_through(dsn, before) as cur:
        return _found(cur, before) if cur is not None else Pruned(0, 0, 0, ())


def prune_runs(dsn: str, before: datetime) -> Pruned:
    """Let it go, and give the room back; runs may start and end meanwhile.

    Args:
        dsn: address, of a role that owns Dagster's tables.
        before: what ended earlier is old.

    Raises:
        Fault: the database failed.
    """
    with _looked_through(dsn, before) as cur:
        if cur is None:
            return Pruned(0, 0, 0, ())
        found = _found(cur, before)
        sizes = _sizes(cur)
        rows = {table: _rows(cur, table) for table in _TABLES}
        _delete(cur, before)
        for table in _TABLES:
            _give_back(cur, table, rows[table])
        return Pruned(found.runs, found.events, found.backfills, found.run_ids, max(0, sizes - _sizes(cur)))


@contextmanager
def _looked_through(dsn: str, before: datetime) -> Iterator[cursor | None]:
    """A session that knows what is old and what stays, each statement a transaction of its own; None: no tables."""
    with translate("ledger"), closing(_connect(dsn)) as session, session.cursor() as cur:
        cur.execute("SELECT to_regclass('public.event_logs') IS NOT NULL, to_regclass('shp.partitions') IS NOT NULL")
        there, ledger = cur.fetchone() or (False, False)
        if not there:
            yield None
            return
        cur.execute(_OLD)
        cur.execute(_RUNS, {"before": before})
        if ledger:
            cur.execute(_UNPUBLISHED)
        yield cur


def _connect(dsn: str) -> connection:
    where = address(dsn).set(drivername="postgresql").render_as_string(hide_password=False)
    opened = psycopg2.connect(where, connect_timeout=10, options="-c search_path=public -c TimeZone=UTC")
    opened.autocommit = True
    return opened


def _found(cur: cursor, before: datetime) -> Pruned:
    cur.execute(_GOING, {"shown": list(_SHOWN)})
    runs, events = cur.fetchone() or (0, 0)
    cur.execute(f"SELECT count(*) FROM bulk_actions WHERE {_ENDED_BACKFILLS}", {"before": before})
    (backfills,) = cur.fetchone() or (0,)
    cur.execute("SELECT run_id FROM old_runs WHERE NOT stays")
    return Pruned(runs, events, backfills, tuple(run_id for (run_id,) in cur.fetchall()))


def _delete(cur: cursor, before: datetime) -> None:
    """Some runs at a time: who works meanwhile never waits for all of it."""
    cur.execute("SELECT coalesce(max(number), 0) FROM old_runs")
    (last,) = cur.fetchone() or (0,)
    for first in range(1, last + 1, _BATCH):
        some: dict[str, Any] = {"first": first, "last": first + _BATCH - 1, "shown": list(_SHOWN)}
        for statement in (_EVENTS_GO, _CHECKS_GO, _RUNS_GO):
            cur.execute(statement, some)
    cur.execute(_BACKFILLS_GO, {"before": before})


def _rows(cur: cursor, table: str) -> int:
    cur.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
    return int((cur.fetchone() or (0,))[0])


def _give_back(cur: cursor, table: str, before: int) -> None:
    """Where most went, what is left is written anew (others wait, so only if it can begin at once); else the room is used again."""
    left = _rows(cur, table)
    if left == before:
        return
    place = sql.Identifier(table)
    if left < before / 2:
        cur.execute("SET lock_timeout = '5s'")
        try:
            cur.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(place))
            return
        except psycopg2.errors.LockNotAvailable:  # somebody reads it all the time: tomorrow is another day
            pass
    cur.execute(sql.SQL("VACUUM (ANALYZE) {}").format(place))


def _sizes(cur: cursor) -> int:
    cur.execute("SELECT sum(pg_total_relation_size(to_regclass(name))) FROM unnest(%s) AS name", (list(_TABLES),))
    return int((cur.fetchone() or (0,))[0])
