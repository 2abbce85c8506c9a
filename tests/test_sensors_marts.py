"""The sensor `marts`: every publication reaches the roll-ups, however runs, commits and failures interleave."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from shp_assets import mart_assets
from shp_core.states import State
from shp_sensors import requests
from tests.support.platforms import DAYS, MART, Platform, order


def totals(platform: Platform) -> list[tuple[Any, ...]]:
    """What the mart holds."""
    return platform.sql("select country, day_month::text, amount, source_rows from mart.amounts order by 1, 2")


def test_a_publication_is_followed_by_its_mart(platform: Platform) -> None:
    """Reports would show yesterday's sums."""
    assert platform.tick("marts").requests == []
    platform.process(platform.drop("a.xlsx", [order(1), order(2, "DE", "2026-04-02", 20), order(3, day="2026-03-31")]))
    tick = platform.tick("marts")
    (request,) = tick.requests
    assert request.asset_selection == [dg.AssetKey(["mart", "amounts"])]
    (result,) = platform.fulfil(tick, "marts")
    assert result.success
    assert totals(platform) == [("AT", "2026-03-01", Decimal("21.00"), 2), ("DE", "2026-04-01", Decimal("20.00"), 1)]
    shown = platform.metadata(result, "mart")
    assert (shown["complete"], shown["share_of_rows"], shown["dagster/row_count"], shown["source_rows"]) == (True, 1.0, 2, 3)
    assert platform.tick("marts").requests == []


def test_the_same_publication_again_is_no_reason(platform: Platform) -> None:
    """Every unchanged file would cost a run of every mart."""
    path = platform.drop("a.xlsx", [order(1)])
    platform.process(path)
    platform.fulfil(platform.tick("marts"), "marts")
    assert platform.run("a").success
    assert platform.tick("marts").requests == []


def test_another_feeds_publication_is_no_reason(platform: Platform) -> None:
    """Every file of every feed would cost a run of every mart."""
    platform.process(platform.drop("a.xlsx", [order(1)]))
    platform.fulfil(platform.tick("marts"), "marts")
    platform.process(platform.drop_count("counts_2026-02-01.xlsx", [("a", 1)]), DAYS)
    assert platform.tick("marts").requests == []


def test_a_publication_while_the_mart_runs_is_not_lost(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last file of the day would be missing from the report until the next day's first."""
    platform.process(platform.drop("a.xlsx", [order(1)]))
    plain = platform.outside.warehouse.refresh_mart

    def slow(*args: Any) -> Any:
        outcome = plain(*args)
        platform.process(platform.drop("b.xlsx", [order(2)]))
        assert platform.tick("marts").requests == [], "a mart has one run at a time"
        return outcome

    monkeypatch.setattr(type(platform.outside.warehouse), "refresh_mart", lambda self, *args: slow(*args))
    platform.fulfil(platform.tick("marts"), "marts")
    assert totals(platform)[0][3] == 1, "it has read before"
    monkeypatch.undo()
    tick = platform.tick("marts")
    assert len(tick.requests) == 1
    platform.fulfil(tick, "marts")
    assert totals(platform)[0][3] == 2
    assert platform.tick("marts").requests == []


def test_a_mart_that_failed_is_tried_again_with_pauses(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was away for a second would leave the report old until the next file comes."""
    platform.process(platform.drop("a.xlsx", [order(1)]))

    def fail(*_: object) -> Any:
        raise RuntimeError

    monkeypatch.setattr(mart_assets, "_make", fail)
    keys = []
    for _ in range(3):
        tick = platform.tick("marts")
        keys += [request.run_key for request in tick.requests]
        platform.fulfil(tick, "marts")
    assert keys == ["mart|amounts|1|0", "mart|amounts|1|1"], "twice at once, then after a pause"
    monkeypatch.undo()
    now = requests.time.time()
    monkeypatch.setattr(requests.time, "time", lambda: now + 60)
    tick = platform.tick("marts")
    assert [request.run_key for request in tick.requests] == ["mart|amounts|1|2"]
    assert platform.fulfil(tick, "marts")[0].success


def test_a_queued_mart_is_not_asked_for_again(platform: Platform) -> None:
    """A busy queue would fill with runs of one mart."""
    platform.process(platform.drop("a.xlsx", [order(1)]))
    run = platform.queue(platform.tick("marts").requests[0])
    platform.process(platform.drop("b.xlsx", [order(2)]))
    assert platform.tick("marts").requests == []
    platform.instance.report_run_failed(run)
    assert [request.run_key for request in platform.tick("marts").requests] == ["mart|amounts|2|0"]


def test_a_mart_knows_what_it_lacks(platform: Platform) -> None:
    """A sum over half of the files would look like the whole."""
    platform.process(platform.drop("a.xlsx", [order(1), order(2), order("x")]))
    platform.process(platform.drop("bad.xlsx", [order("x"), order("y"), order("z")]))
    shown = platform.metadata(platform.mart(), "mart")
    assert (shown["complete"], shown["missing"], shown["missing_count"], shown["partitions"]) == (False, ["bad"], 1, 1)
    assert shown["share_of_rows"] == pytest.approx(2 / 6)
    assert totals(platform)[0][3] == 2, "labelled, and made all the same"


def test_a_mart_that_is_told_to_hold_keeps_its_last_whole_result(platform: Platform) -> None:
    """A report that must be complete would be replaced by one that is not."""
    platform.feed_file("amounts", MART + "on_incomplete: hold\n", folder="marts")
    platform.process(platform.drop("a.xlsx", [order(1)]))
    platform.fulfil(platform.tick("marts"), "marts")
    platform.process(platform.drop("bad.xlsx", [order("x")]))
    platform.process(platform.drop("b.xlsx", [order(2)]))
    (result,) = platform.fulfil(platform.tick("marts"), "marts")
    assert platform.metadata(result, "mart")["held"] is True
    assert totals(platform)[0][3] == 1
    platform.process(platform.drop("bad.xlsx", [order(3)]))
    platform.fulfil(platform.tick("marts"), "marts")
    assert totals(platform)[0][3] == 3


def test_a_mart_that_holds_goes_on_when_the_missing_partition_is_waived(platform: Platform) -> None:
    """A report would stay old for ever because a file was declared to be never coming."""
    platform.feed_file("amounts", MART + "on_incomplete: hold\n", folder="marts")
    platform.process(platform.drop("bad.xlsx", [order("x")]))
    platform.process(platform.drop("a.xlsx", [order(1)]))
    platform.fulfil(platform.tick("marts"), "marts")
    record = platform.record("bad")
    platform.outside.ledger.partitions.move("orders", "bad", State.WAIVED, expect_version=record.version)
    platform.fulfil(platform.tick("marts"), "marts")
    assert totals(platform)[0][3] == 1


def test_the_watermark_never_passes_what_was_read(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mart that dies after reading would believe that it has shown what it never wrote."""
    platform.process(platform.drop("a.xlsx", [order(1)]))

    def fail(*_: object) -> Any:
        raise RuntimeError

    monkeypatch.setattr(type(platform.outside.warehouse), "refresh_mart", fail)
    platform.fulfil(platform.tick("marts"), "marts")
    assert platform.outside.ledger.publications.mart_watermark("amounts") == 0
