"""Our own processes' log lines: Python's loggers, written as JSON with what the line is about.

Lives here: where `logging.getLogger("shp…")` goes. Must not live here: what a line looks like (`shp_core.logs`), and
what Dagster's loggers do.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shp_core.logs.line import Record, stamp, written
from shp_core.logs.redact import Redaction, password_of
from shp_resources.log_file import LogFile
from shp_resources.role_access import known_passwords
from shp_resources.settings import Settings

OURS = "shp"
_MARK = "SHP_LOG"
_ABOUT = "about"
_LONGEST_CHAIN = 5
_STDERR = 2
_kept: set[int] = set()


def about(**where: str | int | None) -> dict[str, Any]:
    """What a line is about, for `extra=` of a logger's call: feed, partition, delivery, run, attempt, code."""
    return {_ABOUT: {name: value for name, value in where.items() if value is not None}}


def path_of(error: BaseException) -> str:
    """The types and lines of an exception and of those it came from, without their messages: those may quote cells."""
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < _LONGEST_CHAIN:
        chain.append("".join(traceback.format_tb(cause.__traceback__)) + type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return "\ncaused by\n".join(chain)


def redaction_of(settings: Settings) -> Redaction:
    """What replaces this installation's secrets."""
    addresses = (settings.pg_dsn, settings.warehouse_dsn, settings.ledger_dsn(), settings.hive_url)
    alerts = settings.alerts
    mail = [alerts.mail.password] if alerts.mail and alerts.mail.password else []
    passwords = [word for address in addresses for word in password_of(address)]
    roles = known_passwords(settings.home).values()
    return Redaction([*passwords, *roles, *mail, *alerts.webhooks.values(), *settings.sources.secrets])


class JsonLines(logging.Handler):
    """Writes records as lines.

    Args:
        write: takes a line without its end.
        process: which process this is; empty: whoever reads the lines knows.
    """

    def __init__(self, write: Callable[[str], None], process: str = "") -> None:
        super().__init__()
        self._write, self._process = write, process

    def emit(self, record: logging.LogRecord) -> None:
        """Write one."""
        at = stamp(datetime.fromtimestamp(record.created, UTC))
        error = record.exc_info[1] if record.exc_info else None
        where = {**getattr(record, _ABOUT, {})}
        story = path_of(error) if error is not None else ""
        self._write(written(Record(at, record.levelname.lower(), record.getMessage(), record.name, where, story), self._process))


def log_to_stderr() -> None:
    """Let our lines go to this process's standard error as it is now, whatever is redirected later."""
    if _kept:
        return
    descriptor = os.dup(_STDERR)
    _kept.add(descriptor)
    _install(JsonLines(lambda line: _write_all(descriptor, line)))


def log_to_file(settings: Settings, name: str) -> None:
    """Let our lines go to a file of the home's `logs`, and no others' to the terminal.

    Args:
        settings: the installation.
        name: of the file, and of the process in its lines.
    """
    file, redact = LogFile(log_path(settings.home, name)), redaction_of(settings)
    _install(JsonLines(lambda line: file.write(redact(line)), name))


def log_as_told() -> None:
    """As the supervisor told its children: JSON to standard error; nothing in a process that it did not start."""
    if os.environ.get(_MARK) == "json":
        log_to_stderr()


def kept_descriptors() -> set[int]:
    """Open files that a forked worker must keep for its log lines."""
    return set(_kept)


def json_lines() -> dict[str, str]:
    """The variable by which the supervisor's children know that their output is read line by line."""
    return {_MARK: "json"}


def log_path(home: Path, name: str) -> Path:
    """The log file of a process."""
    return home / "logs" / f"{name}.log"


def _install(handler: logging.Handler) -> None:
    logger = logging.getLogger(OURS)
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _write_all(descriptor: int, line: str) -> None:
    try:
        os.write(descriptor, f"{line}\n".encode("utf-8", "replace"))
    except OSError:  # the supervisor was killed, and nobody reads any more: the work goes on to where it can be taken up
        return
