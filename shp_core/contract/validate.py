"""A delivery through the contract, batch by batch: text rows in; clean rows, rejects and a summary out.

Where the batches lie meanwhile is the caller's business (`Bench`): memory does not grow with the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from shp_core.contract import reasons
from shp_core.contract.contract import Contract
from shp_core.contract.convert import ConvertedBatch, Converter, Reason, Reject
from shp_core.contract.hash_sums import sum_hashes
from shp_core.contract.header import map_header
from shp_core.contract.keys import KeyIndex, Settled, settle, without
from shp_core.contract.summary import Summary
from shp_core.publishing.dialect import MODULUS, hash_text
from shp_core.reading.textrow import SheetStats

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


class Bench(Protocol):
    """Where the artefacts of a validation are put down and picked up again."""

    def put_text(self, batch: pa.RecordBatch) -> None:
        """Keep text rows, in order."""

    def put_candidates(self, batch: pa.RecordBatch) -> None:
        """Keep rows that passed the row rules, in order."""

    def candidates(self) -> Iterator[pa.RecordBatch]:
        """The candidates again, in order."""

    def text_rows(self, rows: pa.Array) -> Iterator[pa.RecordBatch]:
        """The text rows with these sheet row numbers."""

    def put_clean(self, batches: Iterable[pa.RecordBatch] | None) -> None:
        """Keep the clean rows; None: all candidates are clean."""

    def put_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keep rejects, in any order."""


class WitnessesDisagreeError(Exception):
    """The reference and the pandera schema judge a row differently: a mistake of the platform's, never loaded."""


class TextSource(Protocol):
    """Text rows on their way in."""

    header: tuple[str, ...]

    @property
    def stats(self) -> SheetStats:
        """What the reader counted; known after the last batch."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches, in order of sheet rows."""


def validate(
    contract: Contract,
    source: TextSource,
    bench: Bench,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Summary:
    """Split a delivery into clean rows, rejects and duplicates.

    Args:
        contract: the contract.
        source: header and text rows.
        bench: where the artefacts go.
        on_rows: told the number of rows read so far, after every batch.

    Returns:
        The delivery in numbers; the rules about whole deliveries are not judged here.

    Raises:
        Refusal: the header does not fit, or the reader refused the file on the way.
        WitnessesDisagreeError: the two implementations of the row rules differ.
    """
    return _Validation(contract, source, bench).run(on_rows)


class _Validation:
    def __init__(self, contract: Contract, source: TextSource, bench: Bench) -> None:
        self._contract = contract
        self._source = source
        self._bench = bench
        self._index = KeyIndex()
        self._failures: Counter[str] = Counter()
        self._nulls: Counter[str] = Counter()
        self._read = self._clean = self._rejected = self._hash = 0

    def run(self, on_rows: Callable[[int], None]) -> Summary:
        converter = Converter(self._contract, map_header(self._source.header, self._contract))
        for batch in self._source:
            self._bench.put_text(batch)
            self._take(converter.convert(batch), batch.num_rows)
            on_rows(self._read)
        settled = self._settle_keys()
        return self._summary(settled)

    def _take(self, converted: ConvertedBatch, rows: int) -> None:
        self._cross_examine(converted)
        self._bench.put_candidates(converted.typed)
        if self._contract.key:
            self._index.add(converted.typed.column("_row").to_pylist(), converted.keys)
        self._reject(converted.rejects)
        self._nulls.update(converted.nulls)
        self._read += rows
        self._count(converted.typed)

    def _count(self, clean: pa.RecordBatch) -> None:
        self._clean += clean.num_rows
        self._hash += sum_hashes(clean.column("_hash"))

    def _cross_examine(self, converted: ConvertedBatch) -> None:
        """Where a row rule fails, the pandera schema judges the batch too; both must name the same rows."""
        suspects = set(converted.suspects.column("_row").to_pylist())
        if not suspects:
            return
        from shp_core.contract.witness import broken_rows

        table = pa.Table.from_batches([converted.typed, converted.suspects]).combine_chunks()
        found = set().union(*(broken_rows(self._schema, batch) for batch in table.to_batches()))
        if found != suspects:
            raise WitnessesDisagreeError(f"The row rules and their second witness differ at sheet rows {sorted(found ^ suspects)[:20]}.")

    @cached_property
    def _schema(self) -> DataFrameSchema:
        from shp_core.contract.witness import frame_schema  # pandas and pandera, 30 MB: for who sees a row fail

        return frame_schema(self._contract)

    def _reject(self, rejects: Sequence[Reject]) -> None:
        self._rejected += len(rejects)
        self._failures.update(f"{reason.column}:{reason.code}" for reject in rejects for reason in reject.reasons)
        if rejects:
            self._bench.put_rejects(rejects)

    def _settle_keys(self) -> Settled:
        contested = self._index.contested()
        settled = settle(self._bench.candidates(), self._contract.key, contested) if len(contested) else Settled()
        if not len(settled.dropped):
            self._bench.put_clean(None)
            return settled
        self._clean = self._hash = 0
        self._bench.put_clean(self._kept(settled.dropped))
        for batch in self._bench.text_rows(_as_rows(settled.conflicts)):
            self._reject(list(self._conflicts(batch)))
        return settled

    def _kept(self, dropped: pa.Array) -> Iterator[pa.RecordBatch]:
        """The candidates that stay, counted as they go out: a row that is not kept is missing in the sums."""
        for batch in self._bench.candidates():
            kept = without(batch, dropped)
            self._count(kept)
            yield kept

    def _conflicts(self, batch: pa.RecordBatch) -> Iterator[Reject]:
        why = (Reason("+".join(self._contract.key), reasons.DUPLICATE_KEY),)
        width = batch.num_columns - 3
        for record in batch.to_pylist():
            texts = tuple(record[f"c{place + 1}"] for place in range(width))
            yield Reject(record["row"], why, record["kinds"], texts)

    def _summary(self, settled: Settled) -> Summary:
        stats = self._source.stats
        return Summary(
            read=self._read,
            clean=self._clean,
            rejected=self._rejected,
            duplicate=len(settled.duplicates),
            blank=stats.blank,
            after_end=stats.after_end,
            hash=hash_text(self._hash % MODULUS),
            failures=dict(sorted(self._failures.items())),
            nulls=dict(self._nulls),
        )


def _as_rows(rows: Iterable[int]) -> pa.Array:
    return pa.array(sorted(rows), pa.int32())
