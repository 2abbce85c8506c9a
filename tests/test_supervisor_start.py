"""Starting the platform when something is wrong, and commands where nothing runs."""

from __future__ import annotations

import json
import socket
import subprocess
import threading

import pytest

from shp_core.codes import Code
from shp_core.errors import ShpError, UsageError
from shp_ops.supervisor import control, prepare, services
from shp_ops.supervisor.layout import Layout, environment, python
from shp_ops.supervisor.platform import Platform
from shp_ops.supervisor.services import Service
from shp_ops.supervisor.state import SERVICES, PlatformState, status
from shp_resources.processes import free_port, wait_until
from tests.support.homes import Home
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE


def test_a_service_that_cannot_start_stops_everything_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed `shp up` would leave half a platform running, and not say which part failed."""
    broken = Service("code", ["sh", "-c", "echo the module is broken; exit 1"], lambda since: "never ready")
    monkeypatch.setattr(services, "code_server", lambda port: broken)
    with pytest.raises(ShpError, match="code ended while it started: the module is broken"):
        Platform(home.settings).run()
    assert home.processes() == []
    state = PlatformState.load(Layout(home.path).state)
    assert state is not None and state.failure is not None and state.failure["code"] == "service_failed"
    assert status(home.settings)["ready"] is False


def test_a_platform_that_is_asked_to_stop_while_starting_stops(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a slow start would be ignored or leave processes behind."""
    slow = Service("code", ["sleep", "60"], lambda since: "still loading")
    monkeypatch.setattr(services, "code_server", lambda port: slow)
    told: list[str] = []
    platform = Platform(home.settings, tell=told.append)
    threading.Timer(2.0, platform.ask_to_stop).start()
    platform.run()
    assert told[-2:] == ["stopping before it was ready", "stopped"]
    assert home.processes() == []


def test_a_block_is_not_entered_when_the_platform_does_not_start(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo would go on, and fail later with an error that hides the first."""
    monkeypatch.setattr(services, "code_server", lambda port: Service("code", ["false"], lambda since: "never ready"))
    with pytest.raises(ShpError, match="code ended"), Platform(home.settings).running():
        raise AssertionError("entered")
    assert home.processes() == []


def test_a_database_that_is_down_is_told_at_once(home: Home) -> None:
    """The user would wait for time-outs of four processes and read their tracebacks."""
    address = f"postgresql://shp:hidden@127.0.0.1:{free_port()}/shp"
    done = home.shp("up", "--detach", "--json", SHP_PG_DSN=address)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "ledger_unreachable"
    assert "refused" in error["message"]
    assert "hidden" not in done.stdout + done.stderr
    assert home.processes() == []


def test_a_port_in_use_is_a_wrong_call(home: Home) -> None:
    """The UI would silently be somewhere else than asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} is in use"):
            Platform(home.settings, port).run()
    assert home.processes() == []


def test_the_ledger_is_prepared_by_a_process_of_its_own(database_dsn: str, home: Home) -> None:
    """Sensors would start on a database without the ledger's tables."""
    Layout(home.path).write_dagster_home()
    prepare.finish(prepare.start(home.environ | environment(home.settings, database_dsn)))
    assert rows(database_dsn, "select to_regclass('shp.partitions') is not null") == [(True,)]


def test_an_error_of_the_preparation_arrives_as_it_was(home: Home) -> None:
    """The user would see an exit status instead of what is wrong with the database."""
    nowhere = f"postgresql://u:p@127.0.0.1:{free_port()}/d"
    with pytest.raises(ShpError) as caught:
        prepare.finish(prepare.start(home.environ | environment(home.settings, nowhere)))
    assert caught.value.code is Code.LEDGER_UNREACHABLE


def test_a_crash_of_the_preparation_is_not_taken_for_success(home: Home) -> None:
    """The platform would start on a ledger that was never made."""
    crashing = subprocess.Popen(python("nowhere.at.all"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with pytest.raises(ShpError, match="No module named") as caught:
        prepare.finish(crashing)
    assert caught.value.code is Code.CODE_BUG


def test_stopping_where_nothing_runs_is_no_error(home: Home) -> None:
    """Scripts that make sure would fail."""
    done = home.shp("down", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"stopped": False})
    assert control.stop(home.settings) is False


def test_status_where_nothing_runs_is_1_and_complete(home: Home) -> None:
    """A monitor would crash on a missing field, or believe the platform is up."""
    done = home.shp("status", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert (document["ready"], document["ui"], set(document["services"])) == (False, None, set(SERVICES))
    assert all(not service["ready"] and service["pid"] is None for service in document["services"].values())


def test_a_home_that_cannot_be_written_is_a_wrong_setting(home: Home) -> None:
    """The user would be asked to report a bug for a folder of the wrong owner."""
    home.path.mkdir()
    (home.path / "run").touch()
    done = home.shp("up", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "settings_invalid")
    assert "cannot be written" in error["message"]


def test_a_state_that_cannot_be_written_stops_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk would take a running platform down, or keep it from being stopped."""
    sample = Service("code", ["sleep", "60"], lambda since: "still loading")
    monkeypatch.setattr(services, "code_server", lambda port: sample)
    told: list[str] = []
    platform = Platform(home.settings, tell=told.append)

    def block_and_stop() -> None:
        wait_until(lambda: "code" in getattr(PlatformState.load(Layout(home.path).state), "services", {}), PATIENCE)
        (Layout(home.path).run / "platform.json.draft").mkdir()
        platform.ask_to_stop()

    threading.Thread(target=block_and_stop).start()
    platform.run()
    assert "the state could not be written" in told[-2]
    assert told[-1] == "stopped"
    assert home.processes() == []
