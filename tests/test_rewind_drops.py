"""A feed that goes back to a time before a partition was: it is emptied in every sink, and can be filled again."""

from __future__ import annotations

from datetime import datetime

import pytest

from shp_core.errors import Fault, UsageError
from shp_ops.healing import take_waiver_back
from shp_ops.rewind import carry_out, plan
from shp_resources.lake.manifests import standing
from shp_resources.ledger import Holder
from tests.support.platforms import FEED, IN_LAKE, Platform, order


@pytest.fixture
def feed(platform: Platform) -> Platform:
    """Its feed by file declares the lake, too."""
    platform.feed_file(FEED, IN_LAKE)
    return platform


def now(platform: Platform) -> str:
    """The present instant, by the ledger's clock."""
    found: datetime = platform.sql("select clock_timestamp()")[0][0]
    return found.isoformat()


def back(platform: Platform, to: str, *, drop_newer: bool) -> tuple[list[str], list[str]]:
    """Rewind the feed; what is published again, and what is newer."""
    found = plan(platform.settings, FEED, None, to)
    carry_out(platform.settings, found, drop_newer=drop_newer)
    return [step.partition for step in found.steps], found.newer


def owners(platform: Platform) -> list[tuple[int, str]]:
    """The orders in the table, with whose they are."""
    return platform.sql('select "order", _partition from warehouse.orders order by 1')


def test_what_did_not_exist_then_is_emptied_in_every_sink(feed: Platform) -> None:
    """Partitions that a bad night invented would have to be deleted by hand; keys that they took would stay theirs."""
    feed.ingest(feed.drop("b.xlsx", [order(1), order(2)]))
    before = now(feed)
    feed.ingest(feed.drop("a.xlsx", [order(2), order(3, day="never"), order(4)]))  # it sorts before b: the key 2 is its own
    after = now(feed)
    assert back(feed, before, drop_newer=False) == ([], ["a"])
    assert owners(feed) == [(1, "b"), (2, "a"), (4, "a")]
    assert back(feed, before, drop_newer=True) == ([], ["a"])
    assert owners(feed) == [(1, "b"), (2, "b")], "what it had displaced is back"
    assert feed.sql("select count(*) from quarantine.orders where _partition = 'a'") == [(0,)]
    lake = feed.outside.lake
    assert [standing(lake, f"{layer}/orders/partition=a") for layer in ("lake", "curated", "rejects")] == [None] * 3
    assert standing(lake, "curated/orders/partition=b") is not None
    record = feed.record("a")
    assert (str(record.state), record.delivery, record.rows) == ("waived", None, {})
    assert str(record.message).startswith("Emptied by ")
    assert feed.tick("lake").requests == feed.tick("redrives").requests == feed.tick("gaps").requests == [], "nobody fills it again"
    assert back(feed, before, drop_newer=True) == ([], []), "done is done"
    with pytest.raises(UsageError, match="was emptied"):
        take_waiver_back(feed.settings, FEED, "a")
    assert back(feed, after, drop_newer=False)[0] == ["a"], "undoing it is another rewind"
    assert (feed.state("a"), owners(feed)) == (("published_with_rejects", None), [(1, "b"), (2, "a"), (4, "a")])
    assert standing(lake, "curated/orders/partition=a") is not None


def test_emptying_waits_for_no_worker_and_ends_what_was_begun(feed: Platform) -> None:
    """A run would publish into what is being emptied; or a failure half-way would leave rows that nobody claims."""
    before = now(feed)
    feed.ingest(feed.drop("a.xlsx", [order(1)]))
    leases, rival = feed.outside.ledger.leases, Holder("elsewhere", 1, 1.0, "rival")
    assert leases.acquire(FEED, "a", rival)
    with pytest.raises(Fault, match="held by another worker"):
        back(feed, before, drop_newer=True)
    assert owners(feed) == [(1, "a")]
    leases.release(FEED, "a", rival)
    feed.turn_to("postgresql://shp@127.0.0.1:1/nobody?connect_timeout=2")
    with pytest.raises(Fault):
        back(feed, before, drop_newer=True)
    feed.turn_to(None)
    assert (feed.state("a")[0], owners(feed)) == ("waived", [(1, "a")]), "the intention is on record"
    assert back(feed, before, drop_newer=True) == ([], ["a"])
    assert owners(feed) == []
    assert feed.ingest(feed.drop("a.xlsx", [order(5)])).state == "published", "the next arrival fills it"
