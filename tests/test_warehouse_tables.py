"""The tables themselves: types, keys, indexes and comments; what is widened by itself and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_resources.warehouse import Held
from tests.support.warehouse import EVERY_TYPE, ITEMS, LINES, Desk, delivery, target_of

PLAIN = """
feed: plain
owner: team:tests
columns:
  ID:    {type: integer}
  Count: {type: integer, optional: true}
  Price: {type: money, scale: 2, precision: 12, optional: true}
  Name:  {type: text, optional: true}
key: [ID]
"""
ROW = ("1", "5", "9.99", "x")


@pytest.fixture
def desk(database_dsn: str) -> Desk:
    """A feed with one row published, and another row displaced."""
    desk = Desk(database_dsn, target_of(PLAIN))
    desk.publish("p1", delivery(desk.target.contract, [ROW]))
    desk.publish("p2", delivery(desk.target.contract, [ROW, ("2", *ROW[1:])]))
    return desk


def changed(desk: Desk, old: str, new: str) -> Desk:
    """The same warehouse after an edit of the feed file."""
    assert old in PLAIN
    return desk.turned_to(target_of(PLAIN.replace(old, new)))


def types(desk: Desk, schema: str, table: str) -> dict[str, tuple[Any, ...]]:
    """Columns in order, as information_schema knows them: type, precision, scale, whether null is allowed."""
    found = desk.rows(
        "SELECT column_name, data_type, numeric_precision, numeric_scale, is_nullable FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        schema,
        table,
    )
    return {name: tuple(rest) for name, *rest in found}


def keys(desk: Desk, table: str) -> tuple[str, set[str]]:
    """The primary key's columns, and those of every other index."""
    found = desk.rows(
        "SELECT i.indisprimary, string_agg(a.attname, ', ' ORDER BY k.place) FROM pg_index i"
        " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        " WHERE i.indrelid = %s::regclass GROUP BY i.indexrelid, i.indisprimary",
        table,
    )
    return next(columns for primary, columns in found if primary), {columns for primary, columns in found if not primary}


def shape(desk: Desk) -> list[tuple[Any, ...]]:
    """Everything about tables and columns that a change could change, with the files they lie in."""
    return desk.rows(
        "SELECT c.oid, c.relfilenode, a.attname, a.attnum, a.atttypid, a.atttypmod, col_description(c.oid, a.attnum) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace IN ('warehouse'::regnamespace, 'shp_pub'::regnamespace,"
        " 'quarantine'::regnamespace) AND a.attnum > 0 ORDER BY c.oid, a.attnum"
    )


def test_types(database_dsn: str) -> None:
    """If this failed, people would have to cast before they can calculate."""
    desk = Desk(database_dsn, target_of(EVERY_TYPE))
    desk.publish("p1", delivery(desk.target.contract, []))
    assert types(desk, "warehouse", "every_type_rows") == {
        "id": ("integer", 32, 0, "NO"),
        "big": ("bigint", 64, 0, "YES"),
        "day": ("date", None, None, "YES"),
        "moment": ("timestamp without time zone", None, None, "YES"),
        "price": ("numeric", 18, 2, "YES"),
        "rate": ("numeric", 38, 15, "YES"),
        "text": ("text", None, None, "YES"),
        "flag": ("boolean", None, None, "YES"),
        "_partition": ("text", None, None, "NO"),
        "_delivery": ("text", None, None, "NO"),
        "_row": ("integer", 32, 0, "NO"),
    }
    loaded = types(desk, "warehouse", "every_type_rows")
    displaced = types(desk, "shp_pub", "displaced_every_type_rows")
    assert displaced == {**loaded, "_winner": ("text", None, None, "NO")}
    assert [row[0] for row in types(desk, "quarantine", "every_type_rows").values()] == [
        "text", "text", "integer", "ARRAY", "jsonb", "text", "ARRAY",
    ]  # fmt: skip


def test_keys_and_indexes(database_dsn: str) -> None:
    """If this failed, a key could stand twice, or every question about one partition would read the whole table."""
    desk = Desk(database_dsn, target_of(ITEMS.replace("key: [ID]", "key: [Text, ID]").replace(", optional: true", "")))
    desk.publish("p1", delivery(desk.target.contract, []))
    assert keys(desk, "warehouse.items") == ("text, id", {"_partition"})
    assert keys(desk, "shp_pub.displaced_items") == ("text, id, _partition", {"_partition"})
    assert keys(desk, "quarantine.items") == ("_partition, _row", set())
    lines = desk.turned_to(target_of(LINES))
    lines.publish("p1", delivery(lines.target.contract, []))
    assert keys(lines, "warehouse.lines") == ("_partition, _row", set())
    assert lines.rows("SELECT to_regclass('shp_pub.displaced_lines')") == [(None,)]


def comments(desk: Desk, table: str) -> dict[str | None, str]:
    """Comments of a table's columns, and its own under None."""
    return dict(
        desk.rows(
            "SELECT a.attname, d.description FROM pg_description d LEFT JOIN pg_attribute a ON a.attrelid = d.objoid"
            " AND a.attnum = d.objsubid WHERE d.objoid = %s::regclass",
            table,
        )
    )


def test_comments(database_dsn: str) -> None:
    """If this failed, whoever opens the table would have to guess what its columns mean."""
    desk = Desk(database_dsn, target_of(EVERY_TYPE))
    desk.publish("p1", delivery(desk.target.contract, []))
    assert comments(desk, "warehouse.every_type_rows") == {
        None: 'It\'s a "feed" of every type; 100 % of them.',
        "id": "The key's number.",
        **{header.lower(): f"Column '{header}' of the sheet" for header in ("Big", "Day", "Moment", "Price", "Rate", "Text", "Flag")},
        "_partition": "The partition that the row belongs to",
        "_delivery": "SHA-256 of the delivery that the partition shows",
        "_row": "The row's number in the sheet",
    }
    for table in ("quarantine.every_type_rows", "shp_pub.displaced_every_type_rows"):
        assert "every_type" in comments(desk, table)[None]


def test_comments_follow_the_feed_file(desk: Desk) -> None:
    """If this failed, comments would tell what the feed file said when the table was made."""
    again = changed(desk, "Count: {type: integer, optional: true}", "Count: {type: integer, optional: true, description: How many.}")
    assert again.target.contract.version == desk.target.contract.version
    again.publish("p3", delivery(again.target.contract, []))
    assert comments(desk, "warehouse.plain")["count"] == "How many."
    desk.publish("p3", delivery(desk.target.contract, []), fence=(9, 1))
    assert comments(desk, "warehouse.plain")["count"] == "Column 'Count' of the sheet"


def test_a_new_optional_column_is_empty_for_older_rows(desk: Desk) -> None:
    """If this failed, a new column in the sheet would need a person with rights on the database."""
    more = changed(desk, "  Name:", "  Note:  {type: text, optional: true, description: New.}\n  Name:")
    before = desk.held("p2")
    given = delivery(more.target.contract, [("3", None, None, "a note", "y")])
    more.publish("p3", given)
    assert types(desk, "warehouse", "plain")["note"] == ("text", None, None, "YES")
    assert types(desk, "shp_pub", "displaced_plain")["note"] == ("text", None, None, "YES")
    assert comments(desk, "warehouse.plain")["note"] == "New."
    assert desk.rows("SELECT id, note, name FROM warehouse.plain ORDER BY id") == [(1, None, "x"), (2, None, "x"), (3, "a note", "y")]
    assert more.held("p3") == Held(1, 0, given.hash)
    assert more.held("p2") == before, "rows published before the change are still what was published"


def test_a_displaced_row_of_an_older_contract_moves_back_whole(desk: Desk) -> None:
    """If this failed, a row that moves back after a change of the feed would lose columns, or be lost."""
    more = changed(desk, "  Name:", "  Note:  {type: text, optional: true}\n  Name:")
    before = desk.held("p2")
    more.publish("p1", delivery(more.target.contract, [("7", None, None, "note", None)]))
    assert desk.rows("SELECT id, count, price::text, name, note, _partition FROM warehouse.plain WHERE id = 1") == [
        (1, 5, "9.99", "x", None, "p2")
    ]
    after = more.held("p2")
    assert (after.loaded, after.displaced, after.hash) == (2, 0, before.hash)


@pytest.mark.parametrize(
    ("old", "new", "column", "kind"),
    [
        ("Count: {type: integer,", "Count: {type: bigint,", "count", ("bigint", 64, 0, "YES")),
        ("precision: 12", "precision: 20", "price", ("numeric", 20, 2, "YES")),
    ],
)
def test_types_are_widened(desk: Desk, old: str, new: str, column: str, kind: tuple[Any, ...]) -> None:
    """If this failed, the first big number of a growing feed would need a person with rights on the database."""
    wide = changed(desk, old, new)
    before = desk.held("p2")
    big = {"count": ("3", str(2**40), None, None), "price": ("3", None, "1234567890123456.78", None)}[column]
    given = delivery(wide.target.contract, [big])
    wide.publish("p3", given)
    assert types(desk, "warehouse", "plain")[column] == types(desk, "shp_pub", "displaced_plain")[column] == kind
    assert (wide.held("p3").hash, wide.held("p2")) == (given.hash, before)
    assert desk.publish("p1", delivery(desk.target.contract, [ROW]), fence=(9, 1)).loaded == 1, "the narrower contract still fits"
    assert types(desk, "warehouse", "plain")[column] == kind, "nothing is narrowed by itself"


def test_a_key_column_is_widened(desk: Desk) -> None:
    """If this failed, order numbers that outgrow an integer would stop the feed."""
    wide = changed(desk, "ID:    {type: integer}", "ID:    {type: bigint}")
    wide.publish("p3", delivery(wide.target.contract, [(str(2**40), None, None, None), ("1", None, None, "third")]))
    assert desk.rows("SELECT id FROM warehouse.plain ORDER BY id") == [(1,), (2,), (2**40,)]
    wide.publish("p1", delivery(wide.target.contract, []))
    assert desk.rows("SELECT _partition FROM warehouse.plain WHERE id = 1") == [("p2",)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Count: {type: integer,", "Count: {type: text,", ("count", "integer", "text")),
        ("Name:  {type: text,", "Name:  {type: integer,", ("name", "text", "integer")),
        ("Count: {type: integer,", "Count: {type: decimal, scale: 2, precision: 18,", ("count", "integer", "numeric(18,2)")),
        ("scale: 2, precision: 12", "scale: 3, precision: 14", ("price", "numeric(12,2)", "numeric(14,3)")),
        ("Price: {type: money, scale: 2, precision: 12,", "Price: {type: bigint,", ("price", "numeric(12,2)", "bigint")),
        ("key: [ID]", "key: [Name]", ("key", "['id']", "['name']")),
        ("key: [ID]", "key: []", ("key", "['id']", "['_partition', '_row']")),
        ("  Count: {type: integer, optional: true}\n", "", ("count (integer)", "has no more")),
        ("  Name:  {", "  Title:  {", ("name (text)", "has no more")),
    ],
)
def test_other_changes_are_refused(desk: Desk, old: str, new: str, words: tuple[str, ...]) -> None:
    """If this failed, a slip in a feed file would change or mix up a table that people read."""
    text = PLAIN.replace(old, new)
    if "key: [Name]" in text:
        text = text.replace("Name:  {type: text, optional: true}", "Name:  {type: text}")
    other = desk.turned_to(target_of(text))
    before = shape(desk), desk.contents(), desk.places()
    with pytest.raises(Fault) as raised:
        other.publish("p3", delivery(other.target.contract, []))
    assert raised.value.code is Code.TABLE_MISMATCH
    assert all(word in raised.value.message for word in ("warehouse.plain", *words)), raised.value.message
    assert "shp feeds migrate plain" in raised.value.next_step
    assert (shape(desk), desk.contents(), desk.places()) == before


def test_the_order_of_columns_is_the_files_business(desk: Desk) -> None:
    """If this failed, moving a column in the feed file would mix up columns, or make whole partitions look damaged."""
    moved = desk.turned_to(
        target_of(
            PLAIN.replace("  Name:  {type: text, optional: true}\n", "").replace(
                "columns:\n", "columns:\n  Name:  {type: text, optional: true}\n"
            )
        )
    )
    assert moved.target.contract.names == ("name", "id", "count", "price")
    assert moved.target.contract.version == desk.target.contract.version
    before, held = shape(desk), {partition: desk.held(partition) for partition in ("p1", "p2")}
    assert {partition: moved.held(partition) for partition in held} == held, "read back in the order it was published in"
    assert not moved.publish("p1", delivery(desk.target.contract, [ROW])).changed, "an artefact from before the move"
    given = delivery(moved.target.contract, [("y", "3", "6", "1.00")])
    moved.publish("p3", given)
    assert moved.held("p3") == desk.held("p3") == Held(1, 0, given.hash)
    assert desk.rows("SELECT id, count, price::text, name FROM warehouse.plain WHERE id = 3") == [(3, 6, "1.00", "y")]
    assert shape(desk) == before


def test_an_artefact_from_before_the_move_may_still_come(desk: Desk) -> None:
    """If this failed, a re-drive after somebody moved a column would publish a partition that never agrees with itself."""
    text = PLAIN.replace("  ID:    {type: integer}\n", "").replace("key:", "  ID:    {type: integer}\nkey:")
    turned = desk.turned_to(target_of(text))
    given = delivery(desk.target.contract, [("3", "6", "1.00", "y")])
    turned.publish("p3", given)
    assert turned.held("p3") == Held(1, 0, given.hash)
    assert not turned.publish("p3", given).changed


def test_a_column_of_somebody_else_does_no_harm(desk: Desk) -> None:
    """If this failed, nobody could add a column of their own to a table."""
    desk.rows("ALTER TABLE warehouse.plain ADD COLUMN checked_by text")
    given = delivery(desk.target.contract, [("5", None, None, None)])
    desk.publish("p1", given)
    assert desk.held("p1") == Held(1, 0, given.hash)
    assert [row[0] for row in desk.rows("SELECT id FROM warehouse.plain WHERE checked_by IS NULL ORDER BY id")] == [1, 2, 5]


def test_a_view_in_the_way_is_named(desk: Desk) -> None:
    """If this failed, a view on the table would stop the feed with words that only a database knows."""
    desk.rows("CREATE VIEW public.report AS SELECT count FROM warehouse.plain")
    before = shape(desk), desk.contents(), desk.places()
    wide = changed(desk, "Count: {type: integer,", "Count: {type: bigint,")
    with pytest.raises(Fault) as raised:
        wide.publish("p3", delivery(wide.target.contract, []))
    assert raised.value.code is Code.TABLE_MISMATCH
    assert all(word in raised.value.message for word in ("warehouse.plain.count", "bigint", "report"))
    assert (shape(desk), desk.contents(), desk.places()) == before
    desk.rows("DROP VIEW public.report")
    assert wide.publish("p3", delivery(wide.target.contract, [])).changed


def test_a_table_of_somebody_else_is_left_alone(database_dsn: str) -> None:
    """If this failed, the platform would fill or change a table that is not its own."""
    desk = Desk(database_dsn, target_of(PLAIN))
    desk.rows(
        "CREATE SCHEMA warehouse; CREATE TABLE warehouse.plain (id integer PRIMARY KEY, count integer, price numeric(12,2), name text)"
    )
    desk.rows("INSERT INTO warehouse.plain VALUES (1, 2, 3, 'mine')")
    with pytest.raises(Fault) as raised:
        desk.publish("p1", delivery(desk.target.contract, [ROW]))
    assert raised.value.code is Code.TABLE_MISMATCH
    assert "_partition" in raised.value.message
    assert desk.rows("SELECT * FROM warehouse.plain") == [(1, 2, 3, "mine")]


def test_names_that_are_words_of_sql(database_dsn: str) -> None:
    """If this failed, a column called Order or User, or a table called group, would stop its feed."""
    words = ["select", "order", "user", "table", "from", "group", "d", "i", "l", "k", "best", "incoming", "leaving", "moved", "key"]
    columns = "\n".join(f"  {word.title()}: {{type: text, optional: {str(word != 'order').lower()}}}" for word in words)
    text = f"feed: select\nowner: team:tests\ncolumns:\n{columns}\nkey: [Order]\nsinks: {{warehouse: {{table: group}}}}"
    desk = Desk(database_dsn, target_of(text))
    given = delivery(desk.target.contract, [[f"{word} 1" if word != "order" else "1" for word in words]])
    assert desk.publish("p2", given).loaded == 1
    assert desk.publish("p1", given).loaded == 1
    assert desk.held("p2") == Held(0, 1, given.hash)
    desk.publish("p1", delivery(desk.target.contract, []))
    assert desk.held("p2") == Held(1, 0, given.hash)


def test_the_longest_names_fit(database_dsn: str) -> None:
    """If this failed, PostgreSQL would cut names off silently, and two tables or columns could become one."""
    table, column = "t" * 51, "c" * 63
    columns = f"columns:\n  A: {{type: integer, name: {column}}}\nkey: [A]"
    text = f"feed: {'f' * 63}\nowner: team:tests\n{columns}\nsinks: {{warehouse: {{table: {table}}}}}"
    desk = Desk(database_dsn, target_of(text))
    given = delivery(desk.target.contract, [("1",)])
    desk.publish("p" * 199, given)
    assert not desk.publish("p" * 199, given).changed
    assert desk.rows(f"SELECT {column} FROM warehouse.{table}") == [(1,)]
    assert desk.held("p" * 199) == Held(1, 0, given.hash)
