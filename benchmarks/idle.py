"""The benchmark `idle`: what a platform costs while nothing comes.

    python -m benchmarks.idle [--seconds 60 --settle 30]

A whole platform with the sample feeds (`shp up`, embedded PostgreSQL, no Hadoop) and a bare `dagster dev` of three empty
assets stand side by side at rest. Processor time is counted over the same seconds for both, so that what the machine does
beside them meets both; memory is the sum of proportional set sizes over all processes at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks import report
from benchmarks.options import with_results
from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.state import PlatformState
from shp_resources.processes import LOOPBACK, free_port, proportional_size, wait_until

REPOSITORY = Path(__file__).parents[1]
MEMORY_MIB, CORE_PERCENT, TIMES_BARE = 667, 15.0, 3.0
"""What the platform may cost: memory (700 million bytes), share of one core, and how many times the processor time of a bare Dagster."""

_MIB = 1024 * 1024
_READY_SECONDS = 180.0
Trees = dict[str, list[psutil.Process]]


@contextmanager
def platform(base: Path) -> Iterator[Path]:
    """A platform with the sample feeds, ready; its home."""
    for name in ("feeds", "marts"):
        shutil.copytree(REPOSITORY / name, base / name)
    command = [sys.executable, "-m", "shp_ops.cli.main"]
    home = base / "var"
    subprocess.run([*command, "up", "--detach", "--home", str(home)], cwd=base, env=_environ(), check=True)
    try:
        yield home
    finally:
        subprocess.run([*command, "down", "--home", str(home)], cwd=base, env=_environ(), check=True)


@contextmanager
def bare(base: Path) -> Iterator[psutil.Process]:
    """A `dagster dev` of three empty assets, ready."""
    port, home = free_port(), base / "dagster"
    home.mkdir()
    command = [sys.executable, "-m", "dagster", "dev", "-m", "benchmarks.noop", "-h", LOOPBACK, "-p", str(port)]
    environ = {**_environ(), "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"}
    with (base / "dev.log").open("ab") as log:
        child = subprocess.Popen(command, cwd=home, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        if not wait_until(lambda: _answers(f"http://{LOOPBACK}:{port}/server_info"), _READY_SECONDS, 0.5):
            raise RuntimeError(f"dagster dev is not ready, see {base / 'dev.log'}")
        yield psutil.Process(child.pid)
    finally:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def of_platform(home: Path) -> Trees:
    """A platform's processes, by service; what no service is called is the supervisor's."""
    state = PlatformState.load(Layout(home).state)
    if state is None or state.process is None:
        raise RuntimeError(f"no platform runs in {home}")
    roots = {name: service.pid for name, service in state.services.items() if service.pid is not None}
    roots["postgres"] = int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    trees = {name: _tree(pid) for name, pid in roots.items()}
    known = {process.pid for tree in trees.values() for process in tree}
    return {**trees, "supervisor": [process for process in _tree(state.process.pid) if process.pid not in known]}


def of_bare(root: psutil.Process) -> Trees:
    """The processes of a bare Dagster."""
    return {"dagster dev": _tree(root.pid)}


def cpu_seconds(trees: Trees) -> dict[str, float]:
    """Processor seconds so far, those of children that have ended among them."""
    return {name: sum(sum(process.cpu_times()[:4]) for process in tree if process.is_running()) for name, tree in trees.items()}


def memory_mib(trees: Trees) -> dict[str, float]:
    """Memory now, pages that processes share counted in part."""
    return {name: round(sum(proportional_size(process.pid) for process in tree) / _MIB, 1) for name, tree in trees.items()}


def measured(home: Path, root: psutil.Process, seconds: float) -> dict[str, Any]:
    """Both at rest over the same seconds."""
    before, bare_before, began = cpu_seconds(of_platform(home)), cpu_seconds(of_bare(root)), time.perf_counter()
    time.sleep(seconds)
    ours, others, took = of_platform(home), of_bare(root), time.perf_counter() - began
    used = {name: round(100 * (now - before.get(name, 0.0)) / took, 2) for name, now in cpu_seconds(ours).items()}
    bare_used = {name: round(100 * (now - bare_before.get(name, 0.0)) / took, 2) for name, now in cpu_seconds(others).items()}
    return {"shp": _whole(memory_mib(ours), used), "dagster dev": _whole(memory_mib(others), bare_used)}


def result(found: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """What is worth keeping, as JSON types."""
    ours, other = found["shp"], found["dagster dev"]
    times = round(ours["core_percent"] / other["core_percent"], 2)
    within = ours["memory_mib"] < MEMORY_MIB and ours["core_percent"] < CORE_PERCENT and times <= TIMES_BARE
    machine = {"cores": psutil.cpu_count(), "python": sys.version.split()[0], "load": round(os.getloadavg()[0], 2)}
    told = {"name": "idle", "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "seconds": seconds}
    return {**told, **found, "times_bare": times, "within": within}


def markdown(outcome: Mapping[str, Any]) -> str:
    """The result for people."""
    ours, other = outcome["shp"], outcome["dagster dev"]
    names = sorted(ours["processes"], key=lambda name: -ours["processes"][name]["core_percent"])
    rows = [_row(name, ours["processes"][name]) for name in names]
    lines = [
        f"# idle: {outcome['seconds']:g} s at rest, {outcome['machine']['cores']} cores, load {outcome['machine']['load']}",
        "",
        "| | memory MiB (PSS) | % of one core |",
        "|---|---|---|",
        *(_row("**platform**", ours), *rows, _row("**dagster dev**", other)),
        "",
        f"* {outcome['times_bare']} times the processor time of a bare Dagster (at most {TIMES_BARE:g}).",
        f"* Aims: under {MEMORY_MIB} MiB and under {CORE_PERCENT:g} % of one core: {'reached' if outcome['within'] else 'not reached'}.",
        "",
    ]
    return "\n".join(lines)


@click.command()
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1), help="How long both are measured.")
@click.option("--settle", default=30.0, show_default=True, type=click.FloatRange(0), help="How long both come to rest before.")
@with_results
def main(seconds: float, settle: float, results: Path) -> None:
    """Measure what a platform costs while nothing comes."""
    with tempfile.TemporaryDirectory(prefix="shp-bench-") as name, ExitStack() as stack:
        home = stack.enter_context(platform(Path(name)))
        root = stack.enter_context(bare(Path(name)))
        time.sleep(settle)
        outcome = result(measured(home, root, seconds), seconds)
    report.keep(outcome, results, "idle", markdown(outcome))
    click.echo(markdown(outcome))


def _whole(memory: Mapping[str, float], used: Mapping[str, float]) -> dict[str, Any]:
    processes = {name: {"memory_mib": memory[name], "core_percent": used[name]} for name in memory}
    return {"memory_mib": round(sum(memory.values()), 1), "core_percent": round(sum(used.values()), 2), "processes": processes}


def _row(name: str, cells: Mapping[str, float]) -> str:
    return f"| {name} | {cells['memory_mib']:,} | {cells['core_percent']} |"


def _tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(json.load(answer))
    except OSError:
        return False


def _environ() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SHP_", "DAGSTER_"))}
    return clean | {"PYTHONPATH": str(REPOSITORY)}


if __name__ == "__main__":
    main()
