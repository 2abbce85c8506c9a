"""`shp backup` and `shp restore`: a copy of what cannot be made anew, and that copy put where nothing is."""

from __future__ import annotations

from pathlib import Path

import click

from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_BACKUP_HELP = """
Copies the ledger with Dagster's tables, then the warehouse's tables, then the store; the platform may run
meanwhile. Every file has its checksum in manifest.json, which is written last. Not in it are feed files
and shp.yaml (keep them under version control), drop folders, the lake (it is filled again from the
store), and captured output of steps.

Exit code 0: the backup is whole.  2: it could not be made, and nothing of it is left.
Examples: shp backup
          shp backup --to /mnt/backup/shp-monday
"""
_RESTORE_HELP = """
Goes only where no ledger is: another home, or an empty database. Every checksum is read before anything
is written. Tables of a warehouse that are there stay, and the ledger learns from them what was published
after the backup; what they lack is filled when the platform runs. Give it again if it was interrupted.

Exit code 0: done.  2: the backup is damaged, or the place is not empty.
Example:  shp restore /mnt/backup/shp-monday --home /srv/shp/var
"""


@click.command(cls=Taught, epilog=_BACKUP_HELP)
@click.option("--to", type=click.Path(path_type=Path), default=None, help="A new folder; below SHP_HOME/backups by default.")
@with_output
def backup(desk: Desk, to: Path | None) -> None:
    """Copy ledger, tables and store into a folder, with checksums."""
    from shp_ops.backup.place import new_place
    from shp_ops.backup.take import take
    from shp_ops.installation import as_it_is

    with as_it_is(desk.settings) as (dsn, version):
        place = to.absolute() if to is not None else new_place(desk.settings)
        made = take(desk.settings, dsn, version, place)
    desk.answer({"backup": str(place), "made_at": made.made_at, "holds": made.holds, "files": len(made.files), "bytes": made.bytes})
    if not desk.json:
        desk.say(f"{place}: {', '.join(made.holds)}; {len(made.files)} files, {made.bytes / 1e6:,.1f} MB.")


@click.command(cls=Taught, epilog=_RESTORE_HELP)
@click.argument("folder", type=click.Path(path_type=Path))
@with_output
def restore(desk: Desk, folder: Path) -> None:
    """Put the backup in FOLDER where no ledger is."""
    from shp_ops.backup.restore import restore as run
    from shp_ops.installation import database_of

    with database_of(desk.settings) as dsn:
        done = run(desk.settings, dsn, folder.absolute())
    desk.answer(done)
    if not desk.json:
        desk.say(f"restored the state of {done['made_at']:%Y-%m-%d %H:%M:%S} UTC; {done['artefacts']} files into the store.")
        desk.say({"kept": "The tables that were there stay.", "restored": "The tables were restored, too."}.get(done["warehouse"], ""))
        if done["adopted"]:
            desk.say(f"{len(done['adopted'])} partitions were published after the backup; the tables tell what they hold.")
        desk.say("Start the platform: shp up")
