"""`shp backfill`: fill what the sinks do not hold."""

from __future__ import annotations

import click

from shp_core.gaps import MEANINGS, Why
from shp_ops.backfill import Followed, Plan, Wanted
from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
Looked for is what was published and does not stand in a sink any more (rows are counted), and
what is held and never reached its sinks. A started platform does the first by itself; this is for
who wants it now, or a part of it, or stale partitions done again after the contract was changed.
What was refused (quarantined) is not run: its file or its feed must change first.

Exit code 0: done, or nothing to do.
          1: with --wait: not all of it ran to its end.
          2: a sink cannot be asked, a backfill of the feed is under way, or no platform runs that
             could be waited for.
Examples: shp backfill visits --dry-run
          shp backfill visits --from 2026-11-01 --to 2026-11-30
          shp backfill visits --stale --wait
"""
_SHOWN = 20


@click.command(cls=Taught, epilog=_HELP)
@click.argument("feed")
@click.option("--from", "first", default=None, metavar="PARTITION", help="The first partition, in order of keys.")
@click.option("--to", "last", default=None, metavar="PARTITION", help="The last partition, in order of keys.")
@click.option("--stale", is_flag=True, help="Also what was published under another contract or converter than the one in force.")
@click.option("--dry-run", is_flag=True, help="Only say what would run, and why.")
@click.option("--wait", is_flag=True, help="Show how it gets on, and come back when it is over.")
@with_output
def backfill(desk: Desk, feed: str, first: str | None, last: str | None, stale: bool, dry_run: bool, wait: bool) -> int:
    """Fill what the sinks do not hold of FEED, as one Dagster backfill below live data."""
    from shp_ops import backfill as backfills

    if wait and not dry_run:
        backfills.require_platform(desk.settings)
    do = backfills.planned if dry_run else backfills.launched
    plan = do(desk.settings, feed, Wanted(first, last, stale))
    if not desk.json:
        _show(desk, plan)
    if not wait or plan.backfill is None:
        desk.answer(plan.as_dict())
        return 0
    seen = _follow(desk, plan)
    desk.answer({**plan.as_dict(), **seen.progress.as_dict(), "status": seen.status})
    return 0 if seen.is_done else 1


def _follow(desk: Desk, plan: Plan) -> Followed:
    """A bar on a terminal, a line for each step otherwise; how it ended."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from shp_ops.backfill import follow

    columns = (TextColumn(plan.feed), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=desk.console, disable=not desk.console.is_terminal) as bar:
        task, before = bar.add_task("", total=len(plan.items)), -1
        for seen in follow(desk.settings, plan):
            bar.update(task, completed=seen.progress.done)
            if seen.progress.done != before and not desk.console.is_terminal:
                desk.say(f"{plan.feed}: {seen.progress}")
            before = seen.progress.done
    desk.say(f"Backfill {plan.backfill} is over: {seen.status.lower()}.")
    return seen


def _show(desk: Desk, plan: Plan) -> None:
    if plan.behind:
        desk.say(f"The lake lacks {plan.behind:,} partitions that the warehouse holds; a started platform brings them there by itself.")
    if not plan.items:
        everything = "There is nothing else to fill." if plan.behind else f"The sinks hold everything that {plan.feed} is to have there."
        desk.say(everything)
        return
    for item in plan.items[:_SHOWN]:
        why, _, code = item["why"].partition(": ")
        desk.say(f"{item['partition']}: {', '.join(item['sinks'])}: {MEANINGS[Why(why)]}{f' ({code})' if code else ''}")
    if len(plan.items) > _SHOWN:
        desk.say(f"… and {len(plan.items) - _SHOWN:,} more (--json tells all).")
    time = f", about {plan.seconds:,.0f} s" if plan.seconds is not None else ""
    if plan.backfill is None:
        desk.say(f"{len(plan.items):,} partitions would run{time}. Nothing was changed.")
    else:
        desk.say(f"{len(plan.items):,} partitions{time}: backfill {plan.backfill}. A started platform (shp up) runs it.")
