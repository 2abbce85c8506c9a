"""`shp waive`: a partition that will never come."""

from __future__ import annotations

import click

from shp_core.errors import UsageError
from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
For what is expected, late or held: nobody waits for it any more, roll-ups do not miss it, and it
leaves its incident. A file that comes all the same is taken. What is published stays.
Of a feed that expects a number of files each day, PARTITION may be a day that lacks some.

Exit code 0: done.  2: there is no such partition, or it is published or at work.
Examples: shp waive counts 2026-12-25 --why "closed for the holidays"
          shp waive counts 2026-12-25 --undo
"""


@click.command(cls=Taught, epilog=_HELP)
@click.argument("feed")
@click.argument("partition")
@click.option("--why", default=None, help="Why it will never come; people see it with the partition.")
@click.option("--undo", is_flag=True, help="Take the waiver back: it is waited for again.")
@with_output
def waive(desk: Desk, feed: str, partition: str, why: str | None, undo: bool) -> None:
    """Say that PARTITION of FEED will never come, or will never be mended."""
    from shp_ops import healing

    if undo == (why is not None and bool(why.strip())):
        raise UsageError("A waiver needs a reason, and taking one back needs none.", 'Write --why "the shop was closed", or --undo.')
    done = healing.take_waiver_back(desk.settings, feed, partition) if undo else healing.waive(desk.settings, feed, partition, why or "")
    desk.say(f"{feed}/{partition} is {done.state}{f': {done.message}' if done.message else ''}.")
    desk.answer({"feed": feed, "partition": partition, "state": str(done.state), "message": done.message, "due_at": done.due_at})
