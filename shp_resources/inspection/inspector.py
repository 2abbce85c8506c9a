"""The parent's side of looking into workbooks: one forking process, one file at a time, every end of it an answer.

Lives here: its command, its socket, the lines it says, and doubt about all of them. Must not live here: reading
(`process`), and where cells are written.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shp_core.codes import Code
from shp_core.errors import Refusal
from shp_core.limits import MIB, Limits
from shp_core.reading.csvguess import GUESSED
from shp_core.reading.csvrows import DELIMITERS
from shp_core.reading.textrow import KINDS
from shp_resources.inspection.process import NAME_CHARS
from shp_resources.reader_ends import crashed, died, error_of, kept_waiting, reader_environment

Hear = Callable[[str, int, int, str, str | None], object]
"""Told sheet, row, column (from 1), kind letter and text of each cell that holds something."""

_COMMAND = (sys.executable, "-S", "-P", "-m", "shp_resources.inspection.process")
_LINE_BYTES = MIB
_PIECE = 1 << 16
_COUNTS = {"name": str, "hidden": bool, "rows": int, "cells": int, "error_cells": int}


class Inspector:
    """Looks into workbooks, one after the other; use it in one thread, and close it.

    Args:
        limits: what is accepted; each file has all of them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._closed = False

    def __enter__(self) -> Inspector:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def look(self, path: Path, hear: Hear | None = None, *, csv: bool = False, top: int | None = None) -> list[dict[str, Any]]:
        """Read every sheet of a workbook, or a CSV file.

        Args:
            path: the private copy.
            hear: who wants the cells; they count for nothing unless this returns.
            csv: whether it is a CSV file; how it is spelled is guessed.
            top: only so many rows of each sheet, which is quick; of a file that was found sound before.

        Returns:
            Per sheet `name`, `hidden`, `rows`, `cells`, `error_cells`; for a CSV file also `csv`, with `delimiter`,
            `encoding` and `quote`.

        Raises:
            Refusal: the workbook is refused, or its reader died or used up its memory or time.
            Fault: `artefact_damaged`, the private copy cannot be read.
        """
        deadline = time.monotonic() + self._limits.child_wait_seconds
        try:
            with self._started(path, {"cells": hear is not None, "csv": csv, "top": top}) as pipe:
                told = _Told(hear)
                for line in _lines(pipe, self._limits, deadline):
                    told.take(line)
            return told.sheets(self._status(deadline))
        except Refusal as refusal:
            if refusal.code in (Code.READER_TIMEOUT, Code.READER_CRASHED):
                self.stop()
            raise
        except _Lost as error:
            self.stop()
            raise crashed(f"was lost ({error})") from error

    @contextlib.contextmanager
    def _started(self, path: Path, wanted: dict[str, Any]) -> Iterator[int]:
        """Send the job; the reading end of its pipe."""
        ours, theirs = os.pipe()
        try:
            try:
                job = {"path": os.fsencode(path.absolute()).hex(), "limits": self._limits.as_dict(), **wanted}
                socket.send_fds(self._running(), [json.dumps(job).encode()], [theirs])
            except OSError as error:
                raise _Lost(os.strerror(error.errno or 0)) from error
            finally:
                os.close(theirs)
            yield ours
        finally:
            os.close(ours)

    def _running(self) -> socket.socket:
        """The socket of a process that runs; a new one, if the last one has ended."""
        if self._channel is None or self._process is None or self._process.poll() is not None:
            self.stop()
            self._start()
        assert self._channel is not None
        return self._channel

    def _start(self) -> None:
        if self._closed:
            raise crashed("was stopped")
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                (*_COMMAND, str(os.getpid())),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=reader_environment(),
                cwd="/",
            )

    def _status(self, deadline: float) -> int:
        """How the fork ended."""
        assert self._channel is not None
        _wait(self._channel.fileno(), self._limits, deadline)
        try:
            return int(json.loads(self._channel.recv(_PIECE))["status"])
        except (OSError, ValueError) as error:
            raise _Lost("the process that forked it has ended") from error

    def stop(self) -> None:
        """End the process, and a reader with it; the next look starts another one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None

    def interrupt(self) -> None:
        """From another thread: end a look that is going on, and let none begin."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the process; nothing can be looked at any more."""
        self._closed = True
        self.stop()


class _Lost(Exception):
    """The process that forks does not answer any more."""


class _Told:
    """What a fork has said so far, line by line; a fork that was taken over may say anything."""

    def __init__(self, hear: Hear | None) -> None:
        self._hear = hear
        self._sheets: list[dict[str, Any]] = []
        self._verdict: dict[str, Any] | None = None

    def take(self, line: bytes) -> None:
        """Take the next line."""
        try:
            said = json.loads(line)
            if self._verdict is not None:
                raise ValueError("more than a verdict")
            if isinstance(said, dict):
                self._verdict = said
            elif said[0] == "sheet":
                self._sheets.append(_counts(said[1]))
            else:
                self._cells(*said)
        except (ValueError, TypeError, KeyError, IndexError):
            raise crashed("said something that cannot be understood") from None

    def _cells(self, what: str, sheet: str, row: int, cells: list[tuple[int, str, str | None]]) -> None:
        if what != "rows" or self._hear is None or len(sheet) > NAME_CHARS:
            raise ValueError(what)
        for column, kind, text in cells:
            if kind not in KINDS or type(column) is not int or type(row) is not int or not isinstance(text, str | None):
                raise ValueError(kind)
            self._hear(sheet, row, column, kind, text)

    def sheets(self, status: int) -> list[dict[str, Any]]:
        """The sheets, if the fork ended well and said that these are all."""
        verdict = self._verdict or {}
        if error := error_of(verdict):
            raise error
        if status or not verdict.get("ok") or verdict.get("sheets") != len(self._sheets):
            raise died(status, verdict)
        return self._sheets


def _counts(said: dict[str, Any]) -> dict[str, Any]:
    if any(type(said[name]) is not kind for name, kind in _COUNTS.items()) or len(said["name"]) > NAME_CHARS:
        raise ValueError(said)
    counts = {name: said[name] for name in _COUNTS}
    return {**counts, "csv": _form(said["csv"])} if "csv" in said else counts


def _form(said: dict[str, Any]) -> dict[str, str]:
    if said["encoding"] not in GUESSED or said["delimiter"] not in DELIMITERS or said["quote"] != '"':
        raise ValueError(said)
    return {"delimiter": said["delimiter"], "encoding": said["encoding"], "quote": said["quote"]}


def _lines(pipe: int, limits: Limits, deadline: float) -> Iterator[bytes]:
    """The lines of a pipe, up to its end; what is cut off is no line."""
    rest = b""
    while True:
        _wait(pipe, limits, deadline)
        data = os.read(pipe, _PIECE)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
        if len(rest) > _LINE_BYTES:
            raise crashed("said a line without an end")


def _wait(descriptor: int, limits: Limits, deadline: float) -> None:
    """Wait for bytes, or for the end."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
        raise kept_waiting(limits.child_wait_seconds)
