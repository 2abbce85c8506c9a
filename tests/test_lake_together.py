"""One job for many partitions: each run takes its own part of it, and what fails at one of them holds no other up."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.lake.place import Place
from shp_resources.lake.curated import tag_of
from shp_resources.lake.engine import MapJob
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.strays import GRACE_SECONDS, sweep_attempts
from shp_resources.lake.together import note_parts, together
from shp_resources.ledger import Holder
from shp_resources.ledger.leases import Leases
from tests.support.healing import Ward
from tests.support.lake import current, folder, sale, sales
from tests.support.platforms import order
from tests.support.remembering import Remembering
from tests.support.together import Deliveries, each_takes_its_part_of_one_job

KEYS = ("a", "b", "c")


@pytest.fixture
def deliveries(tmp_path: Path) -> Deliveries:
    """An empty lake in a local folder, and what remembers its jobs."""
    place = LocalFolder(tmp_path / "lake")
    return Deliveries(place, Remembering(place), tmp_path)


def test_each_partition_takes_its_part_of_one_job(deliveries: Deliveries) -> None:
    """A backfill would start a job for each partition, ten seconds each; or rows would land under another key."""
    each_takes_its_part_of_one_job(deliveries)


def test_a_part_that_is_not_the_partitions_rows_is_made_anew(deliveries: Deliveries) -> None:
    """A cluster that orders its parts otherwise would keep partitions from readers, or swap them."""
    first, second = (deliveries.add(key, [sale(number)]) for number, key in enumerate("ab", 1))
    many = together(first, [second], "curated/sales/_attempt-many")
    deliveries.engine.run(replace(many, beside=(replace(second, size=first.size + 1),)), deliveries.scratch)  # nobody noted the order
    found = [deliveries.publish(key) for key in "ab"]
    assert [one.manifest.made_by for one in found] == ["application_0002", "application_0001"]
    assert [deliveries.orders(key) for key in "ab"] == [["1"], ["2"]]


def test_two_installations_on_one_cluster_do_not_take_each_others_jobs() -> None:
    """The same file in test and production: one would wait for the other's rows, and find none in its own folder."""
    here, same, there = (tag_of(root, "curated/sales/partition=a", "0" * 64, sales()) for root in ("hdfs /shp", "hdfs /shp", "hdfs /test"))
    assert here == same != there


def test_what_killed_runs_left_goes_and_partitions_stay(deliveries: Deliveries) -> None:
    """Copies for others would fill the disk; or old partitions would be removed with them."""
    deliveries.add("a", [sale(1)])
    (deliveries.scratch / "copy").write_bytes(b"1")
    deliveries.place.put(deliveries.scratch / "copy", "lake/sales/_attempt-x/part-00000")
    now = time.time()
    sweep_attempts(deliveries.place, "lake/sales", now)
    assert [entry.name for entry in deliveries.place.entries("lake/sales")] == ["_attempt-x", "partition=a"]
    sweep_attempts(deliveries.place, "lake/sales", now + GRACE_SECONDS + 60)
    assert [entry.name for entry in deliveries.place.entries("lake/sales")] == ["partition=a"]


@pytest.fixture
def ward(lake_ward: Ward) -> Ward:
    """Its feed by file declares the lake."""
    return lake_ward


@pytest.fixture
def engine(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> Remembering:
    """What the platform's mapper runs on: it remembers jobs as YARN does."""
    found = Remembering(ward.platform.outside.lake)
    monkeypatch.setattr("shp_assets.lake_together.engine_of", lambda settings, place: found)
    monkeypatch.setattr("shp_assets.lake_together._PAUSE_SECONDS", 0.05)
    return found


def arrive(ward: Ward) -> None:
    """Three workbooks that the warehouse holds, and whose runs to the lake are due."""
    for number, key in enumerate(KEYS, 1):
        ward.platform.drop(f"{key}.xlsx", [order(number), order(number + 10, "xx")])
    ward.look("arrivals")
    assert ward.states() == dict.fromkeys(KEYS, "parked")


def test_the_runs_of_a_backfill_share_a_job(ward: Ward, engine: Remembering) -> None:
    """Fifty partitions would cost fifty jobs, most of whose time is their start."""
    arrive(ward)
    results = ward.look("lake")
    assert engine.counts == [3, 1, 1, 1], "the passes over rejects are each one's own"
    assert [ward.platform.metadata(one, "curated")["made_by"] for one in results] == ["application_0001"] * 3
    assert ward.platform.metadata(results[0], "curated")["counters"] == {"partitions": 3}
    assert ward.states() == dict.fromkeys(KEYS, "published_with_rejects")
    for number, key in enumerate(KEYS, 1):
        assert [line.split("\t")[:2] for line in current(ward.platform.outside.lake, folder("curated", key))] == [[str(number), "AT"]]
    names = {entry.name for layer in ("lake", "curated") for entry in ward.platform.outside.lake.entries(f"{layer}/orders")}
    assert names == {f"partition={key}" for key in KEYS}, "neither copies nor the job's output stay"


def test_rows_that_break_the_mapper_hold_up_their_own_partition_alone(ward: Ward, engine: Remembering) -> None:
    """One broken file would keep a whole backfill from readers, and each of its runs would be blamed."""
    arrive(ward)
    engine.fails_at = folder("curated", "b")
    ward.look("lake")
    assert ward.states() == {"a": "published_with_rejects", "b": "parked", "c": "published_with_rejects"}
    assert ward.platform.record("b").code == str(Code.CODE_BUG)
    assert engine.counts == [3, 1, 1, 1, 1, 1], "all, a, its rejects, b, c, its rejects: nobody takes b along again"


def test_a_run_waits_for_another_that_is_gathering_only_a_moment(ward: Ward, engine: Remembering) -> None:
    """A run that hangs would hold up every other run of its feed; or two runs would map the same partitions."""
    arrive(ward)
    holder = Holder("elsewhere", 1, 1.0, "another run")
    assert ward.platform.outside.ledger.leases.acquire("orders", "lake/together", holder, ttl_seconds=0.5)
    ward.look("lake")
    assert engine.counts[0] == 3 and ward.states() == dict.fromkeys(KEYS, "published_with_rejects")


def test_copies_stay_for_a_job_that_may_go_on(ward: Ward, engine: Remembering) -> None:
    """A run that loses sight of its job would take the files from under it, and every run that waits for it would fail."""
    arrive(ward)
    engine.fails_at, engine.fails_with = folder("curated", "a"), Code.SINK_REFUSED
    ward.look("lake")
    lake = ward.platform.outside.lake
    (copies,) = [entry.name for entry in lake.entries("lake/orders") if not entry.name.startswith("partition=")]
    assert [entry.name for entry in lake.entries(f"lake/orders/{copies}")] == ["part-00000", "part-00001"]
    assert ward.states()["a"] == "parked"


def test_a_ledger_that_goes_away_while_a_job_runs_does_not_cost_the_job(
    ward: Ward, engine: Remembering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a job made would be thrown away because a lease that ends by itself could not be given back."""
    arrive(ward)
    give_back = Leases.release

    def release(self: Leases, feed: str, partition: str, holder: Holder) -> bool:
        if partition == "lake/together":
            raise Fault(Code.SINK_UNREACHABLE, "The ledger is away.", Evidence("ledger", text="away"))
        return give_back(self, feed, partition, holder)

    monkeypatch.setattr(Leases, "release", release)
    ward.look("lake")
    assert engine.counts[0] == 3 and ward.states() == dict.fromkeys(KEYS, "published_with_rejects")


def test_a_job_for_many_that_does_not_fit_is_followed_by_ones_own(ward: Ward, engine: Remembering, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hadoop that orders the parts otherwise would bring a disagreement of the sinks, though a job for one alone is right."""
    arrive(ward)

    def note_otherwise(place: Place, many: MapJob, scratch: Path) -> None:
        note_parts(place, replace(many, size=many.size - 1), scratch)

    monkeypatch.setattr("shp_assets.lake_together.note_parts", note_otherwise)
    ward.look("lake")
    assert ward.states() == dict.fromkeys(KEYS, "published_with_rejects")
    assert engine.counts[:2] == [3, 1]
