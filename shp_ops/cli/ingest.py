"""`shp ingest`: deliver files and process them now, no daemon needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_ops.cli.output import Desk, with_output
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.workers import Event


@click.command()
@click.argument("feed")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 1 when any row was rejected, too.")
@with_output
def ingest(desk: Desk, feed: str, paths: tuple[Path, ...], strict: bool) -> int:
    """Deliver PATHS (workbooks, or folders of them) to FEED and process them now.

    Runs as Dagster runs in this process; no platform needs to be up, and one that is up shares the work's leases.
    Exit code 0: every file is published. 1: a file was not (or, with --strict, a row was rejected). 2: nothing worked.
    """
    from shp_ops.ingest.run import ingest as run  # Dagster takes two seconds to import

    files = _files(paths)
    with _progress(desk, files) as on_event:
        results = run(desk.settings, feed, files, on_event)
    desk.answer({"feed": feed, "files": [result.as_dict() for result in results]})
    if not desk.json:
        _show(desk, results)
    return _status(results, strict)


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            found += sorted(item for item in path.iterdir() if item.is_file() and not item.name.startswith((".", "~$")))
        else:
            found.append(path)
    if not found:
        raise UsageError("There is no file in what was given.", "Name workbooks, or a folder that holds some.", Code.USAGE)
    return found


def _status(results: list[FileResult], strict: bool) -> int:
    rejected = strict and any(result.rows.get("rejected") for result in results)
    return 1 if rejected or not all(result.published for result in results) else 0


@contextmanager
def _progress(desk: Desk, files: list[Path]) -> Iterator[Callable[[Event], None]]:
    """A bar per file on a terminal, plain lines otherwise."""
    if not desk.console.is_terminal:
        yield lambda event: _line(desk, files, event)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[name]:<40.40}"), BarColumn(30), TextColumn("{task.fields[what]}"), TimeElapsedColumn())
    with Progress(*columns, console=desk.console) as progress:
        tasks = [progress.add_task("", total=None, start=False, name=_name(path), what="waiting") for path in files]

        def on_event(event: Event) -> None:
            task = tasks[event.index]
            if event.step == "begun":
                progress.start_task(task)
                progress.update(task, what="reading")
            elif event.result is not None:
                progress.update(task, total=1, completed=1, what=_words(event.result))
                progress.stop_task(task)
            else:
                progress.update(task, what=f"{event.rows:,} rows")

        yield on_event


def _line(desk: Desk, files: list[Path], event: Event) -> None:
    if event.step == "begun":
        desk.say(f"{_name(files[event.index])}: reading")
    elif event.result is not None:
        desk.say(f"{_name(files[event.index])}: {_words(event.result)} in {event.result.seconds:.1f} s")


def _words(result: FileResult) -> str:
    if result.code:
        return f"{result.state or 'not taken'}: {result.code}"
    rows = result.rows
    rejected = f", {rows['rejected']:,} rejected" if rows.get("rejected") else ""
    return f"{rows.get('loaded', 0):,} rows{rejected}{'' if result.changed else ' (unchanged)'}"


def _show(desk: Desk, results: list[FileResult]) -> None:
    from shp_ops.cli.tables import result_table

    desk.console.print(result_table(results))
    for result in results:
        if result.code:
            desk.say(f"{Path(result.path).name}: {result.code}: {result.message}\n  next: {Code(result.code).info.operator}")


def _name(path: Path) -> str:
    from shp_resources.landing import printable

    return printable(path.name)
