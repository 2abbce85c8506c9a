"""Verdicts that the ledger could not be told, kept below the home until it can be: one small file for each.

Must not live here: what becomes of a verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Spooled:
    """Why a run did not publish its partition.

    Args:
        feed: feed.
        partition: partition key.
        run_id: Dagster's run.
        via: who asked for it.
        publishes: whether it was to reach the sinks.
        code: what went wrong, a stable code.
        message: what went wrong, for people.
        evidence: what was seen, as `Evidence` has it; empty where nothing came from outside.
        way: which of the partition's two runs it was.
    """

    feed: str
    partition: str
    run_id: str
    via: str
    publishes: bool
    code: str
    message: str
    evidence: dict[str, Any] = field(default_factory=dict)
    way: str = "etl"


class Spool:
    """The kept verdicts of an installation.

    Args:
        folder: where they lie; made when one is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, verdict: Spooled) -> None:
        """Keep a verdict; the first about a run stands.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(verdict)
        if not path.exists():
            draft = path.with_suffix(".draft")
            draft.write_text(json.dumps(asdict(verdict)), encoding="utf-8")
            draft.replace(path)

    def all(self) -> Iterator[Spooled]:
        """Every kept verdict, in the order in which they were kept; what cannot be read is left out."""
        found = self._folder.glob("*.json") if self._folder.is_dir() else []
        for path in sorted(found, key=lambda path: path.stat().st_mtime_ns):
            try:
                yield Spooled(**json.loads(path.read_text(encoding="utf-8")))
            except (TypeError, ValueError):
                path.replace(path.with_suffix(".unreadable"))

    def forget(self, verdict: Spooled) -> None:
        """The ledger knows it now."""
        self._path(verdict).unlink(missing_ok=True)

    def _path(self, verdict: Spooled) -> Path:
        mark = "" if verdict.way == "etl" else f".{verdict.way}"
        return self._folder / f"{verdict.run_id}{mark}.json"
