"""The sensor `gaps`: what was published and does not stand in the warehouse any more is filled again, and only that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from shp_assets import backfill
from shp_assets.gaps import Gap, find_gaps
from shp_core.gaps import Why
from shp_resources import landing
from shp_sensors import gaps
from tests.support.healing import Ward
from tests.support.platforms import DAYS, FEED, ORDERS, Platform, Tick, opened, order
from tests.support.postgres import fresh_database, worked_with

GAP = "sink_gap/orders"


@pytest.fixture(scope="module")
def published(postgres_server: str, platform_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of an installation that has published three files, and its database, to be copied."""
    base = tmp_path_factory.mktemp("published")
    with fresh_database(postgres_server, platform_template) as dsn:
        with pytest.MonkeyPatch.context() as patched, opened(base, dsn) as platform:
            patched.setattr(landing, "QUIET_SECONDS", 0.0)
            ward = Ward(platform)
            ward.drop("a", "b", "c")
            ward.look("arrivals")
            assert ward.states() == dict.fromkeys("abc", "published")
        yield base, dsn.rpartition("/")[2]


@pytest.fixture
def ward(published: tuple[Path, str], postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    """A platform that has published three files; what else a test drops goes with it."""
    base, template = published
    monkeypatch.setattr(landing, "QUIET_SECONDS", 0.0)
    with fresh_database(postgres_server, template) as dsn, opened(base, dsn) as platform:
        before = set(platform.settings.landing.rglob("*.xlsx"))
        yield Ward(platform)
        for path in set(platform.settings.landing.rglob("*.xlsx")) - before:
            path.unlink()


def asked(tick: Tick, platform: Platform, feed: str = FEED) -> list[str]:
    """The partitions of the one backfill that a look asks for; all of the feed's assets, or none."""
    if not tick.requests:
        return []
    (request,) = tick.requests
    assert request.asset_graph_subset is not None and request.requires_backfill_daemon()
    subsets = request.asset_graph_subset.partitions_subsets_by_asset_key
    assert set(subsets) == set(platform.kits[feed].keys)
    (keys,) = {tuple(sorted(subset.get_partition_keys())) for subset in subsets.values()}
    return list(keys)


def fill(ward: Ward, tick: Tick) -> list[dg.ExecuteInProcessResult]:
    """Run what a look asks for, as the backfill daemon does: a run for each partition, with the backfill's tags."""
    tags = {**tick.requests[0].tags, "dagster/backfill": "b1"}
    return [ward.platform.run(key, tags=tags) for key in asked(tick, ward.platform)]


def seen(platform: Platform, *reread: str) -> list[Gap]:
    """The gaps of the feed by file; the rows of some partitions are read."""
    known = platform.outside.ledger.publications.published(FEED)
    return find_gaps(platform.outside, platform.kits[FEED], known, set(reread))


def told(ward: Ward) -> list[tuple[str, list[str], bool]]:
    """Severity, members and whether it is over, of the incidents of gaps."""
    found = [incident for incident in ward.incidents() if incident.cause == GAP]
    return [(item.severity, [member.partition for member in item.members], item.closed_at is not None) for item in found]


def test_nothing_is_asked_for_while_all_is_there(ward: Ward) -> None:
    """Every minute everything would be loaded again."""
    tick = ward.tick("gaps")
    assert (tick.requests, tick.skip) == ([], "The sinks hold what was published.")
    assert ward.states() == dict.fromkeys("abc", "published")


def test_deleted_rows_come_back_by_one_backfill_of_exactly_these(ward: Ward) -> None:
    """Rows that somebody deleted by mistake would be missing for ever, and be called published."""
    before = ward.platform.sql("select * from warehouse.orders order by 1")
    ward.platform.sql("delete from warehouse.orders where _partition in ('a', 'c')")
    tick = ward.tick("gaps")
    assert asked(tick, ward.platform) == ["a", "c"]
    assert ward.states() == {"a": "parked", "b": "published", "c": "parked"}
    record = ward.platform.record("a")
    assert (record.code, record.message) == ("sink_gap", "warehouse: the sink holds nothing of it.")
    assert told(ward) == [("warning", ["a", "c"], False)]
    assert all(result.success for result in fill(ward, tick))
    assert ward.platform.sql("select * from warehouse.orders order by 1") == before
    assert ward.states() == dict.fromkeys("abc", "published")
    assert ward.platform.record("a").flags == {}
    assert [attempt.via for attempt in ward.platform.attempts("a")] == ["sensor", "backfill"]
    assert [attempt.via for attempt in ward.platform.attempts("b")] == ["sensor"], "only what is missing runs"
    ward.look("recovery")
    assert told(ward) == [("warning", ["a", "c"], True)], "closed when the rows were read again"
    assert ward.tick("gaps").requests == []


def test_live_data_goes_before_it(ward: Ward) -> None:
    """A live file would wait for five hundred old ones."""
    ward.platform.sql("delete from warehouse.orders where _partition = 'a'")
    (request,) = ward.tick("gaps").requests
    ward.drop("live")
    (live,) = ward.tick("arrivals").requests
    ward.later(3601)
    (again,) = ward.tick("redrives").requests
    priorities = [int(found.tags.get("dagster/priority", "0")) for found in (live, again, request)]
    assert priorities == sorted(priorities, reverse=True) and len(set(priorities)) == 3


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        ("delete from warehouse.orders where _partition = 'a'", Why.MISSING),
        ("delete from shp_pub.publications where partition = 'a'", Why.MISSING),
        ("update shp_pub.publications set delivery = 'f' where partition = 'a'", Why.OTHER),
        ("update warehouse.orders set amount = 99 where _partition = 'a'", Why.HASH),
    ],
)
def test_every_kind_of_harm_is_found_and_mended(ward: Ward, harm: str, why: Why) -> None:
    """A changed amount would stay in the report, because the number of rows is right."""
    before = ward.platform.sql("select * from warehouse.orders order by 1")
    ward.platform.sql(harm)
    found = seen(ward.platform, "a", "b", "c")
    assert [(item.partition, item.sinks, item.why) for item in found] == [("a", ("warehouse",), why)]
    tick = ward.tick("gaps")
    assert asked(tick, ward.platform) == ["a"]
    assert [result.success for result in fill(ward, tick)] == [True]
    assert ward.platform.sql("select * from warehouse.orders order by 1") == before
    assert seen(ward.platform, "a", "b", "c") == []


def test_a_dropped_table_is_made_and_filled(ward: Ward) -> None:
    """An afternoon's work of a person would be needed after one slip in a SQL client."""
    before = ward.platform.sql("select * from warehouse.orders order by 1")
    ward.platform.sql("drop table warehouse.orders")
    tick = ward.tick("gaps")
    assert asked(tick, ward.platform) == ["a", "b", "c"]
    fill(ward, tick)
    assert ward.platform.sql("select * from warehouse.orders order by 1") == before


def test_marts_follow_a_filled_gap(ward: Ward) -> None:
    """The report that was made of half of the rows would stay, because no new file came."""
    ward.platform.sql("delete from warehouse.orders where _partition = 'a'")
    ward.look("marts")
    assert ward.platform.sql("select sum(source_rows)::int from mart.amounts") == [(2,)]
    fill(ward, ward.tick("gaps"))
    ward.look("marts")
    assert ward.platform.sql("select sum(source_rows)::int from mart.amounts") == [(3,)]


def test_rows_that_stand_aside_are_no_gap(ward: Ward) -> None:
    """Two files with one order in common would be loaded again every minute."""
    ward.platform.drop("d.xlsx", [order(7)])
    ward.platform.drop("e.xlsx", [order(7), order(8)])
    ward.look("arrivals")
    assert ward.platform.loaded("e") == [8], "the other row stands aside"
    assert ward.tick("gaps").requests == []


def test_while_a_backfill_is_under_way_none_is_asked_for(ward: Ward) -> None:
    """Each look would start the same backfill again."""
    ward.platform.sql("delete from warehouse.orders where _partition = 'a'")
    kit, instance = ward.platform.kits[FEED], ward.platform.instance
    name = backfill.launch(instance, kit, ["a"], "test", time.time())
    assert backfill.under_way(instance, kit) == name
    assert ward.tick("gaps").requests == []
    assert ward.states()["a"] == "published", "and nothing is noted before it is asked for"
    _end(instance, name)
    assert backfill.under_way(instance, kit) is None
    assert asked(ward.tick("gaps"), ward.platform) == ["a"]


def _end(instance: dg.DagsterInstance, name: str) -> None:
    found = instance.get_backfill(name)
    assert isinstance(found, PartitionBackfill)
    instance.update_backfill(found.with_status(BulkActionStatus.COMPLETED_SUCCESS))


def test_what_a_backfill_leaves_is_due_for_a_redrive(ward: Ward) -> None:
    """A backfill that somebody cancelled would leave the gap open for ever."""
    ward.platform.sql("delete from warehouse.orders where _partition = 'a'")
    assert asked(ward.tick("gaps"), ward.platform) == ["a"]
    assert ward.look("redrives") == [], "the backfill has its time"
    ward.later(3601)
    assert [result.success for result in ward.look("redrives")] == [True]
    assert ward.states()["a"] == "published" and ward.platform.loaded("a")


def test_rows_are_read_again_round_and_round(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed amount in a partition would be found only by whoever trusted it."""
    monkeypatch.setattr(gaps, "REREAD_A_TICK", 1)
    ward.platform.sql("update warehouse.orders set amount = 99 where _partition = 'c'")
    cursor, asked_for = None, []
    for _ in range(3):
        answer = _evaluate(ward.platform, cursor)
        cursor = answer.cursor
        asked_for.append(len(answer.run_requests or ()))
    assert asked_for == [0, 0, 1]


def test_a_large_partition_is_read_less_often(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed of a million rows a day would be read from end to end every minute."""
    ward.platform.sql("update warehouse.orders set amount = 99 where _partition = 'a'")
    drawn = iter([0.9, 0.9, 0.9, 0.1, 0.1, 0.1])
    ward.platform.change(chance=lambda: next(drawn))
    monkeypatch.setattr(gaps, "REREAD_ROWS", 0.5)  # a partition has one row
    assert ward.tick("gaps").requests == []
    assert asked(ward.tick("gaps"), ward.platform) == ["a"]


def _evaluate(platform: Platform, cursor: str | None) -> dg.SensorResult:
    definition = next(found for found in platform.definitions.sensors or () if found.name == "gaps")
    resources: dict[str, Any] = {"outside": platform.outside}
    with dg.build_sensor_context(
        instance=platform.instance, definitions=platform.definitions, resources=resources, cursor=cursor
    ) as context:
        answer = definition(context)
    assert isinstance(answer, dg.SensorResult)
    return answer


def test_an_open_breaker_keeps_it_back(ward: Ward) -> None:
    """A warehouse that is away would be called empty, and filled into nowhere."""
    from shp_core.healing.breaker import failed

    ward.platform.outside.ledger.breakers.change(
        "warehouse", lambda found: failed(found, ward.clock.now(), 0.5, at_once=True, code="sink_unreachable", message="away")
    )
    ward.platform.sql("delete from warehouse.orders where _partition = 'a'")
    tick = ward.tick("gaps")
    assert (tick.requests, ward.states()["a"]) == ([], "published")
    assert tick.skip == "The warehouse is not asked until a probe gets through."


def test_a_warehouse_that_does_not_answer_is_no_gap(ward: Ward) -> None:
    """Every partition would be parked for a database that is restarting."""
    ward.platform.turn_to("postgresql://nobody@127.0.0.1:1/nothing")
    tick = ward.tick("gaps")
    assert tick.requests == []
    assert ward.states() == dict.fromkeys("abc", "published")


def test_a_feed_by_day_is_filled_too(ward: Ward) -> None:
    """Only feeds by file would be looked after."""
    ward.platform.drop_count("counts 2026-03-01.xlsx", [("nut", 1)])
    ward.look("arrivals")
    ward.platform.sql("delete from warehouse.counts")
    assert asked(ward.tick("gaps"), ward.platform, DAYS) == ["2026-03-01"]


def test_most_of_a_large_gap_waits_for_the_next_backfill(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dropped table of ten thousand files would fill the queue at once, in any order."""
    monkeypatch.setattr(backfill, "MOST_AT_ONCE", 2)
    ward.platform.sql("delete from warehouse.orders")
    assert asked(ward.tick("gaps"), ward.platform) == ["a", "b"]
    assert asked(ward.tick("gaps"), ward.platform) == ["c"]


def test_ten_thousand_partitions_are_compared_in_two_seconds(platform: Platform) -> None:
    """A feed that is years old would keep the daemon busy for nothing else."""
    import tracemalloc

    platform.feed_file("orders", ORDERS.replace("key: [Order]\n", ""))
    assert platform.process(platform.drop("a.xlsx", [order(1)])).success
    judged = "contract_version, converter_version"
    platform.sql(
        f"insert into shp.partitions (feed, partition, state, version, arrival, delivery, {judged})"
        f" select 'orders', 'p' || g, 'published', 1, g, 'd', {judged} from generate_series(1, 10000) g, shp.partitions p"
        " where p.partition = 'a'"
    )
    platform.sql(
        "insert into shp.publications (feed, partition, sink, delivery, contract_version, converter_version, arrival, attempt, rows,"
        " hash, at)"
        " select 'orders', 'p' || g, 'warehouse', 'd', 'c', 1, g, 1, 100, 'h', now() from generate_series(1, 10000) g"
    )
    platform.sql(
        "insert into shp.sinks (feed, partition, sink, intended_delivery, intended_contract_version, intended_converter_version,"
        " intended_arrival, intended_attempt, publication) select feed, partition, sink, delivery, contract_version, converter_version,"
        " arrival, attempt, number from shp.publications where delivery = 'd'"
    )
    platform.sql(
        "insert into shp_pub.publications (feed, partition, delivery, contract_version, converter_version, columns, rows_loaded,"
        " rows_displaced, rows_rejected, hash) select feed, partition, delivery, contract_version, converter_version, '{}', 100, 0, 0, hash"
        " from shp.publications where delivery = 'd'"
    )
    platform.sql(
        'insert into warehouse.orders ("order", country, day, amount, _partition, _delivery, _row)'
        " select r, 'AT', '2026-01-01', 1, 'p' || g, 'd', r from generate_series(1, 10000) g, generate_series(1, 100) r"
        " where g <> 4711 or r > 1"
    )
    platform.sql("analyze warehouse.orders")
    seen(platform)
    before = worked_with(platform.dsn)
    found = seen(platform, "a")
    took = worked_with(platform.dsn) - before
    tracemalloc.start()
    seen(platform)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(item.partition, item.why) for item in found if item.partition.startswith("p")] == [("p4711", Why.ROWS)]
    assert took < 2.0
    assert peak < 20_000_000, "a few kilobytes for each partition"
