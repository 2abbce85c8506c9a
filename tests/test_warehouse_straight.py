"""The short way into a table: when it is taken, and that the tables are the same whichever way rows came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.errors import Fault
from shp_resources.warehouse import Outcome, publish, straight
from tests.support.postgres import fresh_database
from tests.support.warehouse import ITEMS, LINES, Delivery, Desk, contract_of, delivery, reject, reject_batch, target_of

CONTRACT = contract_of(ITEMS)
FIRST = delivery(CONTRACT, [(str(key), f"first {key}") for key in range(1, 8)], batch_rows=2)
APART = delivery(
    CONTRACT, [(str(key), f"apart {key}") for key in range(11, 18)], batch_rows=2, rejects=(reject_batch(reject(30, "x", "y")),)
)
SHARING = delivery(
    CONTRACT, [(str(key), f"sharing {key}") for key in (21, 22, 23, 24, 7)], batch_rows=2, rejects=(reject_batch(reject(30, "x", "y")),)
)


@pytest.fixture
def desk(database_dsn: str) -> Desk:
    """A feed with a key, by file: the first partition owns a key."""
    return Desk(database_dsn, target_of(ITEMS))


@pytest.fixture
def detours(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The partitions that were published by the long way."""
    taken: list[str] = []
    long_way: Callable[..., Outcome] = publish._replace

    def watched(cur: Any, target: Any, publication: Any, clean: Any, rejects: Any) -> Outcome:
        taken.append(publication.partition)
        return long_way(cur, target, publication, clean, rejects)

    monkeypatch.setattr(publish, "_replace", watched)
    return taken


def test_partitions_that_share_no_key_are_copied_once(desk: Desk, detours: list[str]) -> None:
    """Every row would be written twice on its way, and its key be looked for before."""
    assert desk.publish("p1", FIRST) == Outcome(changed=True, loaded=7, displaced=0, rejected=0)
    assert desk.publish("p2", APART) == Outcome(changed=True, loaded=7, displaced=0, rejected=1)
    assert detours == []
    assert desk.rows("SELECT _partition, _delivery, count(*) FROM warehouse.items GROUP BY 1, 2 ORDER BY 1") == [
        ("p1", FIRST.name, 7),
        ("p2", APART.name, 7),
    ]
    assert [desk.held(name).hash for name in ("p1", "p2")] == [FIRST.hash, APART.hash]


def test_a_key_of_another_partition_leads_to_the_long_way(desk: Desk, detours: list[str]) -> None:
    """The whole partition would be refused for one key, or a key would belong to two partitions."""
    desk.publish("p1", FIRST)
    assert desk.publish("p2", SHARING) == Outcome(changed=True, loaded=4, displaced=1, rejected=1)
    assert detours == ["p2"]
    assert desk.rows("SELECT id, _partition FROM warehouse.items WHERE id = 7") == [(7, "p1")]
    assert desk.rows("SELECT id, _partition, _winner FROM shp_pub.displaced_items") == [(7, "p2", "p1")]
    assert desk.rows("SELECT _partition, count(*) FROM warehouse.items GROUP BY 1 ORDER BY 1") == [("p1", 7), ("p2", 4)]


def test_where_a_key_was_contested_the_short_way_is_not_tried(desk: Desk, detours: list[str]) -> None:
    """Partitions that share keys, as stock levels of each day do, would be copied twice every time."""
    desk.publish("p1", FIRST)
    desk.publish("p2", SHARING)
    desk.publish("p3", APART)
    assert detours == ["p2", "p3"]


def test_a_corrected_delivery_takes_the_long_way(desk: Desk, detours: list[str]) -> None:
    """Rows of the earlier delivery would stay beside those of the corrected one."""
    desk.publish("p1", FIRST)
    desk.publish("p1", APART)
    assert detours == ["p1"]
    assert desk.rows("SELECT DISTINCT _delivery FROM warehouse.items") == [(APART.name,)]


def test_an_emptied_partition_is_filled_by_the_short_way(desk: Desk, detours: list[str]) -> None:
    """A partition that was empty once would be slow for ever."""
    desk.publish("p1", FIRST)
    desk.publish("p1", delivery(CONTRACT, []))
    desk.publish("p1", FIRST)
    assert detours == ["p1"]
    assert desk.held("p1").hash == FIRST.hash


def test_a_feed_without_a_key_has_nothing_to_contest(database_dsn: str, detours: list[str]) -> None:
    """Its rows would go through a table that nobody asks."""
    desk = Desk(database_dsn, target_of(LINES))
    contract = desk.target.contract
    row = tuple("1" if column.type == "integer" else "x" for column in contract.columns)
    desk.publish("p1", delivery(contract, [row, row]))
    desk.publish("p2", delivery(contract, [row]))
    assert detours == []
    assert desk.rows(f"SELECT _partition, count(*) FROM warehouse.{desk.target.table} GROUP BY 1 ORDER BY 1") == [("p1", 2), ("p2", 1)]


@pytest.mark.parametrize("lie", [{"rows": 6}, {"hash": "0" * 32}])
def test_rows_that_are_not_those_announced_are_not_left_behind(desk: Desk, lie: dict[str, Any]) -> None:
    """The short way has put them where readers look before they are counted."""
    with pytest.raises(Fault):
        desk.publish("p1", FIRST, **lie)
    assert desk.rows("SELECT to_regclass('warehouse.items')") in ([("warehouse.items",)], [(None,)])
    desk.publish("p2", APART)
    assert desk.rows("SELECT DISTINCT _partition FROM warehouse.items") == [("p2",)]


def closed(*ignored: object) -> None:
    """The short way is not to be had."""
    raise straight.Closed


def _contents(dsn: str, course: list[tuple[str, Delivery]]) -> dict[str, list[tuple[Any, ...]]]:
    desk = Desk(dsn, target_of(ITEMS))
    for partition, given_delivery in course:
        desk.publish(partition, given_delivery)
    found = desk.contents()
    desk.connection.close()
    return found


@given(
    course=st.lists(
        st.tuples(st.sampled_from(["p1", "p2", "p3"]), st.sets(st.integers(1, 9), max_size=5)),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=12, derandomize=True, deadline=None)
def test_both_ways_lead_to_the_same_tables(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch, course: list[tuple[str, set[int]]]
) -> None:
    """What readers see would depend on which way happened to be open."""
    given_course = [
        (partition, delivery(CONTRACT, [(str(key), f"{place} {key}") for key in sorted(keys)]))
        for place, (partition, keys) in enumerate(course)
    ]
    with fresh_database(postgres_server) as dsn:
        short = _contents(dsn, given_course)
    with monkeypatch.context() as patched, fresh_database(postgres_server) as dsn:
        patched.setattr(straight, "require_open", closed)
        assert _contents(dsn, given_course) == short
