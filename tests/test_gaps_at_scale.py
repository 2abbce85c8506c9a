"""Ten thousand partitions of a hundred rows: the sensors that look at all of them stay quick, and small."""

from __future__ import annotations

import resource
import time

import pytest

from tests.support.platforms import FEED, ORDERS, Platform, order

PARTITIONS, ROWS = 10_000, 100
CLONED = ("shp.partitions", "shp.sinks")
SECONDS = 2.0
GROWTH_KIB = 150_000

pytestmark = pytest.mark.slow


@pytest.fixture
def many(platform: Platform) -> Platform:
    """One partition is published for real; the others are its copies in every table that is looked at."""
    platform.feed_file(FEED, ORDERS.replace("key: [Order]\n", ""))
    platform.drop("p0.xlsx", [order(number + 1) for number in range(ROWS)])
    platform.fulfil(platform.tick())
    each = f"generate_series(1, {PARTITIONS - 1}) n"
    row = "(jsonb_populate_record(one, jsonb_build_object('partition', 'p' || n))).*"
    for table in CLONED:
        platform.sql(f"with made as (insert into {table} select {row} from {table} one, {each} returning 1) select count(*) from made")
    columns = '"order", country, day, amount, contact, _delivery, _row'
    platform.sql(
        f"with made as (insert into warehouse.orders ({columns}, _partition) select {columns}, 'p' || n from warehouse.orders, {each}"
        " returning 1) select count(*) from made"
    )
    known = "feed, delivery, contract_version, converter_version, columns, rows_loaded, rows_displaced, rows_rejected, hash, published_at"
    records = f"select {known}, 'p' || n from shp_pub.publications, {each}"
    platform.sql(f"insert into shp_pub.publications ({known}, partition) {records} returning 1")
    platform.sql("analyze warehouse.orders; analyze shp_pub.publications; analyze shp.partitions; analyze shp.sinks; select 1")
    return platform


@pytest.mark.timeout(600)
def test_gaps_looks_at_ten_thousand_partitions_in_two_seconds(many: Platform) -> None:
    """The daemon would do nothing else, and live files wait for it."""
    assert many.sql("select count(*), count(distinct _partition) from warehouse.orders") == [(PARTITIONS * ROWS, PARTITIONS)]
    assert many.tick("gaps").requests == [], "all of it stands there"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = []
    for _ in range(3):
        begun = time.monotonic()
        assert many.tick("gaps").requests == []
        took.append(time.monotonic() - begun)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"gaps: {min(took):.2f} to {max(took):.2f} s, {grown / 1024:.0f} MiB more")  # noqa: T201 - the number is what is asked for
    assert min(took) < SECONDS, took
    assert grown < GROWTH_KIB
    many.sql("delete from warehouse.orders where _partition in ('p5', 'p9000') returning 1")
    (request,) = many.tick("gaps").requests
    subset = request.asset_graph_subset
    assert subset is not None
    keys = set(subset.get_partitions_subset(many.kits[FEED].key("warehouse")).get_partition_keys())
    assert keys == {"p5", "p9000"}
