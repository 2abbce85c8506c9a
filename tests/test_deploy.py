"""What is shipped for production, as far as it can be checked where nothing of it runs."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from shp_ops.cli.main import cli
from shp_resources.settings import Settings
from tests.support.holders import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
COMPOSE = DEPLOY / "compose"
SERVICE_KEYS = {
    "build", "cap_drop", "depends_on", "environment", "healthcheck", "image", "init", "network_mode", "ports", "restart", "secrets",
    "security_opt", "stop_grace_period", "volumes",
}  # fmt: skip
"""Of the Compose specification, what this file uses; another key is looked up there first."""

CHECK_KEYS = {"interval", "retries", "start_period", "test", "timeout"}
MOUNT_KEYS = {"read_only", "source", "target", "type"}
RESTARTS = {"always", "no", "on-failure", "unless-stopped"}


def unit(name: str) -> ConfigParser:
    """A unit, its keys as they are written."""
    parser = ConfigParser(interpolation=None, comment_prefixes=("#",), strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((DEPLOY / "systemd" / name).read_text())
    return parser


@pytest.fixture
def compose() -> dict[str, Any]:
    """The compose file."""
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return found


def is_understood(words: list[str]) -> bool:
    """Whether our command line takes these words; nothing is run."""
    return CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0


@pytest.mark.parametrize("name", ["shp.service", "shp-backup.service"])
def test_a_unit_calls_a_command_that_there_is(name: str) -> None:
    """The service would fail at its first start."""
    program, *words = shlex.split(unit(name)["Service"]["ExecStart"])
    assert (program, is_understood(words)) == ("/srv/shp/.venv/bin/shp", True)
    assert unit(name)["Service"]["WorkingDirectory"] == "/srv/shp"
    assert unit(name)["Service"]["ReadWritePaths"] == "/srv/shp/var", "everything that is written lies below SHP_HOME"


def test_the_unit_leaves_ending_to_the_supervisor() -> None:
    """Runs would be killed with the service instead of being interrupted; one greedy run would take the platform along."""
    service = unit("shp.service")["Service"]
    assert (service["KillMode"], service["KillSignal"], service["OOMPolicy"]) == ("mixed", "SIGTERM", "continue")
    assert int(service["TimeoutStopSec"].removesuffix("s")) >= 120, "as long as `shp down` waits"
    assert service["User"] == "shp"


def test_the_image_calls_a_command_that_there_is_and_is_nobody(compose: dict[str, Any]) -> None:
    """The container would end at once, or a hole in a workbook reader would be root's."""
    lines = re.sub(r"\\\n", " ", (COMPOSE / "Dockerfile").read_text()).splitlines()
    told = dict(line.split(" ", 1) for line in lines if line.startswith(("USER", "ENTRYPOINT", "CMD", "STOPSIGNAL")))
    assert (told["USER"], yaml.safe_load(told["ENTRYPOINT"])) == ("shp", ["shp"])
    assert is_understood(yaml.safe_load(told["CMD"]))
    build = compose["services"]["platform"]["build"]
    assert (COMPOSE / build["context"] / build["dockerfile"]).resolve() == COMPOSE / "Dockerfile"
    assert (COMPOSE / build["context"]).resolve() == REPOSITORY
    assert is_understood(compose["services"]["platform"]["healthcheck"]["test"][2:])


def test_the_compose_file_hangs_together(compose: dict[str, Any]) -> None:
    """`docker compose up` would refuse it, or data would be gone with its container."""
    assert set(compose) == {"name", "services", "volumes", "secrets"}
    for name, service in compose["services"].items():
        assert set(service) <= SERVICE_KEYS, name
        assert ("image" in service) != ("build" in service), name
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert set(_named(service)) <= set(compose["volumes"])
    used = {volume for service in compose["services"].values() for volume in _named(service)}
    assert used == set(compose["volumes"])
    assert (COMPOSE / _mounts(compose["services"]["proxy"])["/etc/nginx/conf.d/default.conf"]).resolve() == DEPLOY / "nginx" / "shp.conf"


def test_every_value_is_one_that_compose_takes(compose: dict[str, Any]) -> None:
    """`docker compose up` would stop at a time without a unit or a condition that can never hold, on the day of the move."""
    healthy = {name for name, service in compose["services"].items() if "healthcheck" in service}
    for name, service in compose["services"].items():
        assert service["restart"] in RESTARTS, name
        check = service.get("healthcheck", {})
        assert set(check) <= CHECK_KEYS, name
        times = [service.get("stop_grace_period"), *(check.get(key) for key in ("interval", "timeout", "start_period"))]
        assert all(re.fullmatch(r"(\d+(h|m|s|ms|us))+", time) for time in times if time is not None), name
        assert check.get("test", ["CMD"])[0] in ("CMD", "CMD-SHELL")
        for other, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] == "service_started" or (wanted["condition"], other in healthy) == ("service_healthy", True), name
        for mount in service.get("volumes", ()):
            assert isinstance(mount, str) or (set(mount) <= MOUNT_KEYS and mount["type"] in ("bind", "volume")), name
        assert all(re.fullmatch(r"\d+:\d+", port) for port in service.get("ports", ())), name


def test_the_container_finds_what_the_compose_file_mounts(compose: dict[str, Any], tmp_path: Path) -> None:
    """A variable that nobody reads, or a mount beside what is read, would be an empty platform on a database of its own."""
    dsn = re.findall(r'echo "(postgresql://.*)" > secrets/shp_pg_dsn', (REPOSITORY / "docs" / "operations.md").read_text())[0]
    (tmp_path / "shp_pg_dsn").write_text(dsn)
    image = re.findall(r"^ENV (.*)$", (COMPOSE / "Dockerfile").read_text(), re.MULTILINE)
    platform, postgres = compose["services"]["platform"], compose["services"]["postgres"]["environment"]
    told = dict(word.split("=", 1) for line in image for word in line.split()) | platform["environment"]
    settings = Settings.load({name: value.replace("/run/secrets", str(tmp_path)) for name, value in told.items()})
    address = make_url(str(settings.pg_dsn))
    assert (address.host, address.username, address.database) == ("postgres", postgres["POSTGRES_USER"], postgres["POSTGRES_DB"])
    assert (address.host in compose["services"], address.port) == (True, 5432)
    read = {settings.feeds, settings.marts, settings.platform_file, settings.landing, settings.home}
    assert {Path(mount["target"]) for mount in platform["volumes"]} == read


def test_only_the_proxy_is_reached_from_outside(compose: dict[str, Any]) -> None:
    """The UI without a login, or the database, would be open to the network."""
    services = compose["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"platform"}
    assert services["proxy"]["network_mode"] == "service:platform"
    doors = re.findall(r"^ +listen +(\d+) ssl;", (DEPLOY / "nginx" / "shp.conf").read_text(), re.MULTILINE)
    assert [port.split(":")[1] for port in services["platform"]["ports"]] == doors
    ports = re.findall(r"proxy_pass +http://127\.0\.0\.1:(\d+);", (DEPLOY / "nginx" / "shp.conf").read_text())
    for words in (unit("shp.service")["Service"]["ExecStart"], (COMPOSE / "Dockerfile").read_text().replace('", "', " ")):
        assert f"--port {ports[0]} --viewers {ports[1]}" in words, "the proxy asks where the platform listens"


def _named(service: dict[str, Any]) -> list[str]:
    """The volumes of the engine that a service uses."""
    return [
        mount["source"] if isinstance(mount, dict) else mount.split(":")[0]
        for mount in service.get("volumes", ())
        if not isinstance(mount, dict) or mount["type"] == "volume"
    ]


def _mounts(service: dict[str, Any]) -> dict[str, Path]:
    """What of this machine a service sees, by where it sees it."""
    return {mount["target"]: Path(mount["source"]) for mount in service["volumes"] if mount["type"] == "bind"}
