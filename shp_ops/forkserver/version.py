"""Whether what was imported is still what lies on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import shp_ops
from shp_resources.settings import Settings

_PACKAGES = ("shp_core", "shp_resources", "shp_assets", "shp_sensors", "shp_ops")


class Version:
    """The code and feed files as they were when this was made.

    Args:
        settings: the installation.
        module: holds the definitions.
    """

    def __init__(self, settings: Settings, module: str) -> None:
        self.module = module
        self._settings = settings
        self._definitions = _file_of(module)
        self._known = self._on_disk()

    def __str__(self) -> str:
        return self._known

    @property
    def is_stale(self) -> bool:
        """Whether any file was changed, added or removed since."""
        return self._on_disk() != self._known

    def _on_disk(self) -> str:
        """A hash over names, sizes and times; reading them takes some milliseconds, the contents would take longer."""
        marks = sha256()
        for path in self._files():
            try:
                status = path.stat()
            except FileNotFoundError:  # gone since the folder was listed, or never there
                continue
            marks.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        return marks.hexdigest()[:16]

    def _files(self) -> Iterator[Path]:
        root = Path(shp_ops.__file__).parent.parent
        for package in _PACKAGES:
            yield from sorted((root / package).rglob("*.py"))
        yield self._definitions
        for folder in (self._settings.feeds, self._settings.marts):
            yield from sorted(folder.glob("*.y*ml"))
        yield self._settings.platform_file


def _file_of(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"there is no module {module}")
    return Path(spec.origin)
