"""Under which rights the server runs: PostgreSQL refuses to run as root.

A normal user's server is that user's. Root's server runs as the data directory's owner, `nobody` at first. Where the
programs or the data lie below a folder that only root may enter (a private temporary folder, root's home), the server
keeps one capability, to pass such folders, and nothing else of root's power.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import UsageError

_LADDER = ("dac_read_search", "dac_override")  # the second is what containers have


@dataclass(frozen=True)
class Rights:
    """How to start a program under the server's rights.

    Args:
        uid: user to become, None to stay who we are.
        gid: group to become.
        capability: the one capability that is kept.
    """

    uid: int | None = None
    gid: int | None = None
    capability: str | None = None

    def command(self, *program: str | Path) -> list[str]:
        """The command that starts this program; `popen_arguments` go with it."""
        plain = [str(part) for part in program]
        if self.capability is None:
            return plain
        drop = ["setpriv", "--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups", "--pdeathsig", "INT"]
        keep = [f"--inh-caps=+{self.capability}", f"--ambient-caps=+{self.capability}", "--"]
        return [*drop, *keep, *plain]

    def popen_arguments(self) -> dict[str, object]:
        """Arguments for `subprocess` that change the user; empty where the command itself does or nobody needs to."""
        if self.uid is None or self.capability is not None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make the path the server's own."""
        if self.uid is not None:
            os.chown(path, self.uid, self.gid if self.gid is not None else -1)


def owner_for(folder: Path) -> Rights:
    """Who owns, or will own, this data directory.

    Raises:
        UsageError: it belongs to somebody else, and we are not root.
    """
    mine, theirs = os.geteuid(), folder.stat().st_uid if folder.exists() else os.geteuid()
    if mine != 0 and theirs != mine:
        raise UsageError(
            f"The data directory {folder} belongs to another user (uid {theirs}).",
            "Run the command as that user (or as root), or choose another home with --home.",
            Code.SETTINGS_INVALID,
        )
    if mine != 0:
        return Rights()
    entry = pwd.getpwuid(theirs) if theirs != 0 else pwd.getpwnam("nobody")
    return Rights(entry.pw_uid, entry.pw_gid)


def that_reach(base: Rights, program: Path, folder: Path) -> Rights:
    """The least rights under which the server can start its program and enter its folder.

    Args:
        base: the user it runs as.
        program: the server's program.
        folder: its data directory; must exist.

    Raises:
        UsageError: no rights suffice; the message names the closed folder.
    """
    for rights in _ladder(base):
        if _reaches(rights, program, folder):
            return rights
    closed = _closed_folder(program) or _closed_folder(folder) or folder
    raise UsageError(
        f"PostgreSQL must not run as root, and the user it runs as instead cannot pass the folder {closed}.",
        f"Run: chmod o+x {closed} (or run as a normal user, choose another --home, or set SHP_PG_DSN).",
        Code.SETTINGS_INVALID,
    )


def _ladder(base: Rights) -> Iterator[Rights]:
    yield base
    if base.uid is not None and shutil.which("setpriv"):
        yield from (Rights(base.uid, base.gid, capability) for capability in _LADDER)


def _reaches(rights: Rights, program: Path, folder: Path) -> bool:
    trial = rights.command("/bin/sh", "-c", 'cd "$1" && exec "$0" --version', program, folder)
    try:
        done = subprocess.run(trial, capture_output=True, check=False, timeout=30, cwd="/", **rights.popen_arguments())  # type: ignore[call-overload]
    except OSError:
        return False
    return bool(done.returncode == 0)


def _closed_folder(path: Path) -> Path | None:
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None)
