"""One supervised part: restarts, back-off, last words; and who ends what is left."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_ops.supervisor import guardian
from shp_ops.supervisor.parts import Backoff, ServiceProcess, Tended
from shp_ops.supervisor.readiness import await_ready
from shp_ops.supervisor.scribe import Scribe
from shp_ops.supervisor.services import Service
from shp_resources.processes import MARK, ProcessId, free_port, spawn, wait_until
from tests.support.homes import Home
from tests.support.waiting import PATIENCE


def part(tmp_path: Path, script: str, port: int | None = None, ready: Callable[[float], str | None] = lambda since: None) -> ServiceProcess:
    """A shell script as a service."""
    service = Service("sample", ["sh", "-c", script], ready, port, grace=2.0)
    return ServiceProcess(service, Scribe.over(tmp_path / "sample.log"), lambda: {"PATH": os.defpath}, tmp_path)


def tend_until(tended: Tended, restarts: int) -> None:
    """Look at it, as the supervisor does, until it was restarted so often."""

    def restarted() -> bool:
        tended.tend(time.monotonic())
        return tended.restarts >= restarts

    assert wait_until(restarted, PATIENCE)


def test_what_dies_is_started_again(tmp_path: Path) -> None:
    """One crash of the webserver would mean no UI until somebody notices."""
    told: list[str] = []
    tended = Tended(part(tmp_path, "sleep 60"), told.append)
    tended.start()
    first = tended.state.pid
    assert first is not None
    os.kill(first, 9)
    tend_until(tended, 1)
    assert tended.state.pid not in (first, None)
    assert told == ["sample has died; starting it again in 0.5 s"]
    tended.part.stop()


def test_who_waits_is_told_for_what_and_how_long(tmp_path: Path) -> None:
    """A HiveServer2 takes a minute to start: a user would take the silence for a hang, and end it."""
    seconds, told = iter(range(0, 1_000, 10)), list[str]()
    answers = chain(["not yet", "not yet", "nearly", None], repeat("never"))
    process = part(tmp_path, "sleep 60", ready=lambda since: next(answers))
    process.start()
    await_ready(process, 0.0, told.append, lambda: None, lambda: float(next(seconds)))
    assert told == ["waiting for sample (20 s of at most 180): not yet"]
    with pytest.raises(ShpError, match="not ready after 180 s: never"):
        await_ready(process, 0.0, told.append, lambda: None, lambda: float(next(seconds)))
    process.stop()


def test_what_lives_is_left_alone(tmp_path: Path) -> None:
    """Healthy services would be restarted for nothing."""
    tended = Tended(part(tmp_path, "sleep 60"), lambda line: None)
    tended.start()
    assert not any(tended.tend(time.monotonic() + later) for later in range(100))
    assert tended.state.restarts == 0
    tended.part.stop()


def test_what_dies_again_and_again_is_started_less_and_less_often() -> None:
    """A service with a lasting fault would eat the whole machine by being started."""
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_calm_life_makes_good() -> None:
    """A crash a week would be answered more slowly each time."""
    backoff = Backoff()
    assert [backoff.after(lived) for lived in (1, 1, 59, 60, 1)] == [0.5, 1, 2, 0.5, 1]


def test_it_waits_for_its_predecessors_port(tmp_path: Path) -> None:
    """Old and new code would answer side by side."""
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))
    started = time.monotonic()
    threading.Timer(0.5, listener.close).start()
    service = part(tmp_path, "sleep 60", port)
    service.start()
    assert time.monotonic() - started > 0.4
    service.stop()


def test_a_restart_that_fails_is_tried_again(tmp_path: Path) -> None:
    """A part whose start fails once would never come back, or take the supervisor with it."""
    told: list[str] = []
    sample = part(tmp_path, "exit 0")
    tended = Tended(sample, told.append)
    tended.start()
    assert wait_until(lambda: sample.process is None, PATIENCE)
    sample._service = Service("sample", ["/nowhere/at/all"], lambda since: None)
    tend_until(tended, 2)
    assert sum("does not start" in line for line in told) == 2


def test_a_death_while_starting_tells_the_last_words_without_colours(tmp_path: Path) -> None:
    """The user would see "not ready" and have to look for the reason in a log full of escape codes."""
    (tmp_path / "sample.log").write_text("words of yesterday\n")
    service = part(tmp_path, "printf '\\033[31mno such module\\033[0m\\n'; exit 3")
    service.start()
    assert wait_until(lambda: service.process is None, PATIENCE)
    with pytest.raises(ShpError, match="sample ended while it started: no such module") as caught:
        service.why_not_ready(time.time())
    assert caught.value.code is Code.SERVICE_FAILED
    assert "yesterday" not in caught.value.message


def test_the_workers_of_a_service_are_asked_to_end_too(tmp_path: Path) -> None:
    """Runs under way would be cut off at `shp down` without a word in their record."""
    script = "sh -c 'trap \"echo worker ends; exit 0\" TERM; echo ready; while :; do sleep 0.05; done' & wait"
    service = Service("code", ["sh", "-c", script], lambda since: None, grace=5.0, with_workers=True)
    process = ServiceProcess(service, Scribe.over(tmp_path / "log"), lambda: {"PATH": os.defpath}, tmp_path)
    process.start()
    log = tmp_path / "log"
    assert wait_until(lambda: log.exists() and "ready" in log.read_text(), PATIENCE)
    process.stop()
    assert wait_until(lambda: "worker ends" in log.read_text(), PATIENCE)


def test_the_guardian_ends_what_a_dead_supervisor_left(tmp_path: Path) -> None:
    """After kill -9 of the supervisor its grandchildren would go on working for nobody."""
    mark = ProcessId.current().started + str(time.time())
    guard = guardian.start(mark)
    script = "sleep 60 & echo $! > pid; exit 0"
    spawn(["sh", "-c", script], tmp_path / "log", {"PATH": os.defpath, MARK: mark}, tmp_path).wait()
    orphan = ProcessId.of(int((tmp_path / "pid").read_text()))
    assert orphan is not None and orphan.alive()
    assert guard.stdin is not None
    guard.stdin.close()
    assert guard.wait(PATIENCE) == 0
    assert not orphan.alive()


def test_the_supervisor_stays_small() -> None:
    """The process that stays for weeks would hold a hundred megabytes of frameworks it never uses."""
    heavy = "{'dagster', 'sqlalchemy', 'pandas', 'grpc', 'rich'}"
    script = f"import sys, shp_ops.supervisor.platform, shp_ops.cli.platform; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True, env=Home(Path("/")).environ)
    assert done.stdout == "set()\n"
