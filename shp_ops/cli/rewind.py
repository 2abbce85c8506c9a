"""`shp rewind`: an earlier delivery, published again."""

from __future__ import annotations

from typing import Any

import click

from shp_core.errors import UsageError
from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
The earlier delivery is judged by the feed's present contract and published to all sinks. What lies
unchanged in the landing folder does not undo it; the next file that comes does, and so does
another rewind. It stands in the history with who did it.

With --all, partitions of which nothing was published then are named and stay; --drop-newer takes
their rows out of all sinks: they are waived until a file for them comes, or a rewind names one.

Exit code 0: done, or there was nothing to do.
          1: a partition was not published.
          2: there is no such delivery, or its bytes are not kept any more.
Examples: shp rewind visits november --to 3f9a2c11
          shp rewind visits november --to 2026-11-20T08:00
          shp rewind visits --all --to 2026-11-20T08:00 --dry-run
          shp rewind visits --all --to 2026-11-20T08:00 --drop-newer
"""


@click.command(cls=Taught, epilog=_HELP)
@click.argument("feed")
@click.argument("partition", required=False)
@click.option("--to", required=True, metavar="DELIVERY|TIME", help="First digits of a delivery, or a time (ISO 8601, UTC).")
@click.option("--all", "all_", is_flag=True, help="All partitions of the feed, to a time.")
@click.option("--drop-newer", is_flag=True, help="With --all: empty partitions of which nothing was published then.")
@click.option("--dry-run", is_flag=True, help="Show what would be published again, and emptied.")
@with_output
def rewind(desk: Desk, feed: str, partition: str | None, to: str, all_: bool, drop_newer: bool, dry_run: bool) -> int:
    """Publish an earlier delivery of PARTITION of FEED again, from its kept bytes."""
    from shp_ops.rewind import carry_out, plan

    if all_ == (partition is not None):
        raise UsageError("Name one PARTITION, or give --all.", "Run: shp rewind --help")
    if drop_newer and not all_:
        raise UsageError("Only a whole feed has newer partitions to drop.", f"shp waive {feed} {partition}, or give --all.")
    found = plan(desk.settings, feed, partition, to)
    results = [] if dry_run else carry_out(desk.settings, found, drop_newer=drop_newer)
    steps = [{"partition": step.partition, "from": step.now, "to": step.to} for step in found.steps]
    done = [_told(result.as_dict()) for result in results]
    newer, dropped = ([], found.newer) if drop_newer else (found.newer, [])
    desk.answer({"feed": feed, "plan": steps, "newer": newer, "dropped": dropped, "results": done})
    if not desk.json:
        _show(desk, feed, steps, done, dry_run=dry_run)
        _show_newer(desk, newer, dropped, dry_run=dry_run)
    return 0 if all(result.published for result in results) else 1


def _told(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "path"}


def _show(desk: Desk, feed: str, steps: list[dict[str, Any]], done: list[dict[str, Any]], *, dry_run: bool) -> None:
    for step in steps if dry_run else ():
        desk.say(f"{feed}/{step['partition']}: {(step['from'] or 'nothing')[:12]} would give way to {step['to'][:12]}")
    for result in done:
        why = f" ({result['code']}: {result['message']})" if result["code"] else ""
        desk.say(f"{feed}/{result['partition']}: {result['state']}, delivery {result['delivery'][:12]}{why}")
    if not steps:
        desk.say("There is nothing to publish again: that is what is published.")


def _show_newer(desk: Desk, newer: list[str], dropped: list[str], *, dry_run: bool) -> None:
    if newer:
        desk.say(f"Nothing of {_named(newer)} was published then; it stays as it is (--drop-newer empties it).")
    if dropped:
        desk.say(f"Nothing of {_named(dropped)} was published then; it {'would be' if dry_run else 'is'} emptied.")


def _named(partitions: list[str]) -> str:
    return f"{', '.join(partitions[:5])}{' …' if len(partitions) > 5 else ''}"
