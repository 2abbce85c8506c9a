"""Fault kinds and evidence: the words in which failures are told, whoever failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """The classes of failure the platform tells apart (docs/healing.md says what each leads to)."""

    TRANSIENT = "transient"
    SOURCE_MISSING = "source_missing"
    SOURCE_DOWN = "source_down"
    SINK_DOWN = "sink_down"
    SINK_REFUSED = "sink_refused"
    DATA_BREACH = "data_breach"
    SCHEMA_DRIFT = "schema_drift"
    CORRUPT_INPUT = "corrupt_input"
    WORKER_LOST = "worker_lost"
    INTERRUPTED = "interrupted"
    CODE_BUG = "code_bug"


@dataclass(frozen=True)
class Evidence:
    """What was seen of a failure in an outside system; bounded, without secrets and without personal data.

    Args:
        system: which outside system (`warehouse`, `ledger`, `store`, `landing`, `reader`, `hdfs`, `yarn`, `lake`);
            of a remote source, its kind and its place (`http@host`, `s3@bucket`).
        sqlstate: five-character SQLSTATE, if a database said one.
        errno: operating system error number, if there was one.
        http_status: HTTP status code, if there was one.
        yarn_state: final state of a YARN application, if there was one.
        exit_code: exit status of a child process (negative: killed by that signal).
        retry_after: how long it asked to be left alone, in seconds, if it did.
        text: the foreign error's class name and first words, at most 300 characters.
    """

    system: str
    sqlstate: str | None = None
    errno: int | None = None
    http_status: int | None = None
    yarn_state: str | None = None
    exit_code: int | None = None
    retry_after: float | None = None
    text: str = ""

    def as_dict(self) -> dict[str, object]:
        """The fields that say something."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}
