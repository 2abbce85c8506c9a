"""What is written below SHP_HOME, and what other processes are told."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import yaml

from shp_ops.supervisor.layout import Layout, environment, feed_names, make_landing_folders
from shp_ops.supervisor.state import SEEN_SECONDS, PlatformState, ServiceState, ask
from shp_ops.watchdog.watch import LOOK_SECONDS
from shp_resources.processes import ProcessId
from shp_resources.settings import Settings
from tests.support.homes import Home


def test_exports_survive_a_shell_whatever_is_in_them(tmp_path: Path) -> None:
    """A quote in a password or a space in a path would break the shell, or run what stands behind it."""
    strange = Home(tmp_path / "a b'$(touch hacked)")
    strange.base.mkdir()
    done = strange.shp("env", SHP_PG_DSN="postgresql://u:a'b$(touch hacked)@h/d")
    assert done.returncode == 0
    shell = ["sh", "-c", f'{done.stdout}\nprintf "%s\\n" "$SHP_HOME" "$SHP_PG_DSN" "$DAGSTER_HOME"']
    said = subprocess.run(shell, cwd=tmp_path, text=True, capture_output=True, check=True, env={"PATH": os.environ["PATH"]})
    assert said.stdout.splitlines() == [str(strange.path), "postgresql://u:a'b$(touch hacked)@h/d", str(strange.path / "dagster")]
    assert not list(tmp_path.rglob("hacked"))


def test_env_starts_nothing_and_says_so(home: Home) -> None:
    """A look at the settings would start a server that nobody ends."""
    done = home.shp("env")
    assert "SHP_PG_DSN" not in done.stdout
    assert "shp up" in done.stderr
    assert home.processes() == []


def test_children_find_this_installation_whatever_dotenv_says(home: Home) -> None:
    """The demo's processes would write into the database of a `.env` file that lies around."""
    known = environment(home.settings, "postgresql://the/one")
    assert known["SHP_PG_DSN"] == known["SHP_WAREHOUSE_DSN"] == "postgresql://the/one"
    assert known["SHP_HOME"] == str(home.path)


def test_every_feed_gets_its_drop_folder(home: Home) -> None:
    """A user would have to guess the name of the folder to drop files into."""
    make_landing_folders(home.settings)
    assert sorted(path.name for path in (home.path / "landing").iterdir()) == feed_names(home.settings) == ["sales", "stock"]


def test_dagsters_home_and_workspace_are_below_ours(home: Home) -> None:
    """Dagster would write elsewhere, or load other code."""
    layout = Layout(home.path)
    layout.write_dagster_home()
    layout.write_workspace(4711)
    assert yaml.safe_load((layout.dagster_home / "dagster.yaml").read_text())["storage"]["custom"]["class"] == "ShpStorage"
    server = yaml.safe_load(layout.workspace.read_text())["load_from"][0]["grpc_server"]
    assert server == {"host": "127.0.0.1", "port": 4711, "location_name": "shp"}


def test_ports_are_remembered_and_a_damaged_memory_is_no_obstacle(home: Home) -> None:
    """The UI's bookmark would be wrong after each start; or a cut-off file would keep the platform down."""
    layout = Layout(home.path)
    assert layout.remembered_ports() == {}
    layout.remember_ports({"web": 1, "code": 2})
    assert layout.remembered_ports() == {"web": 1, "code": 2}
    layout.ports.write_text("{cut")
    assert layout.remembered_ports() == {}


def test_the_state_reads_back_and_knows_the_dead(tmp_path: Path) -> None:
    """`shp status` would show yesterday's processes as running."""
    alive = ServiceState(str(ProcessId.current()), 1.5, 2, 3)
    dead = ServiceState(f"{os.getpid()}@another-1")
    state = PlatformState(str(ProcessId.current()), "mark", "http://ui", 2.5, services={"web": alive, "code": dead})
    state.save(tmp_path / "state.json")
    found = PlatformState.load(tmp_path / "state.json")
    assert found == state
    assert (found.services["web"].pid, found.services["code"].pid) == (os.getpid(), None)
    assert PlatformState.load(tmp_path / "none.json") is None


def test_a_restart_between_two_looks_of_the_watchdog_is_seen(home: Home, database_dsn: str) -> None:
    """A service that dies every minute and is back in two seconds would look as if it had never been away."""
    settings = Settings.load({"SHP_PG_DSN": database_dsn}, home=home.path)
    told = []
    for since in (time.time(), time.time() - SEEN_SECONDS):
        services = {"postgres": ServiceState(str(ProcessId.current()), since, restarts=1)}
        Layout(home.path).state.parent.mkdir(parents=True, exist_ok=True)
        PlatformState(str(ProcessId.current()), "mark", "http://ui", 2.5, services=services).save(Layout(home.path).state)
        told.append(ask(settings, "postgres"))
    assert "started again" in str(told[0])
    assert told[1] is None
    assert SEEN_SECONDS >= 2 * LOOK_SECONDS
