"""Feed files, mart files and `shp.yaml` while the platform runs: what is sound is in force, what is broken changes nothing.

Lives here: noticing an edit, and keeping the last good text of each file below the home.
Must not live here: what may stand in the files, and restarting anything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shp_core.errors import UsageError
from shp_core.feeds.load import Catalogue, load_catalogue
from shp_core.feeds.platform import PlatformFile, load_platform
from shp_resources.settings import Settings

LOOK_SECONDS = 2.0
Stamp = frozenset[tuple[str, int, int]]


@dataclass(frozen=True)
class _InForce:
    """What the files say, as far as they are sound."""

    catalogue: Catalogue
    platform: PlatformFile | None

    def differs(self, other: _InForce) -> bool:
        mine, theirs = self.catalogue, other.catalogue
        return (mine.feeds, mine.marts, self.platform) != (theirs.feeds, theirs.marts, other.platform)


class FeedFiles:
    """The files of an installation, looked at from time to time.

    Args:
        settings: the installation.
        tell: told what happens, in one line each.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._settings, self._tell = settings, tell
        self._seen: Stamp = frozenset()
        self._taken: Stamp = frozenset()
        self._in_force: _InForce | None = None
        self._due = 0.0

    def begin(self) -> None:
        """Take up what lies there now."""
        self._seen = self._taken = self._stamp()
        self._in_force = self._load()
        self._keep(self._in_force.catalogue)

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
        self._taken = self._seen
        old, self._in_force = self._in_force, self._load()
        for error in self._in_force.catalogue.errors:
            self._tell(f"{error} The last good version stays in force.")
        self._keep(self._in_force.catalogue)
        return self._in_force.differs(old)

    def _load(self) -> _InForce:
        settings = self._settings
        catalogue = load_catalogue(settings.feeds, settings.marts, settings.last_good)
        try:
            return _InForce(catalogue, load_platform(settings.platform_file))
        except UsageError as error:
            catalogue.errors.extend(error.message.splitlines())
            return _InForce(catalogue, self._in_force.platform if self._in_force else None)

    def _keep(self, catalogue: Catalogue) -> None:
        """Keep copies of the files that are sound, and none of files that are gone."""
        with suppress(OSError):  # a full disk: a broken file is left out then, as if there were no copy
            self._keep_folder(self._settings.feeds, catalogue)
            self._keep_folder(self._settings.marts, catalogue)

    def _keep_folder(self, folder: Path, catalogue: Catalogue) -> None:
        copies = self._settings.last_good / folder.name
        copies.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.glob("*.yaml")}
        broken = {name for name in names if any(f"{folder.name}/{name}:" in error for error in catalogue.errors)}
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
