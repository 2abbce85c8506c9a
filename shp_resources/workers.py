"""Which process works for which run, as one small file each: the files outlive fork server, launcher and webserver.

A worker begins only when its note is written, so a run without a note has no worker of ours, and a note whose process
is gone tells of a run that must be ended for it. Whoever sees to the end of a worker removes the note.
Must not live here: starting workers (the fork server) and what becomes of their runs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from shp_resources.processes import ProcessId

HEED_SECONDS = 20.0
"""How long a worker that was told to end may take; then it is ended by force."""


@dataclass(frozen=True)
class Worker:
    """The process that works, or worked, for a run.

    Args:
        process: which one.
        until: when it is ended by force, in monotonic seconds of this boot; None: it was not told to end.
    """

    process: ProcessId
    until: float | None = None

    @property
    def overdue(self) -> bool:
        """Whether it was told to end long enough ago."""
        return self.until is not None and time.monotonic() > self.until

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.process.alive()


class Workers:
    """The notes of one installation.

    Args:
        home: the installation's folder.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "run" / "workers"

    def note(self, run_id: str, worker: Worker) -> None:
        """Remember the worker of a run.

        Raises:
            OSError: it cannot be written down.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{run_id}"
        draft.write_text(f"{worker.process} {'' if worker.until is None else worker.until}", encoding="ascii")
        draft.replace(self._folder / run_id)

    def of(self, run_id: str) -> Worker | None:
        """The worker of a run, dead or alive; None when there is none, or it ended and was seen to."""
        try:
            process, _, until = (self._folder / run_id).read_text(encoding="ascii").partition(" ")
        except FileNotFoundError:
            return None
        identity = ProcessId.parse(process)
        return Worker(identity, float(until) if until else None) if identity is not None else None

    def forget(self, run_id: str) -> None:
        """The worker has ended, and its run with it."""
        (self._folder / run_id).unlink(missing_ok=True)

    def all(self) -> dict[str, Worker]:
        """Every noted worker, by run."""
        names = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        found = {name: self.of(name) for name in names if not name.startswith(".")}
        return {name: worker for name, worker in found.items() if worker is not None}

    def interrupt(self, run_id: str, heed_seconds: float = HEED_SECONDS) -> bool:
        """Tell the worker of a run to end; the fork server ends it by force when it does not.

        Returns:
            Whether there is one.
        """
        worker = self.of(run_id)
        if worker is None or not worker.alive():
            return False
        if worker.until is None:
            self.note(run_id, Worker(worker.process, time.monotonic() + heed_seconds))
        worker.process.send(SIGINT)
        return True
