"""Processes: who is who, how they start, how they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from shp_resources import processes
from shp_resources.processes import MARK, ProcessId, free_port, marked, port_is_free, spawn, stop, sweep, wait_until
from tests.support.holders import REPOSITORY
from tests.support.waiting import PATIENCE

_PARENT = """
import sys, time
from pathlib import Path
from shp_resources.processes import spawn
child = spawn(["sleep", "60"], Path(sys.argv[1]), {}, Path("/"))
print(child.pid, flush=True)
time.sleep(60)
"""

_INTERRUPTED_WHILE_MADE = """
import logging, os, signal, sys
from pathlib import Path
from shp_resources.processes import spawn
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGINT))
raise SystemExit(spawn(["sleep", "60"], Path(sys.argv[1]), {}, Path("/")).wait(20))
"""


def start(tmp_path: Path, *command: str, **environ: str) -> subprocess.Popen[bytes]:
    """Spawn a command as the supervisor does."""
    return spawn(list(command), tmp_path / "log", {"PATH": os.defpath, **environ}, tmp_path)


def test_a_process_is_not_confused_with_a_later_one(tmp_path: Path) -> None:
    """A stranger that got an old number would be killed, or be taken for a worker that still runs."""
    child = start(tmp_path, "sleep", "60")
    seen = ProcessId.of(child.pid)
    assert seen is not None and seen.alive()
    assert not ProcessId(child.pid, "another-1").alive()
    child.kill()
    child.wait()
    assert not seen.alive()


def test_a_zombie_is_no_process(tmp_path: Path) -> None:
    """A dead worker whose parent does not look would count as alive for ever."""
    child = start(tmp_path, "true")
    assert wait_until(lambda: ProcessId.of(child.pid) is None, PATIENCE)
    assert child.wait() == 0


def test_it_can_be_written_down_and_read_back() -> None:
    """A run's tag could not say which worker it belongs to."""
    me = ProcessId.current()
    assert ProcessId.parse(str(me)) == me
    assert me.alive()


@pytest.mark.parametrize("text", [None, "", "12", "@x", "0@x", "-1@x", "twelve@x"])
def test_what_was_never_written_is_no_process(text: str | None) -> None:
    """A missing tag would read as process 0, to which a signal means our own group."""
    assert ProcessId.parse(text) is None


def test_a_signal_to_one_that_has_gone_hits_nobody(tmp_path: Path) -> None:
    """The process that has its number now would get the signal."""
    victim = start(tmp_path, "sleep", "60")
    ProcessId(victim.pid, "earlier-1").send(signal.SIGKILL)
    time.sleep(0.1)
    assert victim.poll() is None
    stop(victim, 5)


def test_signals_that_a_shell_ignored_work_again(tmp_path: Path) -> None:
    """Started with `&` or nohup, Dagster's processes would be deaf to SIGTERM."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = start(tmp_path, sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT))")
        assert child.wait(PATIENCE) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert "default_int_handler" in (tmp_path / "log").read_text()


def test_ctrl_c_while_a_child_is_made_ends_it_without_a_word(tmp_path: Path) -> None:
    """Whoever stops a platform that is starting would sometimes be shown a traceback, and a child that lives on."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    parent = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_WHILE_MADE, str(tmp_path / "log")], capture_output=True, text=True, env=environ, check=False
    )
    assert (parent.stderr, parent.returncode) == ("", 256 - signal.SIGINT)


def test_it_gets_a_session_and_a_log_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C would hit all processes at once, and their last words would be lost."""
    child = start(tmp_path, "sh", "-c", "echo out; echo err >&2; sleep 60")
    assert wait_until(lambda: (tmp_path / "log").read_text() == "out\nerr\n", PATIENCE)
    assert os.getsid(child.pid) == child.pid
    stop(child, 5)


def test_a_child_does_not_survive_its_parent(tmp_path: Path) -> None:
    """A killed supervisor would leave servers behind that hold ports and memory."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True, env=environ)
    assert parent.stdout is not None
    child = ProcessId.of(int(parent.stdout.readline()))
    assert child is not None
    parent.kill()
    parent.communicate()
    assert child.gone_within(PATIENCE)


def test_one_that_ends_when_asked_is_not_killed(tmp_path: Path) -> None:
    """Servers would not get the time to finish what they write."""
    child = start(tmp_path, "sh", "-c", "trap 'echo bye; exit 0' TERM; echo here; while :; do sleep 0.05; done")
    assert wait_until(lambda: (tmp_path / "log").read_text() == "here\n", PATIENCE)
    assert stop(child, 10)
    assert (tmp_path / "log").read_text() == "here\nbye\n"


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """`shp down` would wait for ever for a process that hangs."""
    child = start(tmp_path, "sh", "-c", "trap '' TERM; echo here; while :; do sleep 0.05; done")
    assert wait_until(lambda: (tmp_path / "log").read_text() == "here\n", PATIENCE)
    assert not stop(child, 0.3)
    assert child.returncode == -signal.SIGKILL


def test_a_sweep_finds_grandchildren_and_spares_strangers(tmp_path: Path) -> None:
    """Workers whose parent was killed would stay; or the processes of another platform would be killed."""
    ours, theirs = uuid4().hex, uuid4().hex
    start(tmp_path, "sh", "-c", "setsid sleep 60 & exit 0", **{MARK: ours}).wait()
    stubborn = start(tmp_path, "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", **{MARK: ours})
    stranger = start(tmp_path, "sleep", "60", **{MARK: theirs})
    assert wait_until(lambda: len(marked(ours)) >= 2, PATIENCE)
    assert sweep(ours, grace=0.3) >= 2
    assert stubborn.wait(PATIENCE) == -signal.SIGKILL
    assert marked(ours) == []
    assert stranger.poll() is None
    stop(stranger, 5)


def test_a_port_that_is_taken_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service would be started on a port where it cannot listen."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free(port)
        assert free_port(port) != port
    assert free_port(port) == port
    assert free_port(port, taken=[port]) != port
    monkeypatch.setattr(processes, "port_is_free", lambda port: False)
    with pytest.raises(OSError, match="no free port"):
        free_port()


def test_a_shared_port_is_taken_too() -> None:
    """Old and new code server would share it, and requests would reach either at random."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not port_is_free(listener.getsockname()[1])


def test_waiting_says_whether_it_was_worth_it() -> None:
    """A service that never gets ready would be reported as ready."""
    assert wait_until(lambda: True, 0)
    assert not wait_until(lambda: False, 0.05)
