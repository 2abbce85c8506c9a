"""Whether a service is ready is asked of the service itself."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from dagster import DagsterInstance

from shp_ops.supervisor import probes
from shp_ops.supervisor.layout import Layout
from shp_resources.processes import free_port
from tests.support.homes import Home
from tests.support.postgres import rows


@pytest.fixture
def webserver() -> Iterator[tuple[str, dict[str, Any]]]:
    """A server that answers every GraphQL query with what the test puts into the dictionary."""
    answer: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *words: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answer
    server.shutdown()
    server.server_close()


def entry(kind: str, load_status: str = "LOADED", **more: str) -> dict[str, Any]:
    """A workspace with one code location, as Dagster tells it."""
    location = {"name": "shp", "loadStatus": load_status, "locationOrLoadError": {"__typename": kind, **more}}
    return {"workspaceOrError": {"__typename": "Workspace", "locationEntries": [location]}}


def test_a_webserver_is_ready_only_with_our_code(webserver: tuple[str, dict[str, Any]]) -> None:
    """`shp up` would announce a UI that shows nothing but an error."""
    url, answer = webserver
    answer["data"] = entry("RepositoryLocation")
    assert probes.web(url) is None
    answer["data"] = entry("PythonError", message="no module\nat all")
    assert "could not load shp: no module" in str(probes.web(url))
    answer["data"] = entry("RepositoryLocation", "LOADING")
    assert probes.web(url) == "is loading shp"
    answer["data"] = {"workspaceOrError": {"__typename": "Workspace", "locationEntries": []}}
    assert "no code location" in str(probes.web(url))
    answer["data"] = None
    assert "does not answer" in str(probes.web(url))


def test_nobody_there_is_a_reason_not_a_crash(home: Home) -> None:
    """`shp status` would end in a traceback exactly when it is needed."""
    port = free_port()
    assert "does not answer" in str(probes.web(f"http://127.0.0.1:{port}"))
    assert "unavailable" in str(probes.code(port))
    assert "does not accept connections" in str(probes.listening(port))
    assert "refused" in str(probes.postgres(f"postgresql://u:p@127.0.0.1:{port}/d"))
    assert "refused" in str(probes.daemon(f"postgresql://u:p@127.0.0.1:{port}/d", 0.0))
    assert probes.postgres(None) == "not running"
    assert probes.daemon(None, 0.0) == "its database is not running"


def test_a_service_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stalled process accepts connections like a healthy one; `shp status` would call it ready, or hang with it."""
    monkeypatch.setattr(probes, "_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert probes.listening(port) is None
        assert "deadline_exceeded" in str(probes.code(port))
        assert "does not answer" in str(probes.web(f"http://127.0.0.1:{port}"))


def beat(dsn: str, age: float, kinds: frozenset[str]) -> None:
    """Write heartbeats as Dagster does."""
    rows(dsn, "create table if not exists daemon_heartbeats (body text)")
    rows(dsn, "delete from daemon_heartbeats")
    for kind in kinds:
        rows(dsn, "insert into daemon_heartbeats values (%s)", json.dumps({"daemon_type": kind, "timestamp": time.time() - age}))


def test_a_daemon_is_ready_only_with_fresh_heartbeats_of_all_kinds(database_dsn: str) -> None:
    """Sensors would be off while the platform calls itself ready."""
    assert "daemon_heartbeats" in str(probes.daemon(database_dsn, 0.0))
    beat(database_dsn, 1.0, probes.REQUIRED_DAEMONS)
    assert probes.daemon(database_dsn, time.time() - 5) is None
    assert "no heartbeat" in str(probes.daemon(database_dsn, time.time()))  # those of its predecessor do not count
    beat(database_dsn, probes.HEARTBEAT_SECONDS + 1, probes.REQUIRED_DAEMONS)
    assert "no heartbeat" in str(probes.daemon(database_dsn, 0.0))
    beat(database_dsn, 1.0, probes.REQUIRED_DAEMONS - {"SENSOR"})
    assert probes.daemon(database_dsn, 0.0) == "no heartbeat of sensor"


def test_the_daemons_we_wait_for_are_those_dagster_runs(home: Home, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade of Dagster `shp up` would wait for ever, or not wait for a daemon that matters."""
    Layout(home.path).write_dagster_home()
    monkeypatch.setenv("DAGSTER_HOME", str(Layout(home.path).dagster_home))
    monkeypatch.setenv("SHP_PG_DSN", database_dsn)
    with DagsterInstance.get() as instance:
        assert set(instance.get_required_daemon_types()) == probes.REQUIRED_DAEMONS
