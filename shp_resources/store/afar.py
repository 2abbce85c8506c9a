"""What the store asks of a place elsewhere that keeps deliveries' bytes, too.

Must not live here: such a place (`far`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Afar(Protocol):
    """A place that keeps deliveries' bytes, too; see `shp_resources.store.far`. Every method raises the store's `Fault`."""

    def keep(self, path: Path, delivery: str) -> None:
        """Keep a delivery's bytes, unless they are there."""

    def has(self, delivery: str) -> bool:
        """Whether a delivery's bytes are there."""

    def fetch(self, delivery: str, into: Path) -> bool:
        """Bring a delivery's bytes here; False when they are not there."""

    def sizes(self) -> dict[str, int]:
        """What is there: bytes by delivery."""

    def remove(self, delivery: str) -> None:
        """Keep a delivery's bytes no longer."""

    def try_out(self, path: Path) -> None:
        """Find out whether it takes a file; nothing stays."""
