"""The state of an earlier version brought to this one: after a backup, or not at all.

The ledger's tables and Dagster's change; artefacts and the warehouse's tables do not, so the backup holds the former.
Must not live here: the steps of a migration (`shp_resources.ledger.migrations`, Dagster's own).
"""

from __future__ import annotations

from pathlib import Path

from shp_core.errors import Fault, ShpError, UsageError
from shp_ops.backup.place import new_place
from shp_ops.supervisor.control import running
from shp_resources.dagster_upgrade import STORAGE_HEAD, require_known, storage_version, upgrade_storage
from shp_resources.ledger.migrate import HEAD, migrate, version_at
from shp_resources.settings import Settings


def upgrade_ledger(settings: Settings, dsn: str) -> Path | None:
    """Make the ledger's tables, or bring them to this version after a backup.

    Args:
        settings: the installation.
        dsn: address of the ledger's database.

    Returns:
        The backup that was made first; None when none was needed.

    Raises:
        UsageError: the backup could not be made, an older platform runs here, or the tables are of a newer version.
        Fault: the database failed.
    """
    found = version_at(dsn)
    place = _back_up(settings, dsn, found, f"the ledger goes from version {found} to {HEAD}") if _is_older(found) else None
    migrate(dsn)
    return place


def upgrade_dagster(settings: Settings, dsn: str) -> Path | None:
    """Bring Dagster's tables to the installed Dagster's version, after a backup; DAGSTER_HOME names the instance.

    Returns:
        The backup that was made first; None when none was needed.

    Raises:
        UsageError: the backup could not be made, or the tables are of a newer version.
        Fault: the database failed.
    """
    found = storage_version(dsn)
    if found is None or found == STORAGE_HEAD:
        return None
    require_known(found)
    place = _back_up(settings, dsn, version_at(dsn), f"Dagster's tables go from version {found} to {STORAGE_HEAD}")
    upgrade_storage()
    return place


def _is_older(version: str | None) -> bool:
    return version is not None and version < HEAD


def require_stopped(settings: Settings) -> None:
    """Refuse to change tables under a platform of an earlier version.

    Raises:
        UsageError: one runs in this home.
    """
    if running(settings) is not None:
        raise UsageError(
            f"A platform of an earlier version runs in {settings.home}; its tables must change.", "Run: shp down, then: shp up"
        )


def _back_up(settings: Settings, dsn: str, ledger: str | None, why: str) -> Path:
    from shp_ops.backup.take import take

    place = new_place(settings, "before-upgrade")
    try:
        take(settings, dsn, ledger or "", place, only_ledger=True)
    except (UsageError, Fault) as error:
        raise _refused(why, error) from error
    return place


def _refused(why: str, error: ShpError) -> UsageError:
    return UsageError(f"Nothing was changed: before {why} a backup is made, and that failed: {error.message}", error.next_step)
