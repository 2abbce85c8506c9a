"""Where everything lies below SHP_HOME, and the files that Dagster reads there."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import shp_ops
from shp_resources.logs import log_path
from shp_resources.processes import LOOPBACK
from shp_resources.settings import Settings

_PACKAGE = Path(shp_ops.__file__).parent
LOCATION = "shp"
_PLANNED_AT_ONCE = "100"  # what a run plans to do is stored in one transaction, not in one for each asset and check


@dataclass(frozen=True)
class Layout:
    """The folders and files of one running platform.

    Args:
        home: the installation's folder (`SHP_HOME`).
    """

    home: Path

    @property
    def run(self) -> Path:
        """What belongs to the running platform."""
        return self.home / "run"

    @property
    def lock(self) -> Path:
        """Locked by the supervisor as long as it lives."""
        return self.run / "supervisor.lock"

    @property
    def state(self) -> Path:
        """What the supervisor tells other processes."""
        return self.run / "platform.json"

    @property
    def ports(self) -> Path:
        """The ports this home used last; taken again if they are free."""
        return self.run / "ports.json"

    @property
    def workspace(self) -> Path:
        """Dagster's workspace file: our code server."""
        return self.run / "workspace.yaml"

    @property
    def dagster_home(self) -> Path:
        """Dagster's home, with its `dagster.yaml`; compute logs and artifacts go below it."""
        return self.home / "dagster"

    @property
    def output(self) -> Path:
        """What a supervisor in the background writes to its terminal."""
        return self.run / "supervisor.out"

    def log(self, service: str) -> Path:
        """The log file of a service."""
        return log_path(self.home, service)

    def write_dagster_home(self) -> None:
        """Write the home's `dagster.yaml` from ours, so that an upgrade reaches every home."""
        self.dagster_home.mkdir(parents=True, exist_ok=True)
        text = "# Written by shp; edits are overwritten by the next `shp up`.\n" + _our_dagster_yaml().read_text(encoding="utf-8")
        _replace(self.dagster_home / "dagster.yaml", text)

    def write_workspace(self, port: int) -> None:
        """Write the workspace file that names the code server."""
        server = {"host": LOOPBACK, "port": port, "location_name": LOCATION}
        _replace(self.workspace, f"load_from:\n  - grpc_server: {json.dumps(server)}\n")

    def remembered_ports(self) -> dict[str, int]:
        """The ports this home used last, by service."""
        try:
            found = json.loads(self.ports.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return {name: port for name, port in found.items() if isinstance(port, int)}

    def remember_ports(self, ports: dict[str, int]) -> None:
        """Keep the ports for the next start."""
        _replace(self.ports, json.dumps(ports))


def feed_names(settings: Settings) -> list[str]:
    """The feeds of an installation, by the names of their files."""
    return sorted(path.stem for path in settings.feeds.glob("*.yaml"))


def make_landing_folders(settings: Settings) -> None:
    """Make the drop folder of every feed."""
    for feed in feed_names(settings):
        (settings.landing / feed).mkdir(parents=True, exist_ok=True)


def environment(settings: Settings, dsn: str | None) -> dict[str, str]:
    """The variables with which any other process finds this installation, whatever `.env` file lies around.

    Args:
        settings: the installation.
        dsn: address of the ledger's database, None when it is not known yet.
    """
    dagster = {"DAGSTER_HOME": str(Layout(settings.home).dagster_home), "DAGSTER_EVENT_BATCH_SIZE": _PLANNED_AT_ONCE}
    known = settings.as_environment() | dagster
    if dsn is not None:
        known |= {"SHP_PG_DSN": dsn, "SHP_WAREHOUSE_DSN": settings.warehouse_dsn or dsn}
    return known


def python_path() -> dict[str, str]:
    """The variable that lets a child find our packages where they are not installed."""
    source = str(_PACKAGE.parent)
    given = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != source]
    installed = "site-packages" in source or "dist-packages" in source
    parts = given if installed else [source, *given]
    return {"PYTHONPATH": os.pathsep.join(parts)} if parts else {}


def python(*words: str) -> list[str]:
    """A command that runs a module under this interpreter."""
    return [sys.executable, "-m", *words]


def _our_dagster_yaml() -> Path:
    bundled = _PACKAGE / "bundle" / "dagster.yaml"
    return bundled if bundled.exists() else _PACKAGE.parent / "dagster.yaml"


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
