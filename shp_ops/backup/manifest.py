"""What a backup says of itself: when it was made, by what, and the checksum of each of its files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from shp_core.errors import UsageError

NAME = "manifest.json"
LEDGER, WAREHOUSE, STORE = "ledger.dump", "warehouse.dump", "store"
_FORMAT = 1
_TOLD = 3


@dataclass(frozen=True)
class File:
    """One file of a backup: its length and its SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """One backup.

    Args:
        made_at: when its databases were read; the store was copied after that.
        shp: version of the program that made it.
        ledger: version of the ledger's tables.
        files: by path within the backup.
    """

    made_at: datetime
    shp: str
    ledger: str
    files: dict[str, File] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Length of all files together."""
        return sum(file.bytes for file in self.files.values())

    @property
    def holds(self) -> list[str]:
        """What it can bring back: of `ledger`, `warehouse`, `store`."""
        found = {"ledger": LEDGER in self.files, "warehouse": WAREHOUSE in self.files, "store": bool(self.stored())}
        return [name for name, there in found.items() if there]

    def stored(self) -> list[str]:
        """The artefacts' paths within the backup."""
        return [name for name in self.files if name.startswith(f"{STORE}/")]

    def write(self, folder: Path) -> None:
        """Write it down; a backup without it is not one."""
        document = {"format": _FORMAT, **asdict(self), "made_at": self.made_at.astimezone(UTC).isoformat()}
        (folder / NAME).write_text(json.dumps(document, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a backup.

        Raises:
            UsageError: there is none, or not one that this program can read.
        """
        try:
            return cls._from(json.loads((folder / NAME).read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise UsageError(f"{folder} is no backup: it has no {NAME}.", "Name the folder that `shp backup` told.") from error
        except (OSError, ValueError, TypeError, LookupError) as error:
            message = f"{folder / NAME} cannot be read ({type(error).__name__})."
            raise UsageError(message, "Take another backup, or the version of shp that made this one.") from error

    @classmethod
    def _from(cls, known: dict[str, Any]) -> Manifest:
        if known["format"] != _FORMAT:
            raise ValueError(known["format"])
        files = {name: File(**about) for name, about in known["files"].items()}
        return cls(datetime.fromisoformat(known["made_at"]), known["shp"], known["ledger"], files)

    def verify(self, folder: Path) -> None:
        """Read every file again.

        Raises:
            UsageError: some are missing, or are not what was written.
        """
        wrong = [name for name, expected in self.files.items() if _seen(folder / name) != expected]
        if wrong:
            listed = ", ".join(wrong[:_TOLD]) + (f" and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else "")
            raise UsageError(f"The backup {folder} is damaged: {listed}. Nothing was restored.", "Use another backup.")


def described(path: Path) -> File:
    """Length and checksum of a file."""
    with path.open("rb") as file:
        return File(path.stat().st_size, file_digest(file, "sha256").hexdigest())


def _seen(path: Path) -> File | None:
    return described(path) if path.is_file() else None
