"""`shp retention`: what may go from the store."""

from __future__ import annotations

import click

from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
What may go is older than `retention` in shp.yaml says, and nothing needs it: no sink holds it or is to
hold it, no partition's state is about it, no run works on it, and it is not among the newest of its
partition. What is taken out of the store stays aside for a day, then it is gone. Rows in tables and the
ledger's records are never touched.

Exit code 0: done.
Example:  shp retention --dry-run
"""


@click.command(cls=Taught, epilog=_HELP)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@with_output
def retention(desk: Desk, dry_run: bool) -> None:
    """Take artefacts that nobody needs any more out of the store."""
    from shp_ops.retention import retention as run

    found = run(desk.settings, dry_run=dry_run)
    desk.answer(found)
    if not desk.json:
        verb = "would go" if dry_run else "went"
        desk.say(f"{len(found['raw'])} deliveries {verb} whole, of {len(found['artefacts'])} the rows but not the bytes.")
        desk.say(f"{found['bytes'] / 1_000_000:,.1f} MB {'would be' if dry_run else 'are'} free a day later.")
