"""`shp quarantine`: what is held back, and why."""

from __future__ import annotations

from typing import Any

import click

from shp_core.codes import Code
from shp_ops.cli.output import Desk, with_output


@click.group()
def quarantine() -> None:
    """Show what is held back, and why."""


@quarantine.command(name="list")
@click.option("--feed", default=None, help="Only this feed.")
@click.option("--limit", default=200, show_default=True, help="The most rejected rows per feed.")
@with_output
def list_(desk: Desk, feed: str | None, limit: int) -> int:
    """List quarantined partitions and rejected rows.

    Exit code 0: nothing is quarantined as a whole. 1: some partition is.
    """
    from shp_ops.views import quarantine_view

    held, rows = quarantine_view(desk.settings, feed, limit)
    desk.answer({"partitions": held, "rows": rows})
    if not desk.json:
        _show(desk, held, rows)
    return 1 if held else 0


@quarantine.command()
@click.argument("feed")
@click.argument("partition")
@with_output
def show(desk: Desk, feed: str, partition: str) -> None:
    """Show one PARTITION's rejected rows, and why it is held if it is."""
    from shp_ops.views import quarantine_view

    held, rows = quarantine_view(desk.settings, feed, 10_000, partition)
    desk.answer({"partitions": held, "rows": rows})
    if not desk.json:
        _show(desk, held, rows)


def _show(desk: Desk, held: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    for record in held:
        desk.say(f"{record['feed']}/{record['partition']}: {record['code']}: {record['message']}\n  next: {record['next']}")
    for row in rows:
        words = "; ".join(f"{reason['column']}: {reason['code']}" for reason in row["reasons"])
        advice = Code(row["codes"][0]).info.sender
        desk.say(f"{row['feed']}/{row['partition']} row {row['row']}: {words}. {advice}")
    if not held and not rows:
        desk.say("Nothing is held back.")
