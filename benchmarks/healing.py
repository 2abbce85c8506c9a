"""The benchmark `healing`: what it costs while nothing fails.

    python -m benchmarks.healing [--rows 20000 --pairs 12]

The same workbooks go through the three steps of a partition in one process, once as they are and once with every call made
plainly: no breaker asked before, no tries within, nobody told after. Pairs alternate which goes first, so that what the
machine does beside them meets both; the ratio is taken within each pair.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import click

from benchmarks import report
from benchmarks.database import fresh_database, server
from benchmarks.ingest import machine, workbooks
from benchmarks.make_workbooks import Plan
from benchmarks.options import with_results, with_server
from shp_assets import steps
from shp_assets.arrive import arrive
from shp_assets.kit import FeedKit
from shp_assets.work import Work
from shp_core.feeds.load import load_catalogue
from shp_resources.landing import sight
from shp_resources.ledger import migrate
from shp_resources.outside import Outside
from shp_resources.settings import Settings

FEEDS = Path(__file__).parent.parent / "feeds"


@dataclass(frozen=True)
class Pair:
    """One workbook both ways.

    Args:
        on: processor seconds as it is.
        off: processor seconds with plain calls.
        wall_on: seconds as it is.
        wall_off: seconds with plain calls.
    """

    on: float
    off: float
    wall_on: float
    wall_off: float


@contextmanager
def plain_calls() -> Iterator[None]:
    """Calls of outside systems without anything round them."""
    with (
        patch.object(steps, "call", lambda outside, system, feed, do, *_: do()),
        patch.object(steps, "watched", lambda *_: nullcontext()),
    ):
        yield


def worked(outside: Outside, kit: FeedKit, path: Path) -> tuple[float, float]:
    """A partition's way in this process; processor and wall seconds."""
    partition = arrive(outside.ledger, kit, sight(path), "ingest").arrival.partition
    work = Work(kit, partition, str(uuid4()), "sensor", publishes=True, outside=outside)
    cpu, wall = time.process_time(), time.perf_counter()
    with work.step("raw"):
        steps.keep_bytes(work)
    with work.step("validated"):
        steps.refuse_unsound(work, steps.validate_delivery(work))
    with work.step("warehouse"):
        steps.publish_delivery(work)
    return time.process_time() - cpu, time.perf_counter() - wall


def installation(base: Path, dsn: str) -> tuple[Outside, FeedKit]:
    """An installation of its own: what one way keeps must not spare the other its work."""
    settings = Settings.load({"SHP_FEEDS": str(FEEDS), "SHP_PG_DSN": dsn}, home=base)
    migrate(dsn)
    kit = FeedKit(load_catalogue(FEEDS).require_sound().feeds["sales"])
    return Outside(settings, pooled=True), kit


def measure(base: Path, with_healing: str, without: str, paths: list[Path]) -> list[Pair]:
    """All workbooks both ways, each way in a database of its own; the first workbook warms up and does not count."""
    homes = {True: installation(base / "on", with_healing), False: installation(base / "off", without)}
    pairs = []
    for number, path in enumerate(paths):
        runs: dict[bool, tuple[float, float]] = {}
        for healing in (True, False) if number % 2 else (False, True):
            way: Callable[[], Any] = nullcontext if healing else plain_calls
            with way():
                runs[healing] = worked(*homes[healing], path)
        pairs.append(Pair(runs[True][0], runs[False][0], runs[True][1], runs[False][1]))
    for outside, _ in homes.values():
        outside.ledger.close()
    return pairs[1:]


def result(rows: int, pairs: list[Pair], dsn: str) -> dict[str, Any]:
    """What is worth keeping, as JSON types."""
    return {
        "name": "healing",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(dsn),
        "rows": rows,
        "cpu_on": round(median(pair.on for pair in pairs), 4),
        "cpu_off": round(median(pair.off for pair in pairs), 4),
        "cpu_percent": round(100 * (median(pair.on / pair.off for pair in pairs) - 1), 2),
        "wall_percent": round(100 * (median(pair.wall_on / pair.wall_off for pair in pairs) - 1), 2),
        "pairs": [asdict(pair) for pair in pairs],
    }


def markdown(outcome: dict[str, Any]) -> str:
    """The result for people."""
    lines = [
        f"# healing, while nothing fails: {len(outcome['pairs'])} workbooks of {outcome['rows']:,} rows, both ways",
        "",
        "| | CPU s | more CPU | more wall time |",
        "|---|---|---|---|",
        f"| as it is | {outcome['cpu_on']} | {outcome['cpu_percent']} % | {outcome['wall_percent']} % |",
        f"| plain calls | {outcome['cpu_off']} | | |",
    ]
    return "\n".join(
        [*lines, "", "* Percentages are medians of the ratios within each pair; the server's own work shows in the wall time.", ""]
    )


def write(outcome: dict[str, Any], folder: Path) -> None:
    """Keep a result as `healing.json` and `healing.md`."""
    report.keep(outcome, folder, "healing", markdown(outcome))


@click.command()
@click.option("--rows", default=20_000, show_default=True, type=click.IntRange(1), help="Rows per workbook.")
@click.option("--pairs", default=12, show_default=True, type=click.IntRange(1), help="Workbooks that count.")
@with_server
@with_results
def main(rows: int, pairs: int, dsn: str | None, results: Path) -> None:
    """Measure what healing costs while nothing fails."""
    with tempfile.TemporaryDirectory(prefix="shp-bench-") as name:
        base = Path(name)
        with server(base / "server", dsn) as address, fresh_database(address, "on") as on, fresh_database(address, "off") as off:
            outcome = result(rows, measure(base, on, off, workbooks(Plan(rows=rows, files=pairs + 1), base)), address)
    write(outcome, results)
    click.echo(markdown(outcome))


if __name__ == "__main__":
    main()
