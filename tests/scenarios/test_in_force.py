"""What is in force changes - limits, contracts - and what it refused or made is seen again in its light."""

from __future__ import annotations

from dataclasses import replace

from shp_core.limits import Limits
from tests.support.healing import Ward
from tests.support.platforms import ORDERS, order


def test_a_file_that_was_too_large_is_loaded_when_the_limit_is_raised(ward: Ward) -> None:
    """Whoever raises a limit would have to find every file that it refused, and release it by hand."""
    platform = ward.platform
    platform.change(limits=replace(Limits(), table_cells=20))
    platform.drop("a.xlsx", [order(number) for number in range(1, 9)])
    ward.look("arrivals")
    assert platform.state("a") == ("quarantined", "limit_reached")
    assert ward.look("redrives") == [], "deterministic: nothing is tried again"
    platform.change(limits=replace(Limits(), table_cells=10))
    ward.look("redrives")
    assert platform.state("a") == ("quarantined", "limit_reached"), "looked at again, and still too large"
    assert len(platform.attempts("a")) == 2
    assert ward.look("redrives") == []
    platform.change(limits=Limits())
    ward.until(lambda: platform.state("a")[0] == "published", seconds=60)
    assert platform.loaded("a") == list(range(1, 9))
    ward.until(lambda: all(found.closed_at for found in ward.incidents()), seconds=60)
    assert len(platform.attempts("a")) == 3, "a deterministic fault costs three runs at most"


def test_what_an_edited_contract_did_not_make_is_stale_until_it_is_published_anew(ward: Ward) -> None:
    """Nobody would know which partitions were judged by rules that are gone."""
    platform = ward.platform
    ward.drop("a", "b")
    ward.look("arrivals", "redrives")
    assert [platform.record(name).flags for name in ("a", "b")] == [{}, {}]
    platform.feed_file("orders", ORDERS.replace("min: 1", "min: 0"))
    ward.look("redrives")
    assert [platform.record(name).flags for name in ("a", "b")] == [{"stale": True}] * 2
    assert ward.states() == {"a": "published", "b": "published"}, "what is published stays as it is"
    assert platform.run("a").success
    assert [platform.record(name).flags for name in ("a", "b")] == [{}, {"stale": True}]
    platform.feed_file("orders", ORDERS)
    ward.look("redrives")
    assert [platform.record(name).flags for name in ("a", "b")] == [{"stale": True}, {}], "it counts what is in force, not what was edited"
