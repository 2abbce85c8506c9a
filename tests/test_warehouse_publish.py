"""Publishing once: repeated, older and contradicting publications, rejects, feeds without a key, damage done by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_resources.warehouse import Held, Outcome
from tests.support.warehouse import (
    EVERY_TYPE,
    ITEMS,
    LINES,
    Delivery,
    Desk,
    contract_of,
    delivery,
    reject,
    reject_batch,
    target_of,
)

CONTRACT = contract_of(ITEMS)
OLD = delivery(CONTRACT, [("1", "a"), ("2", "b"), ("3", "c")], rejects=(reject_batch(reject(5, "x", "y"), reject(6, None, "z")),))
NEW = delivery(CONTRACT, [("1", "a"), ("2", "B"), ("4", "d")], rejects=(reject_batch(reject(9, "new", "one")),))
RIVAL = delivery(CONTRACT, [("3", "rival"), ("4", "rival")])
REFUSED = delivery(CONTRACT, [], name="refused", rejects=(reject_batch(*(reject(row, "bad", "row") for row in range(2, 8))),))


@pytest.fixture
def desk(database_dsn: str) -> Desk:
    """A feed with a key, by file: the first partition owns a key."""
    return Desk(database_dsn, target_of(ITEMS))


@pytest.fixture
def lines(database_dsn: str) -> Desk:
    """A feed without a key."""
    return Desk(database_dsn, target_of(LINES))


def number(desk: Desk, partition: str = "p1") -> int:
    """The number of the partition's publication."""
    return int(desk.rows("SELECT number FROM shp_pub.publications WHERE partition = %s", partition)[0][0])


def reject_texts(desk: Desk, partition: str = "p1") -> list[tuple[str, list[str | None]]]:
    """The rejects that stand there: of which delivery, which texts."""
    table = desk.target.table
    return desk.rows(f"SELECT _delivery, texts FROM quarantine.{table} WHERE _partition = %s ORDER BY _row", partition)


def test_a_new_delivery_replaces_the_old_one(desk: Desk) -> None:
    """If this failed, rows that a corrected file no longer has would stay in the table."""
    desk.publish("p1", OLD)
    assert desk.publish("p1", NEW) == Outcome(changed=True, loaded=3, displaced=0, rejected=1)
    assert desk.contents()["loaded"] == [
        (1, "a", "p1", NEW.name, 2),
        (2, "B", "p1", NEW.name, 3),
        (4, "d", "p1", NEW.name, 4),
    ]
    assert desk.held("p1") == Held(3, 0, NEW.hash)


def test_what_is_recorded_of_a_publication(desk: Desk) -> None:
    """If this failed, nobody could tell from the sink alone which bytes and which rules a partition was made of."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    assert desk.contents()["publications"] == [
        ("items", "p1", OLD.name, CONTRACT.version, 1, ["id", "text"], 3, 0, 2, OLD.hash),
        ("items", "p2", RIVAL.name, CONTRACT.version, 1, ["id", "text"], 1, 1, 0, RIVAL.hash),
    ]
    assert desk.rows("SELECT feed, partition, arrival, attempt FROM shp_pub.fences ORDER BY 2") == [
        ("items", "p1", 1, 1),
        ("items", "p2", 2, 1),
    ]
    ((fresh,),) = desk.rows("SELECT bool_and(now() - published_at < interval '1 hour') FROM shp_pub.publications")
    assert fresh


def test_the_same_publication_again_writes_nothing(desk: Desk) -> None:
    """If this failed, every repeated run would rewrite tables that people read, and marts would be made anew for nothing."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    places, numbers = desk.places(), (number(desk, "p1"), number(desk, "p2"))
    assert desk.publish("p1", OLD) == Outcome(changed=False, loaded=3, displaced=0, rejected=2)
    assert desk.publish("p2", RIVAL) == Outcome(changed=False, loaded=1, displaced=1, rejected=0)
    assert desk.places() == places
    assert (number(desk, "p1"), number(desk, "p2")) == numbers


def test_an_unchanged_publication_tells_where_its_rows_are_now(desk: Desk) -> None:
    """If this failed, conservation checks would compare with counts from before another partition took keys over."""
    desk.publish("p2", RIVAL)
    desk.publish("p1", OLD)
    assert desk.publish("p2", RIVAL) == Outcome(changed=False, loaded=1, displaced=1, rejected=0)


@pytest.mark.parametrize("change", ["contract_version", "converter_version"])
def test_another_version_is_another_publication(desk: Desk, change: str) -> None:
    """If this failed, a backfill of stale partitions would find nothing to do."""
    desk.publish("p1", OLD)
    before = number(desk)
    other = {"contract_version": "other", "converter_version": 2}[change]
    assert desk.publish("p1", OLD, **{change: other}).changed
    assert number(desk) > before


def test_an_older_arrival_gives_way(desk: Desk) -> None:
    """If this failed, a slow worker could put yesterday's file over today's."""
    desk.publish("p1", NEW, fence=(7, 2))
    contents, places = desk.contents(), desk.places()
    for fence in ((6, 9), (7, 1)):
        with pytest.raises(Fault) as raised:
            desk.publish("p1", OLD, fence=fence)
        assert raised.value.code is Code.SUPERSEDED
        with pytest.raises(Fault) as raised:
            desk.refuse("p1", REFUSED, fence=fence)
        assert raised.value.code is Code.SUPERSEDED
    assert (desk.contents(), desk.places()) == (contents, places)
    assert desk.rows("SELECT arrival, attempt FROM shp_pub.fences") == [(7, 2)]
    assert desk.publish("p2", RIVAL, fence=(1, 1)).changed, "another partition has a fence of its own"


def test_the_same_fence_may_publish_again(desk: Desk) -> None:
    """If this failed, an attempt that lost its connection while it committed could never be repeated."""
    desk.publish("p1", OLD, fence=(7, 2))
    assert not desk.publish("p1", OLD, fence=(7, 2)).changed
    assert desk.publish("p1", NEW, fence=(7, 2)).changed


def test_a_rewind_is_a_newer_arrival_of_older_bytes(desk: Desk) -> None:
    """If this failed, nobody could go back to yesterday's file."""
    desk.publish("p1", OLD)
    first = desk.contents()
    desk.publish("p1", NEW)
    assert desk.publish("p1", OLD).changed
    assert desk.contents() == first


@pytest.mark.parametrize("lie", [{"rows": 4}, {"rows": 2}, {"hash": "0" * 32}])
def test_rows_that_are_not_those_announced_are_not_published(desk: Desk, lie: dict[str, object]) -> None:
    """If this failed, half an artefact, or another delivery's, would be published as the whole."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    contents, places = desk.contents(), desk.places()
    with pytest.raises(Fault) as raised:
        desk.publish("p1", NEW, **lie)
    assert raised.value.code is Code.SINK_DISAGREES
    assert "warehouse.items" in raised.value.message
    assert (desk.contents(), desk.places()) == (contents, places)
    assert desk.publish("p1", NEW, fence=(1, 1)).changed, "not even the fence may have moved"


def test_an_empty_delivery_empties_the_partition(desk: Desk) -> None:
    """If this failed, a feed that allows empty deliveries would keep the rows of the last full one."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    assert desk.publish("p1", delivery(CONTRACT, [])) == Outcome(True, 0, 0, 0)
    assert [row[:3] for row in desk.contents()["loaded"]] == [(3, "rival", "p2"), (4, "rival", "p2")]
    assert desk.held("p1") == Held(0, 0, "0" * 32)
    assert reject_texts(desk) == []


def test_a_corrected_winner_leaves_the_losers_alone(desk: Desk) -> None:
    """If this failed, correcting one file would rewrite the displaced rows of every other file."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    before = desk.places()["shp_pub.displaced_items"]
    desk.publish("p1", delivery(CONTRACT, [("3", "corrected"), ("1", "a")]))
    assert desk.places()["shp_pub.displaced_items"] == before
    assert [row[:3] for row in desk.contents()["loaded"]] == [(1, "a", "p1"), (3, "corrected", "p1"), (4, "rival", "p2")]


def test_rejects_follow_the_delivery(desk: Desk) -> None:
    """If this failed, people would correct rows of a file that has been replaced."""
    desk.publish("p1", OLD)
    assert reject_texts(desk) == [(OLD.name, ["x", "y"]), (OLD.name, [None, "z"])]
    desk.publish("p2", RIVAL)
    desk.publish("p1", NEW)
    assert reject_texts(desk) == [(NEW.name, ["new", "one"])]
    assert reject_texts(desk, "p2") == []


def test_a_refused_delivery_shows_its_rejects_and_touches_nothing_else(desk: Desk) -> None:
    """If this failed, readers would lose the last good partition, or the sender would not see why the file was refused."""
    desk.publish("p1", OLD)
    before = desk.contents()
    assert desk.refuse("p1", REFUSED) == 6
    after = desk.contents()
    assert {name: after[name] for name in ("loaded", "displaced", "publications")} == {
        name: before[name] for name in ("loaded", "displaced", "publications")
    }
    assert [texts for name, texts in reject_texts(desk) if name == "refused"] == [["bad", "row"]] * 6
    assert desk.held("p1") == Held(3, 0, OLD.hash)


def test_a_first_delivery_may_be_refused(desk: Desk) -> None:
    """If this failed, the rejects of a feed whose very first file is bad would be nowhere."""
    assert desk.refuse("p1", REFUSED) == 6
    assert desk.held("p1") == Held(0, 0, "0" * 32)
    assert desk.contents()["publications"] == []


def test_going_back_after_a_refusal_shows_the_right_rejects(desk: Desk) -> None:
    """If this failed, a rewind would leave the refused delivery's rejects beside the published delivery's rows."""
    desk.publish("p1", OLD)
    before, unchanged = desk.contents(), number(desk)
    desk.refuse("p1", REFUSED)
    assert desk.publish("p1", OLD) == Outcome(changed=True, loaded=3, displaced=0, rejected=2)
    assert desk.contents() == before
    assert number(desk) == unchanged, "the publication is the same one"
    assert not desk.publish("p1", OLD).changed


def test_without_a_key_equal_rows_stay(lines: Desk) -> None:
    """If this failed, two equal till lines would count as one sale."""
    twice = delivery(lines.target.contract, [("1", "coffee"), ("1", "coffee"), ("1", None)])
    assert lines.publish("p1", twice) == Outcome(True, 3, 0, 0)
    assert lines.publish("p2", delivery(lines.target.contract, [("1", "coffee")])) == Outcome(True, 1, 0, 0)
    assert [row[2:] for row in lines.contents()["loaded"] if row[1] == "coffee"] == [
        ("p1", twice.name, 2),
        ("p1", twice.name, 3),
        ("p2", delivery(lines.target.contract, [("1", "coffee")]).name, 2),
    ]
    assert lines.held("p1") == Held(3, 0, twice.hash)


def test_without_a_key_the_same_bytes_count_once(lines: Desk) -> None:
    """If this failed, a file dropped under two names would count twice."""
    first, second = (delivery(lines.target.contract, [("1", text)]) for text in "ab")
    lines.publish("p1", first)
    contents, places = lines.contents(), lines.places()
    with pytest.raises(Refusal) as raised:
        lines.publish("p2", first)
    assert raised.value.code is Code.DUPLICATE_DELIVERY
    assert raised.value.details == {"partition": "p1"}
    assert (lines.contents(), lines.places()) == (contents, places)
    assert not lines.publish("p1", first).changed, "the same bytes under their own name are no twin"
    lines.publish("p1", second)
    assert lines.publish("p2", first).changed, "once the first partition has other bytes, these are nobody's"


def test_with_a_key_the_same_bytes_are_displaced(desk: Desk) -> None:
    """If this failed, a feed with a key would refuse what it can settle by itself."""
    desk.publish("p1", OLD)
    assert desk.publish("p2", OLD) == Outcome(True, 0, 3, 2)
    assert desk.held("p2") == Held(0, 3, OLD.hash)


@pytest.mark.parametrize("damage", ["TRUNCATE warehouse.items", "DELETE FROM warehouse.items WHERE id = 2", "DROP TABLE warehouse.items"])
def test_rows_lost_by_hand_come_back(desk: Desk, damage: str) -> None:
    """If this failed, the platform would call a partition published that nobody can read."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    whole = desk.contents()
    desk.rows(damage)
    assert desk.held("p1") != Held(3, 0, OLD.hash)
    assert desk.publish("p1", OLD).changed
    desk.publish("p2", RIVAL)
    assert desk.contents() == whole


def test_a_dropped_table_takes_its_publications_with_it(desk: Desk) -> None:
    """If this failed, the sink would claim partitions that went with a dropped table, and nobody would fill the gap."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    desk.rows("DROP TABLE warehouse.items")
    desk.publish("p3", delivery(CONTRACT, [("9", "new")]))
    assert [row[1] for row in desk.contents()["publications"]] == ["p3"]
    assert desk.contents()["displaced"] == []
    assert desk.held("p1") == Held(0, 0, "0" * 32)


def test_dropped_displaced_rows_are_missed(desk: Desk) -> None:
    """If this failed, displaced rows could be lost without a trace: the sink would still claim to hold them."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    whole = desk.contents()
    desk.rows("DROP TABLE shp_pub.displaced_items")
    desk.publish("p1", OLD)
    assert [row[1] for row in desk.contents()["publications"]] == ["p1"], "p2 had rows there"
    desk.publish("p2", RIVAL)
    assert desk.contents() == whole


@pytest.mark.parametrize("schema", ["warehouse", "quarantine", "shp_pub", "mart"])
def test_a_dropped_schema_is_made_again(desk: Desk, schema: str) -> None:
    """If this failed, one DROP SCHEMA would stop every feed until somebody knew which statements to run."""
    desk.publish("p1", OLD)
    desk.publish("p2", RIVAL)
    whole = desk.contents()
    desk.rows(f"DROP SCHEMA {schema} CASCADE")
    desk.held("p1")
    for partition, given in (("p1", OLD), ("p2", RIVAL)):
        desk.publish(partition, given)
        assert desk.held(partition).hash == given.hash
    assert desk.contents() == whole


def test_odd_partition_keys_are_only_text(desk: Desk) -> None:
    """If this failed, a file name could change what a statement does."""
    keys = ["'; DROP TABLE warehouse.items; --", "%s%(x)s{0}", 'a"b\\', "ü\t\n\\N", "=.-_"]
    for place, key in enumerate(keys):
        given = delivery(CONTRACT, [(str(place), key)], rejects=(reject_batch(reject(3, key)),))
        desk.publish(key, given)
        assert desk.held(key) == Held(1, 0, given.hash)
        assert reject_texts(desk, key) == [(given.name, [key])]
        assert not desk.publish(key, given).changed
    assert [row[2] for row in desk.contents()["loaded"]] == keys


def test_feeds_do_not_touch_each_other(desk: Desk) -> None:
    """If this failed, two feeds with partitions of the same name would overwrite each other."""
    desk.publish("p1", OLD)
    before = desk.contents()
    other = desk.turned_to(target_of(LINES))
    other.publish("p1", delivery(other.target.contract, [("7", "x")]), fence=(1, 1))
    after = desk.contents()
    assert (after["loaded"], after["rejects"]) == (before["loaded"], before["rejects"])
    assert [row[0] for row in after["publications"]] == ["items", "lines"]


def test_many_batches_are_one_delivery(database_dsn: str) -> None:
    """If this failed, a big file that comes in many batches, some of them empty, would be cut."""
    desk = Desk(database_dsn, target_of(EVERY_TYPE))
    contract = desk.target.contract
    content = [(str(row), *[None] * 5, f"text {row}", "t") for row in range(5_000)]
    given = delivery(contract, content, batch_rows=7)
    holes = (given.batches[0].slice(0, 0), *given.batches, given.batches[0].slice(0, 0))
    desk.publish("p1", replace(given, batches=holes))
    assert desk.held("p1") == Held(5_000, 0, given.hash)
    one = delivery(contract, content, batch_rows=10_000, name="in one piece")
    desk.publish("p1", one)
    assert desk.held("p1") == Held(5_000, 0, given.hash)


def test_a_slice_of_a_batch_counts_its_own_hashes(desk: Desk) -> None:
    """If this failed, batches cut out of bigger ones would be taken for damaged."""
    whole = delivery(CONTRACT, [(str(row), "x") for row in range(10)])
    part = delivery(CONTRACT, [(str(row), "x") for row in range(3, 7)])
    cut = Delivery(part.name, (whole.batches[0].slice(3, 4),), 4, part.hash, CONTRACT)
    assert desk.publish("p1", cut).loaded == 4
    assert desk.held("p1").hash == part.hash
