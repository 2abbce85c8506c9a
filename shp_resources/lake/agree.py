"""One truth in two sinks: rows and hash, computed in each from what it holds, and the rows that differ by their place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shp_core.lake.place import Place
from shp_resources.lake.manifests import standing
from shp_resources.lake.publish import Partition
from shp_resources.lake.readback import ReadBack, digests_by_row, read_back
from shp_resources.warehouse import Held, Target

_MOST_NAMED = 100


class Readable(Protocol):
    """A warehouse, as far as it is read here."""

    def read_back(self, target: Target, partition: str) -> Held:
        """What stands there of a partition."""

    def row_digests(self, target: Target, partition: str) -> dict[int, bytes]:
        """The row hashes of a partition, by sheet row."""


@dataclass(frozen=True)
class Agreement:
    """What two sinks hold of a partition.

    Args:
        warehouse: rows (loaded and displaced) and partition hash there.
        lake: rows and partition hash of the clean rows there; None when none are published.
        differing: sheet rows that one sink lacks or holds otherwise, at most 100.
    """

    warehouse: tuple[int, str]
    lake: tuple[int, str] | None
    differing: tuple[int, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether both say the same."""
        return self.warehouse == self.lake


def sinks_agree(warehouse: Readable, target: Target, place: Place, partition: Partition, scratch: Path) -> Agreement:
    """Ask both sinks what they hold of a partition.

    Args:
        warehouse: the warehouse.
        target: the feed's tables there.
        place: the lake.
        partition: which.
        scratch: a folder of this run's own.

    Raises:
        Fault: a sink failed.
    """
    here = _totals(warehouse.read_back(target, partition.key))
    manifest = standing(place, partition.curated)
    if manifest is None:
        return Agreement(here, None)
    directory, names = f"{partition.curated}/{manifest.directory}", [file.name for file in manifest.files]
    there = _of(read_back(place, directory, scratch, names))
    if here == there:
        return Agreement(here, there)
    ours = warehouse.row_digests(target, partition.key) if here[0] else {}  # there may be no tables yet
    theirs = digests_by_row(place, directory, scratch, names)
    differing = sorted(row for row in ours.keys() | theirs.keys() if ours.get(row) != theirs.get(row))
    return Agreement(here, there, tuple(differing[:_MOST_NAMED]))


def clean_rows(place: Place, folder: str, scratch: Path) -> tuple[int, str] | None:
    """Rows and hash of a partition's clean rows, from what lies in the lake; None when none are published.

    Args:
        place: the lake.
        folder: the partition's folder of clean rows.
        scratch: a folder of this run's own.

    Raises:
        Fault: the lake failed.
    """
    manifest = standing(place, folder)
    if manifest is None:
        return None
    return _of(read_back(place, f"{folder}/{manifest.directory}", scratch, [file.name for file in manifest.files]))


def _totals(held: Held) -> tuple[int, str]:
    return held.loaded + held.displaced, held.hash


def _of(found: ReadBack) -> tuple[int, str]:
    return found.rows, found.hash
