"""`shp partitions`, `shp history`: what the ledger knows."""

from __future__ import annotations

from typing import Any

import click

from shp_core.errors import UsageError
from shp_core.states import PUBLISHED_STATES, State
from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_PARTITIONS_HELP = """
Exit code 0: every partition is published, waived, or expected and not due yet (or none is known).
          1: some are not, or a day lacks files (where a feed expects a number of them).
Example:  shp partitions sales
"""

_WELL = {*PUBLISHED_STATES, State.WAIVED, State.EXPECTED}

_HISTORY_HELP = """
Exit code 0: something is known of it.  2: nothing is.
Example:  shp history sales sales_records_n1
"""


@click.command(cls=Taught, epilog=_PARTITIONS_HELP)
@click.argument("feed")
@with_output
def partitions(desk: Desk, feed: str) -> int:
    """Show the state of every partition of FEED, and what the sinks hold of it."""
    from shp_ops.days import day_view
    from shp_ops.views import partition_view

    records, days = partition_view(desk.settings, feed), day_view(desk.settings, feed)
    desk.answer({"feed": feed, "partitions": records, **({"days": days} if days else {})})
    if not desk.json:
        _show_partitions(desk, feed, records)
        _show_days(desk, days)
    well = all(record["state"] in _WELL for record in records) and all(day["state"] != State.LATE for day in days)
    return 0 if well else 1


@click.command(cls=Taught, epilog=_HISTORY_HELP)
@click.argument("feed")
@click.argument("partition")
@with_output
def history(desk: Desk, feed: str, partition: str) -> None:
    """Show what happened to one PARTITION of FEED, oldest first.

    Every arrival, delivery, attempt, change of state and publication; --json tells them in full.
    """
    from shp_ops.cli.events import event_lines
    from shp_ops.views import history_view

    events = history_view(desk.settings, feed, partition)
    if not events:
        raise UsageError(f"Nothing is known of {feed}/{partition}.", f"See which partitions there are: shp partitions {feed}")
    desk.answer({"feed": feed, "partition": partition, "events": events})
    if not desk.json:
        for event in events:
            for line in event_lines(event):
                desk.say(line)


def _show_partitions(desk: Desk, feed: str, records: list[dict[str, Any]]) -> None:
    from shp_ops.cli.tables import partition_listing

    if not records:
        desk.say(f"No partition of {feed} is known yet: drop a workbook into {desk.settings.landing / feed}, or use shp ingest.")
        return
    partition_listing(records).show(desk.console)
    _show_lake(desk, records)
    for record in records:
        if record["state"] == State.WAIVED:
            desk.say(f"{record['partition']}: waived: {record['message'] or ''}")
        elif record["code"]:
            desk.say(f"{record['partition']}: {record['code']}: {record['message'] or ''}")


def _show_days(desk: Desk, days: list[dict[str, Any]]) -> None:
    """The days that lack files, and today."""
    for day in days:
        if day["state"] != State.ARRIVED or day is days[-1]:
            why = f": {day['waived']}" if day["state"] == State.WAIVED else f", due {day['due_at']:%Y-%m-%d %H:%M} UTC"
            desk.say(f"{day['day']}: {day['state']}: {day['came']:,} of {day['expected']:,} files came{why}")


def _show_lake(desk: Desk, records: list[dict[str, Any]]) -> None:
    """Where the lake is, and how much of the feed it lacks; nothing of a feed that is not there."""
    known = [record["sinks"]["lake"] for record in records if "lake" in record["sinks"]]
    if known:
        behind = sum(sink["state"] == "behind" for sink in known)
        follows = "; a started platform brings there what it lacks" if behind else ""
        desk.say(f"The lake: {known[0]['place']}; it lacks {behind:,} of {len(known):,} partitions{follows}.")
