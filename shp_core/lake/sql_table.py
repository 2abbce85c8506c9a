r"""The clean rows of the lake as SQL of Hive: an external table over the files, and the view that people ask.

The table reads the files as they are: TAB between fields, `\N` for null. Hive's own escapes are not those of the dialect (it
takes `\t` for a `t`), so the view undoes them. Must not live here: asking Hive (`shp_resources.hive`).
"""

from __future__ import annotations

from functools import reduce

from shp_core.contract.contract import Contract, ContractColumn

PARTITION = "_partition"
_TYPES = {"text": "string", "integer": "int", "bigint": "bigint", "date": "date", "timestamp": "timestamp"}
_FLAG = "char(1)"  # `t` or `f`, as PostgreSQL writes them; the view makes a boolean of it
_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
_FORM = {
    "field.delim": r"\t",
    "line.delim": r"\n",
    "serialization.format": r"\t",
    "serialization.null.format": r"\\N",
}


_ESCAPES = {
    r"\\\\": r"\\a",
    r"\\t": r"\t",
    r"\\n": r"\n",
    r"\\r": r"\r",
    r"\\b": r"\u0008",
    r"\\f": r"\u000C",
    r"\\v": r"\u000B",
    r"\\a": r"\\",
}
"""What is replaced by what, in this order, as Hive spells texts: escaped backslashes wait as `\\a`, which the dialect does not know."""


def view_name(database: str, feed: str) -> str:
    """The name of a feed's view, quoted."""
    return f"{_quoted(database)}.{_quoted(feed)}"


def table_name(database: str, feed: str) -> str:
    """The name of the table under it, quoted."""
    return view_name(database, files_of(feed))


def files_of(feed: str) -> str:
    """What a feed's table is called."""
    return f"{feed}__files"


def columns(contract: Contract) -> list[tuple[str, str]]:
    """The table's columns as Hive describes them: names in lower case, types; the sheet's row number at the end."""
    return [*((column.name.lower(), _type(column)) for column in contract.columns), ("_row", "int")]


def create_database(database: str) -> str:
    """The statement that makes sure there is a database."""
    return f"CREATE DATABASE IF NOT EXISTS {_quoted(database)}"


def create_table(table: str, contract: Contract, location: str) -> str:
    """The statement that makes sure there is a feed's table.

    Args:
        table: its quoted name.
        contract: gives the columns.
        location: the feed's folder of clean rows in HDFS; partitions have their own.
    """
    listed = ", ".join(f"{_quoted(name)} {kind}" for name, kind in columns(contract))
    form = ", ".join(f"'{name}'='{value}'" for name, value in _FORM.items())
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {table} ({listed}) PARTITIONED BY ({_quoted(PARTITION)} string) "
        f"ROW FORMAT SERDE '{_SERDE}' WITH SERDEPROPERTIES ({form}) STORED AS TEXTFILE LOCATION {_text(location)}"
    )


def create_view(view: str, table: str, contract: Contract) -> str:
    """The statement after which a view shows a table's rows with every text as the sheet says it."""
    plain = [f"{_shown(_quoted(name), kind)} AS {_quoted(name)}" for name, kind in columns(contract)]
    return f"CREATE OR REPLACE VIEW {view} AS SELECT {', '.join(plain)}, {_quoted(PARTITION)} FROM {table}"


def _shown(column: str, kind: str) -> str:
    if kind == _FLAG:
        return f"{column} = 't'"
    return _unescaped(column) if kind == "string" else column


def _unescaped(column: str) -> str:
    replaced = reduce(lambda inner, pair: f"replace({inner}, '{pair[0]}', '{pair[1]}')", _ESCAPES.items(), column)
    return f"if(instr({column}, '\\\\') > 0, {replaced}, {column})"


def drop_table(table: str) -> str:
    """The statement that forgets a table; an external one leaves its files."""
    return f"DROP TABLE IF EXISTS {table}"


def follow_partition(table: str, key: str, location: str) -> tuple[str, str]:
    """The statements after which a partition's rows are those of a directory, whatever they were.

    Args:
        table: the table's quoted name.
        key: partition key.
        location: the publication's directory in HDFS.
    """
    named = f"PARTITION ({_quoted(PARTITION)}={_text(key)})"
    return (
        f"ALTER TABLE {table} ADD IF NOT EXISTS {named} LOCATION {_text(location)}",
        f"ALTER TABLE {table} {named} SET LOCATION {_text(location)}",
    )


def leave_partition(table: str, key: str) -> str:
    """The statement after which a table shows nothing of a partition; an external one leaves its files.

    Args:
        table: the table's quoted name.
        key: partition key.
    """
    return f"ALTER TABLE {table} DROP IF EXISTS PARTITION ({_quoted(PARTITION)}={_text(key)})"


def _type(column: ContractColumn) -> str:
    if column.type == "boolean":
        return _FLAG
    return _TYPES.get(column.type) or f"decimal({column.precision},{column.scale})"


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _text(value: str) -> str:
    """A path of the lake or a partition key: sanitised names, in which nothing needs an escape.

    Raises:
        ValueError: something does.
    """
    if "'" in value or "\\" in value:
        raise ValueError(f"{value[:300]!r} cannot be named in a statement")
    return f"'{value}'"
