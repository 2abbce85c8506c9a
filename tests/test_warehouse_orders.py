"""Property: the tables do not depend on the order in which deliveries came (a tiny model in Python is the witness)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

import psycopg2.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.publishing.dialect import escape, hash_text, row_digest, sum_digests
from shp_resources.warehouse import Outcome
from tests.support.postgres import database_at, rows
from tests.support.warehouse import ITEMS, Delivery, Desk, contract_of, delivery, target_of

Prefer = Literal["first", "last"]
Content = dict[str, str | None]
"""Key → text."""

# In bytes "B" < "_" < "a"; most languages' collations would order these differently.
PARTITIONS = ("B", "_10", "a'; --")
KEYS = ("1", "2", "3", "4")
CONTRACT = contract_of(ITEMS)


@dataclass(frozen=True)
class Step:
    """A delivery of a partition arrives: a new one, the same again, or an older one (a rewind)."""

    partition: str
    content: tuple[tuple[str, str | None], ...]


contents = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["x", "y", None]), max_size=4)
steps = st.builds(Step, st.sampled_from(PARTITIONS), contents.map(lambda content: tuple(content.items())))
prefers = st.sampled_from(["first", "last"])


@pytest.fixture(scope="module")
def made_desk(postgres_server: str) -> Iterator[Desk]:
    """One database for all examples; each of them begins with empty tables.

    Where the machine knows an English locale, the database sorts like a dictionary, which is not the order of bytes.
    """
    name = f"t_{uuid4().hex[:12]}"
    statement = f"create database {name} template template0 encoding 'UTF8' locale_provider libc locale"
    try:
        rows(postgres_server, f"{statement} 'en_US.UTF-8'")
    except psycopg2.errors.WrongObjectType:
        rows(postgres_server, f"{statement} 'C'")
    try:
        desk = Desk(database_at(postgres_server, name), target_of(ITEMS))
        desk.publish("made", delivery(CONTRACT, []))
        yield desk
    finally:
        rows(postgres_server, f"drop database {name} with (force)")


def made(content: tuple[tuple[str, str | None], ...]) -> Delivery:
    """The delivery of some content; two partitions may well bring the same bytes."""
    return delivery(CONTRACT, content)


def emptied(desk: Desk, prefer: Prefer) -> Desk:
    """A warehouse in which nothing is published."""
    desk.rows(
        "DELETE FROM warehouse.items; DELETE FROM shp_pub.displaced_items; DELETE FROM shp_pub.publications; DELETE FROM shp_pub.fences"
    )
    return desk.turned_to(target_of(ITEMS, prefer))


def expected(current: dict[str, Delivery], content: dict[str, Content], prefer: Prefer) -> dict[str, list[tuple[Any, ...]]]:
    """The model: who brings a key, sorted by bytes; the first or the last of them has it, the others are displaced."""
    loaded, displaced = [], []
    for partition, brought in content.items():
        for place, (key, text) in enumerate(brought.items()):
            rivals = sorted((other for other in content if key in content[other]), key=str.encode)
            winner = rivals[0 if prefer == "first" else -1]
            row = (int(key), text, partition, current[partition].name, place + 2)
            if winner == partition:
                loaded.append(row)
            else:
                displaced.append((*row, winner))
    return {"loaded": sorted(loaded, key=repr), "displaced": sorted(displaced, key=repr)}


def model_hash(content: Content) -> str:
    """The partition hash by its definition."""
    return hash_text(sum_digests(row_digest(f"{key}\t{escape(text)}") for key, text in content.items()))


def tables(desk: Desk) -> dict[str, list[tuple[Any, ...]]]:
    """Both tables with all their columns."""
    columns = "id, text, _partition, _delivery, _row"
    found = {
        "loaded": desk.rows(f"SELECT {columns} FROM warehouse.items"),
        "displaced": desk.rows(f"SELECT {columns}, _winner FROM shp_pub.displaced_items"),
    }
    return {name: sorted(lines, key=repr) for name, lines in found.items()}


@settings(max_examples=200, deadline=None)
@given(prefers, st.lists(steps, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_tables_tell_only_what_is_current(made_desk: Desk, prefer: Prefer, arriving: list[Step], random: Any) -> None:
    """If this failed, what people see would depend on which file happened to come first."""
    desk = emptied(made_desk, prefer)
    current: dict[str, Delivery] = {}
    content: dict[str, Content] = {}
    for step in arriving:
        current[step.partition], content[step.partition] = made(step.content), dict(step.content)
        outcome = desk.publish(step.partition, current[step.partition])
        model = expected(current, content, prefer)
        assert tables(desk) == model
        assert_counts(outcome, step.partition, model)
    for partition, brought in content.items():
        assert desk.held(partition).hash == model_hash(brought)
    assert_same_in_another_order(desk, current, random)


def assert_counts(outcome: Outcome, partition: str, model: dict[str, list[tuple[Any, ...]]]) -> None:
    """The outcome tells what stands there."""
    assert outcome.loaded == sum(row[2] == partition for row in model["loaded"])
    assert outcome.displaced == sum(row[2] == partition for row in model["displaced"])


def assert_same_in_another_order(desk: Desk, current: dict[str, Delivery], random: Any) -> None:
    """Only the current deliveries, once each, in any order: equal tables and equal hashes."""
    before, held = tables(desk), {partition: desk.held(partition) for partition in current}
    desk = emptied(desk, desk.target.prefer)
    for partition in random.sample(sorted(current), len(current)):
        desk.publish(partition, current[partition])
    assert tables(desk) == before
    assert {partition: desk.held(partition) for partition in current} == held


@settings(max_examples=60, deadline=None)
@given(prefers, st.lists(steps, min_size=2, max_size=6))
def test_another_preference_resettles_every_key(made_desk: Desk, prefer: Prefer, arriving: list[Step]) -> None:
    """If this failed, changing `prefer:` would leave some keys with their old owners for ever, and others not."""
    desk = emptied(made_desk, prefer)
    current = {step.partition: made(step.content) for step in arriving}
    content = {step.partition: dict(step.content) for step in arriving}
    for step in arriving:
        desk.publish(step.partition, made(step.content))
    other: Prefer = "last" if prefer == "first" else "first"
    turned = desk.turned_to(target_of(ITEMS, other))
    last = arriving[-1].partition
    contested = bool(tables(desk)["displaced"])
    assert turned.publish(last, current[last]).changed is contested
    assert tables(turned) == expected(current, content, other)


def test_a_dropped_key_goes_to_the_best_of_two(made_desk: Desk) -> None:
    """If this failed, a key that its owner drops would vanish, though two other partitions bring it."""
    desk = emptied(made_desk, "first")
    for partition in PARTITIONS:
        desk.publish(partition, delivery(CONTRACT, [("1", f"of {partition}")]))
    assert {(row[2], row[5]) for row in tables(desk)["displaced"]} == {("_10", "B"), ("a'; --", "B")}
    desk.publish("B", delivery(CONTRACT, [("2", "other")]))
    assert {row[:3] for row in tables(desk)["loaded"]} == {(1, "of _10", "_10"), (2, "other", "B")}
    assert {(row[2], row[5]) for row in tables(desk)["displaced"]} == {("a'; --", "_10")}
    assert desk.held("_10").loaded == 1 and desk.held("a'; --").displaced == 1
