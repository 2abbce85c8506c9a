"""The benchmark `ingest`: from workbooks to a table, contender against contender on the same files and the same server.

    python -m benchmarks.ingest [--rows 100000 --files 5 --rounds 3]

Each run is a process of its own against an empty database; rounds go through all contenders in turn (A B C A B C), so that what the
machine does beside them meets all of them. No number is kept before the table was read back and found right.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks import report
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.database import fresh_database, server, setting
from benchmarks.make_workbooks import Plan, expected, make
from benchmarks.measure import Usage, run
from benchmarks.options import with_results, with_server, with_work
from benchmarks.table import facts

log = logging.getLogger(__name__)

_expected = functools.cache(expected)  # takes longer than most runs


WEIGHED = 0
"""The round in which memory is sampled, and nothing is timed."""


class WrongResultError(Exception):
    """A contender failed, or its table does not hold what the workbooks say."""


@dataclass(frozen=True)
class Course:
    """What is run.

    Args:
        plan: the workbooks.
        rounds: how often each contender runs.
        slow_files: how many of the workbooks a slow contender gets.
        contenders: who takes part, in this order.
    """

    plan: Plan = field(default_factory=Plan)
    rounds: int = 3
    slow_files: int = 1
    contenders: tuple[Contender, ...] = tuple(CONTENDERS.values())

    def files(self, contender: Contender) -> int:
        """How many workbooks a contender gets."""
        return min(self.slow_files, self.plan.files) if contender.slow else self.plan.files


def workbooks(plan: Plan, folder: Path) -> list[Path]:
    """The workbooks of a plan; made once, then found again.

    Args:
        plan: which ones.
        folder: where workbooks of many plans are kept.
    """
    name = f"{plan.prefix}-{plan.rows}x{plan.files}-{plan.strings}-{plan.style.dates}-{plan.style.money}-{plan.seed}"
    place = folder / name
    if not place.exists():
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
        make(plan, unfinished)
        unfinished.rename(place)
    return [place / plan.name(number) for number in range(1, plan.files + 1)]


def measure(course: Course, paths: Sequence[Path], dsn: str) -> list[report.Run]:
    """Run every contender once to weigh it and to warm the machine, then in every round to time it; verify each result.

    Raises:
        WrongResultError: a contender failed or stored something else; nothing is reported then.
    """
    weighed, *timed = [
        [_verified_run(contender, number, paths[: course.files(contender)], course.plan, dsn) for contender in course.contenders]
        for number in range(course.rounds + 1)
    ]
    peaks = {run["contender"]: run["peak_pss"] for run in weighed}
    return [{**run, "peak_pss": peaks[run["contender"]]} for runs in timed for run in runs]


def result(course: Course, runs: Sequence[report.Run], dsn: str) -> dict[str, Any]:
    """Everything worth keeping of a benchmark, as JSON types; says nothing about whose machine it was."""
    plan = course.plan
    return {
        "name": "ingest",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "workbooks": f"{plan.files} x {plan.rows:,} rows, {plan.strings} strings, dates as {plan.style.dates}, money as {plan.style.money}",
        "machine": machine(dsn),
        "contenders": report.summary(runs),
        "ratios": report.ratios(runs),
        "notes": notes(course),
        "what": {contender.name: contender.what for contender in course.contenders},
        "runs": [dict(run) for run in runs],
    }


def machine(dsn: str) -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "postgresql": setting(dsn, "server_version").split()[0],
    }


def notes(course: Course) -> list[str]:
    """What a reader must know before comparing the rows of the table."""
    fewer = [contender.name for contender in course.contenders if course.files(contender) < course.plan.files]
    said = [
        f"{name} was given only {course.slow_files} of the {course.plan.files} workbooks; compare its rows per second." for name in fewer
    ]
    said.append("`shp` works in an installation that exists; `shp, new` makes its ledger and Dagster's tables first, as on the first day.")
    said.append("Memory was sampled in a round of its own, before the timed ones: sampling holds processes up.")
    said.append("CPU and memory are those of the contender's processes; the server's own work shows in the wall time.")
    return [*said, "Every run was verified: row count, distinct keys, sums of all numbers and dates equal the generator's."]


def _verified_run(contender: Contender, round_number: int, paths: Sequence[Path], plan: Plan, dsn: str) -> report.Run:
    usage = verified(contender, paths, plan, dsn, weigh=round_number == WEIGHED)
    rows = plan.rows * len(paths)
    log.info("round %d, %s: %d rows in %.2f s", round_number, contender.name, rows, usage.wall)
    numbers = {key: round(value, 3) for key, value in asdict(usage).items() if isinstance(value, float)}
    return {"contender": contender.name, "round": round_number, "files": len(paths), "rows": rows, **numbers}


def verified(contender: Contender, paths: Sequence[Path], plan: Plan, dsn: str, **weighing: Any) -> Usage:
    """Run a contender in an empty database, and read its table back.

    Args:
        contender: who runs.
        paths: the first workbooks of the plan.
        plan: what they hold.
        dsn: the server.
        weighing: how `measure.run` samples memory.

    Raises:
        WrongResultError: it failed or stored something else.
    """
    with tempfile.TemporaryDirectory(prefix="shp-bench-") as folder, fresh_database(dsn) as database:
        environment = contender.environment(database, Path(folder))
        if contender.before is not None:
            _check_end(contender, run(contender.before(Path(folder)), environment, Path(folder)), Path(folder))
        usage = run(contender.command(paths), environment, Path(folder), **weighing)
        _check_end(contender, usage, Path(folder))
        _check_table(contender, database, plan, len(paths))
    return usage


def _check_end(contender: Contender, usage: Usage, folder: Path) -> None:
    if usage.exit_code != 0:
        said = (folder / "stderr").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise WrongResultError(f"{contender.name} ended with exit code {usage.exit_code}:\n{usage.output[-2000:]}\n{said}")


def _check_table(contender: Contender, database: str, plan: Plan, files: int) -> None:
    wanted = _expected(plan, files)
    held = facts(database, contender.table, list(wanted["sums"]), list(wanted["days"]))
    for what in ("rows", "sums", "days"):
        if held[what] != wanted[what]:
            raise WrongResultError(f"{contender.name}: {what} of {contender.table} are {held[what]}, not {wanted[what]}")
    if held["keys"] != wanted["rows"]:
        raise WrongResultError(f"{contender.name}: {held['keys']} distinct keys, not {wanted['rows']}")


def write(outcome: dict[str, Any], folder: Path, name: str) -> None:
    """Keep a result as `<name>.json` and `<name>.md`."""
    report.keep(outcome, folder, name, report.markdown(outcome))


@click.command()
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(1), help="Rows per workbook.")
@click.option("--files", default=5, show_default=True, type=click.IntRange(1), help="Workbooks.")
@click.option("--slow-files", default=1, show_default=True, type=click.IntRange(1), help="Workbooks for pandas (20 s each).")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Runs of each contender.")
@click.option("--only", multiple=True, type=click.Choice(list(CONTENDERS)), help="Only these contenders.")
@with_server
@with_work("Workbooks and server.")
@with_results
@click.option("--name", default="ingest", show_default=True, help="Name of the result's files.")
def main(
    rows: int,
    files: int,
    slow_files: int,
    rounds: int,
    only: Sequence[str],
    dsn: str | None,
    work: Path,
    results: Path,
    name: str,
) -> None:
    """Measure the way from workbooks to a table and keep the result."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    work.mkdir(parents=True, exist_ok=True)
    chosen = tuple(contender for contender in CONTENDERS.values() if not only or contender.name in only)
    course = Course(Plan(rows=rows, files=files), rounds, slow_files, chosen)
    paths = workbooks(course.plan, work.absolute())
    with server(work, dsn) as address:
        outcome = result(course, measure(course, paths, address), address)
    write(outcome, results, name)
    click.echo(report.markdown(outcome))


if __name__ == "__main__":
    main()
