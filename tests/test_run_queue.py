"""The run queue: Dagster's own daemon over a long queue, one look after the other; only the launch is noted, not done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.instance import DagsterInstance
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.storage.dagster_run import DagsterRun

from shp_ops.run_queue import RunQueue
from shp_resources.run_coordinator import AFTER_LIVE, BELOW_LIVE, WAITING_AT_ONCE
from tests.support.holders import REPOSITORY

HISTORY = 120  # more than Dagster reads at once
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("shp"), "__repository__"), "job")
UI_BACKFILL = {"dagster/backfill": "by_hand"}


@dataclass
class Queue:
    """An instance with the repository's `dagster.yaml`, and its queue.

    Args:
        instance: Dagster's.
        monkeypatch: puts a launcher in place that only notes what it launches.
    """

    instance: DagsterInstance
    monkeypatch: pytest.MonkeyPatch
    launched: list[str] = field(default_factory=list)
    arriving: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        launcher = type(self.instance.run_launcher)
        self.monkeypatch.setattr(launcher, "launch_run", lambda _, context: self._launch(context.dagster_run))
        self.daemon = RunQueue(interval_seconds=1)

    def add(self, name: str, tags: Mapping[str, str]) -> None:
        """Put a run into the queue."""
        run = self._run(name, tags, dg.DagsterRunStatus.NOT_STARTED)
        self.instance.run_coordinator.submit_run(SubmitRunContext(run, _Workspace()))  # type: ignore[arg-type]

    def fill(self, count: int) -> None:
        """Let history have been queued."""
        for number in range(count):
            self._run(f"h{number}", AFTER_LIVE, dg.DagsterRunStatus.QUEUED)

    def _run(self, name: str, tags: Mapping[str, str], status: dg.DagsterRunStatus) -> DagsterRun:
        run = DagsterRun("job", str(uuid4()), tags={"name": name, **tags}, status=status, remote_job_origin=ORIGIN)
        return self.instance.add_run(run)

    def look(self) -> list[str]:
        """One turn of the daemon; the runs it launched."""
        before = len(self.launched)
        list(self.daemon.run_iteration(_Process(self.instance)))  # type: ignore[arg-type]
        return self.launched[before:]

    def end(self, name: str) -> None:
        """A run is done."""
        (run,) = self.instance.get_runs(dg.RunsFilter(tags={"name": name}))
        self.instance.report_run_failed(run)

    def _launch(self, run: DagsterRun) -> None:
        self.launched.append(run.tags["name"])
        while self.arriving:  # it comes while a run is being launched: the worst moment
            self.add(self.arriving.pop(), {})


class _Workspace:
    pass


@dataclass(frozen=True)
class _Process:
    instance: DagsterInstance

    def create_request_context(self) -> Any:
        """What a launch is given."""
        return _Workspace()


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """The queue of a `dagster dev` in the repository, empty."""
    (tmp_path / "dagster").mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path / "dagster")
    for name in [name for name in os.environ if name.startswith("SHP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHP_HOME", str(tmp_path))
    with DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        yield Queue(instance, monkeypatch)


def test_a_live_file_is_behind_one_of_a_long_history_at_most(queue: Queue) -> None:
    """This morning's file would wait for what had been chosen already, or for places that history has taken."""
    queue.fill(HISTORY)
    queue.arriving.append("live")
    assert queue.look() == ["h0", "live", "h1"], "it came while the first was launched"
    assert queue.look() == ["h2"], "three of four places are for history"
    assert queue.look() == []
    queue.end("live")
    queue.add("next", {})
    assert queue.look() == ["next"], "a place was free for it, though all of history waits"


def test_a_backfill_launched_by_hand_waits_for_live_files_and_history(queue: Queue) -> None:
    """Whoever fills a year in the UI would keep this morning's files waiting behind it."""
    for number in range(3):
        queue.add(f"b{number}", UI_BACKFILL)
    queue.add("urgent", {**UI_BACKFILL, "dagster/priority": "5"})
    queue.add("history", AFTER_LIVE)
    queue.add("live", {})
    assert queue.look() == ["urgent", "live", "history", "b0"]
    (run,) = queue.instance.get_runs(dg.RunsFilter(tags={"name": "b2"}))
    assert BELOW_LIVE.items() <= run.tags.items()


def test_the_plan_of_a_backfill_knows_how_many_run_at_once(queue: Queue) -> None:
    """`shp backfill --dry-run` would promise a time that dagster.yaml does not keep."""
    limits = queue.instance.get_concurrency_config().run_queue_config
    assert limits is not None
    assert {"key": "shp/queue", "value": "after_live", "limit": WAITING_AT_ONCE} in list(limits.tag_concurrency_limits)
