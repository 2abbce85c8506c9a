"""The reading process, seen from its parent: start it, listen to it, outlive it.

Lives here: its command, its environment, its pipes, its ends. Must not live here: reading (`shp_core.reading`), and
what a refusal leads to.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from shp_core.limits import Limits
from shp_core.reading.batches import header_of
from shp_core.reading.textrow import SheetSpec, SheetStats
from shp_resources.nursery import Fork, Nursery, Started
from shp_resources.reader_ends import crashed, died, error_of, kept_waiting, reader_environment

_VERDICT_BYTES = 1 << 20
_PIPE_BYTES = 1 << 20  # fewer turns between the two processes
_AT_ONCE = 8 << 20
_COMMAND = (sys.executable, "-S", "-P", "-m", "shp_core.reading.child")


class TextBatches:
    """The text rows of one table, while a process reads them; made by `WorkbookReader.open`.

    Iterate once. Rows are provisional until the iteration has ended without an error.

    Attributes:
        header: the header's texts, one per column; columns without a header are called "".
        reader: who read, `scan`, `reference` or `csv`; None before the end.
    """

    reader: str | None = None

    def __init__(self, child: _Child) -> None:
        self._child = child
        self._stream = child.stream()
        self.schema = self._stream.schema
        self.header = header_of(self.schema)
        self._stats: SheetStats | None = None

    @property
    def stats(self) -> SheetStats:
        """What was counted.

        Raises:
            RuntimeError: the iteration has not ended yet.
        """
        if self._stats is None:
            raise RuntimeError("the counts are known when all batches are read")
        return self._stats

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches, in the order of the sheet (`shp_core.reading.batches` has their layout).

        Raises:
            Refusal: the workbook is refused, or its reader died; what came before counts for nothing.
            Fault: `artefact_damaged`, the private copy cannot be read.
        """
        count = 0
        while (batch := self._next()) is not None:
            count += 1
            yield batch
        verdict = self._child.end()
        if verdict.get("batches") != count:
            raise crashed("ended before its rows did")
        self._stats = _stats(verdict)
        self.reader = str(verdict["reader"]) if verdict.get("reader") in ("scan", "csv") else "reference"

    def _next(self) -> pa.RecordBatch | None:
        try:
            return self._stream.read_next_batch()
        except StopIteration:
            return None
        except (pa.ArrowException, OSError):
            self._child.end()
            raise crashed("gave rows that cannot be understood") from None


class WorkbookReader:
    """Reads tables of workbooks and CSV files, each in a process of its own.

    Args:
        limits: what is accepted.
        kernels: folder for the fast reader's compiled kernels, should the installation have none and not be writable.
        scan: whether large sheets may be read by the fast reader.
        warm: whether to keep a process that reading processes are forked from; worth it where several workbooks are
            read one after the other. It ends with this process, or after a minute without work. Or one that was begun.
    """

    def __init__(self, limits: Limits, kernels: Path | None = None, *, scan: bool = True, warm: bool | Nursery = False) -> None:
        self._limits = limits
        self._kernels = {"folder": str(kernels.absolute()) if kernels else None} if scan else None
        self._nursery = Nursery(reader_environment()) if warm is True else warm or None

    @contextlib.contextmanager
    def open(self, path: Path, spec: SheetSpec) -> Iterator[TextBatches]:
        """Start reading a table; the process ends with the context at the latest.

        The process also ends with the thread that opened it, so consume the batches in that thread.

        Args:
            path: the private copy.
            spec: which table.

        Yields:
            The header, then the batches.

        Raises:
            Refusal: the workbook is refused, or its reader died or used up its memory or time.
            Fault: `artefact_damaged`, the private copy cannot be read.
        """
        child = _Child(_job(path, spec, self._limits, self._kernels), self._limits, self._nursery)
        try:
            yield TextBatches(child)
        finally:
            child.close()


class _Child:
    """One reading process and its two pipes: rows, and the verdict."""

    def __init__(self, job: dict[str, Any], limits: Limits, nursery: Nursery | None) -> None:
        (rows, rows_end), (verdict, verdict_end) = os.pipe(), os.pipe()
        with contextlib.suppress(OSError):  # how much a user may have is limited
            fcntl.fcntl(rows, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            fork = nursery.fork(job, rows_end, verdict_end, limits.child_wait_seconds) if nursery else None
            self._process = fork or Started(_COMMAND, reader_environment(), job, rows_end, verdict_end)
        except BaseException:  # the pipes must not stay open, whatever went wrong
            os.close(rows)
            os.close(verdict)
            raise
        finally:
            os.close(rows_end)
            os.close(verdict_end)
        self._patience = _Patience(limits.child_wait_seconds)
        self._rows = _Pipe(rows, self._patience)
        self._verdict = _Pipe(verdict, self._patience)
        self._has_said = False

    def stream(self) -> pa.RecordBatchStreamReader:
        """The stream of batches, its schema read."""
        try:
            return pa.ipc.open_stream(self._rows)
        except (pa.ArrowInvalid, OSError):
            self.end()
            raise crashed("gave rows that cannot be understood") from None

    def end(self) -> dict[str, Any]:
        """Wait for the verdict and for the end of the process.

        Raises:
            Refusal: the verdict is one, or there is none.
            Fault: `artefact_damaged`.
        """
        verdict = _understood(self._verdict.read(_VERDICT_BYTES))
        self._has_said = bool(verdict)
        if error := error_of(verdict):
            raise error
        status = self._patience.wait(self._process)
        if status == 0 and verdict.get("ok"):
            return dict(verdict)
        raise died(status, verdict)

    def close(self) -> None:
        """End the process if it still runs, and close the pipes."""
        self._rows.close()
        self._verdict.close()
        self._process.close(ended=self._has_said)


class _Patience:
    """How long the child may keep its parent waiting, over all waits; while the parent is busy no time passes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = seconds

    def until_readable(self, descriptor: int) -> None:
        """Wait for bytes, or for the pipe's end."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        with self._measured():
            ready = poll.poll(max(self._left, 0) * 1000)
        if not ready:
            raise kept_waiting(self._seconds)

    def wait(self, process: Started | Fork) -> int:
        """Wait for the process's end; its exit status."""
        try:
            with self._measured():
                return process.wait(timeout=max(self._left, 0))
        except subprocess.TimeoutExpired:
            raise kept_waiting(self._seconds) from None

    @contextlib.contextmanager
    def _measured(self) -> Iterator[None]:
        start = time.monotonic()
        yield
        self._left -= time.monotonic() - start


class _Pipe(io.RawIOBase):
    """The reading end of a pipe, as Arrow wants it: whole reads, short only at the end."""

    def __init__(self, descriptor: int, patience: _Patience) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._patience = patience

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytearray:
        """Exactly `size` bytes, fewer only if the pipe has ended; Arrow takes them as they are, `bytes` would be a copy."""
        whole = self._part(min(size, _AT_ONCE))
        while _AT_ONCE <= len(whole) < size:  # whoever writes may promise any size
            part = self._part(min(size - len(whole), _AT_ONCE))
            whole += part
            if not part:
                break
        return whole

    def _part(self, size: int) -> bytearray:
        room, filled = bytearray(size), 0
        with memoryview(room) as view:
            while filled < size and (count := self._read_into(view[filled:])):
                filled += count
        del room[filled:]
        return room

    def _read_into(self, room: memoryview) -> int:
        self._patience.until_readable(self._descriptor)
        return os.readv(self._descriptor, [room])

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def _job(path: Path, spec: SheetSpec, limits: Limits, kernels: dict[str, str | None] | None) -> dict[str, Any]:
    what = {"path": str(path.absolute()), "spec": asdict(spec), "limits": asdict(limits)}
    return {**what, "kernels": kernels, "parent": os.getpid()}


def _understood(said: bytearray) -> dict[str, Any]:
    """The verdict, empty if it is none; a child that was taken over may say anything."""
    try:
        verdict = json.loads(said) if said.endswith(b"\n") else {}
    except ValueError:
        return {}
    return verdict if isinstance(verdict, dict) else {}


def _stats(verdict: dict[str, Any]) -> SheetStats:
    try:
        return SheetStats(**verdict["stats"])
    except (KeyError, TypeError):
        raise crashed("gave counts that cannot be understood") from None
