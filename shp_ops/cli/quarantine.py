"""`shp quarantine`: what is held back, and why; and the way out."""

from __future__ import annotations

from typing import Any

import click

from shp_core.errors import UsageError
from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_SHOWN = 10_000


@click.group(no_args_is_help=False)
def quarantine() -> None:
    """Show what is held back, and why; let it run once more."""


_LIST_HELP = """
Exit code 0: nothing is quarantined as a whole (rejected rows alone are 0).
          1: some partition is.
"""

_SHOW_HELP = """
Exit code 0: the partition is known.  2: it is not.
Example:  shp quarantine show sales sales_records_n6_defects
"""


@quarantine.command(name="list", cls=Taught, epilog=_LIST_HELP)
@click.option("--feed", default=None, help="Only this feed.")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="The most rejected rows per feed.")
@with_output
def list_(desk: Desk, feed: str | None, limit: int) -> int:
    """List quarantined partitions and rejected rows.

    Cells of feeds with personal data (columns marked `pii`) are masked.
    """
    from shp_ops.views import quarantine_view

    held, rows = quarantine_view(desk.settings, feed, limit)
    _tell(desk, held, rows)
    if not desk.json and len(rows) >= limit:
        desk.say(f"At most {limit:,} rows of a feed are listed; all are in the tables quarantine.*, or use --limit.")
    return 1 if held else 0


@quarantine.command(cls=Taught, epilog=_SHOW_HELP)
@click.argument("feed")
@click.argument("partition")
@with_output
def show(desk: Desk, feed: str, partition: str) -> None:
    """Show one PARTITION's rejected rows, and why it is held if it is."""
    from shp_ops.views import is_known, quarantine_view

    held, rows = quarantine_view(desk.settings, feed, _SHOWN, partition)
    if not held and not rows and not is_known(desk.settings, feed, partition):
        raise UsageError(f"Nothing is known of {feed}/{partition}.", f"See which partitions there are: shp partitions {feed}")
    for record in held:
        _propose(desk, record)
    _tell(desk, held, rows)


def _propose(desk: Desk, record: dict[str, Any]) -> None:
    """What changed in a sheet that is held for its shape, and what accepting it would do."""
    from shp_ops.accept import proposal

    record["proposal"], acceptable = proposal(desk.settings, record["feed"], record["partition"])
    if acceptable:
        record["next"] = f"{record['next']} Or take it up: shp feeds accept {record['feed']} {record['partition']}"


_RELEASE_HELP = """
A mended file under the same name, or an edited feed file, needs no release: they are taken up
by themselves. This is for what was mended elsewhere: limits, rights, room on a disk, a program.

Exit code 0: it runs again (at the next look of a started platform).  2: nothing holds it.
Example:  shp quarantine release sales sales_records_n6_defects
"""


@quarantine.command(cls=Taught, epilog=_RELEASE_HELP)
@click.argument("feed")
@click.argument("partition")
@with_output
def release(desk: Desk, feed: str, partition: str) -> None:
    """Let one held PARTITION run once more, whatever holds it."""
    from shp_ops.healing import release as let_go

    record = let_go(desk.settings, feed, partition)
    desk.say(f"{feed}/{partition} ({record.state}) is due now; a started platform runs it at its next look.")
    desk.answer({"feed": feed, "partition": partition, "state": str(record.state), "next_attempt_at": record.next_attempt_at})


def _tell(desk: Desk, held: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    desk.answer({"partitions": held, "rows": rows})
    if not desk.json:
        _show(desk, held, rows)


def _show(desk: Desk, held: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    from shp_ops.advice import advice

    for record in held:
        desk.say(f"{record['feed']}/{record['partition']}: {record['code']}: {record['message']}\n  next: {record['next']}")
        for one in record.get("proposal", ()):
            desk.say(f"  {one['words']}: {one['remedy']}")
    for row in rows:
        words = "; ".join(f"{reason['column']}: {reason['code']}" for reason in row["reasons"])
        desk.say(f"{row['feed']}/{row['partition']} row {row['row']}: {words}. {advice(row['codes'][0])}")
    if not held and not rows:
        desk.say("Nothing is held back.")
