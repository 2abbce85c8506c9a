"""Where Dagster keeps runs and events, with and without a PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from dagster import DagsterInstance

from shp_resources.dagster_storage import sqlalchemy_url
from shp_resources.processes import free_port
from tests.support.holders import REPOSITORY
from tests.support.postgres import connected, rows

_ADD_KEYS = """
import sys
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("sales", [sys.argv[1]])
"""
_SCRATCH = """
import os, subprocess, sys
from pathlib import Path
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    if sys.argv[1:]:
        print(instance.get_dynamic_partitions("sales"))
    else:
        instance.add_dynamic_partitions("sales", ["one"])
        print(os.environ["SHP_SCRATCH_STORAGE"], flush=True)
        subprocess.run([sys.executable, "-c", Path(os.environ["SCRIPT"]).read_text(), "child"], check=True)
"""


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with the repository's dagster.yaml, in an installation that knows no PostgreSQL."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SHP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHP_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return folder


@contextmanager
def instance_on(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """The instance that any Dagster process would get with this address."""
    monkeypatch.setenv("SHP_PG_DSN", dsn)
    with DagsterInstance.get() as instance:
        yield instance


def keys(dsn: str) -> list[str]:
    """The partition keys that PostgreSQL holds."""
    return [key for (key,) in rows(dsn, "select partition from dynamic_partitions order by 1")]


def forward(port: int, target: tuple[str, ...]) -> None:
    """Pass connections to this port on to the target, for as long as the process lives."""

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # one side has gone: so does the other
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    listener = socket.create_server(("127.0.0.1", port))
    while True:
        near, _ = listener.accept()
        far = socket.create_connection((target[0], int(target[1])))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=copy, args=pair, daemon=True).start()


def python(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script in a process of its own."""
    return subprocess.run([sys.executable, "-c", script, *words], text=True, capture_output=True, check=False, timeout=120)


def test_with_an_address_everything_is_in_postgresql(dagster_home: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and partitions would vanish with the process, or lie where no backup looks."""
    with instance_on(database_dsn, monkeypatch) as instance:
        instance.add_dynamic_partitions("sales", ["one"])
    assert keys(database_dsn) == ["one"]
    with instance_on(database_dsn, monkeypatch) as instance:  # the second time the tables are there
        assert list(instance.get_dynamic_partitions("sales")) == ["one"]
    assert list(dagster_home.rglob("*.db")) == []


def test_the_embedded_servers_file_is_an_address_too(dagster_home: Path, database_dsn: str, tmp_path: Path) -> None:
    """`dagster dev` beside a running `shp up` would show an empty platform."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "dsn").write_text(database_dsn)
    with DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("sales", ["one"])
    assert keys(database_dsn) == ["one"]


def test_processes_that_start_together_make_the_tables_once(dagster_home: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The webserver or the daemon would die at the very first start of an installation, by chance."""
    monkeypatch.setenv("SHP_PG_DSN", database_dsn)
    with ThreadPoolExecutor(3) as pool_of_threads:
        done = list(pool_of_threads.map(lambda key: python(_ADD_KEYS, key), ["a", "b", "c"]))
    assert [process.returncode for process in done] == [0, 0, 0], [process.stderr[-500:] for process in done]
    assert keys(database_dsn) == ["a", "b", "c"]


def test_long_lived_processes_survive_a_cut_of_what_they_keep(
    dagster_home: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon would fail after each restart of the database, on a connection that has died."""
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    with instance_on(database_dsn, monkeypatch) as instance:
        for key in ("one", "two"):
            instance.add_dynamic_partitions("sales", [key])
            assert connected(database_dsn, 1)
            rows(database_dsn, cut)
            assert connected(database_dsn, 0)
        assert list(instance.get_dynamic_partitions("sales")) == ["one", "two"]


def test_a_worker_is_pooled_by_a_variable(dagster_home: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run would cost seconds of connecting."""
    monkeypatch.setenv("SHP_DB_POOL", "1")
    with instance_on(database_dsn, monkeypatch) as instance:
        instance.get_run_by_id("nobody")
        assert connected(database_dsn, 1)


def test_a_pooled_worker_may_be_the_first_of_all(dagster_home: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`shp ingest` on a fresh database would fail for want of Dagster's tables."""
    monkeypatch.setenv("SHP_DB_POOL", "1")
    with instance_on(database_dsn, monkeypatch) as instance:
        instance.add_dynamic_partitions("sales", ["one"])
    assert keys(database_dsn) == ["one"]


def test_without_an_address_a_throw_away_storage_says_so(dagster_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dagster dev` would not start without PostgreSQL, or would lose runs without a word, or litter the disk."""
    script = tmp_path / "script.py"
    script.write_text(_SCRATCH)
    monkeypatch.setenv("SCRIPT", str(script))
    done = python(_SCRATCH)
    folder, seen_by_child = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert seen_by_child == "['one']"  # the processes of one `dagster dev` share it
    assert done.stderr.count("No PostgreSQL is known") == 1
    assert not Path(folder).exists()


def test_a_throw_away_storage_can_be_asked_to_pool(dagster_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A worker would have to know which storage it gets."""
    monkeypatch.setenv("SHP_DB_POOL", "1")
    monkeypatch.setenv("SHP_SCRATCH_STORAGE", str(tmp_path / "scratch"))
    with DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("sales", ["one"])
    assert list((tmp_path / "scratch").rglob("*.db"))


def test_definitions_validate_needs_nothing_at_all(tmp_path: Path) -> None:
    """A stranger's first command in a fresh clone, and CI's, would fail for want of a database."""
    for name in ("dagster.yaml", "workspace.yaml", "pyproject.toml", "shp.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for name in ("feeds", "marts"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    before = sorted(path.name for path in tmp_path.iterdir())
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    command = [str(Path(sys.executable).with_name("dagster")), "definitions", "validate"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "All code locations passed validation" in done.stdout + done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_dagsters_own_retries_and_telemetry_are_off(dagster_home: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault would be retried by two layers that do not know each other, or facts about the user sent abroad."""
    with instance_on(database_dsn, monkeypatch) as instance:
        assert not instance.run_retries_enabled
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None and queue.max_concurrent_runs == 4


def test_a_database_that_is_just_coming_up_is_waited_for(dagster_home: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run that starts while the database restarts would die."""
    port = free_port()
    target = tuple(database_dsn.rpartition("@")[2].partition("/")[0].split(":"))
    opened = threading.Timer(0.7, forward, (port, target))
    opened.daemon = True
    opened.start()
    with instance_on(database_dsn.replace(f":{target[1]}/", f":{port}/"), monkeypatch) as instance:
        instance.add_dynamic_partitions("sales", ["one"])
    assert keys(database_dsn) == ["one"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("postgresql://u:p@h:1/d", "postgresql+psycopg2://u:p@h:1/d"),
        ("postgres://u@h/d?sslmode=require", "postgresql+psycopg2://u@h/d?sslmode=require"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg2://u@h/d"),
    ],
)
def test_every_form_of_an_address_names_its_driver(given: str, wanted: str) -> None:
    """An address copied from a hosting provider would be refused."""
    assert sqlalchemy_url(given) == wanted
