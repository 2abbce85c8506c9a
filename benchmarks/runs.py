"""The benchmark `runs`: what a run costs, with Dagster's default launcher and storage and with ours.

    python -m benchmarks.runs [--runs 20 --queued 60 --drops 20 --many 500]

Both have homes of their own on the same server, in the same run; they are measured in turn (A B A B), and while one is
measured the other's processes are frozen. A run that does not end in SUCCESS ends the benchmark.
"""

from __future__ import annotations

import logging
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import dagster as dg
import openpyxl
import psycopg2

from benchmarks import report, run_phases
from benchmarks.database import server
from benchmarks.ingest import WrongResultError, machine
from benchmarks.options import with_results, with_server, with_work
from benchmarks.run_homes import NOOP, WAYS, RunHome, alone, homes
from shp_ops.forkserver.__main__ import OUR_DEFINITIONS
from shp_resources.processes import wait_until

log = logging.getLogger(__name__)

_END_SECONDS = 120.0
_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_HEADER = (
    "Region", "Country", "Item Type", "Sales Channel", "Order Priority", "Order Date", "Order ID", "Ship Date",
    "Units Sold", "Unit Price", "Unit Cost", "Total Revenue", "Total Cost", "Total Profit",
)  # fmt: skip
_ROW = ("Europe", "Austria", "Fruits", "Online", "H", "1/27/2011", None, "2/12/2011", 2, 9.33, 6.92, 18.66, 13.84, 4.82)
_FIRST_ORDER = 900_000_000
Samples = dict[str, dict[str, list[float]]]
"""Way -> measure -> values."""
TARGETS = {
    "no-op run, s": ("p95", 1.5),
    "one-row run, s": ("p95", 2.5),
    "file to table, s": ("p95", 15.0),
}
"""What issue 4 asks of ours: measure -> (statistic, at most)."""


@dataclass(frozen=True)
class Course:
    """How much is run.

    Args:
        runs: no-op runs, one after the other, each way.
        queued: no-op runs that wait in the queue together.
        queued_default: the same for Dagster's own way, of which a minute holds fewer.
        drops: one-row files dropped, one after the other, each way.
        many: runs through one fork server whose memory is looked at; 0: none.
        warm: whether a round before the first one is run and not counted.
    """

    runs: int = 20
    queued: int = 60
    queued_default: int = 20
    drops: int = 20
    many: int = 500
    warm: bool = True


def measure(course: Course, base: Path, server_dsn: str) -> dict[str, Any]:
    """Everything, as JSON types.

    Raises:
        WrongResultError: a run did not end in SUCCESS, or a row did not arrive.
    """
    samples: Samples = {way.name: {} for way in WAYS}
    rates, growth = noop_runs(course, base / "noop", server_dsn, samples)
    parts = one_row_runs(course, base / "rows", server_dsn, samples)
    return {
        "measures": {way: {name: summary(values) for name, values in found.items()} for way, found in samples.items()},
        "runs_per_minute": rates,
        "many": growth,
        "parts": parts,
        "samples": samples,
    }


def noop_runs(course: Course, base: Path, server_dsn: str, samples: Samples) -> tuple[dict[str, float], dict[str, Any] | None]:
    """Runs of three assets that do nothing; fills the samples, returns runs a minute by way and what many runs leave behind."""
    with homes(base, server_dsn, NOOP) as both:
        _in_turn(course.runs, course.warm, both, samples, _noop)
        rates = {home.way.name: _rate(home, both, course.queued if home.way.ours else course.queued_default) for home in both}
        return rates, _many(both, course.many) if course.many else None


def one_row_runs(course: Course, base: Path, server_dsn: str, samples: Samples) -> dict[str, Any]:
    """Files of one row; fills the samples, returns where the time of their runs went, by way."""
    with homes(base, server_dsn, OUR_DEFINITIONS) as both:
        _in_turn(course.drops, course.warm, both, samples, _drop)
        return {home.way.name: _parts(home, course.drops) for home in both}


def _in_turn(
    rounds: int,
    warm: bool,
    both: list[RunHome],
    samples: Samples,
    once: Callable[[RunHome, int], dict[str, float]],
) -> None:
    """One after the other, each way; round 0 is not counted."""
    for number in range(0 if warm else 1, rounds + 1):
        for home in both:
            with alone(home, both):
                found = once(home, number)
            log.info("%s, %d: %s", home.way.name, number, {name: round(value, 3) for name, value in found.items()})
            for name, value in found.items() if number else ():
                samples[home.way.name].setdefault(name, []).append(round(value, 4))


def _noop(home: RunHome, number: int) -> dict[str, float]:
    with home.instance() as instance:
        run_id = home.ask_for(instance)
        _wait_for(instance, [run_id])
        return {"no-op run, s": _seconds(instance, run_id)}


def _rate(home: RunHome, both: list[RunHome], count: int) -> float:
    """Runs a minute, from the first launch to the last end, when `count` wait in the queue."""
    with alone(home, both), home.instance() as instance:
        began, ended = _work_off(home, instance, count)
    rate = count / (ended - began) * 60
    log.info("%s: %d queued runs, %.0f a minute", home.way.name, count, rate)
    return round(rate, 1)


def _work_off(home: RunHome, instance: dg.DagsterInstance, count: int) -> tuple[float, float]:
    home.freeze("daemon")
    ids = [home.ask_for(instance) for _ in range(count)]
    home.thaw("daemon")
    _wait_for(instance, ids)
    stats = [instance.get_run_stats(run_id) for run_id in ids]
    return min(found.launch_time or 0.0 for found in stats), max(found.end_time or 0.0 for found in stats)


def _many(both: list[RunHome], count: int) -> dict[str, Any]:
    """What many runs leave behind in the fork server and in the database."""
    (home,) = [found for found in both if found.way.ours]
    forks = home.processes["runs"]
    with alone(home, both), home.instance() as instance:
        _work_off(home, instance, 10)
        before = forks.memory_full_info().uss
        began, ended = _work_off(home, instance, count)
        wait_until(lambda: _connections(home.dsn) == 0, 5)
        return {
            "runs": count,
            "runs_per_minute": round(count / (ended - began) * 60, 1),
            "memory_growth_mib": round((forks.memory_full_info().uss - before) / 2**20, 2),
            "children_left": len(forks.children(recursive=True)),
            "connections_left": _connections(home.dsn),
        }


def _drop(home: RunHome, number: int) -> dict[str, float]:
    """A one-row workbook into the landing folder, until a second connection sees its row and its run has ended."""
    order, name = _FIRST_ORDER + number, f"one_row_{number}"
    draft = _workbook(home.settings.home / f"{name}.xlsx", order)
    dropped = time.monotonic()
    draft.rename(home.settings.landing / "sales" / draft.name)
    if not wait_until(lambda: _is_there(home.dsn, order), _END_SECONDS, 0.02):
        raise WrongResultError(f"{home.way.name}: the row of {name} did not arrive")
    seconds = time.monotonic() - dropped
    with home.instance() as instance:
        (run,) = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": name}))
        _wait_for(instance, [run.run_id])
        found = {"one-row run, s": _seconds(instance, run.run_id), "file to table, s": seconds}
        wait_until(lambda: _is_quiet(instance), _END_SECONDS, 0.1)  # the mart's run, which is part of no measure
        return found


def _parts(home: RunHome, drops: int) -> dict[str, Any]:
    """Where the time of the one-row runs went."""
    with home.instance() as instance:
        tags = [{"dagster/partition": f"one_row_{number}"} for number in range(1, drops + 1)]
        return run_phases.of_runs(home.dsn, [instance.get_runs(dg.RunsFilter(tags=tag))[0].run_id for tag in tags])


def _workbook(path: Path, order: int) -> Path:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(("", *_HEADER))
    sheet.append((0, *(order if name == "Order ID" else value for name, value in zip(_HEADER, _ROW, strict=True))))
    book.save(path)
    return path


def _is_there(dsn: str, order: int) -> bool:
    query = "select to_regclass('warehouse.sales_records') is not null"
    return bool(_query(dsn, query)) and bool(_query(dsn, f"select count(*) from warehouse.sales_records where order_id = {order}"))


def _connections(dsn: str) -> int:
    return _query(dsn, "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'shp-run'")


def _query(dsn: str, statement: str) -> int:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone()
        return int(row[0]) if row else 0
    finally:
        connection.close()


def _is_quiet(instance: dg.DagsterInstance) -> bool:
    live = [status for status in dg.DagsterRunStatus if status not in _ENDED]
    return not instance.get_run_ids(dg.RunsFilter(statuses=live), limit=1)


def _wait_for(instance: dg.DagsterInstance, ids: Sequence[str]) -> None:
    """Wait until all runs have ended, with one small question at a time."""
    ended = dg.RunsFilter(run_ids=list(ids), statuses=list(_ENDED))
    if not wait_until(lambda: len(instance.get_run_ids(ended)) == len(ids), _END_SECONDS + 5 * len(ids), 0.25):
        raise WrongResultError(f"{len(ids) - len(instance.get_run_ids(ended))} of {len(ids)} runs did not end")
    failed = dg.RunsFilter(run_ids=list(ids), statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
    if instance.get_run_ids(failed, limit=1):
        raise WrongResultError("a run failed")


def _seconds(instance: dg.DagsterInstance, run_id: str) -> float:
    """From the launch of a run to its end, by Dagster's own events."""
    stats = instance.get_run_stats(run_id)
    return float((stats.end_time or math.nan) - (stats.launch_time or math.nan))


def summary(values: Iterable[float]) -> dict[str, float]:
    """Median, 95th percentile (the smallest value that 95 % do not exceed), extremes."""
    found = sorted(values)
    return {
        "n": len(found),
        "p50": round(statistics.median(found), 3),
        "p95": round(found[math.ceil(0.95 * len(found)) - 1], 3),
        "min": round(found[0], 3),
        "max": round(found[-1], 3),
    }


def markdown(result: dict[str, Any]) -> str:
    """A result as a small table for people."""
    host = result["machine"]
    ways = list(result["measures"])
    lines = [
        "# runs: what a run costs",
        "",
        f"{host['cores']} cores, {host['memory_gib']} GiB memory, Python {host['python']}, PostgreSQL {host['postgresql']} (fsync on).",
        "",
        f"| measure | {' | '.join(f'{way} p50 | {way} p95' for way in ways)} | asked for |",
        f"|---|{'---|' * (2 * len(ways) + 1)}",
    ]
    for name, (statistic, most) in TARGETS.items():
        cells = [f"{result['measures'][way][name][key]:.2f}" for way in ways for key in ("p50", "p95")]
        lines.append(f"| {name} | {' | '.join(cells)} | {statistic} <= {most:g} |")
    rates = result["runs_per_minute"]
    lines.append(f"| runs a minute, queued | {' | '.join(f'{rates[way]:.0f} | ' for way in ways)} | >= 150, 5 times the default |")
    if result["many"]:
        lines += ["", _MANY.format(**result["many"])]
    lines += ["", run_phases.markdown(result["parts"]["shp"])]
    lines += ["", *(f"* {way}: {what}" for way, what in result["what"].items()), *(f"* {note}" for note in result["notes"])]
    return "\n".join([*lines, ""])


_MANY = (
    "After {runs} runs through one fork server ({runs_per_minute} a minute): {memory_growth_mib} MiB more memory, "
    "{children_left} processes and {connections_left} connections left."
)
NOTES = [
    "Run seconds are from Dagster's RUN_STARTING to the end of the run, by its own events; no queue in them.",
    "File to table: from the rename into the landing folder until a second connection reads the row; sensor interval, "
    "two seconds of quiet and the queue in them.",
    "In turn, the other's processes frozen; a first round of each is not counted. Every run ended in SUCCESS.",
]


@click.command()
@click.option("--runs", default=20, show_default=True, type=click.IntRange(1), help="No-op runs each way.")
@click.option("--queued", default=60, show_default=True, type=click.IntRange(2), help="Runs that wait in the queue together.")
@click.option("--drops", default=20, show_default=True, type=click.IntRange(1), help="One-row files each way.")
@click.option("--many", default=500, show_default=True, type=click.IntRange(0), help="Runs after which the fork server is looked at.")
@with_server
@with_work("Server's folder.")
@with_results
@click.option("--name", default="runs", show_default=True, help="Name of the result's files.")
def main(runs: int, queued: int, drops: int, many: int, dsn: str | None, work: Path, results: Path, name: str) -> None:
    """Measure what a run costs and keep the result."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    work.mkdir(parents=True, exist_ok=True)
    course = Course(runs, queued, max(2, queued // 3), drops, many)
    with server(work, dsn) as address, tempfile.TemporaryDirectory(prefix="shp-bench-") as folder:
        found = measure(course, Path(folder), address)
        head = {"name": "runs", "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(address)}
    outcome = {**head, **found, "what": {way.name: way.what for way in WAYS}, "notes": NOTES}
    write(outcome, results, name)
    click.echo(markdown(outcome))


def write(outcome: dict[str, Any], folder: Path, name: str) -> None:
    """Keep a result as `<name>.json` and `<name>.md`."""
    report.keep(outcome, folder, name, markdown(outcome))


if __name__ == "__main__":
    main()
