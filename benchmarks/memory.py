"""The benchmark `memory`: what an ingestion holds at its highest, for a workbook and for one ten times as long.

    python -m benchmarks.memory [--rows 100000 --times 10 --rounds 4]

The whole process tree of `shp ingest` is weighed while it loads one workbook: command, worker, and what reads. The same
command with a workbook of one row has the same processes with next to nothing to hold, so it is what idle means here.
No number is kept before the table was read back and found right.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import click

from benchmarks import report
from benchmarks.contenders import SHP
from benchmarks.database import server
from benchmarks.ingest import machine, verified, workbooks
from benchmarks.make_workbooks import Plan
from benchmarks.options import with_results, with_server, with_work

log = logging.getLogger(__name__)

READER_MIB, INGESTION_MIB, TIMES = 96, 200, 1.25
"""What may be held above idle: by the reading processes, by the whole tree, and how many times as much for the longer workbook."""

READING, WORK, WHOLE = "reading", "work", "all"
_NOISE_MIB = 1.0
_NURSERY = "shp_resources.nursery_process"

Weight = Mapping[str, float]
"""Peak PSS in MiB of `reading` (what forks readers, and its forks), `work` (command and workers) and `all` together."""


def part(command: Sequence[str]) -> str:
    """Whether a process of the tree reads or works."""
    return READING if _NURSERY in command else WORK


def weights(sizes: Sequence[int], rounds: int, work: Path, dsn: str) -> dict[int, Weight]:
    """Peaks of an ingestion of one workbook of each size, the highest of the rounds; rounds go through all sizes in turn.

    Args:
        sizes: rows of each workbook.
        rounds: how often each is loaded.
        work: where workbooks are kept.
        dsn: the server.

    Raises:
        WrongResultError: rows are missing or wrong; nothing is reported then.
    """
    plans = {rows: Plan(rows=rows, files=1, prefix="long") for rows in sizes}
    paths = {rows: workbooks(plan, work) for rows, plan in plans.items()}
    found: dict[int, list[Weight]] = {rows: [] for rows in sizes}
    for rows in chain.from_iterable([sizes] * rounds):
        usage = verified(SHP, paths[rows], plans[rows], dsn, weigh=True, part=part)
        found[rows].append({**usage.peaks, WHOLE: usage.peak_pss or 0.0})
        log.info("%d rows: %s", rows, {name: round(peak, 1) for name, peak in found[rows][-1].items()})
    return {rows: {name: max(one[name] for one in seen) for name in seen[0]} for rows, seen in found.items()}


def result(found: Mapping[int, Weight]) -> dict[str, Any]:
    """What is worth keeping, as JSON types; the first size is the idle one."""
    idle, *sizes = found
    above = {rows: {name: round(peak - found[idle][name], 1) for name, peak in found[rows].items()} for rows in sizes}
    short, long = above[sizes[0]], above[sizes[-1]]
    times = {name: round(long[name] / max(short[name], _NOISE_MIB), 2) for name in long}
    within = max(long[READING], short[READING]) <= READER_MIB and max(long[WHOLE], short[WHOLE]) <= INGESTION_MIB
    return {
        "name": "memory",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "idle": {name: round(peak, 1) for name, peak in found[idle].items()},
        "above_idle": {str(rows): weight for rows, weight in above.items()},
        "times": times,
        "within": within and max(times[READING], times[WHOLE]) <= TIMES,
    }


def markdown(outcome: Mapping[str, Any]) -> str:
    """The result for people."""
    return "\n".join(["# memory: one workbook through the whole of `shp ingest`", "", *_lines(outcome), ""])


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield "| peak PSS, MiB | reading | command and worker | the whole tree |"
    yield "|---|---|---|---|"
    yield _row("one row: idle", outcome["idle"])
    for rows, above in outcome["above_idle"].items():
        yield _row(f"{int(rows):,} rows, above idle", above)
    yield _row("times as much", outcome["times"])
    yield ""
    aims = f"at most {READER_MIB} MiB above idle for what reads and {INGESTION_MIB} for the whole tree, and {TIMES} times as much"
    yield f"* Aims: {aims} for the longest workbook: {'reached' if outcome['within'] else 'not reached'}."
    yield "* The highest of all rounds counts: memory is looked at now and then, so a short peak is seen too low, never too high."
    yield "* Pages that processes share count in part (PSS), so processes add up; parts peak at different moments."


def _row(name: str, cells: Mapping[str, float]) -> str:
    return f"| {name} | {cells[READING]:g} | {cells[WORK]:g} | {cells[WHOLE]:g} |"


@click.command()
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(2), help="Rows of the shorter workbook.")
@click.option("--times", default=10, show_default=True, type=click.IntRange(2), help="How many times as long the longer one is.")
@click.option("--rounds", default=4, show_default=True, type=click.IntRange(1), help="Ingestions of each.")
@with_server
@with_work("Workbooks and server.")
@with_results
def main(rows: int, times: int, rounds: int, dsn: str | None, work: Path, results: Path) -> None:
    """Measure what an ingestion holds at its highest and keep the result."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    work.mkdir(parents=True, exist_ok=True)
    with server(work, dsn) as address:
        outcome = {**result(weights((1, rows, rows * times), rounds, work.absolute(), address)), "machine": machine(address)}
    report.keep(outcome, results, "memory", markdown(outcome))
    click.echo(markdown(outcome))


if __name__ == "__main__":
    main()
