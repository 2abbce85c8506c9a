"""The benchmark `again`: what it costs to ingest a file that has not changed.

    python -m benchmarks.again [--rows 100000 --times 10]

One process, as a worker of `shp ingest`: the first ingestion loads the workbook, the others find that the warehouse holds
it. They read its table back; what they write is counted by the rows' own transactions.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg2

from benchmarks import report
from benchmarks.database import fresh_database, server
from benchmarks.ingest import WrongResultError, machine, workbooks
from benchmarks.make_workbooks import Plan
from benchmarks.one_sink import warehouse_only
from benchmarks.options import with_results, with_server, with_work
from shp_assets.build import build_assets, build_kits
from shp_core.feeds.load import load_catalogue
from shp_ops.ingest.instance import quiet_instance
from shp_ops.ingest.one import Ingestion
from shp_ops.installation import opened
from shp_resources.settings import Settings

SECONDS = 0.3
"""What an unchanged workbook may cost in a warm process."""

_TABLES = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('warehouse', 'quarantine', 'shp_pub')"
_WRITTEN = "select count(*) from {} where xmin::text::bigint >= {}"


def measure(path: Path, times: int, base: Path, dsn: str) -> dict[str, Any]:
    """Load a workbook and ingest it again and again.

    Args:
        path: the workbook.
        times: how often it is ingested after it was loaded.
        base: an empty folder for the installation.
        dsn: an empty database.

    Returns:
        `loading` and `again`, in seconds, and `rows_written` by all of the latter.

    Raises:
        WrongResultError: it was not loaded, or not found to be unchanged.
    """
    settings = Settings.load({"SHP_FEEDS": str(warehouse_only(base / "feeds")), "SHP_PG_DSN": dsn}, home=base / "home")
    catalogue = load_catalogue(settings.feeds).require_sound()
    kits = build_kits(catalogue)
    with opened(settings) as outside, closing(psycopg2.connect(dsn)) as connection:
        ingestion = Ingestion(kits["sales"], build_assets(catalogue, kits, outside), outside, quiet_instance())
        loading = _seconds(ingestion, path, changed=True)
        connection.autocommit = True
        since = _numbers(connection, "select pg_current_xact_id()::text")[0]
        again = [_seconds(ingestion, path, changed=False) for _ in range(times)]
        return {"loading": loading, "again": again, "rows_written": rows_written(connection, since)}


def _seconds(ingestion: Ingestion, path: Path, *, changed: bool) -> float:
    began = time.perf_counter()
    found = ingestion.load(path)
    if found.state != "published" or found.changed is not changed:
        raise WrongResultError(f"{path.name} is {found.state}, changed: {found.changed} ({found.message})")
    return round(time.perf_counter() - began, 3)


def rows_written(connection: Any, since: str) -> int:
    """Rows of warehouse, quarantine and publication records that a transaction from this number on has written."""
    return sum(int(_numbers(connection, _WRITTEN.format(table, since))[0]) for table in _numbers(connection, _TABLES))


def _numbers(connection: Any, statement: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [str(value) for (value,) in cursor.fetchall()]


def result(rows: int, found: dict[str, Any], dsn: str) -> dict[str, Any]:
    """What is worth keeping, as JSON types."""
    median = round(statistics.median(found["again"]), 3)
    told = {"name": "again", "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(dsn), "rows": rows}
    return {**told, **found, "median": median, "within": median <= SECONDS and found["rows_written"] == 0}


def markdown(outcome: dict[str, Any]) -> str:
    """The result for people."""
    lines = [
        f"# again: an unchanged workbook of {outcome['rows']:,} rows, in a warm process",
        "",
        "| loaded, s | again, s | rows written | times |",
        "|---|---|---|---|",
        f"| {outcome['loading']} | {outcome['median']} | {outcome['rows_written']} | {len(outcome['again'])} |",
        "",
        f"* At most {SECONDS} s, and no row: {'reached' if outcome['within'] else 'not reached'}. The median counts.",
        "* The table is read back and hashed each time: what it holds is not taken from memory.",
        "",
    ]
    return "\n".join(lines)


@click.command()
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(1), help="Rows of the workbook.")
@click.option("--times", default=10, show_default=True, type=click.IntRange(1), help="How often it is ingested again.")
@with_server
@with_work("Workbooks and server.")
@with_results
def main(rows: int, times: int, dsn: str | None, work: Path, results: Path) -> None:
    """Measure what an unchanged file costs and keep the result."""
    work.mkdir(parents=True, exist_ok=True)
    (path,) = workbooks(Plan(rows=rows, files=1, prefix="again"), work.absolute())
    with server(work, dsn) as address, fresh_database(address) as database, tempfile.TemporaryDirectory(prefix="shp-bench-") as name:
        outcome = result(rows, measure(path, times, Path(name), database), address)
    report.keep(outcome, results, "again", markdown(outcome))
    click.echo(markdown(outcome))


if __name__ == "__main__":
    main()
