"""The contract's version: what counts and what does not (DESIGN section 2)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shp_core.contract.compile import compile_contract
from shp_core.feeds.model import Feed

BASE: dict[str, Any] = {
    "feed": "things",
    "owner": "team:tests",
    "description": "Things.",
    "source": {"match": "*.xlsx", "sheet": 1, "header": 1},
    "partition": {"by": "day", "start": "2026-01-01", "due": "07:00"},
    "columns": {
        "Order ID": {"type": "integer", "min": 0},
        "Region": {"type": "text", "in": ["N", "S"], "max_length": 5, "transform": ["strip", "upper"]},
        "Order Date": {"type": "date", "formats": ["%m/%d/%Y"]},
        "Price": {"type": "money", "scale": 2, "currency": "USD"},
        "Remark": {"type": "text", "optional": True},
        "Old": {"ignore": True},
        "Older": {"ignore": True},
    },
    "key": ["Order ID", "Region"],
    "rules": {"max_rejected_share": 0.05, "volume_within": 0.2},
    "sinks": {"warehouse": {"table": "things"}},
}


def version(edits: dict[str, Any]) -> str:
    """The version after setting values by dotted path; None removes a key."""
    described = copy.deepcopy(BASE)
    for path, value in edits.items():
        *parents, last = path.split(".")
        place = described
        for part in parents:
            place = place.setdefault(part, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return compile_contract(Feed.model_validate(described)).version


def reordered(columns: list[str]) -> dict[str, Any]:
    """The columns in this order."""
    return {header: BASE["columns"][header] for header in columns}


@pytest.mark.parametrize(
    "edits",
    [
        {"owner": "team:others"},
        {"description": "Other words."},
        {"feed": "others"},
        {"source.match": "things_*.xlsx"},
        {"partition.due": "09:00"},
        {"partition.timezone": "Asia/Kolkata"},
        {"partition.start": "2026-02-01"},
        {"partition": None},
        {"partition.many": "newest"},
        {"prefer": "first"},
        {"sinks": {"warehouse": {"table": "elsewhere"}}},
        {"sinks": {"warehouse": {"table": "things"}, "lake": {"path": "things"}}},
        {"columns.Region.description": "Where."},
        {"columns.Remark.pii": True},
        {"columns": reordered(["Old", "Older", "Remark", "Price", "Order Date", "Region", "Order ID"])},
        {"columns": reordered(["Order ID", "Region", "Order Date", "Price", "Remark", "Older", "Old"])},
        {"columns.Region.in": ["S", "N"]},
        {"columns.Order ID.min": 0.0},
        {"columns.Price.scale": None},
        {"columns.Order ID.name": "order_id"},
        {"columns.Remark.optional": True},
        {"numbers": {"decimal": ".", "group": ","}},
        {"rules.unknown_columns": "quarantine"},
    ],
    ids=str,
)
def test_edits_that_change_no_clean_row_keep_the_version(edits: dict[str, Any]) -> None:
    """Correcting an owner or a comment does not make every published partition stale."""
    assert version(edits) == version({})


@pytest.mark.parametrize(
    "edits",
    [
        {"source.sheet": 2},
        {"source.sheet": "1"},
        {"source.header": 2},
        {"source.until": "blank"},
        {"source.until": "Total"},
        {"columns.Order ID.type": "bigint"},
        {"columns.Order ID.min": 1},
        {"columns.Order ID.min": None},
        {"columns.Order ID.max": 9},
        {"columns.Order ID.name": "number"},
        {"columns.Region.in": ["N", "S", "W"]},
        {"columns.Region.in": None},
        {"columns.Region.max_length": 6},
        {"columns.Region.pattern": "[NS]"},
        {"columns.Region.transform": ["upper", "strip"]},
        {"columns.Order Date.formats": ["%d/%m/%Y"]},
        {"columns.Order Date.min": "2014-01-01"},
        {"columns.Price.scale": 3},
        {"columns.Price.precision": 20},
        {"columns.Price.currency": "EUR"},
        {"columns.Remark.optional": False},
        {"columns.Remark": None},
        {"columns.Old": None},
        {"columns.New": {"type": "text", "optional": True}},
        {"key": ["Order ID"]},
        {"key": None},
        {"numbers.decimal": ",", "numbers.group": "."},
        {"numbers.group": ""},
        {"rules.max_rejected_share": 0.1},
        {"rules.null_share_below": 0.1},
        {"rules.volume_within": 0.3},
        {"rules.volume": "quarantine"},
        {"rules.unknown_columns": "ignore"},
        {"rules.allow_empty": True},
    ],
    ids=str,
)
def test_edits_that_can_change_a_clean_row_change_the_version(edits: dict[str, Any]) -> None:
    """A corrected rule re-arms what it had held back, and what was published under the old one is known to be stale."""
    assert version(edits) != version({})


def test_the_version_is_the_same_on_every_machine() -> None:
    """Versions stored yesterday, elsewhere, by another Python still mean the same."""
    assert version({}) == "4bd1bb6b6601a268"


def test_columns_keep_feed_order() -> None:
    """Tables and row hashes have the columns in the order of the feed file, although the version ignores it."""
    contract = compile_contract(Feed.model_validate(BASE))
    assert contract.names == ("order_id", "region", "order_date", "price", "remark")
    assert contract.ignored == ("Old", "Older")
    assert contract.key == ("order_id", "region")
    assert contract.column("price").currency == "USD"
