"""The process that forks readers: `python -m shp_resources.inspection.process PARENT`, its standard input a socket.

Starting Python costs more than reading a small file. So this process starts once, imports what reading needs (what the fast
reader needs when the first large file comes), and forks for every job; it never opens a file itself. Each fork reads one file
under limits of its own and ends, so nothing that one file does can reach the next one, and two runs give the same answers.

A job is one packet: JSON (`path`, `limits`, `cells`, `csv`: whether it is a CSV file, `top`: how many rows of each sheet, or
null), and the writing end of a pipe, into which the fork writes lines

    ["rows", "sheet", 7, [[1, "s", "text"], …]]   some cells of a row, if `cells` is wanted
    ["sheet", {"name": …}]                        a sheet is read to its end; of a CSV file with `csv`, its guessed form
    {"ok": true, "sheets": 2}                     the verdict, always last; else "refused", "lost" or "crashed"

and this process answers with its exit status. Must not live here: decisions about any of it.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shp_core.limits import Limits
from shp_core.reading.bounds import limit, load_codecs, stay_with, verdict_of
from shp_core.reading.csvguess import GUESSED, guess
from shp_core.reading.csvtext import load_codec
from shp_core.reading.package import Sheet
from shp_core.reading.reference import SheetRow
from shp_core.reading.sheets import Fast, Hear, SheetCount, read_csv_sheet, read_sheets, read_tops
from shp_core.reading.textrow import ABSENT

if TYPE_CHECKING:
    from shp_core.reading.scan.library import Library

JOB_BYTES = 1 << 16
"""No job is longer; a path has at most 4,096 bytes."""
NAME_CHARS = 255
"""A sheet's name is told up to here; the format allows 31 characters."""

_STDIN, _STDOUT = 0, 1
_LINE_CHARS = 1 << 16
_FAST_FROM_BYTES = 1 << 17  # loading the fast reader costs as much as reading so much without it


def main(parent: int) -> None:
    """Fork for one job after the other, until the parent closes the socket."""
    stay_with(parent)
    load_codecs()
    for encoding in GUESSED:
        load_codec(encoding)
    gc.freeze()
    with socket.socket(fileno=_STDIN) as channel:
        while True:
            packet, descriptors, _, _ = socket.recv_fds(channel, JOB_BYTES, 1)
            if not packet:
                return
            job = json.loads(packet)
            job["library"] = _library(_path(job)) if job["top"] is None else None
            channel.send(json.dumps({"status": _forked(channel, job, descriptors[0])}).encode())


def _path(job: dict[str, Any]) -> Path:
    return Path(os.fsdecode(bytes.fromhex(job["path"])))


def _library(path: Path) -> Library | None:
    """The fast reader's kernels, if a file is so large that a sheet of it may be for them."""
    try:
        if path.stat().st_size < _FAST_FROM_BYTES:
            return None
    except OSError:
        return None  # the fork tells
    return _loaded()


@cache
def _loaded() -> Library | None:
    from shp_core.reading import child

    child.import_all()
    from shp_core.reading.scan import library, sheets  # noqa: F401  all of the fast reader

    return library.load_or_build([library.OWN_FOLDER])


def _forked(channel: socket.socket, job: dict[str, Any], pipe: int) -> int:
    """Do a job in a fork; its exit status, negative for a signal."""
    ours = os.getpid()
    pid = os.fork()
    if not pid:
        stay_with(ours)
        channel.close()
        os.dup2(pipe, _STDOUT)
        os.close(pipe)
        _work(job)
        os._exit(0)
    os.close(pipe)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _work(job: dict[str, Any]) -> None:
    with os.fdopen(_STDOUT, "w", encoding="ascii", closefd=False) as out:

        def tell(line: Any) -> None:
            out.write(json.dumps(line) + "\n")

        tell(_verdict(job, tell))


def _verdict(job: dict[str, Any], tell: Callable[[Any], None]) -> dict[str, Any]:
    limits = Limits(**job["limits"])

    def read() -> dict[str, Any]:
        limit(limits.child_memory_bytes, limits.child_cpu_seconds)
        return {"ok": True, "sheets": _read(_path(job), limits, job, tell)}

    return verdict_of(read, limits.child_memory_bytes)


def _read(path: Path, limits: Limits, job: dict[str, Any], tell: Callable[[Any], None]) -> int:
    hear = (lambda sheet, row: _tell_cells(sheet, row, tell)) if job["cells"] else None
    if job["csv"]:
        form = guess(path, limits)
        tell(["sheet", {**_told(read_csv_sheet(path, form, limits, hear, job["top"])), "csv": asdict(form)}])
        return 1
    count = 0
    for sheet in _sheets(path, limits, hear, job):
        tell(["sheet", _told(sheet)])
        count += 1
    return count


def _sheets(path: Path, limits: Limits, hear: Hear | None, job: dict[str, Any]) -> Iterator[SheetCount]:
    if hear is not None and job["top"] is not None:
        return read_tops(path, limits, hear, job["top"])
    return read_sheets(path, limits, hear, _fast(limits, job["library"]))


def _fast(limits: Limits, library: Library | None) -> Fast | None:
    if library is None:
        return None
    from shp_core.reading.scan.sheets import count_sheet

    return lambda container, workbook, sheet, hear: count_sheet(container, workbook, sheet, limits, library, hear)


def _told(sheet: SheetCount) -> dict[str, Any]:
    return {**sheet._asdict(), "name": sheet.name[:NAME_CHARS]}


def _tell_cells(sheet: Sheet, row: SheetRow, tell: Callable[[Any], None]) -> None:
    """Tell the cells that hold something, in lines of bounded length."""
    name, held, chars = sheet.name[:NAME_CHARS], [], 0
    for column, kind, text in zip(row.columns, row.kinds, row.texts, strict=True):
        if kind != ABSENT:
            held.append((column, kind, text))
            chars += len(text or "") + 16
        if chars > _LINE_CHARS:
            tell(["rows", name, row.number, held])
            held, chars = [], 0
    if held:
        tell(["rows", name, row.number, held])


if __name__ == "__main__":
    main(int(sys.argv[1]))
