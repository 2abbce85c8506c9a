"""Runs to the lake on real daemons: made by YARN, equal in both sinks, and healed without a hand when the NameNode comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shp_core.healing.breaker import Phase
from shp_resources.hdfs.cluster import tell_cluster
from shp_resources.lake.manifests import standing
from tests.support.hadoop import Daemons
from tests.support.healing import Ward
from tests.support.lake import current
from tests.support.platforms import FEED, IN_LAKE, Platform, order

pytestmark = pytest.mark.hadoop


@pytest.fixture
def ward(platform: Platform, hadoop: Daemons) -> Iterator[Ward]:
    """A platform whose feed by file declares the lake, which is a folder of its own in HDFS."""
    platform.feed_file(FEED, IN_LAKE)
    tell_cluster(platform.settings, replace(hadoop.cluster, root=f"/runs/{platform.base.name}"))
    yield Ward(platform)
    hadoop.revive()


def _keys(ward: Ward, partition: str) -> list[int]:
    folder = f"curated/orders/partition={partition}"
    return [int(line.split("\t")[0]) for line in current(ward.platform.outside.lake, folder)]


def test_a_feed_is_published_to_both_sinks_and_a_dead_namenode_stops_only_one(ward: Ward, hadoop: Daemons) -> None:
    """The cluster's trouble would be the warehouse's, or somebody would have to load the lake by hand when it is back."""
    platform = ward.platform
    platform.drop("a.xlsx", [order(1), order(2, "xx"), order(3, "de")])
    results = ward.look()
    assert platform.state("a") == ("published_with_rejects", None)
    assert _keys(ward, "a") == [1, 3]
    told = platform.metadata(results[-1], "curated")
    assert str(told["made_by"]).startswith("application_")
    assert str(told["place"]).startswith("hdfs http://")
    assert (told["counters"]["rows"], told["rejects"]) == (2, {"not_allowed": 1})
    hadoop.kill("namenode")
    platform.drop("b.xlsx", [order(7)])
    ward.look()
    assert platform.loaded("b") == [7]
    assert platform.state("b") == ("parked", "sink_unreachable")
    assert (platform.record("b").cause, ward.phase("hdfs")) == ("hdfs", Phase.OPEN)
    hadoop.start("namenode")
    hadoop.await_ready("datanode")
    ward.until(lambda: platform.record("b").state.is_published)
    assert _keys(ward, "b") == [7]
    ward.look("recovery")
    assert all(incident.closed_at for incident in ward.incidents())
    manifest = standing(platform.outside.lake, "curated/orders/partition=b")
    assert manifest is not None
    known = platform.outside.ledger.publications.sinks(FEED, "b")
    assert known["warehouse"].hash == known["lake"].hash == manifest.hash


def test_runs_that_are_due_together_share_a_job_on_yarn(ward: Ward) -> None:
    """A backfill of fifty partitions would start fifty jobs, ten seconds each, most of it their start."""
    platform, keys = ward.platform, ("a", "b", "c")
    for number, key in enumerate(keys, 1):
        platform.drop(f"{key}.xlsx", [order(number), order(number + 10)])
    ward.look("arrivals")
    results = ward.look("lake")
    assert [platform.state(key) for key in keys] == [("published", None)] * 3
    made = {platform.metadata(result, "curated")["made_by"] for result in results}
    assert len(made) == 1 and made.pop().startswith("application_")
    assert platform.metadata(results[0], "curated")["counters"] == {"read": 6, "rows": 6, "by_standard": 3, "partitions": 3}
    assert [_keys(ward, key) for key in keys] == [[1, 11], [2, 12], [3, 13]]
    assert all(platform.checks(result)["sinks_agree"].passed for result in results)
    names = {entry.name for layer in ("lake", "curated") for entry in platform.outside.lake.entries(f"{layer}/orders")}
    assert names == {f"partition={key}" for key in keys}, "neither copies nor the job's output stay"
