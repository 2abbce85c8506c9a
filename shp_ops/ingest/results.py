"""What became of each file: the fields that programs rely on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_core.states import PUBLISHED_STATES, State
from shp_resources.ledger import PartitionRecord

COUNTS = ("read", "clean", "rejected", "duplicate", "displaced", "loaded", "blank", "after_end")

_AT_THEIR_END = (*PUBLISHED_STATES, State.QUARANTINED)
_OTHERS = (str(Code.PARTITION_BUSY), str(Code.SUPERSEDED))


@dataclass(frozen=True)
class FileResult:
    """One file's outcome.

    Args:
        path: as it was given, in printable form.
        partition: partition key, None when none was found.
        delivery: SHA-256 of the bytes, None when they were not copied.
        state: the partition's state afterwards.
        changed: whether the warehouse was changed.
        code: what is wrong, None when nothing is.
        message: what is wrong, for people.
        rows: counts by name (`COUNTS`).
        seconds: from the first look at the file to its end.
        cause: what holds the partition, None when nothing does.
    """

    path: str
    partition: str | None = None
    delivery: str | None = None
    state: str | None = None
    changed: bool = False
    code: str | None = None
    message: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cause: str | None = None

    @property
    def published(self) -> bool:
        """Whether the sinks hold the file."""
        return self.state in PUBLISHED_STATES and self.code is None

    @property
    def waits_for_the_lake(self) -> bool:
        """Whether, in a feed with a lake, it is this command's to let the lake follow, and no other worker's."""
        return self.partition is not None and self.state not in _AT_THEIR_END and self.code not in _OTHERS

    def as_dict(self) -> dict[str, Any]:
        """The form that `--json` prints."""
        return {
            "path": self.path,
            "partition": self.partition,
            "delivery": self.delivery,
            "state": self.state,
            "changed": self.changed,
            "code": self.code,
            "message": self.message,
            "rows": {name: self.rows.get(name, 0) for name in COUNTS},
            "seconds": round(self.seconds, 3),
        }


def from_record(
    path: str, record: PartitionRecord, delivery: str | None, *, changed: bool, seconds: float, failure: ShpError | None = None
) -> FileResult:
    """The outcome as the ledger tells it.

    Args:
        path: the file, in printable form.
        record: its partition.
        delivery: SHA-256 of its bytes, None when they were not copied.
        changed: whether the warehouse was changed.
        seconds: how long it took.
        failure: what ended the run; it is told where the ledger says nothing, because another worker has the partition.
    """
    code, message = record.code, record.message
    if code is None and failure is not None:
        code, message = str(failure.code), failure.message
    return FileResult(
        path=path,
        partition=None if record.code == Code.NO_PARTITION else record.partition,
        delivery=delivery,
        state=str(record.state),
        changed=changed,
        code=code,
        message=message,
        rows=record.rows if record.delivery == delivery and _is_counted(record) else {},
        seconds=seconds,
        cause=record.cause,
    )


def _is_counted(record: PartitionRecord) -> bool:
    """Whether the record's counts are of what became of the rows; the warehouse holds what is parked for another sink."""
    return record.state in (*PUBLISHED_STATES, State.QUARANTINED) or record.behind is not None
