"""Many files looked at, one answer each: the gate and the reader alone, no feed, no database, nothing kept.

Lives here: which files are meant, who looks at them, the answer's fields. Must not live here: reading
(`shp_resources.inspection`), and how an answer is printed (`shp_ops.cli.inspect`). Nothing here imports Dagster.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TextIO

from shp_core.codes import Code, Scope
from shp_core.errors import Fault, Refusal, UsageError
from shp_core.healing.faults import Evidence
from shp_core.limits import MIB, Limits
from shp_resources.inspection import Inspector
from shp_resources.intake import private_copy

_AHEAD = 4
"""Files per worker that are looked at before the first of them is told."""


@dataclass(frozen=True)
class Inspected:
    """What was found out about one file.

    Args:
        document: the answer's fields, as DESIGN names them.
        fault: what failed here, not in the file; None if nothing did.
        cells: a file with the cells as JSON Lines, if they were asked for and the file is sound.
    """

    document: dict[str, Any]
    fault: Fault | None = None
    cells: Path | None = None


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files that are meant: each one that is named, and all that lie in a folder that is named, or below.

    A folder is walked in the order of its names' bytes, and nothing in it is left out: hidden files, lock files
    (`~$…`), links and pipes get an answer, too. A link to a folder is followed only if it is named itself.
    """
    return [file for path in paths for file in (_walk(path) if os.path.isdir(path) else [path])]  # noqa: PTH112 - no odd name may raise


def _walk(folder: Path) -> Iterator[Path]:
    ahead = [folder]
    while ahead:
        path = ahead.pop()
        if path is not folder and (path.is_symlink() or not os.path.isdir(path)):  # noqa: PTH112
            yield path
            continue
        try:
            ahead += sorted(path.iterdir(), key=os.fsencode, reverse=True)
        except OSError:
            yield path  # a folder that cannot be listed gets an answer, too


def is_csv(path: Path) -> bool:
    """Whether a file is looked at as a CSV file: without a feed only its name can say so."""
    return path.suffix.lower() in (".csv", ".tsv")


def inspect(paths: Iterable[Path], limits: Limits, *, cells: bool = False, workers: int | None = None) -> Iterator[Inspected]:
    """Look into files, several at a time; answers come in the order of the files.

    Args:
        paths: the files.
        limits: what is accepted.
        cells: whether the cells are wanted. The file that holds them is gone when the next answer is asked for.
        workers: how many are looked at at a time; as many as this process may use processors by default.
    """
    with _looking(limits, cells, workers or len(os.sched_getaffinity(0))) as look:
        for inspected in look(paths):
            yield inspected
            if inspected.cells is not None:
                inspected.cells.unlink(missing_ok=True)


@contextmanager
def _looking(limits: Limits, cells: bool, workers: int) -> Iterator[Any]:
    with TemporaryDirectory(prefix="shp-inspect-", ignore_cleanup_errors=True) as scratch:
        desk = _Desk(Path(scratch), limits, cells)
        pool = ThreadPoolExecutor(workers, "inspect")

        def look(paths: Iterable[Path]) -> Iterator[Inspected]:
            return _in_order(pool, desk, paths, workers * _AHEAD)

        try:
            yield look
        finally:
            desk.interrupt()
            pool.shutdown(cancel_futures=True)
            desk.close()


def _in_order(pool: ThreadPoolExecutor, desk: _Desk, paths: Iterable[Path], ahead: int) -> Iterator[Inspected]:
    waiting: deque[Future[Inspected]] = deque()
    for path in paths:
        waiting.append(pool.submit(desk.inspect, path))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@dataclass
class _Desk:
    """Where the threads work: a scratch folder, and one inspector for each of them."""

    scratch: Path
    limits: Limits
    cells: bool
    _mine: threading.local = field(default_factory=threading.local)
    _all: list[Inspector] = field(default_factory=list)

    def inspect(self, path: Path) -> Inspected:
        """Look into one file, whatever it is."""
        found: dict[str, Any] = {"path": shown_path(path), "sha256": None, "verdict": "ok", "code": None, "message": None, "sheets": []}
        try:
            return self._look(path, found)
        except (Refusal, Fault) as error:
            found.update(verdict="refused", code=str(error.code), message=error.message)
            return Inspected(found, error if isinstance(error, Fault) and error.code.info.scope is Scope.PLATFORM else None)

    def _look(self, path: Path, found: dict[str, Any]) -> Inspected:
        name = secrets.token_hex(16)
        copied = private_copy(path, self.scratch, self.limits, lambda _: name)
        try:
            found["sha256"] = copied.sha256
            if not self.cells:
                found["sheets"] = self._inspector().look(copied.path, csv=is_csv(path))
                return Inspected(found)
            spool = self.scratch / f"{name}.cells"
            found["sheets"] = self._look_at_cells(copied.path, spool, found["path"], is_csv(path))
            return Inspected(found, cells=spool)
        finally:
            with suppress(OSError):
                copied.path.unlink()

    def _look_at_cells(self, copy: Path, spool: Path, path: str, csv: bool) -> list[dict[str, Any]]:
        try:
            with spool.open("w", encoding="ascii", buffering=MIB) as out:
                return self._inspector().look(copy, _Lines(out, path), csv=csv)
        except BaseException as error:  # whatever went wrong, half of the cells are of no use
            spool.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _not_written(error) from error
            raise

    def _inspector(self) -> Inspector:
        """This thread's own; its process ends with the thread at the latest."""
        if not hasattr(self._mine, "inspector"):
            self._mine.inspector = Inspector(self.limits)
            self._all.append(self._mine.inspector)
        inspector: Inspector = self._mine.inspector
        return inspector

    def interrupt(self) -> None:
        """Let the threads end soon."""
        for inspector in self._all:
            inspector.interrupt()

    def close(self) -> None:
        """End all processes."""
        for inspector in self._all:
            inspector.close()


class _Lines:
    """Writes cells as JSON Lines."""

    def __init__(self, out: TextIO, path: str) -> None:
        self._out = out
        self._path = json.dumps(path)

    def __call__(self, sheet: str, row: int, column: int, kind: str, text: str | None) -> None:
        """Write one cell."""
        self._out.write(
            f'{{"path": {self._path}, "sheet": {json.dumps(sheet)}, "row": {row}, "column": {column}, '
            f'"kind": "{kind}", "text": {json.dumps(text)}}}\n'
        )


@contextmanager
def cells_file(place: Path | None, files: Iterable[Path]) -> Iterator[BinaryIO | None]:
    """The file for the cells, opened anew; None if none is wanted.

    Raises:
        UsageError: it cannot be written, or it is one of the files that are looked at.
        Fault: `store_refused`, while it is written.
    """
    if place is None:
        yield None
        return
    if place.exists() and any(_is_same(place, file) for file in files):
        raise UsageError("The file for the cells is one of the files to look at.", "Name a file elsewhere with --cells.")
    try:
        out = place.open("wb")
    except OSError as error:
        raise UsageError(f"The file for the cells cannot be written ({error.strerror}).", "Name another one with --cells.") from error
    with out:
        yield out


def _is_same(place: Path, file: Path) -> bool:
    try:
        return place.samefile(file)
    except OSError:
        return False


def keep_cells(inspected: Inspected, out: BinaryIO | None) -> None:
    """Append the cells of one file to the file for all of them.

    Raises:
        Fault: `store_refused`, it cannot be written.
    """
    if out is None or inspected.cells is None:
        return
    try:
        with inspected.cells.open("rb") as cells:
            copyfileobj(cells, out, MIB)
        out.flush()
    except OSError as error:
        raise _not_written(error) from error


def shown_path(path: Path) -> str:
    """A path as text; bytes that are not UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _not_written(error: OSError) -> Fault:
    message = f"cells cannot be written: {os.strerror(error.errno or 0)}"
    return Fault(Code.STORE_REFUSED, message, Evidence("store", errno=error.errno, text=type(error).__name__))
