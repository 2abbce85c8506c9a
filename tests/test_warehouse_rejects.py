"""Rejected rows as they are shown: in order, bounded, and without personal data."""

from __future__ import annotations

from typing import Any

import pytest

from shp_resources.warehouse.rejects import MASK, read_rejects
from tests.support.warehouse import ITEMS, Desk, delivery, reject, reject_batch, target_of


@pytest.fixture
def desk(database_dsn: str) -> Desk:
    """Two partitions with rejects, published in the other order."""
    desk = Desk(database_dsn, target_of(ITEMS))
    for partition, numbers in (("b", (4, 2)), ("A", (3, 12))):
        bad = reject_batch(*(reject(number, f"text {number}", None, "", codes=("too_long",), column="text") for number in numbers))
        desk.publish(partition, delivery(desk.target.contract, [], name=partition, rejects=(bad,)))
    return desk


def shown(desk: Desk, limit: int = 100, partition: str | None = None) -> list[dict[str, Any]]:
    """What is shown."""
    with desk.warehouse.transaction() as cur:
        return read_rejects(cur, desk.target, limit, partition)


def test_rejects_are_shown_in_order(desk: Desk) -> None:
    """If this failed, whoever corrects a sheet would have to search for the rows, partition by partition."""
    assert [(row["partition"], row["row"]) for row in shown(desk)] == [("A", 3), ("A", 12), ("b", 2), ("b", 4)]
    assert shown(desk)[0] == {
        "feed": "items",
        "partition": "A",
        "row": 3,
        "codes": ["too_long"],
        "reasons": [{"column": "text", "code": "too_long"}],
        "text": ["text 3", None, ""],
    }


def test_of_one_partition_and_no_more_than_asked(desk: Desk) -> None:
    """If this failed, a bad file of a million rows would fill the screen, or hide the partition that was asked for."""
    assert [row["row"] for row in shown(desk, partition="b")] == [2, 4]
    assert [row["row"] for row in shown(desk, limit=1, partition="b")] == [2]
    assert [row["row"] for row in shown(desk, limit=3)] == [3, 12, 2]
    assert shown(desk, partition="' OR true --") == []


def test_a_feed_without_a_table_has_none(database_dsn: str) -> None:
    """If this failed, looking for rejects in a new installation would be an error."""
    assert shown(Desk(database_dsn, target_of(ITEMS))) == []


def test_personal_data_is_not_shown(desk: Desk) -> None:
    """If this failed, names and addresses of people would stand in terminals and logs."""
    private = desk.turned_to(target_of(ITEMS.replace("Text: {type: text,", "Text: {type: text, pii: true,")))
    assert {text for row in shown(private) for text in row["text"]} == {MASK, None, ""}
    assert [row["codes"] for row in shown(private)] == [["too_long"]] * 4
