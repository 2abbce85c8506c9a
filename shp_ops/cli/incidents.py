"""`shp incidents`: what people are told, one for each cause."""

from __future__ import annotations

from typing import Any

import click

from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
An incident opens with the first partition that a cause holds, and closes by proof: the rows of
each of its partitions were read again from the sink and agree with the ledger.

Exit code 0: none is open.
          1: some are.
"""
_NAMED = 5


@click.command(cls=Taught, epilog=_HELP)
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="The most closed ones; open ones are all told.")
@with_output
def incidents(desk: Desk, limit: int) -> int:
    """Show open incidents, then those that were closed last."""
    from shp_ops.healing import incident_view

    found = incident_view(desk.settings, limit)
    desk.answer({"incidents": found})
    if not desk.json:
        for incident in found:
            desk.say(_told(incident))
        if not found:
            desk.say("There was no incident.")
    return 1 if any(incident["closed_at"] is None for incident in found) else 0


def _told(incident: dict[str, Any]) -> str:
    head = f"{incident['id']}  {incident['severity']}  {incident['cause']}  since {incident['opened_at']:%Y-%m-%d %H:%M} UTC"
    names = [f"{member['feed']}/{member['partition']}" for member in incident["members"]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    held = [f"   {len(names)} partitions: {', '.join(names[:_NAMED])}{more}"] if names else []  # none where it is the platform's own
    lines = [head, f"   {incident['message']}", *held]
    if incident["closed_at"] is not None:
        return "\n".join([*lines, f"   closed {incident['closed_at']:%Y-%m-%d %H:%M} UTC: {incident['proof']}"])
    return "\n".join([*lines, f"   next: {incident['next']}"])
