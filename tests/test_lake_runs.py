"""Runs to the lake: what follows the warehouse, and how both sinks are kept equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_ops.advice import advice, remedy
from shp_ops.backfill import Wanted, planned
from shp_ops.views import partition_view
from shp_resources.rehearsal import parse
from tests.support.healing import Ward
from tests.support.lake import current, folder
from tests.support.platforms import FEED, order


@pytest.fixture
def ward(lake_ward: Ward) -> Ward:
    """Its feed by file declares the lake."""
    return lake_ward


def test_the_lake_follows_the_warehouse_by_a_run_of_its_own(ward: Ward) -> None:
    """A feed that declares the lake would be published to the warehouse only."""
    platform = ward.platform
    platform.drop("a.xlsx", [order(1), order(2, "xx"), order(3, "de")])
    ward.look("arrivals")
    assert platform.state("a") == ("parked", None)
    assert platform.record("a").behind == "lake"
    assert platform.loaded("a") == [1, 3]
    (result,) = ward.look("lake")
    assert result.success
    assert platform.reached(result) == ["lake", "curated"]
    assert platform.checks(result)["sinks_agree"].passed
    assert platform.state("a") == ("published_with_rejects", None)
    assert [line.split("\t")[:2] for line in current(platform.outside.lake, folder("curated"))] == [["1", "AT"], ["3", "DE"]]
    assert len(current(platform.outside.lake, folder("lake"))) == 3
    assert ward.look("arrivals", "redrives", "lake") == []


def test_commands_show_both_sinks_and_what_the_lake_is(ward: Ward) -> None:
    """A user would take the local folder for HDFS, or not see which of two sinks is behind."""
    platform = ward.platform
    platform.drop("a.xlsx", [order(1)])
    ward.look("arrivals")
    (before,) = partition_view(platform.settings, FEED)
    assert (before["state"], before["sinks"]["warehouse"]["state"], before["sinks"]["lake"]["state"]) == ("parked", "held", "behind")
    ward.look("lake")
    (after,) = partition_view(platform.settings, FEED)
    lake, warehouse = after["sinks"]["lake"], after["sinks"]["warehouse"]
    assert (after["state"], lake["state"], after["attempts"]) == ("published", "held", 2)
    assert (lake["delivery"], lake["rows"], lake["hash"]) == (warehouse["delivery"], warehouse["rows"], warehouse["hash"])
    assert lake["place"] == f"local folder {platform.settings.home / 'lake'}"
    shown = [event["way"] for event in platform.outside.ledger.history(FEED, "a") if event["what"] == "attempt"]
    assert shown == ["etl", "elt"]


def test_a_clean_file_tells_what_made_its_rows(ward: Ward) -> None:
    """Nobody could tell a job of the cluster from a process of this machine, or see what it counted."""
    platform = ward.platform
    platform.drop("a.xlsx", [order(1), order(2, "xx")])
    results = ward.look("arrivals", "lake")
    told, text = platform.metadata(results[-1], "curated"), platform.metadata(results[-1], "lake")
    assert (told["made_by"], told["rejects"], told["counters"]["rows"]) == ("local process", {"not_allowed": 1}, 1)
    assert told["place"].startswith("local folder ")
    assert (text["dagster/row_count"], told["dagster/row_count"]) == (2, 1)
    assert (platform.settings.home / "lake" / told["path"]).is_dir()


@pytest.mark.parametrize(
    ("system", "what", "code"),
    [
        ("hdfs", "down", "sink_unreachable"),
        ("hdfs", "full", "sink_refused"),
        ("yarn", "down", "sink_unreachable"),
        ("yarn", "timeout", "transient"),
        ("lake", "refused", "sink_refused"),
        ("lake", "reset", "transient"),
    ],
)
def test_the_lakes_faults_can_be_rehearsed(tmp_path: Path, system: str, what: str, code: str) -> None:
    """Nobody could try out what happens when the cluster fails, before it does."""
    with pytest.raises(Fault) as caught:
        parse(f"{system}:{what}", tmp_path).around(system, "orders", "a/1", lambda: None)
    assert (caught.value.code, caught.value.evidence.system) == (code, system)


def test_a_backfill_tells_what_only_the_lake_lacks(ward: Ward) -> None:
    """A person would read that the sinks hold everything, while the lake holds nothing."""
    ward.platform.drop("a.xlsx", [order(1)])
    ward.look("arrivals")
    assert ward.platform.state("a") == ("parked", None)
    plan = planned(ward.platform.settings, FEED, Wanted())
    assert (list(plan.items), plan.behind) == ([], 1)
    assert planned(ward.platform.settings, FEED, Wanted(first="b")).behind == 0


def test_advice_names_the_sink_at_fault() -> None:
    """Who is called at night would restart the database while the NameNode is down."""
    assert advice("sink_unreachable", "hdfs").startswith("Bring HDFS back")
    assert (
        remedy(Code.SINK_UNREACHABLE, "hdfs", [])
        == "Bring HDFS back (SHP_HDFS_URL, or shp up --hadoop). What waits for it follows by itself."
    )
    assert advice("sink_unreachable", "yarn").startswith("Bring YARN back")
    assert advice("sink_refused", "lake").startswith("Give the lake's folder")
    assert advice("sink_unreachable", "warehouse").startswith("Bring the warehouse's database back")
