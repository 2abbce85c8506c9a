"""The workbench of one validation: Parquet files in a scratch folder, written and read in batches."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shp_core.contract.contract import Contract
from shp_core.contract.convert import Reject
from shp_core.contract.keys import among
from shp_core.contract.typed import typed_schema
from shp_resources.store.disk import damaged, disk

TEXT, CANDIDATES, CLEAN, REJECTS = "text.parquet", "candidates.parquet", "clean.parquet", "rejects.parquet"
_ROWS_IN_GROUP = 32_768
_COMPRESSION = "lz4"

REJECT_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("reasons", pa.list_(pa.struct([("column", pa.string()), ("code", pa.string())])), nullable=False),
        pa.field("kinds", pa.string(), nullable=False),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
    ]
)


class _Writer:
    """A Parquet file that grows by batches, gathered into row groups of a readable size.

    It is read once or twice, from one end to the other: looking for repetitions and extremes costs more than it saves.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression=_COMPRESSION, use_dictionary=False, write_statistics=False)
        self._waiting: list[pa.RecordBatch] = []
        self._schema = schema

    def put(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        self._waiting.append(batch)
        if sum(waiting.num_rows for waiting in self._waiting) >= _ROWS_IN_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is waiting, and the footer."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, schema=self._schema))
            self._waiting = []


class StoreBench:
    """Puts down the artefacts of one validation; see `shp_core.contract.validate.Bench`.

    Args:
        folder: an empty scratch folder.
        contract: the contract.
        text_schema: schema of the text rows, with the header in its metadata.
    """

    @disk()
    def __init__(self, folder: Path, contract: Contract, text_schema: pa.Schema) -> None:
        self._folder = folder
        self._typed_schema = typed_schema(contract)
        self._writers = {
            TEXT: _Writer(folder / TEXT, text_schema),
            CANDIDATES: _Writer(folder / CANDIDATES, self._typed_schema),
            REJECTS: _Writer(folder / REJECTS, REJECT_SCHEMA),
        }

    @disk()
    def put_text(self, batch: pa.RecordBatch) -> None:
        """Keep text rows, in order."""
        self._writers[TEXT].put(batch)

    @disk()
    def put_candidates(self, batch: pa.RecordBatch) -> None:
        """Keep rows that passed the row rules, in order."""
        self._writers[CANDIDATES].put(batch)

    def candidates(self) -> Iterator[pa.RecordBatch]:
        """The candidates again, in order; none can be added afterwards."""
        self._close(CANDIDATES)
        return read_batches(self._folder / CANDIDATES)

    def text_rows(self, rows: pa.Array) -> Iterator[pa.RecordBatch]:
        """The text rows with these sheet row numbers; none can be added afterwards."""
        self._close(TEXT)
        for batch in read_batches(self._folder / TEXT):
            chosen = batch.filter(among(batch.column("row"), rows))
            if chosen.num_rows:
                yield chosen

    @disk()
    def put_clean(self, batches: Iterable[pa.RecordBatch] | None) -> None:
        """Keep the clean rows; None: all candidates are clean."""
        self._close(CANDIDATES)
        if batches is None:
            (self._folder / CANDIDATES).rename(self._folder / CLEAN)
            return
        writer = _Writer(self._folder / CLEAN, self._typed_schema)
        for batch in batches:
            writer.put(batch)
        writer.close()

    @disk()
    def put_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keep rejects, in any order."""
        records = [asdict(reject) for reject in rejects]
        self._writers[REJECTS].put(pa.RecordBatch.from_pylist(records, schema=REJECT_SCHEMA))

    @disk()
    def close(self) -> None:
        """Finish all files; candidates that are not clean rows are dropped."""
        for name in list(self._writers):
            self._close(name)
        (self._folder / CANDIDATES).unlink(missing_ok=True)

    @disk()
    def _close(self, name: str) -> None:
        writer = self._writers.pop(name, None)
        if writer is not None:
            writer.close()


def read_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of a Parquet file, one row group's worth of memory at a time.

    Raises:
        Fault: `artefact_damaged`, it is gone or is no sound Parquet file; or what the disk says.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # else what was read is kept until the end
            yield from file.iter_batches(batch_size=8192)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):  # Arrow's own complaints carry no number
            with disk():
                raise
        raise damaged(f"{path.name} cannot be read") from error


@dataclass(frozen=True)
class Batches:
    """The batches of a Parquet file, from the beginning each time they are iterated; see `read_batches`."""

    path: Path

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """From the first row on."""
        return read_batches(self.path)
