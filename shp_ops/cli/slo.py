"""`shp slo`: service levels."""

from __future__ import annotations

import click

from shp_core.service_levels import Level
from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
On time: of the partitions due in the last 30 days, those whose first file was seen by then.
Where a feed expects a number of files each day, each file of that number counts.
Success: of the partitions that came in the last 30 days and were judged, those published.
Waived partitions do not count. A feed sets its targets in its file (docs/feeds.md, `targets`).
The budget is the number of failures that the target allows; below 0 % it is overdrawn.

Exit code 0: every target is met.  1: some are not.
Example:  shp slo visits
"""


@click.command(cls=Taught, epilog=_HELP)
@click.argument("feed", required=False)
@with_output
def slo(desk: Desk, feed: str | None) -> int:
    """Show how far each feed (or FEED) is from its targets."""
    from shp_ops.slo import service_levels

    found = service_levels(desk.settings, feed)
    desk.answer({"feeds": [levels.as_dict() for levels in found]})
    if not desk.json:
        for levels in found:
            desk.say(f"{levels.feed}\n   on time  {_told(levels.on_time)}\n   success  {_told(levels.success)}")
        if not found:
            desk.say("There is no feed yet.")
    return 0 if all(levels.met for levels in found) else 1


def _told(level: Level) -> str:
    if level.share is None:
        return f"nothing counts yet (target {level.target:.1%})"
    missed = "" if level.met else ", missed"
    return f"{level.share:.1%} of {level.total:,} (target {level.target:.1%}{missed}), {level.budget_left:.0%} of the budget left"
