"""`shp demo`: the whole story on sample data, with a summary that proves itself."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import click

from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

if TYPE_CHECKING:
    from shp_ops.cli.tables import Listing
    from shp_ops.demo.proof import Line
    from shp_ops.demo.story import Outcome
    from shp_ops.demo.watch import Dropped, OnSight, Sight

_HELP = """
Exit code 0: everything is published and proven.
          1: it is not.
          2: the platform could not be started.
Example:  shp demo --home /tmp/shp-demo
"""


@click.command(cls=Taught, epilog=_HELP)
@click.option("--hadoop", is_flag=True, help="With HDFS, YARN and Hive of its own, in ./var/demo-hadoop (needs Java 17; Maven once).")
@click.option("--faults", is_flag=True, help="Another story: real faults, and proof that they heal (in ./var/demo-faults).")
@with_output
def demo(desk: Desk, hadoop: bool, faults: bool) -> int:
    """Load sample workbooks through a platform of its own in ./var/demo, and prove what was loaded.

    Starts an embedded PostgreSQL, the code server, webserver and daemon, whatever is configured; drops the samples;
    waits; compares tables and lake with what openpyxl reads in the workbooks; stops what it started. Takes a minute
    or two.
    """
    from shp_ops.demo.home import demo_settings
    from shp_ops.demo.story import play

    given = desk.settings.home if _home_was_given() else None
    if faults:
        from shp_ops.cli.demo_faults import play_faults

        return play_faults(desk, given)
    settings = demo_settings(desk.settings, given, hadoop=hadoop)
    with _watched(desk) as watched:
        outcome = play(settings, watched.say, watched.on_sight, watched.on_files, hadoop=hadoop)
    desk.answer(_document(outcome))
    if not desk.json:
        _show(desk, outcome, settings.home)
    return 0 if outcome.proven else 1


def _home_was_given() -> bool:
    return click.get_current_context().params.get("home") is not None


class OnFiles(Protocol):
    """Told the files before they are watched."""

    def __call__(self, files: list[Dropped]) -> None:
        """These they are."""


class Say(Protocol):
    """Takes a line for people."""

    def __call__(self, text: str) -> None:
        """Show it."""


class Watched(NamedTuple):
    """How the story is followed."""

    say: Say
    on_files: OnFiles
    on_sight: OnSight


@contextmanager
def _watched(desk: Desk) -> Iterator[Watched]:
    """A bar per file on a terminal, a line per change otherwise."""
    if desk.console.is_terminal:
        with _bars(desk) as watched:
            yield watched
        return
    last: dict[Any, str] = {}

    def on_sight(sights: Mapping[Dropped, Sight]) -> None:
        for file, sight in sights.items():
            if last.get(file) != sight.step:
                last[file] = sight.step
                desk.say(f"{file.feed}/{file.name}: {sight.step}")

    yield Watched(desk.say, lambda files: desk.say(f"{len(files)} workbooks lie in the landing folder."), on_sight)


@contextmanager
def _bars(desk: Desk) -> Iterator[Watched]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from shp_ops.demo.watch import STEPS

    columns = (TextColumn("{task.fields[name]:<30.30}"), BarColumn(12), TextColumn("{task.fields[what]:<22}"), TimeElapsedColumn())
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

        yield Watched(lambda text: progress.console.print(text, markup=False), on_files, on_sight)


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "proven": outcome.proven,
        "loaded_now": len(outcome.loaded_now),
        "lake": outcome.lake,
        "files": [_file(outcome, file, sight) for file, sight in outcome.files.items()],
        "proof": [_line(line) for line in outcome.lines],
        "marts": dict(outcome.marts),
    }


def _line(line: Line) -> dict[str, Any]:
    where = "sql" if line.sink == "warehouse" else line.sink
    return {"feed": line.feed, "what": line.what, where: str(line.in_sink), "openpyxl": str(line.by_openpyxl), "equal": line.equal}


def _file(outcome: Outcome, file: Dropped, sight: Sight) -> dict[str, Any]:
    return {
        "feed": file.feed,
        "file": file.name,
        "partition": file.partition,
        "state": sight.step,
        "code": sight.record.code if sight.record else None,
        "rows": sight.record.rows if sight.record else {},
        "loaded_now": file in outcome.loaded_now,
        "seconds": round(outcome.seconds[file], 3) if file in outcome.seconds else None,
    }


def _show(desk: Desk, outcome: Outcome, home: Path) -> None:
    desk.say("")
    _files(outcome).show(desk.console)
    desk.say("")
    _proof(outcome).show(desk.console)
    desk.say("")
    if not outcome.loaded_now:
        desk.say("Nothing was loaded: every workbook was published before, and nothing is loaded twice.")
    desk.say(f"The lake: {outcome.lake}.")
    for name, current in outcome.marts.items():
        desk.say(f"mart.{name} {'has read every publication' if current else 'is behind the publications'}.")
    desk.say("The proof holds: warehouse, lake and openpyxl agree." if outcome.proven else "THE PROOF DOES NOT HOLD, see above.")
    _tell_ways(desk, home, with_hadoop=outcome.lake.startswith("hdfs "))


def _tell_ways(desk: Desk, home: Path, *, with_hadoop: bool) -> None:
    shp, place = _command(), _relative(home)
    make = "   (or: make up)" if Path("Makefile").is_file() else ""
    desk.say("\nHow to go on:")
    desk.say(f"  {shp} quarantine list --home {place}\n      rejected rows and why (tables: quarantine.*)")
    desk.say(f"  {_up(desk, shp, with_hadoop)} --home {place}\n      this data in the Dagster UI")
    desk.say(f"  {shp} up{make}\n      your own files")


def _up(desk: Desk, shp: str, with_hadoop: bool) -> str:
    """What starts the demo's platform again, with the jars that are there already."""
    if not with_hadoop:
        return f"{shp} up"
    return f"SHP_HADOOP_CACHE={shlex.quote(_relative(desk.settings.hadoop_cache))} {shp} up --hadoop --hive"


def _command() -> str:
    """What the user types to call us."""
    return "shp" if shutil.which("shp") else _relative(Path(sys.executable).parent / "shp")


def _files(outcome: Outcome) -> Listing:
    from shp_ops.cli.tables import Listing

    names = ["file", *_COUNTS, "state", "seconds"]
    return Listing(names, [_row(outcome, file, sight) for file, sight in outcome.files.items()])


_COUNTS = ("read", "clean", "rejected", "duplicate", "displaced", "loaded")


def _row(outcome: Outcome, file: Dropped, sight: Sight) -> list[str]:
    rows = sight.record.rows if sight.record else {}
    code = f" ({sight.record.code})" if sight.record and sight.record.code else ""
    state = f"{sight.step}{code}{'' if file in outcome.loaded_now else ' before'}"
    seconds = f"{outcome.seconds[file]:.1f}" if file in outcome.seconds else "-"
    return [file.name, *[f"{rows.get(name, 0):,}" for name in _COUNTS], state, seconds]


def _proof(outcome: Outcome) -> Listing:
    from shp_ops.cli.tables import Listing

    rows = [
        [line.feed, line.what, f"{line.in_sink:,}", f"{line.by_openpyxl:,}", "equal" if line.equal else "DIFFERENT"]
        for line in outcome.lines
    ]
    return Listing(["feed", "proof", "in the sink", "by openpyxl", ""], rows)


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
