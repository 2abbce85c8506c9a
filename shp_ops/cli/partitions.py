"""`shp partitions`, `shp history`: what the ledger knows."""

from __future__ import annotations

from typing import Any

import click

from shp_core.errors import UsageError
from shp_ops.cli.output import Desk, with_output


@click.command()
@click.argument("feed")
@with_output
def partitions(desk: Desk, feed: str) -> int:
    """Show the state of every partition of FEED, and what the sinks hold of it.

    Exit code 0: every partition is published. 1: some are not.
    """
    from shp_ops.views import partition_view

    records = partition_view(desk.settings, feed)
    desk.answer({"feed": feed, "partitions": records})
    if not desk.json:
        _show_partitions(desk, records)
    return 0 if all(record["state"].startswith("published") for record in records) else 1


@click.command()
@click.argument("feed")
@click.argument("partition")
@with_output
def history(desk: Desk, feed: str, partition: str) -> None:
    """Show every arrival, delivery, attempt, move and publication of one PARTITION of FEED, oldest first."""
    from shp_ops.views import history_view

    events = history_view(desk.settings, feed, partition)
    if not events:
        raise UsageError(f"Nothing is known of {feed}/{partition}.", f"See which partitions there are: shp partitions {feed}")
    desk.answer({"feed": feed, "partition": partition, "events": events})
    if not desk.json:
        for event in events:
            facts = ", ".join(
                f"{name} {value}" for name, value in event.items() if name not in ("at", "what") and value not in (None, {}, "")
            )
            desk.say(f"{event['at']:%Y-%m-%d %H:%M:%S}  {event['what']:<12} {facts}")


def _show_partitions(desk: Desk, records: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("partition", "state", "read", "rejected", "loaded", "attempts", "updated", "code"):
        table.add_column(name)
    for record in records:
        rows = record["rows"]
        counts = [f"{rows.get(name, 0):,}" for name in ("read", "rejected", "loaded")]
        updated = f"{record['updated_at']:%Y-%m-%d %H:%M:%S}"
        table.add_row(record["partition"], record["state"], *counts, str(record["attempts"]), updated, record["code"] or "")
    desk.console.print(table) if records else desk.say("No partition is known yet: drop a workbook into the feed's landing folder.")
