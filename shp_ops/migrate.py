"""`shp feeds migrate`: a feed's tables made to fit its feed file, and what was held for it let go."""

from __future__ import annotations

from typing import Any

from shp_core.codes import Code
from shp_core.contract.compile import compile_contract
from shp_core.feeds.model import Feed
from shp_core.states import HELD_STATES
from shp_ops.installation import catalogue_of, looked_at, require_feed
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock


def migrate(settings: Settings, feed: str, *, apply: bool = False) -> dict[str, Any]:
    """What the feed's tables need, and do it if asked.

    Args:
        settings: the installation.
        feed: feed.
        apply: change the tables, in one transaction.

    Returns:
        `feed`, `sql` (statements), `applied`, `released` (partitions that were held because the table did not fit).

    Raises:
        UsageError: there is no such feed, or PostgreSQL refuses a change.
        Fault: the warehouse cannot be used.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    with looked_at(settings):
        steps = _in_warehouse(settings, model, apply=apply)
        released = _release(settings, feed) if apply else []
    return {"feed": feed, "sql": steps, "applied": apply and bool(steps), "released": released}


def _in_warehouse(settings: Settings, model: Feed, *, apply: bool) -> list[str]:
    from shp_resources.warehouse import Target, Warehouse, migration

    target = Target(compile_contract(model), model.table, model.preferred)
    warehouse = Warehouse(settings.sink_dsn)
    with warehouse.alone(target) if apply else warehouse.transaction(readonly=True) as cur:
        steps = migration.plan(cur, target)
        if apply:
            migration.apply(cur, steps)
        return steps


def _release(settings: Settings, feed: str) -> list[str]:
    ledger = Ledger(settings.ledger_dsn)
    now = SystemClock().now()
    held = [record for record in ledger.partitions.list(feed, HELD_STATES) if record.code == Code.TABLE_MISMATCH]
    for record in held:
        ledger.partitions.move(feed, record.partition, record.state, expect_version=record.version, next_attempt_at=now, armed_at=now)
    return [record.partition for record in held]
