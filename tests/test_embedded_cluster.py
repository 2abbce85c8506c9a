"""The data directory, the keeper and the private files of the embedded server, each by itself."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_resources.embedded import EmbeddedServer, keeper
from shp_resources.embedded.binaries import Binaries
from shp_resources.embedded.cluster import Cluster, failed, write_private
from shp_resources.processes import ProcessId, wait_until
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE

_SERVER = ["sh", "-c", "trap 'echo asked; exit 7' INT; echo up; while :; do sleep 0.05; done"]

_LOCK_AND_SLEEP = """
import psycopg2, sys
cursor = psycopg2.connect(sys.argv[1]).cursor()
cursor.execute("lock table t")
print(1, flush=True)
cursor.execute("select pg_sleep(600)")
"""


def keep(tmp_path: Path, command: list[str]) -> subprocess.Popen[str]:
    """A keeper with any command in the server's place."""
    for name in ("lock", "address"):
        (tmp_path / name).touch()
    order = {"command": command, "popen": {}, "lock": str(tmp_path / "lock"), "address": str(tmp_path / "address")}
    words = [sys.executable, "-I", "-S", str(Path(keeper.__file__)), json.dumps(order)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def hold(tmp_path: Path) -> int:
    """Hold the lock as a user of the server does."""
    (tmp_path / "lock").touch()
    descriptor = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


# the keeper


def test_the_keeper_waits_for_the_last_of_many(tmp_path: Path) -> None:
    """The server would be ended while others use it."""
    first, second = hold(tmp_path), hold(tmp_path)
    process = keep(tmp_path, _SERVER)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    os.close(first)
    assert not wait_until(lambda: process.poll() is not None, 0.4)
    os.close(second)
    assert process.stdout.readline() == "asked\n"
    assert process.wait(PATIENCE) == 7
    assert not (tmp_path / "address").exists()


def test_the_keeper_goes_with_its_server(tmp_path: Path) -> None:
    """Each crash of the server would leave a process behind, and an address at which nobody answers."""
    holding = hold(tmp_path)
    process = keep(tmp_path, ["sh", "-c", "exit 3"])
    assert process.wait(PATIENCE) == 3
    assert not (tmp_path / "address").exists()
    os.close(holding)


def test_a_terminated_keeper_ends_its_server_in_order(tmp_path: Path) -> None:
    """A machine that shuts down would leave the server to recover at its next start."""
    holding = hold(tmp_path)
    process = keep(tmp_path, _SERVER)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    process.terminate()
    assert process.stdout.readline() == "asked\n"
    process.wait(PATIENCE)
    os.close(holding)


def test_a_newcomer_waits_until_the_old_server_has_gone(tmp_path: Path) -> None:
    """It would talk to a server that is just ending."""
    holding = hold(tmp_path)
    slow = ["sh", "-c", "trap 'sleep 0.5; exit 0' INT; echo up; while :; do sleep 0.05; done"]
    process = keep(tmp_path, slow)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    os.close(holding)
    assert wait_until(lambda: not _can_share(tmp_path), PATIENCE)
    newcomer = hold(tmp_path)  # returns only when the keeper, who holds the lock alone, has gone
    assert process.wait(PATIENCE) == 0
    os.close(newcomer)


def _can_share(tmp_path: Path) -> bool:
    descriptor = os.open(tmp_path / "lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_the_keeper_needs_nothing_that_is_installed() -> None:
    """A process that only waits would hold the memory of libraries it does not use."""
    script = (
        f"import sys; sys.argv = ['x']; exec(open({str(Path(keeper.__file__))!r}).read(), {{'__name__': 'keeper'}}); print(len(sys.path))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# the data directory


def test_only_its_own_server_is_recognised(tmp_path: Path) -> None:
    """Another installation's server would be taken for ours, and be stopped."""
    first, second = EmbeddedServer(tmp_path / "a"), EmbeddedServer(tmp_path / "b")
    with first.held():
        server = first.postmaster
        assert server is not None
        data = tmp_path / "b" / "postgres" / "data"
        data.mkdir(parents=True)
        (data / "postmaster.pid").write_text(f"{server.pid}\n")
        assert second.postmaster is None
        Cluster(tmp_path / "b" / "postgres").forget_stale_postmaster()
        assert not (data / "postmaster.pid").exists()
        Cluster(tmp_path / "a" / "postgres").forget_stale_postmaster()
        assert first.postmaster == server


@pytest.mark.parametrize("content", ["", "x\n", "0\n", "-1\n", "99999999\n"])
def test_a_damaged_pid_file_names_nobody(tmp_path: Path, content: str) -> None:
    """A cut-off file would end every command with a traceback."""
    cluster = Cluster(tmp_path)
    cluster.data.mkdir()
    (cluster.data / "postmaster.pid").write_text(content)
    assert cluster.postmaster() is None


def test_a_setting_of_the_caller_wins_and_the_port_is_ours(tmp_path: Path) -> None:
    """Tests could not turn fsync off; or two settings of one name would contradict each other."""
    command = Cluster(tmp_path).command(Binaries.find(), 4711, {"shared_buffers": "8MB", "fsync": "off"})
    assert [word for word in command if "shared_buffers" in word] == ["--shared_buffers=8MB"]
    assert {"--port=4711", "--fsync=off", "--listen_addresses=127.0.0.1"} <= set(command)


def test_a_fresh_server_sorts_and_keeps_all_characters(database_dsn: str) -> None:
    """Names in other scripts could not be stored; or an upgrade of the machine's libraries would break indexes."""
    facts = "select pg_encoding_to_char(encoding), datlocprovider, datlocale from pg_database where datname = current_database()"
    assert rows(database_dsn, facts) == [("UTF8", "b", "C.UTF-8")]
    rows(database_dsn, "create table names (name text)")
    rows(database_dsn, "insert into names values (%s), (%s)", "Ünïçödé ₹ 漢字", "a")
    assert rows(database_dsn, "select name, upper(name) from names order by name desc limit 1") == [("Ünïçödé ₹ 漢字", "ÜNÏÇÖDÉ ₹ 漢字")]


def test_committed_rows_survive_kill_after_kill(tmp_path: Path) -> None:
    """A machine with an unlucky week would slowly lose published rows."""
    server = EmbeddedServer(tmp_path)
    with server.held() as dsn:
        rows(dsn, "create table kept (round int)")
        for turn in range(3):
            rows(dsn, "insert into kept select %s from generate_series(1, 1000)", turn)
            victim = server.postmaster
            assert victim is not None
            os.kill(victim.pid, signal.SIGKILL)
            assert victim.gone_within(PATIENCE)
            assert server.start() == dsn
            assert rows(dsn, "select count(*) from kept") == [((turn + 1) * 1000,)]
    assert server.postmaster is None


def test_a_killed_clients_statement_and_locks_go_with_it(tmp_path: Path, database_dsn: str) -> None:
    """After kill -9 of an ingestion the next one would wait for the dead one's locks."""
    rows(database_dsn, "create table t (a int)")
    client = subprocess.Popen([sys.executable, "-c", _LOCK_AND_SLEEP, database_dsn], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None and client.stdout.readline() == "1\n"
    client.kill()
    client.communicate()
    rows(database_dsn, "set lock_timeout = '9s'; insert into t values (1)")
    assert rows(database_dsn, "select count(*) from t") == [(1,)]


# small things


def test_a_private_file_is_never_open_to_others(tmp_path: Path) -> None:
    """Another user could read the password in the moment between writing and closing the door."""
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_the_fault_of_a_server_carries_its_last_words_only() -> None:
    """A page of log would hide the one line that matters, or flood the ledger."""
    fault = failed("it ended at once", "\n".join(f"line {n} " + "x" * 200 for n in range(50)), 1)
    assert fault.code is Code.LEDGER_UNREACHABLE
    assert "line 49" in fault.message and "line 44" not in fault.message
    assert fault.evidence.exit_code == 1
    assert len(fault.evidence.text) <= 300


def test_letting_go_twice_or_never_having_held_is_no_error(tmp_path: Path) -> None:
    """Cleaning up after a failed start would hide the first error behind a second."""
    server = EmbeddedServer(tmp_path)
    server.stop()
    assert not server.running()
    server.start()
    assert server.start() == server.dsn_file.read_text()
    server.stop()
    server.stop()
    assert server.postmaster is None


def test_an_error_in_the_block_ends_the_server_too(tmp_path: Path) -> None:
    """A command that fails would leave its server running."""
    server = EmbeddedServer(tmp_path)
    with pytest.raises(ZeroDivisionError), server.held():
        assert server.running()
        raise ZeroDivisionError
    assert server.postmaster is None


def test_it_runs_below_a_folder_with_any_name(tmp_path: Path) -> None:
    """A home on a path with blanks, quotes or other scripts would have no database."""
    server = EmbeddedServer(tmp_path / "my 'home' ₹ $HOME")
    with server.held() as dsn:
        assert rows(dsn, "select 1") == [(1,)]
        assert isinstance(server.postmaster, ProcessId)


def test_it_runs_below_a_very_deep_folder(tmp_path: Path) -> None:
    """A clone deep in a build server's folders would fail, for a socket's path may have 107 bytes only."""
    deep = tmp_path / ("d" * 60) / ("e" * 60) / ("f" * 60)
    with EmbeddedServer(deep).held() as dsn:
        assert rows(dsn, "select 1") == [(1,)]
