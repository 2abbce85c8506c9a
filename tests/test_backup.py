"""Backup and restore: what a copy holds, where it may go, and how a ledger that is older than the tables catches up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shp_core.errors import UsageError
from shp_ops.backup.manifest import NAME, Manifest
from shp_ops.backup.restore import require_place, restore
from shp_ops.backup.take import take
from shp_resources.ledger.migrate import HEAD
from tests.support import platforms
from tests.support.commands import VISITS, Place, visits
from tests.support.platforms import Platform, order
from tests.support.postgres import fresh_database, rows


@pytest.fixture
def databases(postgres_server: str, platform_template: str) -> Iterator[tuple[str, str, str]]:
    """A ledger's database, the warehouse's, and an empty one for another machine's ledger."""
    with (
        fresh_database(postgres_server, platform_template) as ledger,
        fresh_database(postgres_server) as warehouse,
        fresh_database(postgres_server) as other,
    ):
        yield ledger, warehouse, other


def in_tables(warehouse: str) -> list[tuple[int, str, str]]:
    """The warehouse's rows: key, partition, country."""
    return rows(warehouse, 'select "order", _partition, country from warehouse.orders order by 1')  # type: ignore[return-value]


def test_a_ledger_older_than_its_tables_catches_up(databases: tuple[str, str, str], tmp_path: Path) -> None:
    """After a disaster what was published since the backup would be overwritten by older files, refused, or loaded twice."""
    ledger, warehouse, other = databases
    backup = tmp_path / "backup"
    with platforms.opened(tmp_path / "first", ledger) as first:
        first.turn_to(warehouse)
        kept = first.drop("kept.xlsx", [order(1), order(2)])
        changed = first.drop("changed.xlsx", [order(3), order(4)])
        assert {first.ingest(path).state for path in (kept, changed)} == {"published"}
        made = take(first.settings, ledger, HEAD, backup)
        assert made.holds == ["ledger", "warehouse", "store"]
        changed = first.drop("changed.xlsx", [order(4, "DE"), order(5)])
        late = first.drop("late.xlsx", [order(6)])
        assert {first.ingest(path).state for path in (changed, late)} == {"published"}
        newest = in_tables(warehouse)
        files = {path.name: path.read_bytes() for path in (kept, changed, late)}
    rows(warehouse, "delete from warehouse.orders where _partition = 'kept'")
    with platforms.opened(tmp_path / "second", other) as second:
        second.turn_to(warehouse)
        done = restore(second.settings, other, backup)
        assert (done["warehouse"], done["artefacts"]) == ("kept", len(made.stored()))
        assert {one["partition"] for one in done["adopted"]} == {"changed", "late"}
        assert {second.state(name) for name in ("kept", "changed", "late")} == {("published", None)}
        (request,) = second.tick("gaps").requests
        assert request.asset_graph_subset is not None
        asked = request.asset_graph_subset.partitions_subsets_by_asset_key.values()
        assert {key for subset in asked for key in subset.get_partition_keys()} == {"kept"}
        assert second.run("kept").success
        assert in_tables(warehouse) == newest, "what the warehouse lacked came from the restored store, what was newer stayed"
        again = [second.ingest(second.drop_bytes(name, content)) for name, content in files.items()]
        assert [(file.state, file.changed) for file in again] == [("published", False)] * 3
        assert in_tables(warehouse) == newest


@pytest.fixture
def backup(platform: Platform, tmp_path: Path) -> Path:
    """A backup of an installation that has published one file, in one database."""
    assert platform.ingest(platform.drop("a.xlsx", [order(1), order(2)])).state == "published"
    folder = tmp_path / "backup"
    take(platform.settings, platform.dsn, HEAD, folder)
    return folder


def test_a_backup_goes_whole_to_an_empty_machine(backup: Path, platform: Platform, postgres_server: str, tmp_path: Path) -> None:
    """Rows, states, runs or bytes would be missing on the machine that takes over."""
    arrival = platform.record("a").arrival
    with fresh_database(postgres_server) as other, platforms.opened(tmp_path / "second", other) as second:
        done = restore(second.settings, other, backup)
        assert (done["warehouse"], done["adopted"]) == ("restored", [])
        assert second.loaded("a") == [1, 2]
        assert second.state("a") == ("published", None)
        assert second.sql("select count(*) from runs") == platform.sql("select count(*) from runs")
        delivery = second.record("a").delivery
        assert delivery is not None
        assert second.outside.store.whole_raw(delivery) is not None, "an earlier delivery can be published again"
        assert second.tick("gaps").requests == []
        assert second.ingest(second.drop("b.xlsx", [order(3)])).state == "published"
        assert (second.record("b").arrival or 0) > (arrival or 0)


def test_what_was_under_way_begins_anew(platform: Platform, postgres_server: str, tmp_path: Path) -> None:
    """A partition that was being worked on at the moment of the backup would be waited for until eternity."""
    path = platform.drop("a.xlsx", [order(1)])
    platform.arrive(path)
    (request,) = platform.tick().requests or platform.tick().requests
    platform.queue(request)
    take(platform.settings, platform.dsn, HEAD, tmp_path / "backup")
    with fresh_database(postgres_server) as other, platforms.opened(tmp_path / "second", other) as second:
        restore(second.settings, other, tmp_path / "backup")
        assert second.sql("select status from runs") == [("FAILURE",)]
        assert second.ingest(second.drop_bytes("a.xlsx", path.read_bytes())).state == "published"


def test_a_damaged_backup_restores_nothing(backup: Path, postgres_server: str, tmp_path: Path) -> None:
    """Half an installation would come up and look whole."""
    manifest = Manifest.read(backup)
    victim = backup / manifest.stored()[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    with fresh_database(postgres_server) as other, platforms.opened(tmp_path / "second", other) as second:
        with pytest.raises(UsageError, match="is damaged"):
            restore(second.settings, other, backup)
        assert rows(other, "select to_regnamespace('shp')") == [(None,)]
        assert not second.settings.store.exists()
    (backup / NAME).unlink()
    with pytest.raises(UsageError, match="is no backup"):
        Manifest.read(backup)


def test_what_would_harm_is_refused(backup: Path, database_dsn: str, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restore would take the place of what is alive, a backup would fill the disk, a newer version's tables would be written to."""
    with pytest.raises(UsageError, match="There is a ledger already"):
        restore(platform.settings, platform.dsn, backup)
    with pytest.raises(UsageError, match="is not empty"):
        take(platform.settings, platform.dsn, HEAD, backup)
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 10}))
    with pytest.raises(UsageError, match="are free where the backup goes"):
        take(platform.settings, platform.dsn, HEAD, backup.with_name("another"))
    assert [path.name for path in backup.parent.iterdir() if "backup" in path.name or "another" in path.name] == ["backup"]
    document = json.loads((backup / NAME).read_text())
    (backup / NAME).write_text(json.dumps({**document, "ledger": "9999", "shp": "9.0"}))
    with pytest.raises(UsageError, match=r"made by shp 9\.0"):
        require_place(platform.settings, database_dsn, Manifest.read(backup))
    (backup / NAME).write_text(json.dumps({**document, "format": 2}))
    with pytest.raises(UsageError, match="cannot be read"):
        Manifest.read(backup)


def test_the_commands(postgres_server: str, tmp_path: Path) -> None:
    """People would have to guess where the backup is, and whether the other machine has taken over."""
    with fresh_database(postgres_server) as dsn, fresh_database(postgres_server) as other:
        place = Place.make(tmp_path / "one", dsn, {"visits": VISITS})
        assert place.shp("ingest", "visits", visits(tmp_path / "a.xlsx")).code == 0
        told = place.shp("backup", "--json")
        folder = Path(told.json["backup"])
        assert (told.code, folder.parent, told.json["holds"]) == (0, place.home / "backups", ["ledger", "warehouse", "store"])
        empty = Place.make(tmp_path / "two", other, {"visits": VISITS})
        done = empty.shp("restore", folder, "--json")
        assert (done.code, done.json["warehouse"], done.json["adopted"]) == (0, "restored", [])
        (partition,) = empty.shp("partitions", "visits", "--json").json["partitions"]
        assert (partition["state"], partition["rows"]["loaded"]) == ("published", 3)
        assert dsn.rpartition("@")[0] not in told.out + told.err + done.out + done.err
