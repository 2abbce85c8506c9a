"""Any text of a workbook, all the way: PostgreSQL and HDFS, a job on YARN, Hive; it comes back everywhere as the sheet says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_resources.hdfs.cluster import tell_cluster
from shp_resources.hive import Missed, hive_of, query
from tests.support.hadoop import Daemons, daemons
from tests.support.healing import Ward
from tests.support.platforms import Platform
from tests.support.workbooks import raw
from tests.test_hadoop_hive import ANY_TEXT, NASTY

pytestmark = pytest.mark.hadoop
FEED = """
feed: texts
owner: team:texts
partition: {by: file}
columns:
  Number: {type: integer}
  Word:   {type: text, optional: true}
sinks: {warehouse: {table: texts}, lake: {path: texts}}
"""
SPELLED_LIKE_ESCAPES = ["_x0041_", "_x005F_", "__x000D_", "_x000D", "&amp;", "<t>", "]]>", "\ufffe\uffff", "\x7f\x80"]
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_NO_XML = re.compile("[\x01-\x08\x0b\x0c\r\x0e-\x1f\ufffe\uffff]")


def spelled(text: str) -> str:
    """A text as Excel writes it into a workbook: what XML cannot hold as `_xHHHH_`, and what looks like that escaped."""
    plain = escape(_ESCAPE.sub("_x005F_", text))
    return _NO_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", plain)


def workbook(path: Path, words: list[str]) -> Path:
    """A workbook of numbers and words, the words in the sheet as shared strings."""
    cells = (f'<row r="{place + 2}"><c r="A{place + 2}"><v>{place}</v></c><c r="B{place + 2}" t="s"><v>{place + 2}</v></c></row>'
             for place in range(len(words)))  # fmt: skip
    header = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
    strings = [f'<si><t xml:space="preserve">{spelled(text)}</t></si>' for text in ("Number", "Word", *words)]
    return raw(path, header + "".join(cells), strings=strings)


@pytest.fixture(scope="module")
def hadoop_with_hive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """HDFS, YARN and a HiveServer2 over them."""
    with daemons(tmp_path_factory.mktemp("all"), "namenode", "datanode", "resourcemanager", "nodemanager", "hive") as running:
        yield running


@pytest.fixture
def ward(platform: Platform, hadoop_with_hive: Daemons) -> Ward:
    """A platform with a feed of texts that declares the lake."""
    platform.feed_file("texts", FEED)
    tell_cluster(platform.settings, replace(hadoop_with_hive.cluster, root=f"/texts/{platform.base.name}"))
    return Ward(platform)


@settings(max_examples=2, deadline=None)
@given(st.lists(ANY_TEXT | st.text("_x0041FD\\\r\n\t", max_size=12), min_size=150, max_size=400))
def test_any_text_of_a_workbook_comes_back_from_both_sinks(ward: Ward, words: list[str]) -> None:
    """Somebody's name would be another one in HDFS, in Hive or in PostgreSQL, and the check that compares them might not see it."""
    platform = ward.platform
    words = [*NASTY, *SPELLED_LIKE_ESCAPES, *words]
    key = f"n{len(platform.sql('select 1 from shp.partitions'))}"
    workbook(platform.landing("texts") / f"{key}.xlsx", words)
    results = ward.look()
    assert platform.state(key, "texts") == ("published", None), ward.story()
    told = platform.metadata(results[-1], "curated")
    assert (str(told["made_by"])[:12], str(told["place"])[:5]) == ("application_", "hdfs ")
    server = hive_of(platform.settings)
    assert server is not None
    expected = {place: word if word.strip() else None for place, word in enumerate(words)}
    assert dict(query(server, f"SELECT number, word FROM curated.texts WHERE `_partition` = '{key}'")) == expected
    assert dict(platform.sql("select number, word from warehouse.texts where _partition = %s", key)) == expected


def test_hive_follows_what_it_missed_while_it_was_away(ward: Ward, hadoop_with_hive: Daemons) -> None:
    """SQL readers would see the old rows, and a day later none, until somebody publishes the partition again by hand."""
    platform = ward.platform

    def deliver(*words: str) -> Any:
        workbook(platform.landing("texts") / "a.xlsx", list(words))
        return platform.metadata(ward.look()[-1], "curated")

    assert deliver("one", "two")["sql_table"] == "curated.texts"
    hadoop_with_hive.kill("hive")
    assert "Hive failed" in deliver("three")["sql_table_behind"]
    assert platform.state("a", "texts") == ("published", None), "it is no sink"
    ward.look("gaps")
    hadoop_with_hive.start("hive")
    server = hive_of(platform.settings)
    assert server is not None
    count = "SELECT count(*), max(word) FROM curated.texts WHERE `_partition` = 'a'"
    assert query(server, count) == [(2, "two")]
    ward.look("gaps")
    assert query(server, count) == [(1, "three")]
    assert Missed(platform.settings.home, "texts").all() == []
