"""The whole platform, for real: started, killed in every part, stopped. The tests share one and run in this order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shp_ops.supervisor import probes
from shp_ops.supervisor.platform import Platform
from shp_ops.supervisor.state import VIEWERS, WATCHED
from shp_ops.watchdog.gauges import GAUGES
from shp_resources.processes import wait_until
from tests.support.chaos import VISITS, dsn, kill, load, publications, unready, visits
from tests.support.homes import Home
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE
from tests.support.workbooks import written

pytestmark = pytest.mark.platform
SERVICES = ("postgres", "code", "runs", "web", "daemon", "watchdog", "viewers")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A platform in the background; whatever the tests did to it, nothing of it is left afterwards."""
    made = Home.make(tmp_path_factory.mktemp("platform"))
    done = made.shp("up", "--detach", "--viewers", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ready"] is True
    yield made
    made.shp("down")


def ready_with_others_than(home: Home, before: dict[str, int], names: set[str]) -> bool:
    """Whether everything is ready, these services as new processes."""
    document = home.status()
    return bool(document["ready"]) and all(document["services"][name]["pid"] != before[name] for name in names)


def test_up_is_ready_and_says_where(shared: Home) -> None:
    """A user would look for the UI, or a script would go on before there is anything to talk to."""
    document = shared.status()
    assert document["ready"] is True
    assert {name: service["ready"] for name, service in document["services"].items()} == dict.fromkeys(SERVICES, True)
    assert document["ui"] == document["services"]["web"]["url"]
    assert [feed["feed"] for feed in document["feeds"]] == ["sales", "stock"]
    assert all(Path(feed["landing"]).is_dir() for feed in document["feeds"])
    assert rows(dsn(shared), "select to_regclass('shp.partitions') is not null, to_regclass('runs') is not null") == [(True, True)]


def test_viewers_see_everything_and_change_nothing(shared: Home) -> None:
    """Whoever may only look could start, end and delete runs; or there would be nothing to look at."""
    url = shared.status()["services"]["viewers"]["url"]
    found = probes.graphql(url, "{ permissions { permission value } assetNodes { assetKey { path } } }")
    assert len(found["assetNodes"]) > 10
    allowed = {one["permission"].upper() for one in found["permissions"] if one["value"]}
    assert not {name for name in allowed if name.startswith(("LAUNCH", "CANCEL", "TERMINATE", "DELETE", "EDIT", "WIPE"))}
    asked = 'mutation { deletePipelineRun(runId: "any") { __typename } }'
    assert probes.graphql(url, asked)["deletePipelineRun"]["__typename"] == "UnauthorizedError"


ROLES = {"code": "writer", "runs": "writer", "web": "writer", "daemon": "writer", "watchdog": "writer", "viewers": "reader"}


@pytest.mark.parametrize(("name", "role"), ROLES.items())
def test_each_service_has_a_role_that_drops_nothing(shared: Home, name: str, role: str) -> None:
    """A bug in any process could drop every table, and who may only look could write."""
    environ = Path(f"/proc/{shared.pids()[name]}/environ").read_bytes()
    assert f"://shp_{role}:".encode() in environ
    assert b"://shp:" not in environ


def test_each_service_has_its_log_and_nothing_lies_elsewhere(shared: Home) -> None:
    """Nobody could say why a service failed; or uninstalling would leave files behind."""
    logs = {path.name for path in (shared.path / "logs").iterdir()}
    assert {f"{name}.log" for name in (*SERVICES, "supervisor")} <= logs
    assert sorted(path.name for path in shared.base.iterdir()) == ["feeds", "marts", "var"]


def test_everything_listens_on_the_loopback_address_only(shared: Home) -> None:
    """Anybody on the network could read the data and start runs: the UI has no login."""
    pids = set(shared.pids().values())
    listening = [c.laddr.ip for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in pids]
    assert len(listening) >= 3
    assert set(listening) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.mark.parametrize("name", WATCHED)
def test_the_watchdog_sees_within_15_seconds_what_does_nothing_any_more(shared: Home, name: str) -> None:
    """Monitoring would show green over a service that lives and does nothing."""
    url = str(shared.status()["services"]["watchdog"]["url"])
    assert wait_until(lambda: unready(url) == {}, PATIENCE, 0.5)
    pid = shared.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert wait_until(lambda: name in unready(url), 15.0, 0.2), unready(url)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert wait_until(lambda: unready(url) == {}, PATIENCE, 0.5), unready(url)


def test_monitoring_reads_every_metric(shared: Home) -> None:
    """A dashboard would be empty, or a value that nobody explains would be on it."""
    url = str(shared.status()["services"]["watchdog"]["url"])
    with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE) as answer:
        found = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
    assert set(found) == {gauge.name for gauge in GAUGES}
    assert {sample.labels["service"]: sample.value for sample in found["shp_service_ready"].samples} == dict.fromkeys(
        [*WATCHED, VIEWERS], 1.0
    )
    assert {sample.labels["daemon"] for sample in found["shp_daemon_heartbeat_age_seconds"].samples} >= {"sensor", "backfill"}
    assert [sample.value for sample in found["shp_ledger_readable"].samples] == [1.0]


def test_the_password_is_never_shown(shared: Home) -> None:
    """A screenshot or a log of the status would give the database away."""
    password = (shared.path / "postgres" / "password").read_text()
    shown = [done.stdout + done.stderr for done in (shared.shp("status"), shared.shp("status", "--json"))]
    written = [path.read_text() for folder in ("logs", "run") for path in (shared.path / folder).iterdir() if path.is_file()]
    assert len(written) > 6
    assert not [text for text in (*shown, *written) if password in text]


def test_a_second_up_changes_nothing(shared: Home) -> None:
    """Two supervisors would fight over one home; or a script that makes sure would fail."""
    before = shared.pids()
    here = shared.shp("up", "--json")
    assert here.returncode == 2
    assert "runs in" in json.loads(here.stdout)["error"]["message"]
    detached = shared.shp("up", "--detach")
    assert detached.returncode == 0
    assert shared.status()["ui"] in detached.stderr
    assert shared.pids() == before


def test_dagster_works_beside_it(shared: Home) -> None:
    """Dagster's own commands would see another, empty instance, or none at all."""
    script = 'eval "$(shp env)"; dagster definitions validate -m shp_ops.definitions && python -c "$CHECK"'
    check = "from dagster import DagsterInstance; DagsterInstance.get().add_dynamic_partitions('beside', ['one'])"
    shp = f"shp() {{ python -m shp_ops.cli.main \"$@\" --home '{shared.path}'; }}; "
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = shared.environ | {"CHECK": check, "PATH": path}
    done = subprocess.run(
        ["sh", "-c", shp + script], cwd=shared.base, env=environ, text=True, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "passed validation" in done.stdout + done.stderr
    assert rows(dsn(shared), "select partition from dynamic_partitions where partitions_def_name = 'beside'") == [("one",)]


def dropped(home: Home, name: str, *numbers: int) -> None:
    """A workbook of the feed `visits` comes as a whole."""
    draft = home.base / name
    written(draft, [("Visit",), *((number,) for number in numbers)])
    draft.replace(home.path / "landing" / "visits" / name)


def test_a_feed_file_is_in_force_without_a_restart_and_a_broken_one_changes_nothing(shared: Home) -> None:
    """A new feed would need a restart of the whole platform; a slip in its file would stop it, and the others with it."""
    file = shared.base / "feeds" / "visits.yaml"
    file.write_text(VISITS, encoding="utf-8")
    assert wait_until((shared.path / "landing" / "visits").is_dir, PATIENCE, 0.2)
    dropped(shared, "a.xlsx", 1, 2)
    assert wait_until(lambda: visits(shared) == [1, 2], PATIENCE, 0.5), (shared.path / "logs" / "supervisor.log").read_text()
    file.write_text(f"{VISITS}owner_of: nobody\n", encoding="utf-8")
    log = shared.path / "logs" / "supervisor.log"
    assert wait_until(lambda: "The last good version stays in force." in log.read_text(), PATIENCE, 0.2)
    dropped(shared, "b.xlsx", 3)
    assert wait_until(lambda: visits(shared) == [1, 2, 3], PATIENCE, 0.5)
    assert [feed["feed"] for feed in shared.status()["feeds"]] == ["sales", "stock", "visits"]


def test_a_watchdog_that_does_nothing_any_more_is_seen_too(shared: Home) -> None:
    """Who watches the watchdog: a status that shows green while nobody would be told of anything."""
    pid = shared.pids()["watchdog"]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = shared.shp("status", "--json")
        assert (done.returncode, json.loads(done.stdout)["services"]["watchdog"]["ready"]) == (1, False)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_load_is_published_once_while_what_runs_it_is_killed(shared: Home) -> None:
    """Files would be lost, or loaded twice, and nobody be told of the process that died; `make test-slow` kills all of them."""
    before = visits(shared)
    expected = [*before, *load(shared, 100, 6)]
    assert wait_until(lambda: len(visits(shared)) > len(before), PATIENCE, 0.05)
    seen, ready = kill(shared, "runs")
    assert (seen < 15, ready < 60) == (True, True)
    assert wait_until(lambda: visits(shared) == expected, PATIENCE, 0.3), visits(shared)
    assert set(publications(shared).values()) == {1}
    told = "select cause from shp.incidents where cause like 'platform/%'"
    assert wait_until(lambda: ("platform/runs",) in rows(dsn(shared), told), PATIENCE, 0.5), rows(dsn(shared), told)


def test_postgres_comes_back_after_kill_9_with_every_row(shared: Home) -> None:
    """One killed process would stop the platform, or lose what was published."""
    address, before = dsn(shared), shared.pids()
    rows(address, "create table kept as select 42 as a")
    os.kill(before["postgres"], signal.SIGKILL)
    assert wait_until(lambda: ready_with_others_than(shared, before, {"postgres"}), PATIENCE, 0.2)
    assert dsn(shared) == address
    assert rows(address, "select a from kept") == [(42,)]


def test_the_dagster_processes_come_back_after_kill_9(shared: Home) -> None:
    """The UI, the sensors or all runs would be gone until somebody looks."""
    known = shared.status()["services"]
    before = {name: service["pid"] for name, service in known.items()}
    for name in SERVICES[1:]:
        os.kill(before[name], signal.SIGKILL)
    assert shared.shp("status").returncode == 1
    assert wait_until(lambda: ready_with_others_than(shared, before, set(SERVICES[1:])), PATIENCE, 0.2)
    services = shared.status()["services"]
    again = {name: services[name]["restarts"] - known[name]["restarts"] for name in SERVICES}
    assert again == {"postgres": 0, **dict.fromkeys(SERVICES[1:], 1)}


def standing(home: Home) -> dict[str, Any]:
    """How a platform stands, every process with its number; incidents of what other tests killed may still be noted."""
    return {name: value for name, value in home.status().items() if name != "incidents"}


def test_two_platforms_do_not_disturb_each_other_and_down_stops_one(shared: Home, tmp_path: Path, database_dsn: str) -> None:
    """A trial beside the production platform would take its ports or stop it; this trial brings its own PostgreSQL."""
    before, other = standing(shared), Home.make(tmp_path, SHP_PG_DSN=database_dsn)
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under `nohup` and `&`
    try:
        process = other.start("up", "--json")
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert wait_until(lambda: bool(other.status()["ready"]), PATIENCE, 0.3)
    assert other.status()["ui"] != before["ui"]
    assert other.status()["services"]["postgres"]["pid"] is None
    assert not (other.path / "postgres").exists()
    assert rows(database_dsn, "select to_regclass('runs') is not null, to_regclass('shp.partitions') is not null") == [(True, True)]
    done = other.shp("down", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"stopped": True})
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert json.loads(out)["ready"] is True
    assert err.splitlines()[-1] == "stopped"
    assert other.processes() == []
    assert standing(shared) == before


def test_nothing_survives_kill_9_of_the_supervisor(shared: Home) -> None:
    """A crash would leave servers that hold ports and memory, and a platform that cannot be started again."""
    supervisor = json.loads((shared.path / "run" / "platform.json").read_text())["supervisor"].partition("@")[0]
    os.kill(int(supervisor), signal.SIGKILL)
    assert wait_until(lambda: shared.processes() == [], PATIENCE, 0.1), shared.processes()
    assert shared.shp("status").returncode == 1


def test_it_starts_again_beside_a_block_of_code_and_ends_with_it(shared: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash the home would be unusable; and the demo could not stop what it started."""
    monkeypatch.chdir(shared.base)
    with Platform(shared.settings).running() as platform:
        assert shared.status()["ready"] is True
        assert platform.ui_url == shared.status()["ui"]
        assert rows(platform.dsn, "select a from kept") == [(42,)]
    assert shared.processes() == []
    assert shared.status()["ready"] is False
    assert "database system is shut down" in (shared.path / "logs" / "postgres.log").read_text().splitlines()[-1]
