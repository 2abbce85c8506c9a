"""Feed files, mart files and `shp.yaml` while the platform runs: what is sound is in force, what is broken changes nothing.

Lives here: noticing an edit, and keeping the last good text of each file below the home.
Must not live here: what may stand in the files, and restarting anything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from shp_core.errors import ShpError
from shp_ops.supervisor.in_force import InForce, ask
from shp_resources.settings import Settings

LOOK_SECONDS = 2.0
Stamp = frozenset[tuple[str, int, int]]


class FeedFiles:
    """The files of an installation, looked at from time to time.

    Args:
        settings: the installation.
        tell: told what happens, in one line each.
        read: what says what is in force.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None], read: Callable[[Settings], InForce] = ask) -> None:
        self._settings, self._tell, self._read = settings, tell, read
        self._seen: Stamp = frozenset()
        self._taken: Stamp = frozenset()
        self._in_force: InForce | None = None
        self._due = 0.0

    def begin(self) -> None:
        """Take up what lies there now.

        Raises:
            ShpError: nobody could read it.
        """
        self._seen = self._taken = self._stamp()
        self._in_force = self._read(self._settings)
        self._keep(self._in_force.errors)

    def changed(self, now: float) -> bool:
        """Whether something else is in force than at the last look; an edit counts when the files have come to rest.

        Args:
            now: monotonic seconds.
        """
        if now < self._due:
            return False
        self._due = now + LOOK_SECONDS
        before, self._seen = self._seen, self._stamp()
        if self._seen != before or self._seen == self._taken or self._in_force is None:
            return False
        try:
            return self._follow(self._in_force, self._read(self._settings))
        except ShpError as error:  # no process to be had just now: the next look sees the same edit
            self._tell(f"{error.message} They are looked at again.")
            return False

    def _follow(self, old: InForce, new: InForce) -> bool:
        self._taken = self._seen
        for error in (*new.errors, *new.slips):
            self._tell(f"{error} The last good version stays in force.")
        self._keep(new.errors)
        self._in_force = new if new.platform is not None else replace(new, platform=old.platform)
        return (self._in_force.files, self._in_force.platform) != (old.files, old.platform)

    def _keep(self, errors: Collection[str]) -> None:
        """Keep copies of the files that are sound, and none of files that are gone."""
        with suppress(OSError):  # a full disk: a broken file is left out then, as if there were no copy
            self._keep_folder(self._settings.feeds, errors)
            self._keep_folder(self._settings.marts, errors)

    def _keep_folder(self, folder: Path, errors: Collection[str]) -> None:
        copies = self._settings.last_good / folder.name
        copies.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.glob("*.yaml")}
        broken = {name for name in names if any(f"{folder.name}/{name}:" in error for error in errors)}
        for name in names - broken:
            draft = copies / f".{name}.{os.getpid()}.draft"
            shutil.copyfile(folder / name, draft)
            draft.replace(copies / name)
        for path in copies.glob("*.yaml"):
            if path.name not in names:
                path.unlink()

    def _stamp(self) -> Stamp:
        return frozenset(self._marks())

    def _marks(self) -> Iterator[tuple[str, int, int]]:
        for path in (*self._settings.feeds.glob("*.y*ml"), *self._settings.marts.glob("*.y*ml"), self._settings.platform_file):
            with suppress(FileNotFoundError):  # gone since the folder was listed, or never there
                status = path.stat()
                yield str(path), status.st_size, status.st_mtime_ns
