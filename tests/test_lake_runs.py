"""Runs to the lake: what follows the warehouse, and how both sinks are kept equal."""

from __future__ import annotations

import pytest

from shp_core.lake.manifest import Manifest
from shp_resources.lake.manifests import standing
from tests.support.healing import Ward
from tests.support.lake import current
from tests.support.platforms import FEED, IN_LAKE, Platform, order


@pytest.fixture
def ward(platform: Platform) -> Ward:
    """A platform whose feed by file declares the lake, under a clock."""
    platform.feed_file(FEED, IN_LAKE)
    return Ward(platform)


def _folder(layer: str, partition: str = "a") -> str:
    return f"{layer}/orders/partition={partition}"


def _manifest(ward: Ward, layer: str = "curated", partition: str = "a") -> Manifest | None:
    return standing(ward.platform.outside.lake, _folder(layer, partition))


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
    assert [line.split("\t")[:2] for line in current(platform.outside.lake, _folder("curated"))] == [["1", "AT"], ["3", "DE"]]
    assert len(current(platform.outside.lake, _folder("lake"))) == 3
    assert ward.look("arrivals", "redrives", "lake") == []
