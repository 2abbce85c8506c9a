"""Stopping `shp ingest` from outside, and sharing one embedded server: nothing is left running, held or half said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from shp_resources.embedded import EmbeddedServer
from shp_resources.processes import wait_until
from tests.support.commands import VISITS, Place, visits
from tests.support.postgres import fresh_database, rows
from tests.support.waiting import PATIENCE

ROWS = 30_000  # about two seconds of reading


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workbook that is being read long enough to be interrupted."""
    yield visits(tmp_path_factory.mktemp("big") / "big.xlsx", range(1, ROWS))


def state(dsn: str, partition: str = "big") -> str | None:
    """A partition's state, None while there is none; the ledger may not be made yet."""
    try:
        found = rows(dsn, "select state from shp.partitions where partition = %s", partition)
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
        return None
    return str(found[0][0]) if found else None


def settled(dsn: str) -> None:
    """Assert that nothing of the ingestion looks alive."""
    assert rows(dsn, "select * from shp.leases") == []
    assert rows(dsn, "select partition, run_id, step, started_at from shp.attempts where ended_at is null") == []
    assert rows(dsn, "select distinct status from runs where status not in ('SUCCESS', 'FAILURE', 'CANCELED')") == []


@pytest.mark.parametrize(
    ("number", "whole_group", "status"),
    [(signal.SIGINT, True, 130), (signal.SIGTERM, False, 143), (signal.SIGKILL, False, -9)],
    ids=["Ctrl-C", "kill", "kill -9 of the command alone"],
)
def test_a_stopped_ingestion_gives_its_partition_back(
    number: signal.Signals, whole_group: bool, status: int, big: Path, postgres_server: str, tmp_path: Path
) -> None:
    """After Ctrl-C or a time limit the file would count as being worked on for ever, and the next try would be refused."""
    with fresh_database(postgres_server) as dsn:
        place = Place.make(tmp_path / "p", dsn, {"visits": VISITS})
        process = place.start("ingest", "visits", big, visits(tmp_path / "small.xlsx", [ROWS]), "--json")
        assert wait_until(lambda: state(dsn) == "running", PATIENCE)
        assert len(place.processes()) >= 3  # the command, two workers, perhaps a reader
        (os.killpg if whole_group else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (status, "")
        assert "Traceback" not in err
        assert wait_until(lambda: place.processes() == [], PATIENCE), place.processes()
        assert state(dsn) == "arrived"
        settled(dsn)
        again = place.shp("ingest", "visits", big, "--json")
        assert (again.code, again.file("big.xlsx")["rows"]["loaded"]) == (0, ROWS - 1)


def test_ctrl_c_lets_the_embedded_server_go(big: Path, tmp_path: Path) -> None:
    """A database server nobody asked for would stay behind in memory, and with it the lock on the home."""
    place = Place.make(tmp_path / "p", feeds={"visits": VISITS})
    server = EmbeddedServer(place.home)
    process = place.start("ingest", "visits", big)
    assert wait_until(lambda: server.dsn_file.exists() and state(server.dsn_file.read_text()) == "running", PATIENCE)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "stopped."
    assert wait_until(lambda: place.processes() == [], PATIENCE), place.processes()
    assert not server.dsn_file.exists()
    with server.held() as dsn:
        assert state(dsn) == "arrived"
        settled(dsn)


def test_two_commands_share_an_embedded_server(big: Path, tmp_path: Path) -> None:
    """The first command to end would take the database away from the other."""
    place = Place.make(tmp_path / "p", feeds={"visits": VISITS})
    first = place.start("ingest", "visits", visits(tmp_path / "small.xlsx", [ROWS]), "--json")
    second = place.start("ingest", "visits", big, "--json")
    answers = [process.communicate(timeout=120) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], answers
    loaded = [json.loads(out)["files"][0]["rows"]["loaded"] for out, _ in answers]
    assert loaded == [1, ROWS - 1]
    assert place.processes() == []
    assert place.shp("partitions", "visits").code == 0
    assert place.processes() == []


def test_a_closed_pipe_is_no_failure_of_the_ingestion(postgres_server: str, tmp_path: Path) -> None:
    """`shp ingest … --json | head -1` would leave a file half done."""
    with fresh_database(postgres_server) as dsn:
        place = Place.make(tmp_path / "p", dsn, {"visits": VISITS})
        process = place.start("ingest", "visits", visits(tmp_path / "small.xlsx", [1, 2]), "--json")
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = subprocess.DEVNULL  # type: ignore[assignment]
        assert process.wait(PATIENCE) == 1
        assert state(dsn, "small") == "published"
        settled(dsn)
