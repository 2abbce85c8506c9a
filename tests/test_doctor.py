"""`shp doctor`: what is wrong is found, and told with what mends it; what is right is not complained about."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType

from shp_ops.doctor import Check, databases, examine, files, machine
from shp_ops.doctor.platform import lake, ports, sensors
from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.state import PlatformState, ServiceState
from shp_resources.hdfs import seal
from shp_resources.processes import ProcessId, free_port
from shp_resources.settings import Settings
from tests.support.commands import VISITS, Place
from tests.support.platforms import Platform
from tests.support.postgres import fresh_database

ASKED = [
    *("python", "packages", "reader", "disk_home", "disk_store", "home", "feeds", "landing", "ledger", "ledger_rights"),
    *("roles", "clock", "connections", "migrations", "warehouse", "sensors", "ports", "platform", "lake"),
]


@pytest.fixture
def place(postgres_server: str, tmp_path: Path) -> Iterator[Place]:
    """An installation on which nothing runs."""
    with fresh_database(postgres_server) as dsn:
        yield Place.make(tmp_path, dsn, {"visits": VISITS})


def named(found: list[Check], name: str) -> Check:
    """The one answer of this name."""
    (check,) = [check for check in found if check.name == name]
    return check


def test_a_sound_installation_is_called_sound(platform: Platform) -> None:
    """Whoever is called at night would look for a fault that is none."""
    found = list(examine(platform.settings))
    assert [check for check in found if not check.ok] == []
    assert [check.name for check in found] == ASKED
    assert all(check.message.endswith(".") and check.next is None for check in found)


def test_programs_read_one_document(place: Place) -> None:
    """Monitoring would have to understand sentences."""
    answer = place.shp("doctor", "--json")
    assert answer.code == 0
    assert answer.json["ok"] is True
    assert [check["name"] for check in answer.json["checks"]] == ASKED
    assert {frozenset(check) for check in answer.json["checks"]} == {frozenset({"name", "ok", "message", "next"})}
    assert not (place.base / "var").exists(), "looking made something"
    assert "All is well." in place.shp("doctor").err


def test_a_database_that_is_away_is_named_with_the_next_step(place: Place) -> None:
    """The most common fault would be told as a traceback, with a password in it."""
    answer = place.shp("doctor", "--json", SHP_PG_DSN=f"postgresql://u:hidden@127.0.0.1:{free_port()}/d")
    assert answer.code == 1
    (ledger,) = [check for check in answer.json["checks"] if check["name"] == "ledger"]
    assert (ledger["ok"], "SHP_PG_DSN" in ledger["next"]) == (False, True)
    assert "hidden" not in answer.out + answer.err
    assert [check["name"] for check in answer.json["checks"]][-2:] == ["platform", "lake"], "one fault must not hide the others"


def test_a_broken_feed_file_is_named(place: Place) -> None:
    """The platform goes on with the last good version, and nobody looks at the red check."""
    (place.base / "feeds" / "broken.yaml").write_text("feed: broken\nowner: 1\n")
    answer = place.shp("doctor")
    assert answer.code == 1
    assert "WRONG  feeds" in answer.err and "broken.yaml" in answer.err and "shp feeds check" in answer.err
    assert answer.err.rstrip().endswith("1 to mend.")


def test_a_sensor_that_somebody_turned_off_is_named(platform: Platform) -> None:
    """Files would lie in landing for ever, and every service would say that it is ready."""
    server = GrpcServerCodeLocationOrigin(host="127.0.0.1", port=1, location_name="shp")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(server, "__repository__"), "arrivals")
    storage = platform.instance.schedule_storage
    assert storage is not None
    assert sensors(platform.dsn).ok
    storage.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED, None))
    found = sensors(platform.dsn)
    assert (found.ok, "arrivals" in found.message, "Automation" in str(found.next)) == (False, True, True)


def test_a_service_that_does_not_answer_is_named_with_its_log(place: Place) -> None:
    """A platform that runs without its webserver would be called well."""
    home = place.base / "var"
    (home / "run").mkdir(parents=True)
    us = ProcessId.of(os.getpid())
    assert us is not None
    state = PlatformState(str(us), "mark", "http://127.0.0.1:1", 1.0, services={"web": ServiceState(port=free_port())})
    Layout(home).state.parent.mkdir(parents=True, exist_ok=True)
    state.save(Layout(home).state)
    answer = place.shp("doctor", "--json")
    (web,) = [check for check in answer.json["checks"] if check["name"] == "service_web"]
    assert (answer.code, web["ok"]) == (1, False)
    assert str(Layout(home).log("web")) in web["next"]


def test_an_hdfs_of_the_home_that_was_left_out_is_told_while_a_platform_runs(tmp_path: Path) -> None:
    """Who forgets --hadoop would hear that all is well, or be called to a home on which nothing runs."""
    settings = Settings.load({"SHP_FEEDS": str(tmp_path / "feeds")}, home=tmp_path / "home")
    seal(settings).parent.mkdir(parents=True)
    seal(settings).touch()
    assert "shp up --hadoop" in named(list(lake(settings)), "lake").message
    us = ProcessId.of(os.getpid())
    Layout(settings.home).state.parent.mkdir(parents=True)
    PlatformState(str(us), "mark", "http://127.0.0.1:1", 1.0).save(Layout(settings.home).state)
    found = named(list(lake(settings)), "lake")
    assert (found.ok, found.next) == (False, "Run: shp down && shp up --hadoop")


def test_a_cluster_that_does_not_answer_is_told_with_the_setting_that_names_it(place: Place) -> None:
    """Who wrote SHP_HDFS_URL wrongly would be sent to a log that nobody writes."""
    home, us = place.base / "var", ProcessId.of(os.getpid())
    Layout(home).state.parent.mkdir(parents=True)
    PlatformState(str(us), "mark", "http://127.0.0.1:1", 1.0).save(Layout(home).state)
    answer = place.shp("doctor", "--json", SHP_HDFS_URL=f"http://127.0.0.1:{free_port()}")
    told = {check["name"]: check for check in answer.json["checks"]}
    for name in ("service_namenode", "lake"):
        assert not told[name]["ok"] and "correct SHP_HDFS_URL" in told[name]["next"]


def test_nothing_is_asked_of_what_is_not_there_yet(tmp_path: Path) -> None:
    """A new user would be told that everything is broken before anything was made."""
    settings = Settings.load({"SHP_FEEDS": str(tmp_path / "feeds")}, home=tmp_path / "home")
    found = list(examine(settings))
    assert [check.name for check in found if not check.ok] == ["feeds"]
    assert "shp feeds new" in str(named(found, "feeds").next)
    assert "first command" in named(found, "ledger").message
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("found", "fine"),
    [
        (machine.python((3, 10)), False),
        (machine.python((3, 11)), True),
        (machine.python((3, 14)), False),
        (databases.clock(-4.9), True),
        (databases.clock(5.1), False),
        (databases.clock(-60.0), False),
        (databases.connections(80, 100), True),
        (databases.connections(81, 100), False),
        (databases.migrations(None), True),
        (databases.migrations(databases.HEAD), True),
        (databases.migrations("0001"), False),
        (databases.migrations("9999"), False),
    ],
)
def test_what_is_measured_is_judged(found: Check, fine: bool) -> None:
    """A limit that is never reached, or always, is no check."""
    assert (found.ok, found.next is None) == (fine, fine)


def test_packages_of_other_versions_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of one package would fail in the midst of a load instead."""
    info = tmp_path / "probe-1.0.dist-info"
    info.mkdir()
    asks = ["click>=1", "pyyaml>=9999", "no-such-package", 'absent; extra == "more"', 'click>=9999; extra == "more"']
    lines = "".join(f"Requires-Dist: {asked}\n" for asked in asks)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n{lines}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = machine.packages("probe")
    assert not found.ok
    assert [part.partition(" ")[0] for part in found.message.split("; ")] == ["pyyaml>=9999", "no-such-package", "click>=9999"]
    assert not machine.packages("never-installed").ok
    assert machine.packages("shp").ok


def test_a_full_disk_and_a_home_that_is_a_file_are_named(tmp_path: Path) -> None:
    """Both are found in the midst of a load otherwise."""
    assert machine.room("home", tmp_path).ok
    assert not machine.room("home", tmp_path, wanted=1 << 62).ok
    (tmp_path / "file").touch()
    assert not files.writable("home", tmp_path / "file").ok
    assert files.writable("home", tmp_path / "new" / "home").ok


def test_a_sensor_that_fails_is_told(platform: Platform) -> None:
    """Nothing would be taken up any more, and everything that is asked would say that all is well."""
    body = '{"origin": {"job_name": "arrivals"}}'
    made = "insert into instigators (selector_id, status, instigator_type, instigator_body)"
    platform.sql(f"{made} values ('a', 'RUNNING', 'SENSOR', '{body}')")
    ticks = "insert into job_ticks (job_origin_id, selector_id, status, type, timestamp)"
    platform.sql(f"{ticks} values ('o', 'a', 'FAILURE', 'SENSOR', now() at time zone 'UTC')")
    found = sensors(platform.dsn)
    assert (found.ok, found.message) == (False, "The last tick failed of: arrivals.")
    assert "shp logs daemon" in str(found.next)


def test_a_port_that_somebody_took_is_told(platform: Platform) -> None:
    """The UI would be under another address than yesterday, and nobody would know why."""
    layout, settings = Layout(platform.settings.home), platform.settings
    layout.run.mkdir()
    assert ports(settings).message == "Free ports are chosen by the first start."
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = int(listener.getsockname()[1])
        layout.remember_ports({"web": taken, "code": free_port()})
        found = ports(settings)
        assert (found.ok, found.message) == (False, f"Another program listens on {taken} (web).")
        services = {"web": ServiceState(str(ProcessId.current()), port=taken)}
        PlatformState(str(ProcessId.current()), "mark", "", services=services).save(layout.state)
        assert ports(settings).message == f"The platform's ports are web {taken}."
    layout.state.unlink()
    assert ports(settings).ok
