"""Reading clean rows back from the lake: what lies there now, not what a job or a manifest says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from shp_core.lake.manifest import DataFile
from shp_core.lake.place import Place
from shp_core.publishing.dialect import MODULUS, hash_text, row_digest


@dataclass
class ReadBack:
    """What a directory holds.

    Args:
        files: its parts.
        rows: lines in all parts.
        total: sum of the row hashes.
    """

    files: list[DataFile] = field(default_factory=list)
    rows: int = 0
    total: int = 0

    @property
    def hash(self) -> str:
        """The partition hash, 32 hexadecimal digits."""
        return hash_text(self.total)

    def with_names(self, names: Sequence[str]) -> ReadBack:
        """The same, whose parts were renamed."""
        return replace(self, files=[replace(file, name=name) for file, name in zip(self.files, names, strict=True)])


def read_back(place: Place, directory: str, scratch: Path, names: Sequence[str] | None = None) -> ReadBack:
    """Count and hash the clean rows of a directory.

    Args:
        place: the lake.
        directory: a publication's or an attempt's directory.
        scratch: a folder of this run's own.
        names: the parts that count; None: all that are there.
    """
    found = ReadBack()
    for line in part_lines(place, directory, scratch, names, found.files):
        found.rows += 1
        found.total = (found.total + int.from_bytes(row_digest(line.rpartition("\t")[0]), "big")) % MODULUS
    return found


def digests_by_row(place: Place, directory: str, scratch: Path, names: Sequence[str] | None = None) -> dict[int, bytes]:
    """The row hashes of a directory's clean rows, by sheet row; memory grows with the partition."""
    split = (line.rpartition("\t") for line in part_lines(place, directory, scratch, names))
    return {int(row): row_digest(text) for text, _, row in split}


def part_lines(
    place: Place, directory: str, scratch: Path, names: Sequence[str] | None = None, files: list[DataFile] | None = None
) -> Iterator[str]:
    """Every line of a directory's parts, as they lie there.

    Args:
        place: the lake.
        directory: the directory.
        scratch: a folder of this run's own.
        names: the parts that count; None: all that are there.
        files: gets an entry for each part once it is read.
    """
    copy = scratch / "read-back"
    there = [entry.name for entry in place.entries(directory) if entry.name.startswith("part-")]
    for name in there if names is None else names:
        digest = place.fetch(f"{directory}/{name}", copy)
        if files is not None:
            files.append(DataFile(name, copy.stat().st_size, digest))
        with copy.open(encoding="utf-8", newline="\n") as lines:
            yield from (line.rstrip("\n") for line in lines)
