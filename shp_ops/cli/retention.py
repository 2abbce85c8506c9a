"""`shp retention`: what may go."""

from __future__ import annotations

from typing import Any

import click

from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
A running platform does this once a day. What may go is older than `retention` in shp.yaml says.

Artefacts go when nothing needs them: no sink holds them or is to hold them, no partition's state is about
them, no run works on them, and they are not among the newest of their partition. They stay aside for a
day. Dagster's runs go with their events, but for the last word on each partition of each asset, and all
runs of partitions that are not published; no partition looks missing, and nothing is run again. Captured
output, delivered messages and what killed jobs left in the lake go, too. Rows in tables and the ledger's
records are never touched. What was read ahead for a run that never came goes after a day. Where SHP_STORE
is an address, it then keeps the deliveries that are kept here.

Exit code 0: done.
Example:  shp retention --dry-run
"""


@click.command(cls=Taught, epilog=_HELP)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@with_output
def retention(desk: Desk, dry_run: bool) -> None:
    """Take away what is old and needed by nothing: artefacts, runs, output, messages."""
    from shp_ops.retention import retention as run

    found = run(desk.settings, dry_run=dry_run)
    desk.answer(found)
    if not desk.json:
        _tell(desk, found, "would go" if dry_run else "went", "would be" if dry_run else "are")


def _tell(desk: Desk, found: dict[str, Any], verb: str, be: str) -> None:
    desk.say(f"{len(found['raw'])} deliveries {verb} whole, of {len(found['artefacts'])} the rows but not the bytes.")
    desk.say(f"{found['bytes'] / 1_000_000:,.1f} MB {be} free a day later.")
    if found["afar"]:
        desk.say(f"Where SHP_STORE says, {found['afar']['brought']:,} deliveries were brought and {found['afar']['removed']:,} went.")
    desk.say(f"{found['runs']:,} runs, {found['events']:,} events and {found['backfills']} backfills {verb} from Dagster's records.")
    desk.say(f"The captured output of {found['captured']:,} runs and {found['alerts']:,} messages {verb}.")
    if not found["dry_run"]:
        desk.say(f"Dagster's tables are {found['database_bytes'] / 1_000_000:,.1f} MB smaller.")
