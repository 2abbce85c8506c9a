"""What people who know Dagster do without reading our manual works: its own commands, its UI's buttons."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shp_resources.processes import free_port, wait_until
from tests.support.commands import COUNTS, DAGSTER, VISITS, Place, counts, visits
from tests.support.holders import REPOSITORY
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE
from tests.support.web import graphql

LAYERS = ("raw", "text", "validated", "quarantine", "warehouse")
DAYS = ("2026-11-16", "2026-11-17", "2026-11-18")
BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
LOCATIONS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } assetNodes { id } } } } }"
_NOT_OURS = shutil.ignore_patterns(".*", "__pycache__", "var", "dist", "tests", "node_modules")


@pytest.fixture
def checkout(tmp_path: Path) -> Place:
    """A checkout without anything that Git does not know."""
    shutil.copytree(REPOSITORY, tmp_path / "checkout", ignore=_NOT_OURS)
    return Place(
        tmp_path / "checkout", {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path / "user"), "TMPDIR": str(tmp_path)}
    )


def files(place: Place) -> set[str]:
    """Everything in a place."""
    return {str(path.relative_to(place.base)) for path in place.base.rglob("*")}


def test_definitions_validate_needs_nothing_and_leaves_nothing(checkout: Place) -> None:
    """CI and a newcomer's first command would fail without a database, or litter the checkout."""
    before = files(checkout)
    done = checkout.call([DAGSTER, "definitions", "validate"])
    assert done.code == 0, done.err
    assert "Validation successful for code location shp_ops.definitions" in done.out
    assert files(checkout) == before
    assert not (checkout.base.parent / "user").exists()


def test_definitions_validate_names_a_broken_feed_and_goes_on(checkout: Place) -> None:
    """One broken feed file would take all feeds out of the UI."""
    (checkout.base / "feeds" / "broken.yaml").write_text("feed: broken\n")
    done = checkout.call([DAGSTER, "definitions", "validate"])
    assert done.code == 0, done.err
    assert "feeds/broken.yaml" in done.err and "shp feeds check" in done.err


def materialize(day: str, *layers: str, feed: str = "counts") -> str:
    """A shell line that loads a partition, as Dagster's manual has it."""
    selection = ",".join(f"{layer}/{feed}" for layer in layers or LAYERS)
    command = f'dagster asset materialize -m shp_ops.definitions --select "{selection}" --partition {day}'
    return f'eval "$(python -m shp_ops.cli.main env)" && {command}'


def in_shell(place: Place, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a user types it, with the virtual environment's programs at hand."""
    path = f"{Path(DAGSTER).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line], cwd=place.base, env=place.environment(PATH=path), text=True, capture_output=True, check=False, timeout=120
    )


def test_materialize_loads_a_dropped_file_into_an_empty_database(database_dsn: str, tmp_path: Path) -> None:
    """A Dagster user would have to learn our commands before the first row is loaded."""
    place = Place.make(tmp_path / "p", database_dsn)
    dropped = counts(place.home / "landing" / "counts" / "counts_2026-11-18.xlsx", ("pen", 3), ("ink", 4))
    done = in_shell(place, materialize("2026-11-18"))
    assert done.returncode == 0, done.stdout[-2000:]
    assert rows(database_dsn, "select item, count, _partition from warehouse.counts order by 1") == [
        ("ink", 4, "2026-11-18"),
        ("pen", 3, "2026-11-18"),
    ]
    (found,) = place.shp("partitions", "counts", "--json").json["partitions"]
    assert (found["state"], found["attempts"], found["rows"]["loaded"]) == ("published", 1, 2)
    counts(dropped, ("pen", 5))  # replaced: the same command loads what lies there now
    assert in_shell(place, materialize("2026-11-18")).returncode == 0
    assert rows(database_dsn, "select item, count from warehouse.counts") == [("pen", 5)]
    assert rows(database_dsn, "select distinct via from shp.attempts") == [("ui",)]


def test_materialize_of_a_day_without_a_file_fails_with_a_reason(database_dsn: str, tmp_path: Path) -> None:
    """The partition would turn green without a row, or the user would read a traceback."""
    place = Place.make(tmp_path / "p", database_dsn)
    done = in_shell(place, materialize("2026-11-17"))
    assert done.returncode != 0
    assert "source_missing: Nothing has arrived for counts/2026-11-17" in done.stdout + done.stderr
    assert rows(database_dsn, "select to_regclass('warehouse.counts')") == [(None,)]


def test_materialize_after_an_ingestion_changes_nothing(database_dsn: str, tmp_path: Path) -> None:
    """Pressing the button again would double or lose rows."""
    place = Place.make(tmp_path / "p", database_dsn)
    assert place.shp("ingest", "counts", counts(tmp_path / "counts_2026-11-18.xlsx", ("pen", 3))).code == 0
    before = rows(database_dsn, "select ctid::text, xmin::text, * from warehouse.counts")
    assert in_shell(place, materialize("2026-11-18")).returncode == 0
    assert rows(database_dsn, "select ctid::text, xmin::text, * from warehouse.counts") == before


# with processes that stay


@dataclass
class Running:
    """A platform that runs."""

    place: Place
    dsn: str
    ui: str


@pytest.fixture(scope="module")
def running(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform in the background on a database of its own server."""
    place = Place.make(tmp_path_factory.mktemp("ways"), feeds={"counts": COUNTS.replace("key: [Item]", ""), "visits": VISITS})
    up = place.cold("up", "--detach", "--json")
    assert up.code == 0, up.err
    yield Running(place, (place.home / "postgres" / "dsn").read_text(), up.json["ui"])
    place.cold("down")


def states(dsn: str, feed: str) -> dict[str, str]:
    """State of every partition."""
    return dict(rows(dsn, "select partition, state from shp.partitions where feed = %s", feed))


@pytest.mark.platform
def test_a_backfill_of_chosen_partitions_from_the_ui_mends_them(running: Running) -> None:
    """Whoever uses the UI's own button would load nothing, everything, or the wrong days."""
    landing = running.place.home / "landing" / "counts"
    for number, day in enumerate(DAYS):
        counts(landing / f"counts_{day}.xlsx", ("pen", number))
    assert wait_until(lambda: states(running.dsn, "counts") == dict.fromkeys(DAYS, "published"), 120, 0.2), states(running.dsn, "counts")
    rows(running.dsn, "delete from warehouse.counts where _partition = any(%s)", list(DAYS[:2]))
    selection = [{"path": [layer, "counts"]} for layer in LAYERS]
    params = {"assetSelection": selection, "partitionNames": list(DAYS[:2]), "tags": []}
    launched = graphql(running.ui, BACKFILL, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def status() -> str:
        return str(graphql(running.ui, STATUS, id=launched["backfillId"])["partitionBackfillOrError"]["status"])

    assert wait_until(lambda: status() not in ("REQUESTED", "CANCELING"), 120, 0.5)
    assert status() == "COMPLETED_SUCCESS"
    assert rows(running.dsn, "select _partition, count from warehouse.counts order by 1") == list(zip(DAYS, range(3), strict=True))
    via = "select partition, array_agg(distinct via order by via desc) from shp.attempts where feed = 'counts' group by 1 order by 1"
    assert rows(running.dsn, via) == [(DAYS[0], ["sensor", "backfill"]), (DAYS[1], ["sensor", "backfill"]), (DAYS[2], ["sensor"])]


@pytest.mark.platform
def test_a_file_that_the_platform_takes_up_may_be_ingested_by_hand_too(running: Running) -> None:
    """An impatient user's command would fail, or load the file a second time."""
    dropped = visits(running.place.home / "landing" / "visits" / "shared.xlsx", range(1, 2_001))
    assert wait_until(lambda: "shared" in states(running.dsn, "visits"), PATIENCE, 0.05)
    answer = running.place.shp("ingest", "visits", dropped, "--json")
    assert answer.code == 0, answer.err
    assert (answer.file("shared.xlsx")["state"], answer.file("shared.xlsx")["rows"]["loaded"]) == ("published", 2_000)
    assert wait_until(lambda: rows(running.dsn, "select * from shp.leases") == [], PATIENCE)
    assert states(running.dsn, "visits") == {"shared": "published"}
    assert rows(running.dsn, "select count(*), count(distinct _delivery) from warehouse.visits") == [(2_000, 1)]
    assert rows(running.dsn, "select count(*) from shp.publications where feed = 'visits'") == [(1,)]


@pytest.mark.platform
def test_commands_work_beside_a_running_platform(running: Running) -> None:
    """One would have to stop the platform to look at it."""
    assert running.place.shp("partitions", "counts", "--json").code == 0
    assert running.place.shp("quarantine", "list").code == 0
    assert json.loads(running.place.cold("status", "--json").out)["ready"] is True


@pytest.mark.platform
@pytest.mark.parametrize("with_database", [True, False], ids=["PostgreSQL", "nothing installed"])
def test_dagster_dev_starts_and_answers(checkout: Place, database_dsn: str, with_database: bool) -> None:
    """Developers of the graph would have to run the whole platform for every change."""
    before, port = files(checkout), free_port()
    more = {"SHP_PG_DSN": database_dsn} if with_database else {}
    process = subprocess.Popen(
        [DAGSTER, "dev", "-w", "workspace.yaml", "-p", str(port)],
        cwd=checkout.base,
        env=checkout.environment(**more),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        assert wait_until(lambda: answers(url), 120, 0.5)
        (node,) = graphql(url, LOCATIONS)["repositoriesOrError"]["nodes"]
        assert node["location"]["name"] == "shp"
        assert len(node["assetNodes"]) == 17  # seven of each feed and its file, and a mart
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(PATIENCE)
    assert wait_until(lambda: checkout.processes() == [], PATIENCE), checkout.processes()
    assert {name for name in files(checkout) - before if not name.startswith("var")} == set()


def answers(url: str) -> bool:
    """Whether the webserver has loaded a code location."""
    try:
        return len(graphql(url, LOCATIONS)["repositoriesOrError"].get("nodes", [])) == 1
    except OSError:
        return False
