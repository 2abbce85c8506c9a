"""SQL over the lake on a real HiveServer2: every text comes back, partitions follow what is published."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.codes import Code
from shp_core.contract.contract import Contract
from shp_core.errors import Fault
from shp_core.lake.manifest import Manifest
from shp_ops.hadoop.status import look_at_external
from shp_resources.hdfs.client import Hdfs
from shp_resources.hive import HiveServer, HiveTables, hive_of, query
from shp_resources.lake.curated import Curator
from shp_resources.lake.engine import LocalEngine
from shp_resources.lake.publish import publish_text
from shp_resources.settings import Settings
from tests.support.contracts import Cell, contract_of, number, text
from tests.support.hadoop import Daemons, daemons
from tests.support.lake import artefacts, partition

pytestmark = pytest.mark.hadoop

TEXTS = """
columns:
  Number: {type: integer}
  Word:   {type: text, optional: true}
rules: {max_rejected_share: 1.0}
"""
TYPES = """
columns:
  Whole:  {type: bigint}
  Amount: {type: money, scale: 2, currency: EUR}
  Day:    {type: date}
  Moment: {type: timestamp}
  Flag:   {type: boolean}
  Note:   {type: text, optional: true}
rules: {max_rejected_share: 1.0}
"""
NASTY = [
    "a,b",
    '"q"',
    "a\tb",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "\\",
    "\\N",
    "\\\\N",
    "a\\nb",
    "tr\\",
    "\\\r",
    "😀",
    "N",
    "x\x01y",
    "\u2028",
    "\x85x",
]
NASTY += [" lead ", "a\bb\fc\vd", "\\b", "\\\b", "\\\\\r\n\\", "\ufeff", "NULL", "'", "`", "${x}", "é"]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.text(
    "\\\t\n\r\b\f\vNtnrbfv ", max_size=9
)


@pytest.fixture(scope="module")
def hive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """HDFS and a HiveServer2 over it."""
    with daemons(tmp_path_factory.mktemp("hive"), "namenode", "datanode", "hive") as running:
        yield running


@pytest.fixture(scope="module")
def server(hive: Daemons) -> HiveServer:
    """That HiveServer2."""
    assert hive.cluster.hive_port is not None
    return HiveServer("127.0.0.1", hive.cluster.hive_port, hive.cluster.user)


def published(place: Hdfs, folder: Path, contract: Contract, rows: list[list[Cell]], key: str = "n1", arrival: int = 1) -> Manifest:
    """A delivery's clean rows, made current in the lake."""
    made, mine = artefacts(folder / "store", contract, rows), partition(rows, (arrival, 1), key)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    publish_text(place, mine, made.header, made.text(), scratch)
    return Curator(place, LocalEngine(place)).publish(mine, contract, made, scratch).manifest


def followed(hive: Daemons, server: HiveServer, folder: Path, contract: Contract, rows: list[list[Cell]], arrival: int = 1) -> str:
    """Publish rows and let Hive follow; the table's name."""
    place = Hdfs(replace(hive.cluster, root=f"/{folder.name}"))
    manifest = published(place, folder, contract, rows, arrival=arrival)
    return HiveTables(server, place).follow(contract, "sales", manifest)


def named(text_of_feed: str, folder: Path) -> Contract:
    """A contract of a feed of this test's own."""
    return replace(contract_of(text_of_feed), feed=f"f{abs(hash(folder.name)) % 10**8}")


def test_every_text_comes_back(hive: Daemons, server: HiveServer, tmp_path: Path) -> None:
    """An analyst would read other words than the sheet holds."""
    dice = random.Random(6)
    words = NASTY + ["".join(dice.choice("\\\t\n\r\b\f\vNtnrbfv x") for _ in range(dice.randint(1, 12))) for _ in range(400)]
    table = followed(hive, server, tmp_path, named(TEXTS, tmp_path), [[number(str(place)), text(word)] for place, word in enumerate(words)])
    found = dict(query(server, f"SELECT number, word FROM {table}"))
    assert found == {place: word if word.strip() else None for place, word in enumerate(words)}


@settings(max_examples=4, deadline=None)
@given(st.lists(ANY_TEXT, min_size=30, max_size=200), st.integers(0, 10**9))
def test_any_text_comes_back(hive: Daemons, server: HiveServer, tmp_path: Path, words: list[str], salt: int) -> None:
    """The same, for whatever text Hypothesis thinks of."""
    folder = tmp_path / f"x{salt}"
    folder.mkdir(exist_ok=True)
    rows = [[number(str(place)), text(word)] for place, word in enumerate(words)]
    table = followed(hive, server, folder, named(TEXTS, folder), rows, arrival=1 + salt)
    found = dict(query(server, f"SELECT number, word FROM {table}"))
    assert found == {place: word if word.strip() else None for place, word in enumerate(words)}


def test_values_have_the_types_of_the_contract(hive: Daemons, server: HiveServer, tmp_path: Path) -> None:
    """Sums and dates in SQL would need casts, and `t` would be no boolean."""
    rows = [
        [number("9007199254740993"), number("12.5"), ("d", "2026-03-07"), ("d", "2026-03-07 10:30:00.5"), ("b", "TRUE"), text("a")],
        [number("-1"), text("€1.05"), ("d", "1999-12-31"), ("d", "1999-12-31"), ("b", "FALSE"), ("-", None)],
    ]
    table = followed(hive, server, tmp_path, named(TYPES, tmp_path), rows)
    found = query(server, f"SELECT * FROM {table} ORDER BY whole DESC")
    moments = [row[3] if isinstance(row[3], datetime) else datetime.fromisoformat(str(row[3])) for row in found]
    days = [row[2] if isinstance(row[2], date) else date.fromisoformat(str(row[2])) for row in found]
    assert [(row[0], row[1], row[4], row[5], row[6], row[7]) for row in found] == [
        (9007199254740993, Decimal("12.50"), True, "a", 2, "n1"),
        (-1, Decimal("1.05"), False, None, 3, "n1"),
    ]
    assert days == [date(2026, 3, 7), date(1999, 12, 31)]
    assert moments == [datetime(2026, 3, 7, 10, 30, 0, 500000), datetime(1999, 12, 31)]


def test_a_partition_follows_what_is_published(hive: Daemons, server: HiveServer, tmp_path: Path) -> None:
    """A correction would not reach who reads by SQL, or both would be seen at once."""
    contract = named(TEXTS, tmp_path)
    table = followed(hive, server, tmp_path, contract, [[number("1"), text("wrong")], [number("2"), text("b")]])
    count = f"SELECT count(*), max(word) FROM {table}"
    assert query(server, count) == [(2, "wrong")]
    assert followed(hive, server, tmp_path, contract, [[number("1"), text("right")]], arrival=2) == table
    assert query(server, count) == [(1, "right")]
    assert query(server, f"SHOW PARTITIONS {table}__files") == [("_partition=n1",)]
    tables = HiveTables(server, Hdfs(replace(hive.cluster, root=f"/{tmp_path.name}")))
    for _ in range(2):
        tables.leave(contract, "n1")
        assert query(server, f"SELECT count(*) FROM {table}") == [(0,)], "what was emptied is empty by SQL, too"


def test_a_contract_with_another_column_makes_the_table_anew(hive: Daemons, server: HiveServer, tmp_path: Path) -> None:
    """Values would stand in the wrong columns, or rows of other partitions be lost to SQL for good."""
    place = Hdfs(replace(hive.cluster, root=f"/{tmp_path.name}"))
    old = named(TEXTS, tmp_path)
    tables = HiveTables(server, place)
    table = tables.follow(old, "sales", published(place, tmp_path, old, [[number("1"), text("a")]], "n1"))
    new = replace(named(TEXTS.replace("  Word", "  Name: {type: text}\n  Word"), tmp_path), feed=old.feed)
    second = published(place, tmp_path, new, [[number("2"), text("x"), text("b")]], "n2")
    published(place, tmp_path, new, [[number("3"), text("y"), text("c")]], "n3")
    tables.follow(new, "sales", second)
    assert query(server, f"SELECT number, name, word, `_partition` FROM {table} ORDER BY number") == [
        (2, "x", "b", "n2"),
        (3, "y", "c", "n3"),
    ]
    tables.follow(new, "sales", published(place, tmp_path, new, [[number("1"), text("z"), text("a")]], "n1", arrival=2))
    assert query(server, f"SELECT count(*) FROM {table}") == [(3,)]


def test_a_refused_statement_and_a_dead_server_are_faults(hive: Daemons, server: HiveServer, tmp_path: Path) -> None:
    """A run would end with a traceback of Thrift."""
    with pytest.raises(Fault) as caught:
        query(server, "SELECT * FROM curated.nobody")
    assert "nobody" in str(caught.value)
    hive.freeze("hive")
    with pytest.raises(Fault) as caught:
        query(server, "SELECT 1", seconds=2.0)
    hive.freeze("hive", False)
    assert caught.value.code is Code.TRANSIENT
    assert query(server, "SELECT 1 + 1") == [(2,)]
    hive.kill("hive")
    with pytest.raises(Fault) as caught:
        query(server, "SELECT 1")
    assert caught.value.code is Code.SINK_UNREACHABLE
    external = Settings.load({"SHP_HIVE_URL": f"hive://etl@{server.host}:{server.port}/marts"}, home=tmp_path)
    assert not look_at_external(external)["hive"]["ready"]
    hive.start("hive")
    assert look_at_external(external)["hive"]["ready"]
    assert hive_of(external) == HiveServer(server.host, server.port, "etl", "marts")
    assert query(server, "SELECT 1 + 1") == [(2,)]
