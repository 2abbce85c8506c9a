"""An installation in a temporary home: feeds as files, a real PostgreSQL, a real Dagster instance; runs in this process.

Lives here: what the daemon and the command line do around the graph, reduced to calls (a tick, a run, an ingestion).
Must not live here: expectations.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG, SENSOR_NAME_TAG
from openpyxl import Workbook

from shp_assets.build import build_kits
from shp_assets.kit import FeedKit
from shp_core.feeds.load import Catalogue, load_catalogue
from shp_ops.definitions import build_definitions
from shp_ops.ingest.one import Ingestion
from shp_ops.ingest.results import FileResult
from shp_resources import reader
from shp_resources.landing import sight, uri_of
from shp_resources.ledger import Attempt, PartitionRecord, migrate
from shp_resources.nursery import Nursery
from shp_resources.outside import Outside
from shp_resources.settings import Settings
from shp_resources.sources.settings import SourceSettings
from tests.support.holders import REPOSITORY
from tests.support.postgres import rows
from tests.support.workbooks import written

ORDERS = """
feed: orders
owner: team:orders
partition: {by: file}
source: {match: "*.xls[xm]"}
columns:
  Order:   {type: integer, min: 1}
  Country: {type: text, transform: [upper], in: [AT, DE, FR]}
  Day:     {type: date, formats: ["%Y-%m-%d"]}
  Amount:  {type: money, scale: 2, currency: EUR, min: 0}
  Contact: {type: text, optional: true, pii: true, pattern: "[^@]+@[^@]+"}
key: [Order]
rules: {max_rejected_share: 0.5}
"""

COUNTS = """
feed: counts
owner: team:counts
partition: {by: day, start: 2026-01-01, timezone: Asia/Kolkata}
columns:
  Item:  {type: text}
  Count: {type: integer, min: 0}
key: [Item]
rules: {max_rejected_share: 0.5}
"""

IN_LAKE = f"{ORDERS}sinks: {{warehouse: {{table: orders}}, lake: {{path: orders}}}}\n"
"""The feed by file, which declares the lake."""

MART = """
mart: amounts
from: orders
group_by: [Country, {month: Day}]
sum: [Amount]
"""

_SHORT_LIVED = {"SHP_DB_POOL": "1"}
_QUIET_LOGS = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
HEADER = ("Order", "Country", "Day", "Amount", "Contact")
FEED, DAYS = "orders", "counts"


def order(number: Any, country: Any = "AT", day: Any = "2026-03-01", amount: Any = 10.5, contact: Any = "a@b.example") -> tuple[Any, ...]:
    """A row of the feed by file."""
    return number, country, day, amount, contact


def book_of(*lines: Sequence[Any]) -> bytes:
    """A workbook of the feed by file, as bytes."""
    book, content = Workbook(), BytesIO()
    for line in (HEADER, *lines):
        book.active.append(line)
    book.save(content)
    return content.getvalue()


@dataclass
class Tick:
    """What a sensor answered: run requests, new dynamic keys by name, why it asked for nothing, what it tells of assets."""

    requests: list[dg.RunRequest] = field(default_factory=list)
    keys: dict[str, list[str]] = field(default_factory=dict)
    skip: str | None = None
    events: list[Any] = field(default_factory=list)

    @property
    def partitions(self) -> list[str | None]:
        """The partitions that runs are requested for."""
        return [request.partition_key for request in self.requests]


@dataclass
class Platform:
    """One installation.

    Args:
        base: the folder with `feeds`, `marts` and `home`.
        dsn: address of its database.
        warehouse_dsn: address of the warehouse's, if that is another one.
        sources: what its remote sources need to let it in.
        store: `SHP_STORE`, where that is set.
        changes: what its outside systems are made with beside the usual (a clock, rehearsed faults).
    """

    base: Path
    dsn: str
    warehouse_dsn: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    sources: SourceSettings = field(default_factory=SourceSettings)
    store: str = ""

    @cached_property
    def settings(self) -> Settings:
        """Its settings."""
        known = {"SHP_FEEDS": str(self.base / "feeds"), "SHP_PG_DSN": self.dsn, "SHP_STORE": self.store}
        settings = Settings.load(known, home=self.base / "home")
        return replace(settings, warehouse_dsn=self.warehouse_dsn, sources=self.sources)

    def turn_to(self, warehouse_dsn: str | None) -> None:
        """Let its warehouse be somewhere else from now on."""
        self.warehouse_dsn = warehouse_dsn
        self.change()

    def reach(self, sources: SourceSettings, store: str | None = None) -> None:
        """Let its remote sources be spoken to so from now on, and its store be there."""
        self.sources, self.store = sources, self.store if store is None else store
        self.change()

    def change(self, **changes: Any) -> None:
        """Let its outside systems be made anew, with these changes."""
        self.changes.update(changes)
        for made in ("settings", "outside", "definitions"):
            self.__dict__.pop(made, None)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Its feeds and marts."""
        return load_catalogue(self.settings.feeds, self.settings.marts)

    @cached_property
    def kits(self) -> dict[str, FeedKit]:
        """Its feeds, ready for the graph."""
        return build_kits(self.catalogue)

    @cached_property
    def outside(self) -> Outside:
        """Its outside systems."""
        return Outside(self.settings, pooled=True, **self.changes)

    @cached_property
    def definitions(self) -> dg.Definitions:
        """Its code location."""
        return build_definitions(self.catalogue, self.outside)

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """Its Dagster instance."""
        return dg.DagsterInstance.get()

    def feed_file(self, name: str, text: str, folder: str = "feeds") -> None:
        """Write a feed or mart file, and load all of them anew, as a restarted code server does."""
        (self.base / folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        for made in ("catalogue", "kits", "definitions"):
            self.__dict__.pop(made, None)

    def landing(self, feed: str = FEED) -> Path:
        """The feed's drop folder."""
        folder = self.settings.landing / feed
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def drop(self, name: str, lines: Sequence[Sequence[Any]], *, feed: str = FEED, header: Sequence[str] = HEADER) -> Path:
        """Put a workbook with these rows into the drop folder, over one that is there."""
        return written(self.landing(feed) / name, [header, *lines])

    def drop_count(self, name: str, lines: Sequence[tuple[str, int]]) -> Path:
        """Put a workbook of the feed by day into its drop folder."""
        return self.drop(name, lines, feed=DAYS, header=("Item", "Count"))

    def drop_bytes(self, name: str, content: bytes, *, feed: str = FEED) -> Path:
        """Put a file with this content into the drop folder."""
        path = self.landing(feed) / name
        path.write_bytes(content)
        return path

    def arrive(self, path: Path, feed: str = FEED, via: str = "sensor") -> str:
        """Note that a file arrived; the partition it became."""
        from shp_assets.arrive import arrive

        return arrive(self.outside.ledger, self.kits[feed], sight(path), via).arrival.partition

    def run(
        self,
        partition: str,
        layers: Sequence[str] | None = None,
        *,
        feed: str = FEED,
        tags: Mapping[str, str] | None = None,
        run_id: str | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a partition's assets (all, or these layers), as a run launched without any tag of ours does."""
        kit = self.kits[feed]
        if kit.feed.partition.by == "file":
            self.instance.add_dynamic_partitions(kit.dynamic_name, [partition])
        selection = {kit.key(layer) for layer in layers} if layers else set(kit.keys)
        return self.job(selection).execute_in_process(
            instance=self.instance,
            partition_key=partition,
            run_id=run_id or str(uuid4()),
            run_config=_QUIET_LOGS,
            raise_on_error=False,
            tags=dict(tags or {}),
        )

    def job(self, selection: set[dg.AssetKey], checks: Sequence[dg.AssetCheckKey] | None = None) -> dg.JobDefinition:
        """The implicit job of all assets, cut down to these, with these checks or all that are theirs."""
        whole = self.definitions.get_repository_def().get_implicit_global_asset_job_def()
        return whole.get_subset(asset_selection=selection, asset_check_selection=None if checks is None else set(checks))

    def process(self, path: Path, feed: str = FEED) -> dg.ExecuteInProcessResult:
        """A file arrives and its partition is run."""
        return self.run(self.arrive(path, feed), feed=feed)

    def ingest(self, path: Path, feed: str = FEED) -> FileResult:
        """Deliver a file the way `shp ingest` does."""
        ingestion = Ingestion(self.kits[feed], self.definitions, self.outside, self.instance)
        return ingestion.follow(ingestion.load(path))

    def mart(self, name: str = "amounts") -> dg.ExecuteInProcessResult:
        """Run a mart."""
        return self.job({dg.AssetKey(["mart", name])}).execute_in_process(instance=self.instance, raise_on_error=False)

    def tick(self, sensor: str = "arrivals") -> Tick:
        """Evaluate a sensor once."""
        definition = next(found for found in self.definitions.sensors or () if found.name == sensor)
        with dg.build_sensor_context(instance=self.instance, definitions=self.definitions, resources={"outside": self.outside}) as context:
            answer = definition(context)
            answers = [answer] if isinstance(answer, dg.SensorResult | dg.SkipReason) else list(answer)  # type: ignore[call-overload]
        return _tick(answers)

    def fulfil(self, tick: Tick, sensor: str = "arrivals") -> list[dg.ExecuteInProcessResult]:
        """Do what the daemon does with an answer: add the keys, run what was not run under the same run key before."""
        for name, keys in tick.keys.items():
            self.instance.add_dynamic_partitions(name, keys)
        return [self._run_request(request, sensor) for request in tick.requests if not self.was_requested(request)]

    def was_requested(self, request: dg.RunRequest) -> bool:
        """Whether a run under the request's run key exists."""
        assert request.run_key is not None
        return bool(self.instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: request.run_key})))

    def _run_request(self, request: dg.RunRequest, sensor: str) -> dg.ExecuteInProcessResult:
        return self.job(set(request.asset_selection or ()), request.asset_check_keys).execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            run_id=str(uuid4()),
            run_config=_QUIET_LOGS,
            raise_on_error=False,
            tags={**request.tags, RUN_KEY_TAG: str(request.run_key), SENSOR_NAME_TAG: sensor},
        )

    def queue(self, request: dg.RunRequest, status: dg.DagsterRunStatus = dg.DagsterRunStatus.NOT_STARTED) -> dg.DagsterRun:
        """Put a requested run on record, as a queue does, without running it."""
        tags = {**request.tags, RUN_KEY_TAG: str(request.run_key)}
        if request.partition_key:
            tags["dagster/partition"] = request.partition_key
        selection = frozenset(request.asset_selection or ())
        return self.instance.create_run_for_job(self.job(set(selection)), tags=tags, status=status, asset_selection=selection)

    def record(self, partition: str, feed: str = FEED) -> PartitionRecord:
        """Where a partition stands; it must be known."""
        found = self.outside.ledger.partitions.get(feed, partition)
        assert found is not None, f"nothing is known of {feed}/{partition}"
        return found

    def state(self, partition: str, feed: str = FEED) -> tuple[str, str | None]:
        """State and code of a partition."""
        record = self.record(partition, feed)
        return str(record.state), record.code

    def attempts(self, partition: str, feed: str = FEED) -> list[Attempt]:
        """All attempts on a partition."""
        return self.outside.ledger.attempts.of_partition(feed, partition)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement on a connection of its own."""
        return rows(self.dsn, statement, *values)

    def loaded(self, partition: str, table: str = FEED) -> list[int]:
        """The keys of a partition's rows in the warehouse, in order; empty when there is no table."""
        if self.sql("select to_regclass(%s)", f"warehouse.{table}") == [(None,)]:
            return []
        key = "order" if table == FEED else "item"
        return [value for (value,) in self.sql(f'select "{key}" from warehouse.{table} where _partition = %s order by 1', partition)]

    def reached(self, result: dg.ExecuteInProcessResult) -> list[str]:
        """The layers that a run materialized, in the graph's order."""
        keys = {event.asset_key.path[0] for event in result.get_asset_materialization_events() if event.asset_key}
        return [layer for layer in ("raw", "text", "validated", "quarantine", "warehouse", "lake", "curated", "mart") if layer in keys]

    def failure(self, result: dg.ExecuteInProcessResult) -> Mapping[str, Any]:
        """The metadata of a run's one failed step."""
        (event,) = [event for event in result.all_events if event.is_step_failure]
        found = event.step_failure_data.user_failure_data
        return {name: value.value for name, value in found.metadata.items()} if found else {}

    def metadata(self, result: dg.ExecuteInProcessResult, layer: str) -> Mapping[str, Any]:
        """The metadata of what a run materialized in a layer."""
        (found,) = [event for event in result.get_asset_materialization_events() if event.asset_key and event.asset_key.path[0] == layer]
        return {name: value.value for name, value in found.materialization.metadata.items()}

    def checks(self, result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckResult]:
        """A run's check evaluations by name."""
        return {found.check_name: found for found in result.get_asset_check_evaluations()}  # type: ignore[misc]

    def everywhere(self) -> Iterator[tuple[str, str]]:
        """All that Dagster and the ledger have on record, and every file below the home but what was delivered and kept."""
        tables = self.sql("select schemaname, tablename from pg_tables where schemaname in ('public', 'shp', 'shp_pub', 'mart')")
        for schema, table in tables:
            for (row,) in self.sql(f'select t::text from "{schema}"."{table}" t'):
                yield f"{schema}.{table}", row
        delivered = (self.settings.landing, self.settings.store)
        for path in (self.base / "home").rglob("*"):
            if path.is_file() and not any(path.is_relative_to(folder) for folder in delivered):
                yield str(path), path.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Close connections."""
        self.outside.ledger.close()
        if "warehouse" in self.outside.__dict__ and self.outside.warehouse._known:
            self.outside.warehouse._known[1].dispose()
        if "instance" in self.__dict__:
            self.instance.run_storage._engine.dispose()  # type: ignore[attr-defined]  # its pool would outlive the test
            self.instance.dispose()


def _tick(answers: list[Any]) -> Tick:
    tick = Tick()
    for answer in answers:
        if isinstance(answer, dg.SkipReason):
            tick.skip = answer.skip_message
        elif isinstance(answer, dg.RunRequest):
            tick.requests.append(answer)
        else:
            tick = replace(tick, requests=list(answer.run_requests or ()), skip=answer.skip_reason and answer.skip_reason.skip_message)
            tick.events = list(answer.asset_events)
            for request in answer.dynamic_partitions_requests or ():
                tick.keys.setdefault(request.partitions_def_name, []).extend(request.partition_keys)
    return tick


NOBODY = "postgresql://shp@127.0.0.1:1/nobody?connect_timeout=2"
"""An address at which nothing answers."""


@contextmanager
def opened(base: Path, dsn: str, *, repository_feeds: bool = False) -> Iterator[Platform]:
    """An installation in this folder on this database, found by the environment while the block lasts."""
    platform = Platform(base, dsn)
    for folder, texts in (("feeds", {FEED: ORDERS, DAYS: COUNTS}), ("marts", {"amounts": MART})):
        (base / folder).mkdir(parents=True, exist_ok=True)
        for name, text in {} if repository_feeds else texts.items():
            (base / folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        if repository_feeds:
            shutil.copytree(REPOSITORY / folder, base / folder, dirs_exist_ok=True)
    dagster_home = base / "home" / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copy(REPOSITORY / "dagster.yaml", dagster_home)
    with (
        _environment(platform.settings.as_environment() | _SHORT_LIVED | {"DAGSTER_HOME": str(dagster_home)}),
        patch.object(reader, "Nursery", _the_nursery),
    ):
        try:
            yield platform
        finally:
            platform.close()


def _the_nursery(environment: Mapping[str, str]) -> Nursery:
    """One for all installations of this process, which come one after the other: a process takes a tenth of a second to start."""
    return _nursery_of(tuple(sorted(environment.items())))


@cache
def _nursery_of(environment: tuple[tuple[str, str], ...]) -> Nursery:
    return Nursery(dict(environment))


def prepare(dsn: str, base: Path) -> None:
    """Make the ledger's and Dagster's tables in a database, so that it can be copied for each test."""
    migrate(dsn)
    with opened(base, dsn) as platform:
        platform.instance.get_runs(limit=1)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: value for name, value in os.environ.items() if name.startswith(("SHP_", "DAGSTER_"))}
    for name in before:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
        os.environ.update(before)


__all__ = ["DAYS", "FEED", "HEADER", "Platform", "Tick", "opened", "order", "prepare", "uri_of"]
