"""The benchmark `lake`: mapping rows, publishing files, and the way of five workbooks into the lake by one job.

    python -m benchmarks.lake [--rows 100000 --files 5 --rounds 3]

Ratios are taken within a round. No number is kept unless the mapper's lines are the script's, and every part in the lake has
the hash of its delivery's clean rows. Needs Java and, once, Maven (`--no-hadoop`: the mapper alone).
Must not live here: what is timed (`lake_parts`).
"""

from __future__ import annotations

import filecmp
import logging
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks import report
from benchmarks.contenders import SHP
from benchmarks.database import server
from benchmarks.hadoop import hadoop
from benchmarks.ingest import Course, WrongResultError, workbooks
from benchmarks.ingest import measure as measure_ingest
from benchmarks.lake_parts import Delivered, Mapped, Time, bare_job, bare_write, deliveries, elt, emptied, equal_rows, run_over, timed
from benchmarks.make_workbooks import Plan
from benchmarks.options import with_results, with_work
from shp_resources.hdfs.client import Hdfs

log = logging.getLogger(__name__)
_MIB = 1 << 20

Run = dict[str, Any]


def measure_mapper(mapped: Mapped, number: int) -> list[Run]:
    """The script, the mapper and its twin over equal rows, each in a process of its own.

    Raises:
        WrongResultError: they do not give the same lines.
    """
    folder = mapped.folder
    script = run_over(mapped.script, folder / "rows.csv", folder / "script.out")
    mapper = run_over(mapped.mapper, folder / "lines", folder / "mapper.out")
    arrow = run_over(mapped.arrow, folder / "lines", folder / "arrow.out")
    if not filecmp.cmp(folder / "mapper.out", folder / "arrow.out", shallow=False):
        raise WrongResultError("the mapper and its twin give different lines")
    with (folder / "script.out").open("rb") as theirs, (folder / "mapper.out").open("rb") as ours:
        for line, other in zip(theirs, ours, strict=True):
            if line.rstrip(b"\n") != other.rpartition(b"\t")[0]:
                raise WrongResultError(f"the script says {line!r}, the mapper {other!r}")
    times = {"script": script, "mapper": mapper, "mapper with Arrow": arrow}
    return [_run(what, number, took, mapped.rows) for what, took in times.items()]


def measure_hadoop(place: Hdfs, cluster: Any, delivered: Sequence[Delivered], mapped: Mapped, number: int, scratch: Path) -> list[Run]:
    """Writing and publishing one file, the bare job and the way of all deliveries by one job."""
    rows = mapped.rows
    file = scratch.parent / "one-file"
    file.write_bytes((mapped.folder / "lines").read_bytes()[: 16 * _MIB])
    runs = [_run("bare write", number, timed(lambda: bare_write(place, file)), 0, file.stat().st_size)]
    runs.append(_run("publish", number, timed(lambda: place.put(file, "published/file")), 0, file.stat().st_size))
    runs.append(_run("ELT", number, timed(lambda: elt(cluster, place, delivered, number, emptied(scratch))), rows))
    folders = [f"lake/sales/partition={one.partition.key}-{number}/{one.partition.delivery[:16]}-{number}.1" for one in delivered]
    sources = [f"{folder}/part-00000" for folder in folders]
    runs.append(_run("bare job", number, timed(lambda: bare_job(cluster, sources, emptied(scratch))), rows))
    return runs


def _run(what: str, number: int, took: Time, rows: int, size: int = 0) -> Run:
    log.info("round %d, %s: %.3f s", number, what, took.wall)
    return {"what": what, "round": number, "wall": round(took.wall, 4), "cpu": round(took.cpu, 4), "rows": rows, "bytes": size}


def summary(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Medians by what was run."""
    lines = []
    for what in dict.fromkeys(run["what"] for run in runs):
        mine = [run for run in runs if run["what"] == what]
        wall, cpu = (statistics.median(run[key] for run in mine) for key in ("wall", "cpu"))
        line = {"what": what, "rounds": len(mine), "wall": round(wall, 3), "cpu": round(cpu, 3)}
        line["rows_per_second"] = round(mine[0]["rows"] / wall) if mine[0]["rows"] else None
        line["mib_per_second"] = round(mine[0]["bytes"] / wall / _MIB) if mine[0]["bytes"] else None
        lines.append(line)
    return lines


_RATIOS = (
    ("mapper: times as many rows as the script (wall)", "script", "mapper", "wall"),
    ("mapper: times as many rows as the script (CPU)", "script", "mapper", "cpu"),
    ("mapper with Arrow: times as many rows as the script (wall)", "script", "mapper with Arrow", "wall"),
    ("publish: of the bare write", "publish", "bare write", "wall"),
    ("ELT: of the bare job", "ELT", "bare job", "wall"),
    ("ELT: of ETL", "ELT", "ETL", "wall"),
)


def ratios(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Each ratio, round by round, and its median."""
    found = {}
    for name, above, below, key in _RATIOS:
        times = {(run["what"], run["round"]): run[key] for run in runs}
        rounds = sorted(number for what, number in times if what == above and (below, number) in times)
        pairs = [round(times[above, number] / times[below, number], 2) for number in rounds]
        if pairs:
            found[name] = {"pairs": pairs, "median": round(statistics.median(pairs), 2)}
    return found


def markdown(outcome: dict[str, Any]) -> str:
    """A result as a small table for people."""
    machine = outcome["machine"]
    lines = [
        f"# lake: {outcome['workbooks']}",
        "",
        f"{machine['cores']} cores, {machine['memory_gib']} GiB memory, Python {machine['python']}, load average {machine['load']} at the "
        "beginning. Medians.",
        "",
        "| what | wall s | CPU s | rows/s | MiB/s | rounds |",
        "|---|---|---|---|---|---|",
    ]
    for line in outcome["times"]:
        cells = [line[key] for key in ("what", "wall", "cpu", "rows_per_second", "mib_per_second", "rounds")]
        lines.append("| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |")
    lines += ["", "| ratio | median | round by round |", "|---|---|---|"]
    lines += [f"| {name} | {row['median']} | {', '.join(map(str, row['pairs']))} |" for name, row in outcome["ratios"].items()]
    return "\n".join([*lines, "", *(f"* {note}" for note in NOTES), ""])


NOTES = (
    "Rows are made up: Order IDs and totals nearly all distinct, places, items and dates repeat themselves. Script, mapper "
    "and the mapper with Arrow are processes of their own, start included, and give the same lines; with Arrow on as many threads as "
    "there are cores, at most four. Before each of them the disk has what the one before wrote.",
    "`publish` uploads, holds the file to HDFS's checksum and renames; `bare write` writes the same file by WebHDFS and no more.",
    "`bare job` is one YARN job over the same lines with `cat`; `ELT` is text rows into HDFS, one job with the mapper, every part read "
    "back, hashed, and made current; `ETL` is `shp ingest` of the same workbooks into PostgreSQL, reading included.",
    "CPU seconds of `publish`, `ELT` and the bare ones are this process's, without the daemons.",
)


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _etl(plan: Plan, paths: Sequence[Path], work: Path, rounds: int) -> list[Run]:
    with server(work, None) as dsn:
        found = measure_ingest(Course(plan, rounds, contenders=(SHP,)), paths, dsn)
    return [
        {"what": "ETL", "round": run["round"], "wall": run["wall"], "cpu": run["cpu"], "rows": run["rows"], "bytes": 0} for run in found
    ]


@click.command()
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(1), help="Rows per workbook.")
@click.option("--files", default=5, show_default=True, type=click.IntRange(1), help="Workbooks.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Rounds.")
@click.option("--hadoop/--no-hadoop", "with_hadoop", default=True, show_default=True, help="Also what needs HDFS and YARN.")
@click.option("--etl/--no-etl", default=True, show_default=True, help="Also the way into PostgreSQL.")
@with_work("Workbooks and daemons.")
@with_results
@click.option("--name", default="lake", show_default=True, help="Name of the result's files.")
def main(rows: int, files: int, rounds: int, with_hadoop: bool, etl: bool, work: Path, results: Path, name: str) -> None:
    """Measure the way into the lake and keep the result."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("hdfs").setLevel(logging.WARNING)
    work = work.absolute()
    machine, plan, folder = _machine(), Plan(rows=rows, files=files), emptied(work / "lake")
    paths = workbooks(plan, work)
    delivered = deliveries(paths, folder / "store")
    mapped = equal_rows(delivered, emptied(folder / "mapped"))
    runs = [run for number in range(1, rounds + 1) for run in measure_mapper(mapped, number)]
    if with_hadoop:
        with hadoop(emptied(folder / "home")) as cluster:
            for number in range(1, rounds + 1):
                runs += measure_hadoop(Hdfs(cluster), cluster, delivered, mapped, number, folder / "scratch")
    if etl:
        runs += _etl(plan, paths, work, rounds)
    outcome = {
        "name": "lake",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "workbooks": f"{files} x {rows:,} rows",
        "machine": machine,
        "times": summary(runs),
        "ratios": ratios(runs),
        "notes": list(NOTES),
        "runs": runs,
    }
    report.keep(outcome, results, name, markdown(outcome))
    click.echo(markdown(outcome))


if __name__ == "__main__":
    main()
