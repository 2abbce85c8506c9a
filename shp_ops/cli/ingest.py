"""`shp ingest`: deliver files and process them now, no daemon needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.workers import LAKE, Event

if TYPE_CHECKING:
    from shp_ops.ingest.files import File

_BARS, _HINTS = 15, 3  # more files, or more partitions with rejects, would fill the screen
_HELP = """
Exit code 0: every file is published.
          1: a file is not (or, with --strict, a row was rejected).
          2: the command could not work at all (database, feed file).
Example:  shp ingest sales ~/Downloads/november.xlsx
Elsewhere: shp ingest sales s3://bucket/orders/ https://files.example.com/november.xlsx
           (http, https, s3, sftp, hdfs; credentials: docs/operations.md, Remote sources)
From cron: 0 7 * * *  cd /srv/shp && shp ingest sales /data/inbox --json >> ingest.log
"""


@click.command(cls=Taught, epilog=_HELP)
@click.argument("feed")
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("--strict", is_flag=True, help="Exit with 1 when any row was rejected, too.")
@with_output
def ingest(desk: Desk, feed: str, paths: tuple[str, ...], strict: bool) -> int:
    """Deliver PATHS (workbooks, folders of them, or addresses of either) to FEED and process them now.

    Runs as Dagster runs in this process: no platform needs to be up, and one that is up shares the work. Files are
    read and left as they are. What was published before is not loaded twice, so the same command can be given again.
    """
    from shp_ops.ingest.files import files_of
    from shp_ops.ingest.run import ingest as run
    from shp_ops.installation import catalogue_of, require_feed
    from shp_ops.sources import is_remote, require_names, with_patience
    from shp_resources.logs import log_to_file

    require_names(paths)
    log_to_file(desk.settings, "ingest")
    catalogue = catalogue_of(desk.settings)
    model = require_feed(desk.settings, catalogue, feed)
    named = [word if is_remote(word) else Path(word) for word in paths]
    files = files_of(model, named, with_patience(desk.settings).sources if any(map(is_remote, paths)) else None)
    for error in catalogue.errors:
        desk.say(f"warning: {error}")
    with _progress(desk, files) as on_event:
        results = run(desk.settings, model, files, on_event)
    desk.answer({"feed": feed, "files": [result.as_dict() for result in results]})
    if not desk.json:
        _show(desk, feed, results)
    return _status(results, strict)


def _status(results: list[FileResult], strict: bool) -> int:
    rejected = strict and any(result.rows.get("rejected") for result in results)
    return 1 if rejected or not all(result.published for result in results) else 0


@contextmanager
def _progress(desk: Desk, files: list[File]) -> Iterator[Callable[[Event], None]]:
    """A bar per file on a terminal, plain lines otherwise."""
    if not desk.console.is_terminal:
        yield lambda event: _line(desk, files, event)
        return
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[name]:<30.30}"), BarColumn(16), TextColumn("{task.fields[what]}"), TimeElapsedColumn())
    with Progress(*columns, console=desk.console) as progress:
        tasks: dict[int, TaskID] = {}

        def on_event(event: Event) -> None:
            name = _name(files[event.index])
            if event.step == "begun":
                tasks[event.index] = progress.add_task("", total=None, name=name, what="reading")
            elif event.step == LAKE and len(files) > _BARS:  # a screen does not hold them all
                progress.update(tasks[event.index], visible=False)
                progress.console.print(f"{name}: {event.rows:,} rows; the lake follows", markup=False)
            elif event.step == LAKE:
                progress.update(tasks[event.index], what=f"{event.rows:,} rows; the lake follows")
            elif event.result is None:
                progress.update(tasks[event.index], what=f"{event.rows:,} rows")
            elif len(files) > _BARS and event.index in tasks:
                progress.remove_task(tasks[event.index])
                progress.console.print(f"{name}: {_words(event.result)}", markup=False)
            elif event.index in tasks:
                progress.update(tasks[event.index], total=1, completed=1, what=_words(event.result))
                progress.stop_task(tasks[event.index])

        yield on_event


def _line(desk: Desk, files: list[File], event: Event) -> None:
    if event.step == "begun":
        desk.say(f"{_name(files[event.index])}: reading")
    elif event.step == LAKE:
        desk.say(f"{_name(files[event.index])}: {event.rows:,} rows in the warehouse; the lake follows")
    elif event.result is not None:
        desk.say(f"{_name(files[event.index])}: {_words(event.result)} in {event.result.seconds:.1f} s")


def _words(result: FileResult) -> str:
    if result.code:
        return f"{result.state or 'not taken'}: {result.code}"
    rows = result.rows
    rejected = f", {rows['rejected']:,} rejected" if rows.get("rejected") else ""
    return f"{rows.get('loaded', 0):,} rows{rejected}{'' if result.changed else ' (unchanged)'}"


def _show(desk: Desk, feed: str, results: list[FileResult]) -> None:
    from shp_ops.advice import advice
    from shp_ops.cli.tables import result_listing

    result_listing(results).show(desk.console)
    for result in results:
        if result.code:
            desk.say(f"{_name(Path(result.path))}: {result.code}: {result.message}\n  next: {advice(result.code, result.cause)}")
    rejected = [result for result in results if result.rows.get("rejected") and result.partition]
    for result in rejected[:_HINTS]:
        desk.say(f"Rejected rows and why:  shp quarantine show {feed} {result.partition}")
    if len(rejected) > _HINTS:
        desk.say(f"Rejected rows and why:  shp quarantine list --feed {feed}")


def _name(path: File) -> str:
    from shp_resources.landing import printable

    return printable(path.name)
