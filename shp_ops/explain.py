"""A dry run of one workbook: the intake, the contract and its verdict, in a scratch folder that goes away."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shp_core.contract.compile import compile_contract
from shp_core.contract.summary import Summary, delivery_refusals
from shp_core.contract.validate import validate
from shp_core.errors import Refusal, UsageError
from shp_core.feeds.model import Feed
from shp_core.partitions import partition_key
from shp_ops.installation import catalogue_of, require_feed
from shp_resources.intake import private_copy
from shp_resources.landing import printable
from shp_resources.outside import outside_of
from shp_resources.settings import Settings
from shp_resources.store import Store, Validated

_SHOWN = 20
_COUNTS = ("read", "clean", "rejected", "duplicate", "blank", "after_end")


def explain(settings: Settings, name: str, path: Path) -> dict[str, Any]:
    """What would become of a workbook.

    Args:
        settings: the installation; only its feeds are read.
        name: the feed.
        path: the workbook.

    Returns:
        `path`, `feed`, `partition`, `verdict` (`ok` or `refused`), `refusals`, `rows`, the first `rejects`.

    Raises:
        UsageError: there is no such feed, or no such file.
    """
    feed = require_feed(settings, catalogue_of(settings), name)
    if not path.exists() and not path.is_symlink():
        raise UsageError(f"There is no file {printable(str(path))}.", "Check the path.")
    return dry_run(settings, feed, path)


def dry_run(settings: Settings, feed: Feed, path: Path) -> dict[str, Any]:
    """What would become of a workbook, by a feed that need not be among the installation's.

    Args:
        settings: the installation; only its limits are read.
        feed: the feed.
        path: the workbook.

    Returns:
        As `explain`, and `failures`: how often each rule failed, by `column:code`.
    """
    found: dict[str, Any] = {"path": printable(str(path)), "feed": feed.feed, "partition": None, "rows": {}, "rejects": [], "failures": {}}
    refusals: list[Refusal] = []
    try:
        found["partition"] = partition_key(feed, path.name)
        refusals = _judge(settings, feed, path, found)
    except Refusal as refusal:
        refusals = [refusal]
    return {**found, "verdict": "refused" if refusals else "ok", "refusals": [refusal.as_dict() for refusal in refusals]}


def _judge(settings: Settings, feed: Feed, path: Path, found: dict[str, Any]) -> list[Refusal]:
    contract = compile_contract(feed)
    outside = outside_of(settings)
    with TemporaryDirectory(prefix="shp-explain-") as scratch:
        store = Store(Path(scratch))
        copied = private_copy(path, Path(scratch), outside.limits)
        with outside.reader.open(copied.path, contract.spec) as batches, store.bench(contract, batches.schema) as (bench, folder):
            summary = validate(contract, batches, bench)
            artefacts = store.keep_validated(bench, folder, copied.sha256, contract, summary)
        found["rows"] = _counts(summary)
        found["rejects"] = list(_rejects(artefacts))
        found["failures"] = dict(summary.failures)
    return list(delivery_refusals(contract, summary, None))


def _counts(summary: Summary) -> dict[str, int]:
    return {name: getattr(summary, name) for name in _COUNTS}


def _rejects(artefacts: Validated) -> list[dict[str, Any]]:
    records = (record for batch in artefacts.rejects() for record in batch.to_pylist())
    return [{"row": record["row"], "reasons": record["reasons"]} for record in islice(records, _SHOWN)]
