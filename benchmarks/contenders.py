"""Who takes part: how each is called, where its rows end up.

Must not live here: measuring and judging; see `ingest`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.one_sink import warehouse_only
from benchmarks.table import DSN_VARIABLE, TABLE

ROOT = Path(__file__).resolve().parent.parent

_FIRST_FEED = "feed: first\nowner: team:benchmarks\nsource: {format: csv}\ncolumns:\n  ID: {type: integer}\nkey: [ID]\n"


@dataclass(frozen=True)
class Contender:
    """One way from workbooks to a table.

    Args:
        name: in results.
        what: one sentence for people.
        table: where its rows are afterwards.
        command: the command line for these workbooks.
        variables: its own environment variables, given the database's address and an empty folder.
        slow: whether it may get fewer workbooks than the others.
        before: a command line that is run first, and not timed.
    """

    name: str
    what: str
    table: str
    command: Callable[[Sequence[Path]], list[str]]
    variables: Callable[[str, Path], dict[str, str]]
    slow: bool = False
    before: Callable[[Path], list[str]] | None = None

    def environment(self, dsn: str, folder: Path, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of its process; nothing of a configured installation leaks into it."""
        source = os.environ if inherited is None else inherited
        kept = {name: value for name, value in source.items() if not name.startswith(("SHP_", "DAGSTER_", "PG"))}
        return kept | {"PYTHONPATH": str(ROOT)} | self.variables(dsn, folder)


def _module(name: str) -> Callable[[Sequence[Path]], list[str]]:
    return lambda paths: [sys.executable, "-m", name, *map(str, paths)]


def _database_only(dsn: str, folder: Path) -> dict[str, str]:
    return {DSN_VARIABLE: dsn}


def _shp(paths: Sequence[Path]) -> list[str]:
    return _ingest("sales", paths)


def _ingest(feed: str, paths: Sequence[Path]) -> list[str]:
    start = "from shp_ops.cli.main import main; main()"
    return [sys.executable, "-c", start, "ingest", feed, *map(str, paths), "--json"]


def _first_feed(folder: Path) -> list[str]:
    """Another feed's first row: it makes the installation, and no table that the workbooks go to."""
    (folder / "feeds" / "first.yaml").write_text(_FIRST_FEED, encoding="utf-8")
    (folder / "first.csv").write_text("ID\n1\n", encoding="ascii")
    return _ingest("first", [folder / "first.csv"])


def _fresh_home(dsn: str, folder: Path) -> dict[str, str]:
    return {"SHP_HOME": str(folder / "home"), "SHP_FEEDS": str(warehouse_only(folder / "feeds")), "SHP_PG_DSN": dsn}


YARDSTICK = Contender(
    "yardstick",
    "one process: fastexcel, dates in Arrow, CSV COPY to a temporary table, upsert; no checks",
    TABLE,
    _module("benchmarks.yardstick"),
    _database_only,
)
PANDAS = Contender(
    "pandas", "pandas.read_excel (openpyxl), conversions, to_sql", TABLE, _module("benchmarks.pandas_to_sql"), _database_only, slow=True
)
NEW = Contender("shp, new", "shp ingest sales, in an empty SHP_HOME and an empty database", "warehouse.sales_records", _shp, _fresh_home)
SHP = replace(NEW, name="shp", what="shp ingest sales, in an installation that has loaded another feed", before=_first_feed)

CONTENDERS = {contender.name: contender for contender in (SHP, NEW, YARDSTICK, PANDAS)}
