"""Hive's statements, addresses and refusals, as far as they need no Hive (test_hadoop_hive asks a real one)."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shp_assets.lake_sql import catch_up
from shp_core.codes import Code
from shp_core.contract.contract import Contract
from shp_core.errors import Fault, UsageError
from shp_core.lake import sql_table
from shp_core.lake.manifest import Manifest
from shp_ops.hadoop import hive
from shp_ops.hadoop.configuration import Place as HadoopPlace
from shp_resources.hdfs.cluster import Cluster, tell_cluster
from shp_resources.hive import HiveServer, Missed, hive_of, query
from shp_resources.lake.curated import Curator
from shp_resources.lake.engine import LocalEngine
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.publish import publish_text
from shp_resources.processes import LOOPBACK, free_port
from shp_resources.settings import Settings
from tests.support.commands import Place
from tests.support.contracts import contract_of
from tests.support.lake import artefacts, partition, sale, sales

CONTRACT = contract_of(
    "columns: {Order: {type: bigint}, Paid: {type: boolean}, Amount: {type: money, scale: 2, currency: EUR}, Note: {type: text}}"
)


def test_columns_have_the_types_of_the_contract() -> None:
    """Sums in SQL would be sums of texts."""
    assert sql_table.columns(CONTRACT) == [
        ("order", "bigint"),
        ("paid", "char(1)"),
        ("amount", "decimal(18,2)"),
        ("note", "string"),
        ("_row", "int"),
    ]


def test_names_are_quoted_and_places_are_not_guessed() -> None:
    """A column called `order` would be a syntax error; a key with a quote would be another statement."""
    made = sql_table.create_table("`c`.`f__files`", CONTRACT, "/shp/curated/f")
    assert "`order` bigint" in made and "PARTITIONED BY (`_partition` string)" in made and made.endswith("LOCATION '/shp/curated/f'")
    assert sql_table.table_name("curated", "a`b") == "`curated`.`a``b__files`"
    with pytest.raises(ValueError):
        sql_table.follow_partition("`t`", "it's", "/shp")
    assert sql_table.leave_partition("`t`", "n1") == "ALTER TABLE `t` DROP IF EXISTS PARTITION (`_partition`='n1')"
    with pytest.raises(ValueError):
        sql_table.leave_partition("`t`", "it's")


def test_a_view_shows_texts_without_escapes_and_flags_as_booleans() -> None:
    """Readers would see an escape where a TAB stands, and `t` for true."""
    made = sql_table.create_view("`v`", "`t`", CONTRACT)
    assert "`paid` = 't' AS `paid`" in made
    assert "`order` AS `order`" in made
    assert made.count("replace(") == 8


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("hive://etl@h:10001/marts", HiveServer("h", 10001, "etl", "marts")),
        ("hive://etl@h", HiveServer("h", 10000, "etl", "curated")),
    ],
)
def test_an_external_server_is_named_by_its_address(url: str, expected: HiveServer, tmp_path: Path) -> None:
    """A HiveServer2 of one's own could not be used."""
    assert hive_of(Settings.load({"SHP_HIVE_URL": url}, home=tmp_path)) == expected


@pytest.mark.parametrize("url", ["h:10000", "http://h:10000", "hive://", "hive://h:port"])
def test_what_is_no_address_is_told(url: str, tmp_path: Path) -> None:
    """A typing error would end in a traceback; a password in it would be printed."""
    with pytest.raises(UsageError) as caught:
        hive_of(Settings.load({"SHP_HIVE_URL": url}, home=tmp_path))
    assert "SHP_HIVE_URL" in str(caught.value)


def test_the_server_of_the_platform_is_found(tmp_path: Path) -> None:
    """Runs of a platform would not find its own Hive."""
    settings = Settings.load({}, home=tmp_path)
    assert hive_of(settings) is None
    tell_cluster(settings, Cluster(("http://127.0.0.1:1",), "me", "/shp", own=True))
    assert hive_of(settings) is None
    tell_cluster(settings, Cluster(("http://127.0.0.1:1",), "me", "/shp", own=True, hive_port=4711))
    assert hive_of(settings) == HiveServer("127.0.0.1", 4711, "me")


def test_everything_of_hives_lies_below_the_home(tmp_path: Path) -> None:
    """Uninstalling by deleting the home would leave a metastore behind."""
    place = HadoopPlace(tmp_path / "hadoop", tmp_path / "jars")
    hive.write_configuration(place, 4711)
    written = (place.folder / "hive" / "conf" / "hive-site.xml").read_text()
    assert f"databaseName={place.folder / 'hive' / 'metastore'};create=true" in written
    assert "<name>hive.server2.thrift.port</name><value>4711</value>" in written
    assert "<name>hive.server2.thrift.bind.host</name><value>127.0.0.1</value>" in written


def test_a_port_that_lets_nobody_in_is_not_ready() -> None:
    """A platform would be called ready while its Hive hangs."""
    port = free_port()
    assert "does not answer" in str(hive.why_not_ready("127.0.0.1", port, "me"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].sendall(b"HTTP/1.1 400\r\n"), daemon=True).start()
        assert hive.why_not_ready("127.0.0.1", listener.getsockname()[1], "me") == "does not let us in"


def test_hive_belongs_to_hadoop(tmp_path: Path) -> None:
    """`shp up --hive` alone would start a platform without Hive and say nothing."""
    done = Place.make(tmp_path / "place").shp("up", "--hive", "--json")
    assert done.code == 2
    assert "--hadoop" in done.json["error"]["message"]


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    """A Hive that hangs would hold up every run to the lake for ever, although it is no sink."""
    with socket.create_server((LOOPBACK, 0)) as silent:
        with pytest.raises(Fault) as caught:
            query(HiveServer(LOOPBACK, silent.getsockname()[1], "me"), "SELECT 1", seconds=0.2)
        assert caught.value.code is Code.TRANSIENT


def test_a_publication_that_overtakes_what_hive_missed_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hive would show a superseded publication for good, and no rows once it is removed a day later."""
    place, rows = LocalFolder(tmp_path / "lake"), [sale(1)]
    made = artefacts(tmp_path / "store", sales(), rows)
    shown: list[tuple[int, int]] = []

    def publish(attempt: int) -> None:
        mine = partition(rows, (1, attempt))
        publish_text(place, mine, made.header, made.text(), tmp_path)
        Curator(place, LocalEngine(place)).publish(mine, sales(), made, tmp_path, again=True)

    class Tables:
        """Hive's table; a run publishes while it follows for the first time."""

        def __init__(self, *given: Any) -> None:
            """Nothing is asked yet."""

        def follow(self, contract: Contract, path: str, manifest: Manifest) -> None:
            """Show a publication."""
            shown.append(manifest.fence)
            if len(shown) == 1:
                publish(2)

    publish(1)
    Missed(tmp_path, "sales").note("n1")
    for name, instead in {"Hdfs": LocalFolder, "HiveTables": Tables, "hive_of": lambda settings: settings}.items():
        monkeypatch.setattr(f"shp_assets.lake_sql.{name}", instead)
    outside, kit = SimpleNamespace(settings=Settings.load({}, home=tmp_path), lake=place), SimpleNamespace(name="sales", lake="sales")
    kit.contract = sales()
    assert catch_up(outside, kit) == ["n1"]  # type: ignore[arg-type]
    assert shown == [(1, 1), (1, 2)] and Missed(tmp_path, "sales").all() == []
