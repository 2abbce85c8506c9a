"""Starting in the background, waiting, interrupting and stopping: what one process does to another's platform."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.parts import Database, Tended
from shp_ops.supervisor.state import PlatformState, ServiceState, status
from shp_resources.embedded import EmbeddedServer
from shp_resources.processes import MARK, ProcessId, spawn, wait_until
from tests.support.holders import REPOSITORY
from tests.support.homes import Home
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE


def with_dagster(home: Home, code: str) -> Home:
    """The same installation with this code in the place of Dagster, which only the services import."""
    package = home.base / "shadow" / "dagster"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code)
    return Home(home.base, {"PYTHONPATH": f"{package.parent}{os.pathsep}{REPOSITORY}"})


@pytest.fixture
def slow(home: Home) -> Iterator[Home]:
    """An installation whose services take for ever to start; nothing of it is left after the test."""
    made = with_dagster(home, "import time; time.sleep(300)")
    yield made
    made.shp("down")


def started(home: Home) -> PlatformState:
    """Wait until the code server of a starting platform has a process; the platform's state."""

    def loaded() -> PlatformState | None:
        state = PlatformState.load(Layout(home.path).state)
        return state if state is not None and state.services.get("code", ServiceState()).pid is not None else None

    assert wait_until(lambda: loaded() is not None, PATIENCE)
    state = loaded()
    assert state is not None
    return state


def test_a_failed_start_in_the_background_tells_why(home: Home) -> None:
    """The user would get a prompt and no platform, or have to search five logs."""
    broken = with_dagster(home, "raise ImportError('planted')")
    done = broken.shp("up", "--detach", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "service_failed")
    assert "ImportError: planted" in error["message"]
    assert str(broken.path / "logs" / "code.log") in error["next"]
    assert broken.processes() == []


def test_a_supervisor_that_dies_at_once_is_no_endless_wait(home: Home) -> None:
    """`shp up --detach` would hang when the command itself cannot run."""
    (home.base / "shadow").mkdir()
    (home.base / "shadow" / "psycopg2.py").write_text("import os; os._exit(9)")
    done = Home(home.base, {"PYTHONPATH": f"{home.base / 'shadow'}{os.pathsep}{REPOSITORY}"}).shp("up", "--detach", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "service_failed")
    assert "before the platform was ready" in error["message"]
    assert str(home.path / "run" / "supervisor.out") in error["next"]


def test_ctrl_c_while_waiting_stops_what_was_started(slow: Home) -> None:
    """A user who changes their mind would leave a platform starting in the background."""
    process = slow.start("up", "--detach")
    supervisor = started(slow).process
    assert supervisor is not None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert not supervisor.alive()
    assert slow.processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_start_in_the_foreground_can_be_stopped(slow: Home, number: signal.Signals) -> None:
    """Ctrl-C, systemd or a closed terminal would leave half a platform, or report a failure."""
    process = slow.start("up")
    started(slow)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "")
    assert err.splitlines()[-2:] == ["stopping before it was ready", "stopped"]
    assert slow.processes() == []


def test_status_of_a_starting_platform_says_what_is_missing(slow: Home) -> None:
    """A monitor would see a platform that starts as one that is up, or as one that does not exist."""
    process = slow.start("up")
    started(slow)
    document = slow.status()
    assert document["ready"] is False
    assert document["ui"].startswith("http://127.0.0.1:")
    assert document["services"]["postgres"]["ready"] is True
    assert "does not answer" in document["services"]["code"]["why"]
    assert document["services"]["daemon"]["why"] == "not started yet"
    assert slow.shp("down").returncode == 0
    assert process.wait(PATIENCE) == 0


def leave_an_orphan(home: Home) -> ProcessId:
    """Kill supervisor and guardian, and leave a worker of theirs whose parent has gone."""
    state = started(home)
    guardian = next(int(line.split()[0]) for line in all_processes() if f"guardian {state.mark}" in line)
    os.kill(guardian, signal.SIGKILL)
    assert state.process is not None
    os.kill(state.process.pid, signal.SIGKILL)
    environ = {"PATH": os.defpath, MARK: state.mark}
    child = spawn(["sleep", "300"], home.base / "orphan.log", environ, home.base)
    orphan = ProcessId.of(child.pid)
    assert orphan is not None
    return orphan


def all_processes() -> list[str]:
    """Number and command line of every process."""
    return subprocess.run(["ps", "-ww", "-eo", "pid,args"], text=True, capture_output=True, check=True).stdout.splitlines()[1:]


def test_down_ends_what_a_killed_supervisor_and_guardian_left(slow: Home) -> None:
    """A worker would go on writing for a platform that is believed to be stopped."""
    process = slow.start("up")
    orphan = leave_an_orphan(slow)
    process.communicate(timeout=PATIENCE)
    assert slow.status()["ready"] is False
    assert json.loads(slow.shp("down", "--json").stdout) == {"stopped": True}
    assert not orphan.alive()
    assert wait_until(lambda: slow.processes() == [], PATIENCE)


def test_up_ends_what_a_killed_supervisor_and_guardian_left(slow: Home) -> None:
    """Old and new workers would work side by side."""
    process = slow.start("up")
    orphan = leave_an_orphan(slow)
    process.communicate(timeout=PATIENCE)
    again = slow.start("up")
    assert wait_until(lambda: not orphan.alive(), PATIENCE)
    assert slow.shp("down").returncode == 0
    _, err = again.communicate(timeout=PATIENCE)
    assert err.splitlines()[0] == "ended what an earlier supervisor had left"


def test_a_state_file_of_another_time_stops_no_stranger(home: Home) -> None:
    """After a reboot `shp down` would end whatever process has the old number."""
    stranger = subprocess.Popen(["sleep", "60"])
    layout = Layout(home.path)
    layout.run.mkdir(parents=True)
    PlatformState(f"{stranger.pid}@another-1", "no-such-mark", "http://x", 1.0).save(layout.state)
    assert home.shp("status").returncode == 1
    assert json.loads(home.shp("down", "--json").stdout) == {"stopped": False}
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_stopped_platform_is_not_running_though_its_process_is(home: Home) -> None:
    """A program that ran a platform and went on with something else would be killed by `shp down`."""
    layout = Layout(home.path)
    layout.run.mkdir(parents=True)
    PlatformState(str(ProcessId.current()), "mark", "http://x", 1.0, stopped_at=2.0).save(layout.state)
    assert status(home.settings)["ui"] is None
    assert json.loads(home.shp("down", "--json").stdout) == {"stopped": False}


# the database as a part


def test_a_killed_database_comes_back_by_being_tended(tmp_path: Path) -> None:
    """Every run would fail until a person restarts the platform."""
    moved: list[str] = []
    database = Database(EmbeddedServer(tmp_path), moved.append)
    tended = Tended(database, lambda line: None)
    tended.start()
    try:
        before = database.process
        assert before is not None and database.dsn is not None
        os.kill(before.pid, signal.SIGKILL)
        assert before.gone_within(PATIENCE)

        def back() -> bool:
            tended.tend(time.monotonic())
            return tended.restarts == 1

        assert wait_until(back, PATIENCE)
        assert database.process not in (before, None)
        assert rows(database.dsn, "select 1") == [(1,)]
        assert moved == []
    finally:
        database.stop()


def test_a_database_that_moved_tells_so(tmp_path: Path) -> None:
    """The services would go on asking at the old address for ever."""
    moved: list[str] = []
    database = Database(EmbeddedServer(tmp_path), moved.append)
    database.start()
    try:
        first, before = database.dsn, database.process
        assert first is not None and before is not None
        os.kill(before.pid, signal.SIGKILL)
        assert before.gone_within(PATIENCE)
        with socket.create_server(("127.0.0.1", int(first.rpartition(":")[2].partition("/")[0]))):
            database.start()
        assert moved == [database.dsn]
        assert database.dsn != first
    finally:
        database.stop()
