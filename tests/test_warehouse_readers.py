"""Others look on and write beside: a second connection sees whole partitions only, publishers do not block each other up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest

from shp_resources.warehouse import Held, Outcome, Warehouse
from tests.support.waiting import PATIENCE, until
from tests.support.warehouse import ITEMS, LINES, Delivery, Desk, Poller, contract_of, delivery, target_of

CONTRACT = contract_of(ITEMS)
BIG = 20_000


def numbered(first: int, rows: int, text: str = "1") -> Delivery:
    """Rows with consecutive keys; the text is a number, so that sums tell versions apart."""
    return delivery(CONTRACT, [(str(key), text) for key in range(first, first + rows)])


COUNTS = "SELECT _partition, count(*), sum(text::int)::int, count(DISTINCT _delivery)::int FROM warehouse.items GROUP BY 1 ORDER BY 1"
WITH_RECORD = (
    "SELECT p.partition, count(i.id), p.rows_loaded::int, count(DISTINCT i._delivery)::int, bool_and(i._delivery = p.delivery)"
    " FROM shp_pub.publications p LEFT JOIN warehouse.items i ON i._partition = p.partition GROUP BY p.partition, p.rows_loaded ORDER BY 1"
)
WITH_DISPLACED = (
    "SELECT (SELECT count(*) FROM warehouse.items) + (SELECT count(*) FROM shp_pub.displaced_items)"
    " - (SELECT sum(rows_loaded + rows_displaced) FROM shp_pub.publications)"
)


def test_a_second_connection_sees_whole_partitions_only(database_dsn: str) -> None:
    """If this failed, a report run while a file is being loaded would show half of it, and nobody would know."""
    desk = Desk(database_dsn, target_of(ITEMS))
    desk.publish("b", numbered(0, 10))
    counts, record = Poller(database_dsn, COUNTS), Poller(database_dsn, WITH_RECORD)
    whole = Poller(database_dsn, WITH_DISPLACED)
    with counts.polling(), record.polling(), whole.polling():
        desk.publish("b", numbered(0, BIG, "2"))
        desk.publish("b", numbered(5_000, BIG, "3"))
        desk.publish("c", numbered(0, BIG, "5"))
        desk.publish("a", numbered(10_000, BIG, "7"))
        desk.publish("a", numbered(0, 0))
    b_only = ("b", BIG, 3 * BIG, 1)
    assert counts.seen <= {
        (("b", 10, 10, 1),),
        (("b", BIG, 2 * BIG, 1),),
        (b_only,),
        (b_only, ("c", 5_000, 25_000, 1)),
        (("a", BIG, 7 * BIG, 1), ("b", 5_000, 15_000, 1), ("c", 5_000, 25_000, 1)),
    }
    assert (b_only,) in counts.seen and len(counts.seen) > 2, "it looked on too seldom to see anything"
    rows = {row for answer in record.seen for row in answer}
    assert len(rows) > 2 and all(row[3] <= 1 and row[4] is not False for row in rows), "one delivery a partition, the recorded one"
    assert whole.seen == {((0,),)}, "no row is ever in two places or in none"


def test_a_reader_in_one_transaction_sees_one_state(database_dsn: str) -> None:
    """If this failed, two questions of one report would be answered from two versions of a file."""
    desk = Desk(database_dsn, target_of(ITEMS))
    desk.publish("a", numbered(0, 100, "1"))
    reader = psycopg2.connect(database_dsn)
    reader.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with reader.cursor() as cursor:
        cursor.execute(COUNTS)
        before = cursor.fetchall()
        desk.publish("a", numbered(50, 100, "2"))
        desk.publish("b", numbered(0, 100, "3"))
        cursor.execute(COUNTS)
        assert cursor.fetchall() == before == [("a", 100, 100, 1)]
    reader.close()


def test_reading_back_is_of_one_moment(database_dsn: str) -> None:
    """If this failed, a check that runs beside another publication would call a whole partition damaged."""
    desk = Desk(database_dsn, target_of(ITEMS))
    given = numbered(0, 2_000)
    desk.publish("b", given)
    stop, seen = threading.Event(), set[Held]()

    def check() -> None:
        while not stop.is_set():
            seen.add(desk.held("b"))

    with ThreadPoolExecutor(1) as threads:
        checking = threads.submit(check)
        for round_ in range(4):
            desk.turned_to(desk.target).publish("a", numbered(500 * round_, 1_000), fence=(10 + round_, 1))
        stop.set()
        checking.result()
    assert {held.hash for held in seen} == {given.hash}
    assert {held.loaded + held.displaced for held in seen} == {2_000}


def publish_side_by_side(dsn: str, feed: str, work: dict[str, list[Delivery]]) -> list[Outcome]:
    """One thread and one warehouse for each partition; all of them begin at once."""
    barrier = threading.Barrier(len(work))
    target = target_of(feed)

    def run(partition: str, deliveries: list[Delivery]) -> list[Outcome]:
        desk = Desk(dsn, target)
        barrier.wait(PATIENCE)
        return [desk.publish(partition, given) for given in deliveries]

    with ThreadPoolExecutor(len(work)) as threads:
        running = [threads.submit(run, partition, deliveries) for partition, deliveries in work.items()]
        return [outcome for future in running for outcome in future.result(PATIENCE)]


def test_two_publishers_of_one_feed_end_as_one_would(database_dsn: str, postgres_server: str) -> None:
    """If this failed, files that arrive together would dead-lock, or share keys out differently than one after the other."""
    work = {
        "a": [numbered(0, 2_000, "1"), numbered(1_000, 2_000, "2"), numbered(500, 1_000, "3")],
        "b": [numbered(500, 2_000, "4"), numbered(0, 3_000, "5"), numbered(900, 2_000, "6")],
        "c": [numbered(2_000, 500, "7"), numbered(0, 100, "8"), numbered(1_400, 1_000, "9")],
    }
    outcomes = publish_side_by_side(database_dsn, ITEMS, work)
    assert all(outcome.changed for outcome in outcomes)
    together = Desk(database_dsn, target_of(ITEMS))
    found = together.contents()
    assert {partition: together.held(partition).hash for partition in work} == {name: given[-1].hash for name, given in work.items()}
    together.rows("DROP SCHEMA warehouse, quarantine, shp_pub, mart CASCADE")
    for partition, deliveries in work.items():
        together.publish(partition, deliveries[-1])
    alone = together.contents()
    assert (found["loaded"], found["displaced"]) == (alone["loaded"], alone["displaced"])


@pytest.mark.parametrize("feed", [ITEMS, LINES])
def test_the_first_publications_may_come_together(database_dsn: str, feed: str) -> None:
    """If this failed, the first files of a new installation would fail because two workers make the same tables."""
    contract = contract_of(feed)
    work = {f"p{number}": [delivery(contract, [(str(number), "x")])] for number in range(5)}
    assert publish_side_by_side(database_dsn, feed, work) == [Outcome(True, 1, 0, 0)] * 5
    desk = Desk(database_dsn, target_of(feed))
    assert len(desk.contents()["loaded"]) == len(desk.contents()["publications"]) == 5


def test_feeds_do_not_wait_for_each_other(database_dsn: str) -> None:
    """If this failed, one slow feed would hold up every other one."""
    items, lines = Desk(database_dsn, target_of(ITEMS)), Desk(database_dsn, target_of(LINES))
    items.publish("p", numbered(0, 1))
    lines.publish("p", delivery(lines.target.contract, []))
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> Any:
        yield numbered(0, 10).batches[0]
        inside.set()
        assert go_on.wait(PATIENCE)

    given = numbered(0, 10, "1")
    with ThreadPoolExecutor(1) as threads:
        publication = items.publication("p", given)
        running = threads.submit(items.warehouse.publish, items.target, publication, slow(), [])
        assert inside.wait(PATIENCE)
        assert lines.publish("p", delivery(lines.target.contract, [("1", "x")])).changed
        assert items.held("p").loaded == 1, "readers do not wait either"
        go_on.set()
        assert running.result(PATIENCE).loaded == 10


def test_a_publisher_waits_for_the_one_before_it(database_dsn: str) -> None:
    """If this failed, two workers on one partition could mix their rows, or the older could win."""
    desk = Desk(database_dsn, target_of(ITEMS))
    desk.publish("p", numbered(0, 1))
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> Any:
        yield numbered(0, 10).batches[0]
        inside.set()
        assert go_on.wait(PATIENCE)

    with ThreadPoolExecutor(2) as threads:
        older = desk.publication("p", numbered(0, 10), fence=(5, 1))
        first = threads.submit(desk.warehouse.publish, desk.target, older, slow(), [])
        assert inside.wait(PATIENCE)
        second = threads.submit(desk.turned_to(desk.target).publish, "p", numbered(0, 20, "2"), (6, 1))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        until(lambda: desk.rows(waiting) == [(1,)])
        assert not second.done()
        go_on.set()
        assert first.result(PATIENCE) == Outcome(True, 10, 0, 0)
        assert second.result(PATIENCE) == Outcome(True, 20, 0, 0)
    assert desk.rows(COUNTS) == [("p", 20, 40, 1)]


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_databases_own_isolation_level_does_not_matter(database_dsn: str, isolation: str) -> None:
    """If this failed, files that arrive together would fail in databases with a stricter default."""
    desk = Desk(database_dsn, target_of(ITEMS))
    desk.rows(f"ALTER DATABASE {database_dsn.rpartition('/')[2]} SET default_transaction_isolation TO '{isolation}'")
    work = {f"p{number}": [numbered(0, 50, str(number)), numbered(10, 50, str(number))] for number in range(3)}
    assert len(publish_side_by_side(database_dsn, ITEMS, work)) == 6
    assert desk.rows(COUNTS) == [("p0", 50, 0, 1)]


def test_a_warehouse_follows_its_address(database_dsn: str, postgres_server: str) -> None:
    """If this failed, a process that outlives the embedded server would look for it under its old port for ever."""
    place = ["postgresql://shp@127.0.0.1:1/gone"]
    warehouse = Warehouse(lambda: place[0])
    desk = Desk(database_dsn, target_of(ITEMS))
    desk.__dict__["warehouse"] = warehouse
    with pytest.raises(Exception, match="warehouse"):
        desk.publish("p", numbered(0, 1))
    place[0] = database_dsn
    assert desk.publish("p", numbered(0, 1)).loaded == 1
