"""Marts: the sums are right, readers see the old rows until the new ones are whole, and any shape can follow any other."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.feeds.marts import Mart
from shp_resources.warehouse import MartOutcome
from tests.support.waiting import PATIENCE, until
from tests.support.warehouse import Desk, Poller, delivery, feed_of, target_of

FEED = """
feed: orders
owner: team:tests
columns:
  ID:           {type: integer}
  Country:      {type: text, optional: true}
  Order  Date:  {type: date, optional: true}
  Units:        {type: integer, optional: true}
  Big:          {type: bigint, optional: true}
  Price:        {type: money, scale: 2, precision: 18, optional: true}
  Rate:         {type: decimal, scale: 10, precision: 38, optional: true}
  Open:         {type: boolean, optional: true}
key: [ID]
"""
MART = """
mart: by_country_month
from: orders
description: "100 % of it's orders"
group_by: [Country, {month: Order  Date}]
sum: [Units, Big, Price, Rate]
"""


def mart_of(text: str, feed: str = FEED) -> Mart:
    """A mart from the text of its file, which must fit its feed."""
    mart = Mart.model_validate(yaml.safe_load(text))
    assert mart.problems({"orders": feed_of(feed)}) == []
    return mart


@pytest.fixture
def desk(database_dsn: str) -> Desk:
    """The feed, with nothing published."""
    return Desk(database_dsn, target_of(FEED))


def order(key: int, country: str | None, day: str | None, *numbers: str | None) -> tuple[str | None, ...]:
    """A row: units, big, price and rate follow the day."""
    return (str(key), country, day, *numbers, *[None] * (4 - len(numbers)), "t")


def refresh(desk: Desk, text: str = MART) -> MartOutcome:
    """Make the mart anew."""
    return desk.warehouse.refresh_mart(mart_of(text), desk.target)


def mart_rows(desk: Desk, table: str = "by_country_month") -> list[tuple[Any, ...]]:
    """The mart's rows in some order."""
    return sorted(desk.rows(f"SELECT * FROM mart.{table}"), key=repr)


def publish_two(desk: Desk) -> None:
    """Two partitions that share key 2, which belongs to the first."""
    march, april = "2026-03-31", "2026-04-01"
    desk.publish("p1", delivery(desk.target.contract, [order(1, "Chad", march, "1", "1", "0.10", None), order(2, "Chad", march, "2")]))
    desk.publish("p2", delivery(desk.target.contract, [order(2, "Peru", april, "7"), order(3, "Chad", april, "3", None, "0.20")]))


TWO = [
    ("Chad", date(2026, 3, 1), Decimal(3), Decimal(1), Decimal("0.10"), None, 2),
    ("Chad", date(2026, 4, 1), Decimal(3), None, Decimal("0.20"), None, 1),
]


def test_sums_by_group(desk: Desk) -> None:
    """If this failed, the numbers that people decide by would be wrong, or count a row twice that two files deliver."""
    publish_two(desk)
    assert refresh(desk) == MartOutcome(rows=2, source_rows=3, partitions=("p1", "p2"))
    assert mart_rows(desk) == TWO


def test_before_anything_is_published(desk: Desk) -> None:
    """If this failed, a new installation would show a broken mart instead of an empty one."""
    assert refresh(desk) == MartOutcome(0, 0, ())
    assert mart_rows(desk) == []
    desk.publish("p1", delivery(desk.target.contract, []))
    assert refresh(desk) == MartOutcome(0, 0, ("p1",))


def test_a_mart_of_a_dropped_table_is_empty(desk: Desk) -> None:
    """If this failed, a mart would go on showing rows of a table that is gone, beside a label that says nothing is there."""
    publish_two(desk)
    refresh(desk)
    desk.rows("DROP TABLE warehouse.orders")
    assert refresh(desk) == MartOutcome(0, 0, ())
    assert mart_rows(desk) == []


def test_refreshing_again_gives_the_same(desk: Desk) -> None:
    """If this failed, a mart would grow each time it is refreshed."""
    publish_two(desk)
    first = refresh(desk)
    assert refresh(desk) == first
    assert mart_rows(desk) == TWO
    desk.publish("p1", delivery(desk.target.contract, []))
    assert refresh(desk) == MartOutcome(rows=2, source_rows=2, partitions=("p1", "p2"))
    assert [row[0] for row in mart_rows(desk)] == ["Chad", "Peru"]


def shape(desk: Desk) -> list[tuple[str, str, Any]]:
    """Names, types and scales of the mart's columns."""
    return desk.rows(
        "SELECT column_name, data_type, numeric_scale FROM information_schema.columns"
        " WHERE table_schema = 'mart' AND table_name = 'by_country_month' ORDER BY ordinal_position"
    )


def test_types_of_a_mart(desk: Desk) -> None:
    """If this failed, a sum could overflow, or lose its cents."""
    most = order(1, "Chad", "2026-03-01", str(2**31 - 1), str(2**63 - 1), "9999999999999999.99", "0.0000000001")
    desk.publish("p1", delivery(desk.target.contract, [most, (str(2), *most[1:])]))
    refresh(desk)
    assert shape(desk) == [
        ("country", "text", None),
        ("order_date_month", "date", None),
        *((name, "numeric", None) for name in ("units", "big", "price", "rate")),
        ("source_rows", "bigint", 0),
    ]
    sums = (Decimal(2**32 - 2), Decimal(2**64 - 2), Decimal("19999999999999999.98"), Decimal("0.0000000002"))
    assert mart_rows(desk) == [("Chad", date(2026, 3, 1), *sums, 2)]
    comment = "SELECT obj_description('mart.by_country_month'::regclass)"
    assert desk.rows(comment) == [("100 % of it's orders",)]


@pytest.mark.parametrize(
    ("groups", "sums", "columns"),
    [
        ("[Country]", "[Units]", ["country", "units"]),
        ("[Open, Units]", "[]", ["open", "units"]),
        ("[{month: Order  Date}, Country]", "[Units, Big, Price, Rate]", ["order_date_month", "country", "units", "big", "price", "rate"]),
        ("[Order  Date, {month: Order  Date}]", "[Rate]", ["order_date", "order_date_month", "rate"]),
    ],
)
def test_another_shape(desk: Desk, groups: str, sums: str, columns: list[str]) -> None:
    """If this failed, nobody could change a mart file without dropping its table by hand."""
    publish_two(desk)
    refresh(desk)
    text = f"mart: by_country_month\nfrom: orders\ngroup_by: {groups}\nsum: {sums}"
    outcome = refresh(desk, text)
    assert [name for name, *_ in shape(desk)] == [*columns, "source_rows"]
    assert sum(row[-1] for row in mart_rows(desk)) == outcome.source_rows == 3
    assert refresh(desk, text) == outcome
    refresh(desk)
    assert mart_rows(desk) == TWO


def test_a_widened_column_widens_the_mart(desk: Desk) -> None:
    """If this failed, a mart grouped by a column that was widened would fail at its first big number."""
    text = "mart: by_country_month\nfrom: orders\ngroup_by: [Units]"
    desk.publish("p1", delivery(desk.target.contract, [order(1, None, None, "5")]))
    refresh(desk, text)
    wide_feed = FEED.replace("Units:        {type: integer", "Units:        {type: bigint")
    wide = desk.turned_to(target_of(wide_feed))
    wide.publish("p1", delivery(wide.target.contract, [order(1, None, None, str(2**40))]))
    refresh(wide, text)
    assert mart_rows(desk) == [(2**40, 1)]


def test_a_column_that_no_partition_has_yet(desk: Desk) -> None:
    """If this failed, a mart would fail from the moment a feed gains a column until its next file comes."""
    publish_two(desk)
    feed = FEED.replace("key:", "  Channel: {type: text, optional: true}\n  Tax: {type: money, optional: true}\nkey:")
    newer = desk.turned_to(target_of(feed))
    mart = mart_of("mart: by_country_month\nfrom: orders\ngroup_by: [Channel]\nsum: [Tax, Units]", feed)
    assert newer.warehouse.refresh_mart(mart, newer.target) == MartOutcome(1, 3, ("p1", "p2"))
    assert mart_rows(desk) == [(None, None, Decimal(6), 3)]


def test_a_view_in_the_way_is_named(desk: Desk) -> None:
    """If this failed, a view on a mart would stop it with words that only a database knows, or be dropped with it."""
    publish_two(desk)
    refresh(desk)
    desk.rows("CREATE VIEW public.report AS SELECT * FROM mart.by_country_month")
    refresh(desk)
    with pytest.raises(Fault) as raised:
        refresh(desk, "mart: by_country_month\nfrom: orders\ngroup_by: [Country]")
    assert raised.value.code is Code.TABLE_MISMATCH
    assert "mart.by_country_month" in raised.value.message and "report" in raised.value.message
    assert desk.rows("SELECT count(*) FROM public.report") == [(2,)]


def test_readers_see_the_old_rows_until_the_new_ones_are_whole(desk: Desk) -> None:
    """If this failed, a report would find an empty or a half-filled mart while it is made anew."""
    publish_two(desk)
    refresh(desk)
    total = Poller(desk.dsn, "SELECT sum(source_rows)::int, sum(units)::int FROM mart.by_country_month")
    with total.polling():
        for size in (400, 900, 2_500):
            desk.publish("p3", delivery(desk.target.contract, [order(key, f"C{key % 50}", None, "1") for key in range(100, 100 + size)]))
            refresh(desk)
    states = {((3 + size, 6 + size),) for size in (0, 400, 900, 2_500)}
    assert total.seen <= states
    assert len(total.seen) > 1, "it looked on too seldom to see anything"
    assert sum(row[-1] for row in mart_rows(desk)) == 2_503


def test_old_rows_stay_readable_while_a_refresh_runs(desk: Desk) -> None:
    """If this failed, readers would wait for, or lose, a mart whose refresh takes long."""
    publish_two(desk)
    refresh(desk)
    desk.publish("p1", delivery(desk.target.contract, []))
    blocker = psycopg2.connect(desk.dsn)
    with blocker.cursor() as cursor, ThreadPoolExecutor(1) as threads:
        cursor.execute("LOCK TABLE shp_pub.publications IN ACCESS EXCLUSIVE MODE")
        running = threads.submit(refresh, desk)
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        until(lambda: desk.rows(waiting) == [(1,)])
        assert mart_rows(desk) == TWO
        blocker.commit()
        assert running.result(PATIENCE).source_rows == 2
    blocker.close()


def test_refreshes_side_by_side(desk: Desk) -> None:
    """If this failed, two refreshes at one time would double the rows, or one of them would fail."""
    publish_two(desk)
    refresh(desk)
    blocker = psycopg2.connect(desk.dsn)
    with blocker.cursor() as cursor, ThreadPoolExecutor(2) as threads:
        cursor.execute("LOCK TABLE shp_pub.publications IN ACCESS EXCLUSIVE MODE")
        running = [threads.submit(refresh, Desk(desk.dsn, desk.target)) for _ in range(2)]
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        until(lambda: desk.rows(waiting) == [(2,)])
        blocker.commit()
        assert [future.result(PATIENCE) for future in running] == [MartOutcome(2, 3, ("p1", "p2"))] * 2
    blocker.close()
    assert mart_rows(desk) == TWO


def test_first_refreshes_side_by_side(database_dsn: str) -> None:
    """If this failed, the first refreshes of a new installation would fail because two of them make the same table."""
    barrier = threading.Barrier(3)

    def run() -> MartOutcome:
        desk = Desk(database_dsn, target_of(FEED))
        barrier.wait(PATIENCE)
        return refresh(desk)

    with ThreadPoolExecutor(3) as threads:
        assert [future.result(PATIENCE) for future in [threads.submit(run) for _ in range(3)]] == [MartOutcome(0, 0, ())] * 3


def test_a_refresh_does_not_wait_for_a_publication(desk: Desk) -> None:
    """If this failed, one slow file would hold up every mart of its feed."""
    publish_two(desk)
    inside, go_on = threading.Event(), threading.Event()
    given = delivery(desk.target.contract, [order(9, "Oman", None)])

    def slow() -> Any:
        yield from given.batches
        inside.set()
        assert go_on.wait(PATIENCE)

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(desk.warehouse.publish, desk.target, desk.publication("p3", given), slow(), [])
        assert inside.wait(PATIENCE)
        assert refresh(desk).partitions == ("p1", "p2")
        go_on.set()
        running.result(PATIENCE)
    assert refresh(desk) == MartOutcome(3, 4, ("p1", "p2", "p3"))


numbers = st.none() | st.integers(-(2**31), 2**31 - 1)
orders = st.lists(st.tuples(st.sampled_from(["Chad", "Perú", "", None]), st.none() | st.dates(), numbers), max_size=30)


@settings(max_examples=25, deadline=None)
@given(orders, st.integers(0, 2**32))
def test_sums_equal_plain_sums(desk: Desk, content: list[tuple[Any, ...]], seed: int) -> None:
    """If this failed, blanks, old dates or negative numbers would make sums that no one could reproduce."""
    cents = random.Random(seed)
    expected: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [None, None, 0])
    rows = []
    for key, (country, day, units) in enumerate(content):
        price = Decimal(cents.randrange(-(10**9), 10**9)).scaleb(-2)
        rows.append(order(key, country, day and day.isoformat(), None if units is None else str(units), None, f"{price:.2f}"))
        entry = expected[country, day and day.replace(day=1)]
        entry[0] = entry[0] if units is None else (entry[0] or 0) + units
        entry[1] = (entry[1] or 0) + price
        entry[2] += 1
    desk.publish("p", delivery(desk.target.contract, rows))
    outcome = refresh(desk)
    assert (outcome.rows, outcome.source_rows) == (len(expected), len(rows))
    found = {(row[0], row[1]): [row[2], row[4], row[6]] for row in mart_rows(desk)}
    assert found == expected
