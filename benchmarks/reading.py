"""The benchmark `reading`: from a workbook to its text rows, reader against reader on the same files.

    python -m benchmarks.reading [--rows 100000 --files 5 --rounds 3]

Rounds go through all readers in turn; ratios are taken within a round. No number is kept unless every reader found the
same rows. Must not live here: the readers themselves (`readers`).
"""

from __future__ import annotations

import json
import logging
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks import report
from benchmarks.cells import Strings
from benchmarks.contenders import ROOT
from benchmarks.ingest import WrongResultError, workbooks
from benchmarks.make_workbooks import Plan
from benchmarks.options import with_results, with_work
from benchmarks.readers import READERS
from shp_resources.processes import proportional_size

log = logging.getLogger(__name__)

_SLOW = ("reference", "openpyxl")
_MIB = 1 << 20
_IDLE = """
import sys
sys.modules["numpy"] = None
import pyarrow
from shp_core.reading.scan import library, sheet, tables
kernels = library.load_or_build([library.OWN_FOLDER])
print("ready", flush=True)
sys.stdin.read()
"""


def measure(plan: Plan, paths: Sequence[Path], rounds: int, slow_files: int) -> list[dict[str, Any]]:
    """Let every reader read the workbooks in every round.

    Returns:
        One entry per reader and round: reader, round, strings, files, the seconds of each file.

    Raises:
        WrongResultError: two readers do not agree on rows or units.
    """
    runs: list[dict[str, Any]] = []
    agreed: dict[Path, Any] = {}
    for number in range(1, rounds + 1):
        for name in READERS:
            given = paths[: slow_files if name in _SLOW else len(paths)]
            answers = _answers(name, given)
            for path, answer in zip(given, answers, strict=True):
                found = answer["rows"], answer["units"]
                if agreed.setdefault(path, found) != found or answer.get("reader", name) != name:
                    raise WrongResultError(f"{name} reads {found} from {path.name}, others {agreed[path]}")
            seconds = [round(answer["seconds"], 3) for answer in answers]
            log.info("%s strings, round %d, %s: %s", plan.strings, number, name, seconds)
            runs.append({"reader": name, "round": number, "strings": str(plan.strings), "files": len(given), "seconds": seconds})
    return runs


def _answers(name: str, paths: Sequence[Path], **variables: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.readers", name, *map(str, paths)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environ)
    if done.returncode:
        raise WrongResultError(f"{name} ended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def memory(paths: Sequence[Path]) -> dict[str, Any]:
    """Peak memory of the reading process above the same process idle, MiB of PSS, by workbook."""
    idle = _idle()
    peaks = {path.name: _answers("scan", [path], BENCH_MEMORY="1")[0]["peak"] - idle for path in paths}
    return {"idle": round(idle, 1), "above_idle": {name: round(peak, 1) for name, peak in peaks.items()}}


def _idle() -> float:
    environ = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]), "ARROW_DEFAULT_MEMORY_POOL": "system"}
    command = [sys.executable, "-S", "-P", "-c", _IDLE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, cwd="/", text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        size = proportional_size(process.pid) / _MIB
        process.communicate()
    return size


def summary(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per kind of strings and reader: median seconds per workbook, and its median share of fastexcel's and openpyxl's time."""
    lines = []
    for strings in dict.fromkeys(run["strings"] for run in runs):
        for name in READERS:
            mine = [run for run in runs if (run["reader"], run["strings"]) == (name, strings)]
            line: dict[str, Any] = {"strings": strings, "reader": name, "files": mine[0]["files"], "runs": len(mine)}
            line["seconds"] = round(statistics.median(_each(run) for run in mine), 3)
            for other in ("fastexcel", "openpyxl"):
                theirs = {run["round"]: _each(run) for run in runs if (run["reader"], run["strings"]) == (other, strings)}
                line[f"of_{other}"] = round(statistics.median(_each(run) / theirs[run["round"]] for run in mine), 3)
            lines.append(line)
    return lines


def _each(run: dict[str, Any]) -> float:
    return float(statistics.median(run["seconds"]))


def markdown(outcome: dict[str, Any]) -> str:
    """A result as a small table for people."""
    machine = outcome["machine"]
    lines = [
        f"# reading: {outcome['workbooks']}",
        "",
        f"{machine['cores']} cores, {machine['memory_gib']} GiB memory, Python {machine['python']}, load average {machine['load']} at the "
        "beginning. Medians.",
        "",
        "| strings | reader | s per workbook | of fastexcel | of openpyxl | files | rounds |",
        "|---|---|---|---|---|---|---|",
    ]
    keys = ("strings", "reader", "seconds", "of_fastexcel", "of_openpyxl", "files", "runs")
    lines += ["| " + " | ".join(str(line[key]) for key in keys) + " |" for line in outcome["readers"]]
    memory = outcome["memory"]
    above = ", ".join(f"{name}: {peak} MiB" for name, peak in memory["above_idle"].items())
    lines += ["", "* `scan` and `reference` are the whole way: private copy with hash, gate, reading process, text rows; the median "
              "workbook is read by a fork of the process that the first one started.",
              f"* Peak memory of the reading process above idle ({memory['idle']} MiB PSS): {above}.", ""]  # fmt: skip
    return "\n".join(lines)


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


@click.command()
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(1), help="Rows per workbook.")
@click.option("--files", default=5, show_default=True, type=click.IntRange(1), help="Workbooks of each kind of strings.")
@click.option("--slow-files", default=1, show_default=True, type=click.IntRange(1), help="Workbooks for the slow readers.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Runs of each reader.")
@click.option("--large", default=1_000_000, show_default=True, type=click.IntRange(0), help="Rows of the workbook for memory; 0: none.")
@with_work("Workbooks.")
@with_results
@click.option("--name", default="reading", show_default=True, help="Name of the result's files.")
def main(rows: int, files: int, slow_files: int, rounds: int, large: int, work: Path, results: Path, name: str) -> None:
    """Measure the way from a workbook to its text rows and keep the result."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    work.mkdir(parents=True, exist_ok=True)
    machine, runs, weighed = _machine(), [], []
    for strings in (Strings.SHARED, Strings.INLINE):
        plan = Plan(rows=rows, files=files, strings=strings)
        paths = workbooks(plan, work.absolute())
        runs += measure(plan, paths, rounds, min(slow_files, files))
        weighed.append(paths[0])
    if large:
        weighed += workbooks(Plan(rows=large, files=1, prefix="large"), work.absolute())
    outcome = {
        "name": "reading",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "workbooks": f"{files} x {rows:,} rows with shared strings, as many with inline strings",
        "machine": machine,
        "readers": summary(runs),
        "memory": memory(weighed),
        "runs": runs,
    }
    report.keep(outcome, results, name, markdown(outcome))
    click.echo(markdown(outcome))


if __name__ == "__main__":
    main()
