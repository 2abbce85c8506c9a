"""`shp up --hadoop`, for real: four daemons started, asked, killed, stopped. The tests share one and run in this order."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from shp_ops.hadoop import probes
from shp_ops.supervisor.state import HADOOP
from shp_resources.hdfs import cluster_of
from shp_resources.hive import hive_of
from shp_resources.processes import wait_until
from tests.support.chaos import unready
from tests.support.homes import Home
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.hadoop, pytest.mark.platform]
KEPT = "/tmp/kept"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A platform with Hadoop in the background; whatever the tests did to it, nothing of it is left afterwards."""
    made = Home.make(tmp_path_factory.mktemp("platform"), **_cache())
    done = made.shp("up", "--hadoop", "--hive", "--detach", "--json")
    assert done.returncode == 0, done.stderr
    yield made
    made.shp("down")


def _cache() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name == "SHP_HADOOP_CACHE"}


def services(home: Home) -> dict[str, dict[str, Any]]:
    """Hadoop's part of the status."""
    return {name: service for name, service in home.status()["services"].items() if name in HADOOP}


def write(home: Home, content: bytes) -> None:
    """Put a small file into HDFS."""
    url = services(home)["namenode"]["url"]
    place = probes._webhdfs(url, KEPT, "CREATE", "root", "PUT", overwrite="true", noredirect="true")["Location"]
    probes._send(place, "PUT", content)


def read(home: Home) -> bytes:
    """The small file's content."""
    return probes._send(probes._webhdfs(services(home)["namenode"]["url"], KEPT, "OPEN", "root", noredirect="true")["Location"])


def ask(home: Home, statement: str) -> list[Any]:
    """What Hive answers."""
    server = hive_of(home.settings)
    assert server is not None
    with server.session() as session:
        return session.rows(statement) if statement.startswith("SHOW") else [session.run(statement)]


def test_the_daemons_are_ready_and_say_where(shared: Home) -> None:
    """A user would not know whether HDFS, YARN and Hive can be used, or how to reach them."""
    found = services(shared)
    assert {name: service["ready"] for name, service in found.items()} == dict.fromkeys(HADOOP, True)
    schemes = {name: service["url"].partition("127.0.0.1:")[0] for name, service in found.items()}
    assert schemes == {**dict.fromkeys(HADOOP, "http://"), "hive": "hive://"}
    assert len({service["pid"] for service in found.values()}) == len(HADOOP)
    cluster = cluster_of(shared.settings)
    assert cluster is not None and cluster.own and cluster.runs_jobs
    assert cluster.hdfs_urls == (found["namenode"]["url"],)
    assert found["hive"]["url"] == f"hive://127.0.0.1:{cluster.hive_port}"


def test_they_listen_on_the_loopback_address_but_for_one_port(shared: Home) -> None:
    """Anybody on the network could read and delete the lake; the one port that says otherwise is documented."""
    pids = {service["pid"] for service in services(shared).values()}
    listening = [c.laddr for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in pids]
    assert len(listening) >= 15
    ports = json.loads((shared.path / "run" / "ports.json").read_text())
    assert {place.port for place in listening if place.ip != "127.0.0.1"} <= {ports["nodemanager_shuffle"]}


def test_daemons_know_no_secret(shared: Home) -> None:
    """Whoever may run a job could read the database's password from the NodeManager's environment."""
    for service in services(shared).values():
        assert not [name for name in psutil.Process(service["pid"]).environ() if name.startswith(("SHP_PG", "SHP_WAREHOUSE", "DAGSTER"))]


def test_the_watchdog_sees_a_daemon_that_does_nothing_any_more(shared: Home) -> None:
    """Monitoring would show green over a cluster that stands still."""
    url = str(shared.status()["services"]["watchdog"]["url"])
    assert wait_until(lambda: unready(url) == {}, PATIENCE, 0.5), unready(url)
    pid = shared.pids()["datanode"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert wait_until(lambda: set(unready(url)) == {"datanode"}, 15.0, 0.2), unready(url)
    finally:
        os.kill(pid, signal.SIGCONT)
    line = next(line for line in (shared.path / "logs" / "namenode.log").read_text().splitlines() if '"logger"' in line)
    assert json.loads(line)["process"] == "namenode"


def test_each_comes_back_after_kill_9_and_files_are_kept(shared: Home) -> None:
    """One killed daemon would stop the lake until somebody looks, or lose what lies there."""
    write(shared, b"kept")
    ask(shared, "CREATE DATABASE kept")
    before = services(shared)
    for service in before.values():
        os.kill(service["pid"], signal.SIGKILL)
    assert wait_until(lambda: _ready_anew(shared, before), PATIENCE, 0.3), services(shared)
    assert [service["restarts"] for service in services(shared).values()] == [1] * len(HADOOP)
    assert read(shared) == b"kept"
    assert ("kept",) in ask(shared, "SHOW DATABASES")


def _ready_anew(home: Home, before: dict[str, dict[str, Any]]) -> bool:
    found = services(home)
    return all(service["ready"] and service["pid"] != before[name]["pid"] for name, service in found.items())


def test_a_dead_daemon_is_told_as_one(shared: Home) -> None:
    """`shp status` would say that all is well, from memory: counts of live nodes go on counting the dead."""
    pid = services(shared)["datanode"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert wait_until(lambda: not services(shared)["datanode"]["ready"], PATIENCE, 0.1)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert wait_until(lambda: bool(services(shared)["datanode"]["ready"]), PATIENCE, 0.3)


def test_nothing_is_left_of_a_killed_supervisor(shared: Home) -> None:
    """Five Java processes would stay, with the ports that the next start needs."""
    state = json.loads((shared.path / "run" / "platform.json").read_text())
    os.kill(int(state["supervisor"].partition("@")[0]), signal.SIGKILL)
    assert wait_until(lambda: shared.processes() == [], PATIENCE, 0.3), shared.processes()


def test_the_next_start_has_the_files_and_the_ports(shared: Home) -> None:
    """A restart would begin with an empty HDFS, or under other addresses."""
    known = json.loads((shared.path / "run" / "ports.json").read_text())
    assert shared.shp("up", "--hadoop", "--hive", "--detach").returncode == 0
    assert read(shared) == b"kept"
    assert ("kept",) in ask(shared, "SHOW DATABASES")
    assert json.loads((shared.path / "run" / "ports.json").read_text()) == known


def test_down_stops_everything_and_the_cluster_rests(shared: Home) -> None:
    """Daemons would run on; or commands would look for a NameNode that is gone."""
    assert shared.shp("down").returncode == 0
    assert shared.processes() == []
    cluster = cluster_of(shared.settings)
    assert cluster is not None and cluster.rests and not cluster.runs_jobs
    assert services(shared) == {}
    assert sorted(path.name for path in shared.base.iterdir()) == ["feeds", "marts", "var"]
