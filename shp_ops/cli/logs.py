"""`shp logs`: what the platform's processes have written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
Names: supervisor, code, runs, web, daemon, watchdog, postgres, ingest; with --hadoop its daemons, too.
Example:  shp logs runs -f                            what runs do, as it happens
          shp logs -n 500 --feed sales                everything about one feed
          shp logs runs --json | jq 'select(.code)'   the lines of verdicts
Files:    SHP_HOME/logs/NAME.log, and NAME.log.1 to .5, which were put aside: one a day, or 10 MiB, for 14 days
"""


@click.command(cls=Taught, epilog=_HELP)
@click.argument("name", required=False)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what is written from now on; Ctrl-C ends it.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=50, show_default=True, help="So many of the last lines.")
@click.option("--feed", default=None, help="Only lines about this feed.")
@with_output
def logs(desk: Desk, name: str | None, following: bool, lines: int, feed: str | None) -> int:
    """Show what NAME has logged last, or all processes together in the order of time.

    Each line tells time, level and message, and in brackets what it is about: feed, partition, delivery, run, attempt,
    code. With --json each line is the JSON object that stands in the file.
    """
    from shp_core.logs.line import readable
    from shp_ops.read_logs import follow, last, logs_of

    paths = logs_of(desk.settings, name)
    found: Iterable[tuple[str, str]] = ((line.process, line.text) for line in last(paths, lines))
    later: Iterator[tuple[str, str]] = ((line.process, line.text) for line in follow(paths)) if following else iter(())
    for source in (found, later):
        for process, text in source:
            if feed is None or f'"feed": "{feed}"' in text:
                click.echo(text if desk.json else _with_name(readable(text), process if name is None else ""))
    return 0


def _with_name(text: str, process: str) -> str:
    return f"{process:<11}{text}" if process else text
