"""`shp demo`: the whole story on sample data, with a summary that proves itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from shp_ops.cli.output import Desk, with_output

if TYPE_CHECKING:
    from shp_ops.demo.story import Outcome
    from shp_ops.demo.watch import Dropped, Sight

_COUNTS = ("read", "clean", "rejected", "duplicate", "displaced", "loaded")


@click.command()
@with_output
def demo(desk: Desk) -> int:
    """Load sample workbooks through a platform of its own in ./var/demo, and prove what was loaded.

    Starts an embedded PostgreSQL, the code server, webserver and daemon; drops the samples; waits; compares the
    tables with the workbooks; stops what it started. Exit code 0: everything is published and proven.
    """
    from shp_ops.demo.story import demo_settings, play

    home = desk.settings.home if _home_was_given() else None
    settings = demo_settings(desk.settings, home)
    with _watched(desk) as (on_files, on_sight):
        outcome = play(settings, desk.say, on_sight, on_files)
    desk.answer(_document(outcome))
    if not desk.json:
        _show(desk, outcome, settings.home)
    return 0 if outcome.proven else 1


def _home_was_given() -> bool:
    return click.get_current_context().params.get("home") is not None


OnSight = Callable[["Mapping[Dropped, Sight]"], None]
OnFiles = Callable[["list[Dropped]"], None]


@contextmanager
def _watched(desk: Desk) -> Iterator[tuple[OnFiles, OnSight]]:
    """A bar per file on a terminal, a line per change otherwise."""
    if desk.console.is_terminal:
        with _bars(desk) as pair:
            yield pair
        return
    last: dict[Any, str] = {}

    def on_sight(sights: Mapping[Dropped, Sight]) -> None:
        for file, sight in sights.items():
            if last.get(file) != sight.step:
                last[file] = sight.step
                desk.say(f"{file.feed}/{file.name}: {sight.step}")

    yield lambda files: desk.say(f"{len(files)} workbooks lie in the landing folder."), on_sight


@contextmanager
def _bars(desk: Desk) -> Iterator[tuple[OnFiles, OnSight]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from shp_ops.demo.watch import STEPS

    columns = (TextColumn("{task.fields[name]:<34.34}"), BarColumn(24), TextColumn("{task.fields[what]:<24}"), TimeElapsedColumn())
    tasks: dict[Dropped, Any] = {}
    with Progress(*columns, console=desk.console) as progress:

        def on_files(files: list[Dropped]) -> None:
            for file in files:
                tasks[file] = progress.add_task("", total=len(STEPS), start=True, name=file.name, what="waiting")

        def on_sight(sights: Mapping[Dropped, Sight]) -> None:
            for file, sight in sights.items():
                progress.update(tasks[file], completed=sight.done, what=sight.step)
                if sight.settled:
                    progress.stop_task(tasks[file])

        yield on_files, on_sight


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "proven": outcome.proven,
        "loaded_now": len(outcome.loaded_now),
        "files": [_file(file, sight) for file, sight in outcome.files.items()],
        "proof": [
            {"feed": line.feed, "what": line.what, "sql": str(line.by_sql), "openpyxl": str(line.by_openpyxl), "equal": line.equal}
            for line in outcome.lines
        ],
        "marts": dict(outcome.marts),
    }


def _file(file: Dropped, sight: Sight) -> dict[str, Any]:
    rows = sight.record.rows if sight.record else {}
    return {"feed": file.feed, "file": file.name, "partition": file.partition, "state": sight.step, "rows": rows}


def _show(desk: Desk, outcome: Outcome, home: Any) -> None:
    desk.console.print(_files(outcome))
    desk.say("")
    desk.console.print(_proof(outcome))
    desk.say("")
    if not outcome.loaded_now:
        desk.say("Nothing was loaded: every workbook was published before, and nothing is loaded twice.")
    for name, current in outcome.marts.items():
        desk.say(f"mart.{name} {'has read every publication' if current else 'is behind the publications'}.")
    desk.say("The proof holds: SQL and openpyxl agree." if outcome.proven else "THE PROOF DOES NOT HOLD, see above.")
    shown = _relative(home)
    desk.say(
        f"\nRejected rows with their reasons:  shp quarantine list --home {shown}   (tables: quarantine.*)"
        f"\nThis data in the Dagster UI:       shp up --home {shown}"
        "\nYour own files:                    make up   (or: shp up)"
    )


def _files(outcome: Outcome) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", no_wrap=True)
    for name in (*_COUNTS, "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for file, sight in outcome.files.items():
        rows = sight.record.rows if sight.record else {}
        seconds = f"{outcome.seconds[file]:.1f}" if file in outcome.seconds else "-"
        state = sight.step + ("" if file in outcome.loaded_now else " (before)")
        if sight.record and sight.record.code:
            state += f" ({sight.record.code})"
        table.add_row(file.name, *[f"{rows.get(name, 0):,}" for name in _COUNTS], seconds, state)
    return table


def _proof(outcome: Outcome) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("feed", "proof"):
        table.add_column(name, no_wrap=True)
    for name in ("SQL", "openpyxl"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for line in outcome.lines:
        table.add_row(line.feed, line.what, f"{line.by_sql:,}", f"{line.by_openpyxl:,}", "equal" if line.equal else "DIFFERENT")
    return table


def _relative(home: Any) -> str:
    from pathlib import Path

    try:
        return str(Path(home).relative_to(Path.cwd()))
    except ValueError:
        return str(home)
