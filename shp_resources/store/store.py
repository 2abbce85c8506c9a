"""Where artefacts lie, and how they come into place: whole or not at all.

raw/ab/abcd…                         the bytes of a delivery, named by their SHA-256
validated/ab/abcd…/<version>/        text.parquet, clean.parquet, rejects.parquet, summary.json
tmp/                                 being made; what a killed process left is swept after a day
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION, Contract
from shp_core.contract.summary import Summary
from shp_core.errors import Fault
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources.store.bench import CLEAN, REJECTS, TEXT, StoreBench, read_batches

HEADER_KEY = b"shp.header"
"""Where the schema of text rows keeps the header, as a JSON list."""

_SUMMARY = "summary.json"
_STRAY_SECONDS = 24 * 3600


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
        metadata = pq.read_schema(self.folder / TEXT).metadata or {}
        return tuple(json.loads(metadata[HEADER_KEY]))

    def text(self) -> Iterator[pa.RecordBatch]:
        """Text rows: `row`, `kinds`, `c1` …, `extra`."""
        return read_batches(self.folder / TEXT)

    def clean(self) -> Iterator[pa.RecordBatch]:
        """Clean rows: `_row`, the contract's columns, `_hash`."""
        return read_batches(self.folder / CLEAN)

    def rejects(self) -> Iterator[pa.RecordBatch]:
        """Rejects: `row`, `reasons`, `kinds`, `texts`."""
        return read_batches(self.folder / REJECTS)

    def bytes_of(self, name: str) -> int:
        """Size of one artefact (`text`, `clean`, `rejects`), in bytes."""
        return (self.folder / f"{name}.parquet").stat().st_size


class Store:
    """The artefact store under one folder.

    Args:
        root: the folder (`SHP_STORE`); made when something is kept.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of one's own on the store's file system, gone afterwards unless it was renamed away."""
        folder = self._root / "tmp" / uuid4().hex
        with _disk():
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def raw(self, delivery: str) -> Path | None:
        """Where a delivery's bytes lie, None when they are not kept."""
        path = self._raw_path(delivery)
        return path if path.is_file() else None

    def keep_raw(self, copy: Path, delivery: str) -> Path:
        """Move a private copy into its place; bytes that are there already stay."""
        path = self._raw_path(delivery)
        with _disk():
            path.parent.mkdir(parents=True, exist_ok=True)
            copy.rename(path)
            _sync(path.parent)
        return path

    def require_raw(self, delivery: str) -> Path:
        """Where a delivery's bytes lie, after reading them again.

        Raises:
            Fault: `artefact_damaged`: they are gone, or are other bytes.
        """
        path = self.raw(delivery)
        if path is None:
            raise _damaged(f"the bytes of delivery {delivery[:12]} are not in the store")
        with _disk(), path.open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != delivery:
                raise _damaged(f"the stored bytes of delivery {delivery[:12]} are not what was delivered")
        return path

    def validated(self, delivery: str, contract: Contract) -> Validated | None:
        """A delivery's artefacts under a contract, None when they are not there or not whole."""
        folder = self._validated_path(delivery, contract)
        try:
            summary = Summary.from_dict(json.loads((folder / _SUMMARY).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return Validated(folder, summary) if all((folder / name).is_file() for name in (TEXT, CLEAN, REJECTS)) else None

    @contextmanager
    def bench(self, contract: Contract, text_schema: pa.Schema) -> Iterator[tuple[StoreBench, Path]]:
        """A workbench in a scratch folder, to be handed to `keep_validated` when its work is done."""
        with self.scratch() as folder, _disk():
            yield StoreBench(folder, contract, text_schema), folder

    def keep_validated(self, bench: StoreBench, folder: Path, delivery: str, contract: Contract, summary: Summary) -> Validated:
        """Move finished artefacts into their place, all at once."""
        place = self._validated_path(delivery, contract)
        with _disk():
            bench.close()
            (folder / _SUMMARY).write_text(json.dumps(summary.as_dict()), encoding="utf-8")
            for name in (TEXT, CLEAN, REJECTS, _SUMMARY):
                _sync(folder / name)
            place.parent.mkdir(parents=True, exist_ok=True)
            _put(folder, place)
            _sync(place.parent)
        return Validated(place, summary)

    def sweep(self) -> int:
        """Remove what killed processes left behind more than a day ago; returns the number of folders."""
        before = time.time() - _STRAY_SECONDS
        strays = [path for path in (self._root / "tmp").glob("*") if path.stat().st_mtime < before]
        for path in strays:
            shutil.rmtree(path, ignore_errors=True)
        return len(strays)

    def _raw_path(self, delivery: str) -> Path:
        return self._root / "raw" / delivery[:2] / delivery

    def _validated_path(self, delivery: str, contract: Contract) -> Path:
        return self._root / "validated" / delivery[:2] / delivery / f"{contract.version}-{CONVERTER_VERSION}"


def _put(folder: Path, place: Path) -> None:
    """Rename a folder into place; what stands there is not whole (or another process just made the same)."""
    if place.exists():
        shutil.rmtree(place, ignore_errors=True)
    folder.rename(place)


def _sync(path: Path) -> None:
    """Make a file or folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk() -> Iterator[None]:
    """Tell the operating system's errors as faults of the store."""
    try:
        yield
    except OSError as error:
        text = f"{type(error).__name__}: {error.strerror}"
        evidence = Evidence(system="store", errno=error.errno, text=text)
        raise Fault(classify(evidence), f"The artefact store failed: {text}.", evidence) from error


def _damaged(message: str) -> Fault:
    return Fault(Code.ARTEFACT_DAMAGED, f"In the store, {message}.", Evidence(system="store", text=message))
