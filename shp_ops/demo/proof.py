"""The proof: what stands in the tables, by SQL, against what openpyxl reads in the workbooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from psycopg2 import sql

from shp_assets.kit import FeedKit
from shp_core.feeds.model import column_name
from shp_core.states import PUBLISHED_STATES
from shp_ops.demo.watch import Dropped, Sight
from shp_ops.demo.witness import Reading, numeric_headers, read
from shp_resources.outside import Outside
from shp_resources.warehouse.target import names


@dataclass(frozen=True)
class Line:
    """One comparison: what is compared, what SQL says, what openpyxl says."""

    feed: str
    what: str
    by_sql: Decimal | int
    by_openpyxl: Decimal | int

    @property
    def equal(self) -> bool:
        """Whether both say the same."""
        return self.by_sql == self.by_openpyxl


def prove(outside: Outside, kit: FeedKit, files: Mapping[Dropped, Sight], landing: Path) -> list[Line]:
    """Compare a feed's tables with the workbooks they were loaded from.

    Args:
        outside: the outside systems.
        kit: the feed.
        files: the feed's files; those that are published count.
        landing: the feed's landing folder.

    Returns:
        Rows read, clean rows, distinct keys, and the sum of every number column; displaced rows count with the loaded.
    """
    reading = Reading()
    published = {file: sight for file, sight in files.items() if sight.record is not None and sight.record.state in PUBLISHED_STATES}
    counted = 0
    for file, sight in published.items():
        assert sight.record is not None and sight.record.delivery is not None
        artefacts = outside.store.validated(sight.record.delivery, kit.contract)
        assert artefacts is not None, "a published delivery has its artefacts"
        clean = {row for batch in artefacts.clean() for row in batch.column("_row").to_pylist()}
        counted += sum(sight.record.rows[name] for name in ("clean", "rejected", "duplicate"))
        read(kit.feed, landing / file.name, clean, reading)
    found = _by_sql(outside, kit, [file.partition for file in published])
    lines = [
        Line(kit.name, "rows read = clean + rejected + duplicate", counted, reading.rows),
        Line(kit.name, "clean rows", int(found["rows"]), reading.chosen),
        Line(kit.name, "distinct keys", int(found["keys"]), len(reading.keys)),
    ]
    sums = [Line(kit.name, f"sum of {header}", found[header], reading.sums[header]) for header in numeric_headers(kit.feed)]
    return lines + sums


def _by_sql(outside: Outside, kit: FeedKit, partitions: list[str]) -> dict[str, Decimal]:
    headers = numeric_headers(kit.feed)
    columns = names(kit.contract.names)
    sums = [sql.SQL("coalesce(sum({}), 0)").format(sql.Identifier(column_name(header, kit.feed.columns[header]))) for header in headers]
    statement = sql.SQL(
        "SELECT {values} FROM (SELECT {columns} FROM {loaded} WHERE _partition = ANY(%(partitions)s)"
        " UNION ALL SELECT {columns} FROM {displaced} WHERE _partition = ANY(%(partitions)s)) AS clean"
    ).format(
        values=sql.SQL(", ").join([sql.SQL("count(*), count(DISTINCT ({}))").format(names(kit.contract.key)), *sums]),
        columns=columns,
        loaded=kit.target.loaded,
        displaced=kit.target.displaced,
    )
    with outside.warehouse.transaction() as cur:
        cur.execute(statement, {"partitions": partitions})
        return dict(zip(["rows", "keys", *headers], cur.fetchone(), strict=True))
