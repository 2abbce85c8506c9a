"""The proof: what the sinks hold (tables by SQL, the lake by its files) against what openpyxl reads in the workbooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from psycopg2 import sql

from shp_assets.kit import FeedKit
from shp_core.feeds.model import column_name
from shp_ops.demo.lake_proof import agreeing, hive_sums, lake_sums
from shp_ops.demo.watch import Dropped, Sight
from shp_ops.demo.witness import Reading, numeric_headers, read
from shp_resources.hive import hive_of
from shp_resources.ledger import LAKE
from shp_resources.outside import Outside
from shp_resources.warehouse.target import names


@dataclass(frozen=True)
class Line:
    """One comparison: what is compared, what the sink says, what openpyxl says, and which sink it is."""

    feed: str
    what: str
    in_sink: Decimal | int
    by_openpyxl: Decimal | int
    sink: str = "warehouse"

    @property
    def equal(self) -> bool:
        """Whether both say the same."""
        return self.in_sink == self.by_openpyxl


def prove(outside: Outside, kit: FeedKit, files: Mapping[Dropped, Sight]) -> list[Line]:
    """Compare what the sinks hold of a feed with the workbooks it was loaded from.

    Args:
        outside: the outside systems.
        kit: the feed.
        files: the feed's files; those that are published count.

    Returns:
        Rows read, clean rows, rows of the table, and the sum of every number column over clean rows, displaced ones too; of
        the lake its rows, the sum of all numbers, and how many partitions hold the same rows in both sinks.
    """
    reading = Reading()
    published = {file: sight.record for file, sight in files.items() if sight.published}
    counted = 0
    for file, record in published.items():
        assert record is not None and record.delivery is not None
        counted += sum(record.rows[name] for name in ("clean", "rejected", "duplicate"))
        read(kit.feed, file.path, _clean_rows(outside, kit, record.delivery), reading)
    found = _by_sql(outside, kit, [file.partition for file in published])
    lines = [
        Line(kit.name, "rows read", counted, reading.rows),
        Line(kit.name, "clean rows", int(found["rows"]), reading.chosen),
        Line(kit.name, f"rows in {kit.feed.table}", int(found["loaded"]), len(reading.keys)),
        Line(kit.name, "distinct keys", int(found["keys"]), len(reading.keys)),
    ]
    sums = [Line(kit.name, f"sum of {header}", found[header], reading.sums[header]) for header in numeric_headers(kit.feed)]
    return [*lines, *sums, *(_of_lake(outside, kit, [file.partition for file in published], reading) if kit.lake else ())]


def _of_lake(outside: Outside, kit: FeedKit, partitions: list[str], reading: Reading) -> Iterator[Line]:
    rows, total = lake_sums(outside, kit, partitions, numeric_headers(kit.feed))
    yield Line(kit.name, f"rows in curated/{kit.lake}", rows, reading.chosen, LAKE)
    yield Line(kit.name, f"numbers in curated/{kit.lake}", total, sum(reading.sums.values(), Decimal(0)), LAKE)
    yield Line(kit.name, "partitions equal in both", agreeing(outside, kit, partitions), len(partitions), LAKE)
    server = hive_of(outside.settings)
    if server is not None and partitions:
        rows, total = hive_sums(server, kit, partitions, numeric_headers(kit.feed))
        yield Line(kit.name, f"rows in {server.database}.{kit.name} by Hive", rows, reading.chosen, "hive")
        yield Line(kit.name, "numbers by Hive", total, sum(reading.sums.values(), Decimal(0)), "hive")


def _clean_rows(outside: Outside, kit: FeedKit, delivery: str) -> set[int]:
    """Sheet row numbers of the clean rows of a delivery."""
    artefacts = outside.store.validated(delivery, kit.contract)
    assert artefacts is not None, "a published delivery has its artefacts"
    return {row for batch in artefacts.clean() for row in batch.column("_row").to_pylist()}


def _by_sql(outside: Outside, kit: FeedKit, partitions: list[str]) -> dict[str, Decimal]:
    headers = numeric_headers(kit.feed)
    columns = names(kit.contract.names)
    sums = [sql.SQL("coalesce(sum({}), 0)").format(sql.Identifier(column_name(header, kit.feed.columns[header]))) for header in headers]
    statement = sql.SQL(
        "SELECT (SELECT count(*) FROM {loaded} WHERE _partition = ANY(%(partitions)s)), {values}"
        " FROM (SELECT {columns} FROM {loaded} WHERE _partition = ANY(%(partitions)s)"
        " UNION ALL SELECT {columns} FROM {displaced} WHERE _partition = ANY(%(partitions)s)) AS clean"
    ).format(
        values=sql.SQL(", ").join([sql.SQL("count(*), count(DISTINCT ({}))").format(names(kit.contract.key)), *sums]),
        columns=columns,
        loaded=kit.target.loaded,
        displaced=kit.target.displaced,
    )
    with outside.warehouse.transaction() as cur:
        cur.execute(statement, {"partitions": partitions})
        return dict(zip(["loaded", "rows", "keys", *headers], cur.fetchone(), strict=True))
