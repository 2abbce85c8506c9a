"""Rejected rows as people and programs are shown them: bounded, personal data masked."""

from __future__ import annotations

from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.contract.contract import Contract
from shp_resources.warehouse.target import Target

MASK = "•••"


def read_rejects(cur: cursor, target: Target, limit: int, partition: str | None = None) -> list[dict[str, Any]]:
    """The first rejected rows of a feed, or of one partition, in order of partition and row.

    The cells of a feed that has columns with personal data are not shown at all: a reject's texts stand in the order
    of the sheet, and a sheet with a moved column would show the wrong ones.
    """
    cur.execute("SELECT to_regclass(%s)", (f'"quarantine"."{target.table}"',))
    if cur.fetchone() == (None,):
        return []
    cur.execute(
        sql.SQL(
            "SELECT _partition, _row, codes, reasons, texts FROM {} WHERE %(partition)s IS NULL OR _partition = %(partition)s"
            ' ORDER BY _partition COLLATE "C", _row LIMIT %(limit)s'
        ).format(target.rejects),
        {"partition": partition, "limit": limit},
    )
    return [_record(target, row) for row in cur.fetchall()]


def _record(target: Target, row: tuple[Any, ...]) -> dict[str, Any]:
    partition, number, codes, reasons, texts = row
    shown = [MASK if text else text for text in texts] if _has_pii(target.contract) else texts
    return {"feed": target.feed, "partition": partition, "row": number, "codes": codes, "reasons": reasons, "text": shown}


def _has_pii(contract: Contract) -> bool:
    return any(column.pii for column in contract.columns)
