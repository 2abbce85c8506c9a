"""Which partitions Hive does not show as they stand: noted when it could not follow, forgotten when it did.

Empty files below the home: Hive is no sink, so the ledger knows nothing of it.
"""

from __future__ import annotations

from pathlib import Path


class Missed:
    """What Hive does not show of a feed.

    Args:
        home: `SHP_HOME`.
        feed: name of the feed.
    """

    def __init__(self, home: Path, feed: str) -> None:
        self._folder = home / "run" / "hive_missed" / feed

    def note(self, partition: str) -> None:
        """Hive could not follow this partition."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / partition).touch()

    def forget(self, partition: str) -> None:
        """Hive shows what stands of it."""
        (self._folder / partition).unlink(missing_ok=True)

    def all(self) -> list[str]:
        """The partitions that are to follow, by name."""
        return sorted(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else []
