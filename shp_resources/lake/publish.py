"""Text rows into the lake: as they are, clean or not; made current by the manifest's rename."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from shp_core.lake.lines import text_lines
from shp_core.lake.manifest import DataFile, Manifest
from shp_core.lake.place import Place
from shp_resources.lake.manifests import give_way, is_whole, make_current, standing

PART = "part-00000"


@dataclass(frozen=True)
class Partition:
    """Which partition of which feed, and on whose behalf.

    Args:
        feed: name of the feed.
        path: the feed's folder in the lake (`sinks.lake.path`).
        key: partition key.
        delivery: SHA-256 of the delivery's bytes.
        fence: (arrival, attempt).
    """

    feed: str
    path: str
    key: str
    delivery: str
    fence: tuple[int, int]

    @property
    def lake(self) -> str:
        """Its folder of text rows."""
        return f"lake/{self.path}/partition={self.key}"

    @property
    def curated(self) -> str:
        """Its folder of clean rows."""
        return curated_folder(self.path, self.key)

    @property
    def rejects(self) -> str:
        """Its folder of rows that were left out of the clean ones."""
        return f"rejects/{self.path}/partition={self.key}"

    @property
    def publication(self) -> str:
        """The directory that this run publishes into; no other run uses it."""
        return f"{self.delivery[:16]}-{self.fence[0]}.{self.fence[1]}"


def curated_folder(path: str, key: str) -> str:
    """The folder of a partition's clean rows.

    Args:
        path: the feed's folder in the lake.
        key: partition key.
    """
    return f"curated/{path}/partition={key}"


@dataclass(frozen=True)
class Published:
    """What stands now, whether this call changed it, and what the mapper counted meanwhile."""

    manifest: Manifest
    changed: bool
    counters: dict[str, int] = field(default_factory=dict)


def publish_text(
    place: Place,
    partition: Partition,
    header: tuple[str, ...],
    batches: Iterable[pa.RecordBatch],
    scratch: Path,
    *,
    again: bool = False,
) -> Published:
    """Make the lake hold a delivery's text rows.

    Args:
        place: the lake.
        partition: which, and on whose behalf.
        header: the sheet's header, one text per column.
        batches: text rows: `row`, `kinds`, `c1` …, `extra`.
        scratch: a folder of this run's own.
        again: make it anew, whatever stands there.

    Raises:
        Fault: the lake failed (what was published stays), or a newer arrival is published.
    """
    found = standing(place, partition.lake)
    if not again and found is not None and _holds(place, partition, found):
        return Published(found, False)
    give_way(found, partition.fence, partition.lake)
    rows, file = write_text(batches, scratch / PART)
    place.put(scratch / PART, f"{partition.lake}/{partition.publication}/{PART}")
    manifest = Manifest(
        feed=partition.feed,
        partition=partition.key,
        delivery=partition.delivery,
        directory=partition.publication,
        rows=rows,
        bytes=file.bytes,
        files=(file,),
        columns=("row", "kinds", *header, "extra"),
        fence=partition.fence,
    )
    make_current(place, partition.lake, manifest, scratch)
    return Published(manifest, True)


def text_rows(place: Place, partition: Partition) -> Manifest | None:
    """The text rows of a partition's delivery, None where they do not lie in the lake whole.

    Args:
        place: the lake.
        partition: which partition, and which delivery.
    """
    found = standing(place, partition.lake)
    return found if found is not None and _holds(place, partition, found) else None


def text_file(partition: Partition, text: Manifest) -> tuple[str, int]:
    """The file of a partition's text rows, as a path of the lake, and its bytes."""
    (file,) = text.files
    return f"{partition.lake}/{text.directory}/{file.name}", file.bytes


def _holds(place: Place, partition: Partition, found: Manifest) -> bool:
    return found.delivery == partition.delivery and is_whole(place, partition.lake, found)


def write_text(batches: Iterable[pa.RecordBatch], path: Path) -> tuple[int, DataFile]:
    """Write text rows as the lake's lines.

    Args:
        batches: text rows: `row`, `kinds`, `c1` …, `extra`.
        path: the file, on this machine.

    Returns:
        How many rows it holds, and what it is.
    """
    rows, size, digest = 0, 0, sha256()
    with path.open("wb") as file:
        for batch in batches:
            lines = text_lines(batch)
            digest.update(lines)
            rows, size = rows + batch.num_rows, size + file.write(lines)
    return rows, DataFile(path.name, size, digest.hexdigest())
