"""Tables that do not fit their feed any more: what would change is shown, and changes as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shp_core.errors import Fault, UsageError
from shp_resources.warehouse import migration
from tests.support.commands import VISITS, Place, visit, visits
from tests.support.postgres import fresh_database, rows
from tests.support.warehouse import Desk, delivery
from tests.test_warehouse_tables import changed, desk, keys, types

__all__ = ["desk"]


def migrated(desk: Desk, old: str, new: str) -> tuple[Desk, list[str]]:
    """The warehouse after an edit of the feed file and its migration, and what was done."""
    after = changed(desk, old, new)
    with after.warehouse.transaction() as cur:
        steps = migration.plan(cur, after.target)
        migration.apply(cur, steps)
    with after.warehouse.transaction(readonly=True) as cur:
        assert migration.plan(cur, after.target) == [], "once is enough"
    return after, steps


def test_what_fits_needs_nothing(desk: Desk) -> None:
    """A migration would be asked for where a new column or a wider type does no harm."""
    for old, new in (("type: integer, optional", "type: bigint, optional"), ("key:", "  New: {type: text, optional: true}\nkey:")):
        after = changed(desk, old, new)
        with after.warehouse.transaction(readonly=True) as cur:
            assert migration.plan(cur, after.target) == []


def test_another_type_is_converted_and_the_partition_published_anew(desk: Desk) -> None:
    """A number that becomes a text would need a person who knows SQL, and three tables."""
    after, steps = migrated(desk, "Count: {type: integer", "Count: {type: text")
    assert len(steps) == 3
    assert types(after, "warehouse", "plain")["count"][0] == "text"
    assert types(after, "shp_pub", "displaced_plain")["count"][0] == "text"
    assert after.rows("select count from warehouse.plain order by 1") == [("5",), ("5",)], "readers keep what there was"
    assert after.rows("select 1 from shp_pub.publications") == [], "what it holds is not what the feed says: it is published anew"
    after.publish("p1", delivery(after.target.contract, [("1", "five", "9.99", "x")]))
    assert after.rows("select count from warehouse.plain where id = 1") == [("five",)]


def test_a_column_that_the_feed_has_no_more_goes(desk: Desk) -> None:
    """The feed could never lose a column that was loaded once."""
    line = "  Count: {type: integer, optional: true}\n"
    with pytest.raises(Fault, match="which the feed has no more"):
        changed(desk, line, "").publish("p1", delivery(changed(desk, line, "").target.contract, [("1", "9.99", "x")]))
    desk.rows("alter table warehouse.plain add column checked_by text")
    after, _ = migrated(desk, line, "")
    assert "count" not in types(after, "warehouse", "plain")
    assert "checked_by" in types(after, "warehouse", "plain"), "what others added is theirs"
    after.publish("p1", delivery(after.target.contract, [("1", "9.99", "x")]))


def test_another_key(desk: Desk) -> None:
    """A key that was chosen wrong would stay for ever."""
    without, _ = migrated(desk, "key: [ID]", "key: []")
    assert keys(without, "warehouse.plain")[0] == "_partition, _row"
    back, _ = migrated(without, "key: [ID]", "key:   [ID]")
    assert keys(back, "warehouse.plain") == ("id", {"_partition"})


def test_what_cannot_be_converted_changes_nothing(desk: Desk) -> None:
    """Half a migration would leave tables that fit neither the old feed file nor the new one."""
    before = types(desk, "warehouse", "plain")
    with pytest.raises(UsageError, match="PostgreSQL refuses") as caught:
        migrated(desk, "Name:  {type: text", "Name:  {type: date")
    assert "'x'" not in caught.value.message, "no value of a cell is told"
    assert types(desk, "warehouse", "plain") == before
    assert desk.rows("select count(*) from shp_pub.publications") == [(2,)]


def test_a_feed_without_a_table_needs_nothing(desk: Desk) -> None:
    """A feed that was never loaded would fail to be looked at."""
    after = desk.turned_to(desk.target.__class__(desk.target.contract, "elsewhere", "first"))
    with after.warehouse.transaction(readonly=True) as cur:
        assert migration.plan(cur, after.target) == []


@pytest.fixture
def place(postgres_server: str, platform_template: str, tmp_path: Path) -> Iterator[Place]:
    """An installation on which nothing runs."""
    with fresh_database(postgres_server, platform_template) as dsn:
        yield Place.make(tmp_path, dsn, {"visits": VISITS})


def test_the_command_shows_then_changes_and_lets_go(place: Place) -> None:
    """What was held because the table did not fit would stay held after the table was changed."""
    path = visits(place.base / "drop" / "a.xlsx", [1, 2])
    assert place.shp("ingest", "visits", path).code == 0
    file = place.base / "feeds" / "visits.yaml"
    file.write_text(VISITS.replace("type: money, scale: 2, currency: EUR, min: 0", "type: text"), encoding="utf-8")
    visits(path, [1, 2], visit(3))
    assert place.shp("ingest", "visits", path, "--json").file("a.xlsx")["code"] == "table_mismatch"
    shown = place.shp("feeds", "migrate", "visits", "--json")
    assert (shown.code, shown.json["applied"]) == (1, False)
    assert len(shown.json["sql"]) == 3
    done = place.shp("feeds", "migrate", "visits", "--apply", "--json")
    assert (done.code, done.json["applied"], done.json["released"]) == (0, True, ["a"])
    assert place.shp("ingest", "visits", path).code == 0
    dsn = place.environ["SHP_PG_DSN"]
    assert len(rows(dsn, "select fee from warehouse.visits where fee = '12.5'")) == 3
    assert place.shp("feeds", "migrate", "visits").code == 0
