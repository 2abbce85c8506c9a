"""A delivery's artefacts under one contract: files in a folder, sealed when they are finished, believed as long as the seal holds.

Must not live here: where the folder is, and how it comes there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shp_core.contract.summary import Summary
from shp_core.reading.batches import header_of
from shp_resources.durable import sync
from shp_resources.store.bench import CLEAN, REJECTS, TEXT, Batches, read_batches

_SUMMARY, _SEAL = "summary.json", "seal.json"
_PARTS = (TEXT, CLEAN, REJECTS, _SUMMARY)


@dataclass(frozen=True)
class Validated:
    """A delivery's artefacts under one contract.

    Args:
        folder: where they lie.
        summary: the delivery in numbers.
    """

    folder: Path
    summary: Summary

    @property
    def header(self) -> tuple[str, ...]:
        """The sheet's header, one text per column."""
        return header_of(pq.read_schema(self.folder / TEXT))

    def text(self) -> Iterator[pa.RecordBatch]:
        """Text rows: `row`, `kinds`, `c1` …, `extra`."""
        return read_batches(self.folder / TEXT)

    def clean(self) -> Iterable[pa.RecordBatch]:
        """Clean rows: `_row`, the contract's columns, `_hash`; they can be gone through several times."""
        return Batches(self.folder / CLEAN)

    def rejects(self) -> Iterator[pa.RecordBatch]:
        """Rejects: `row`, `reasons`, `kinds`, `texts`."""
        return read_batches(self.folder / REJECTS)

    def bytes_of(self, name: str) -> int:
        """Size of one artefact (`text`, `clean`, `rejects`), in bytes."""
        return (self.folder / f"{name}.parquet").stat().st_size


class NotWhole(Exception):
    """Artefacts are missing, or are not what was sealed."""


def opened(folder: Path) -> Validated:
    """Artefacts as they were sealed.

    Raises:
        NotWhole: something is missing or other than it was.
    """
    try:
        sealed = json.loads((folder / _SEAL).read_bytes())
        whole = [hash_of(folder / name) == sealed[name] for name in _PARTS]
        if all(whole):
            return Validated(folder, Summary.from_dict(json.loads((folder / _SUMMARY).read_bytes())))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, LookupError) as error:
        raise NotWhole from error
    raise NotWhole


def seal(folder: Path, summary: Summary) -> None:
    """Write down what the finished files are, last, and make all of it survive a power cut."""
    (folder / _SUMMARY).write_text(json.dumps(summary.as_dict()), encoding="utf-8")
    (folder / _SEAL).write_text(json.dumps({name: hash_of(folder / name) for name in _PARTS}), encoding="utf-8")
    for name in (*_PARTS, _SEAL):
        sync(folder / name)
    sync(folder)


def hash_of(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
