"""More than one run, arrival or person at a time: who has the partition, whose bytes are published, what by hand leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import pytest

from shp_assets.steps import validate_delivery
from shp_assets.work import Work
from shp_resources.ledger import Holder
from tests.support.platforms import DAYS, ORDERS, Platform, order

TEXT_LAYERS = ["text", "validated", "quarantine"]


def meanwhile(monkeypatch: pytest.MonkeyPatch, step: str, happens: Callable[[], None]) -> None:
    """Let something happen once, before a run enters a step and takes the partition's lease for it."""
    plain, done = Work.step, []

    @contextmanager
    def waiting(work: Work, name: str) -> Iterator[None]:
        if name == step and not done:
            done.append(name)
            happens()
        with plain(work, name):
            yield

    monkeypatch.setattr(Work, "step", waiting)


def during_validation(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Let something happen once while a run validates, under its lease."""
    done: list[int] = []

    def validate(work: Work) -> object:
        if not done:
            done.append(1)
            happens()
        return validate_delivery(work)

    monkeypatch.setattr("shp_assets.feed_assets.validate_delivery", validate)


def test_a_second_run_finds_the_partition_busy_and_leaves_it_to_the_first(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers would load the partition twice, or the loser would mark it as failed."""
    second: list[dg.ExecuteInProcessResult] = []
    during_validation(monkeypatch, lambda: second.append(platform.run("a")))
    first = platform.process(platform.drop("a.xlsx", [order(1)]))
    assert first.success
    assert platform.failure(second[0])["shp/code"] == "partition_busy"
    assert platform.reached(second[0]) == []
    assert platform.state("a") == ("published", None)
    assert [attempt.run_id for attempt in platform.attempts("a")] == [first.run_id]


def test_a_partition_that_was_busy_is_asked_for_again(platform: Platform) -> None:
    """A file would wait for ever because a person was looking at its partition when its run began."""
    platform.drop("a.xlsx", [order(1)])
    tick = platform.tick()
    with platform.outside.ledger.leases.held("orders", "a", Holder.here("somebody")):
        (busy,) = platform.fulfil(tick)
    assert platform.failure(busy)["shp/code"] == "partition_busy"
    assert platform.state("a") == ("arrived", None)
    again = platform.tick()
    assert again.partitions == ["a"]
    assert again.requests[0].run_key != tick.requests[0].run_key
    assert platform.fulfil(again)[0].success


@pytest.mark.parametrize("step", ["validated", "warehouse"])
def test_an_arrival_during_a_run_is_published_by_the_next(platform: Platform, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A file corrected while its first version was being read would be lost, or its bytes mixed with the old ones."""
    path = platform.drop("a.xlsx", [order(1)])
    tick = platform.tick()

    def correct() -> None:
        platform.drop("a.xlsx", [order(2), order(3)])
        assert platform.tick().requests == [], "the partition has a run"

    meanwhile(monkeypatch, step, correct)
    (first,) = platform.fulfil(tick)
    assert first.success
    assert platform.loaded("a") == [1]
    assert platform.state("a") == ("arrived", None)
    (second,) = platform.fulfil(platform.tick())
    assert second.success
    assert platform.loaded("a") == [2, 3]
    assert platform.state("a") == ("published", None)
    assert [attempt.arrival for attempt in platform.attempts("a")] == [1, 2]
    assert path.exists()


def test_a_failing_run_whose_file_was_corrected_meanwhile_is_not_held(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corrected file would be quarantined for what was wrong with the first one."""
    platform.arrive(platform.drop("a.xlsx", [order("x"), order("y")]))
    during_validation(monkeypatch, lambda: platform.arrive(platform.drop("a.xlsx", [order(1)])) and None)
    assert not platform.run("a").success
    assert platform.state("a") == ("arrived", None)
    assert platform.attempts("a")[0].code == "too_many_rejects"


def test_an_older_run_gives_way_to_a_newer_publication(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow run would put yesterday's bytes over today's, or leave the partition in `running` for ever."""

    def overtake() -> None:
        platform.process(platform.drop("a.xlsx", [order(7), order(8), order("x")]))

    platform.arrive(platform.drop("a.xlsx", [order(1)]))
    meanwhile(monkeypatch, "warehouse", overtake)
    result = platform.run("a")
    assert platform.failure(result)["shp/code"] == "superseded"
    assert platform.loaded("a") == [7, 8]
    assert platform.state("a") == ("published_with_rejects", None)
    assert platform.record("a").rows["loaded"] == 2
    assert platform.outside.ledger.publications.sinks("orders", "a")["warehouse"].agrees
    assert [attempt.outcome for attempt in platform.attempts("a")] == ["arrived", "published_with_rejects"]


@pytest.mark.parametrize("lines", [[order(1), order(2)], [order("x"), order("y")]], ids=["published", "refused"])
def test_an_older_run_on_the_same_arrival_gives_way_too(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, lines: list[tuple[object, ...]]
) -> None:
    """A run that was started twice by hand would leave the partition in `running` for ever."""
    platform.arrive(platform.drop("a.xlsx", lines))
    meanwhile(monkeypatch, "validated", lambda: platform.run("a") and None)
    result = platform.run("a")
    expected = ("quarantined", "too_many_rejects") if lines[0][0] == "x" else ("published", None)
    assert not result.success
    assert platform.failure(result)["shp/code"] == "superseded"
    assert platform.state("a") == expected
    assert platform.record("a").message == (None if result.success or expected[1] is None else platform.attempts("a")[1].message)


def test_an_ambiguous_file_that_comes_during_a_run_stays_held(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two files for a day would be published without anybody having chosen it."""
    platform.drop_count("counts_2026-02-01.xlsx", [("a", 1)])
    (tick,) = [platform.tick()]

    def rival() -> None:
        platform.drop_count("other_2026-02-01.xlsx", [("a", 2)])
        assert platform.tick().requests == []

    meanwhile(monkeypatch, "validated", rival)
    platform.fulfil(tick)
    assert platform.state("2026-02-01", DAYS) == ("quarantined", "ambiguous_partition")
    assert platform.sql("select count from warehouse.counts") == [(1,)], "the first one's run went to its end"
    assert platform.tick().requests == []


def test_raw_alone_by_hand_keeps_the_bytes_and_nothing_else(platform: Platform) -> None:
    """Materializing one asset in the UI would mark the partition as done, or as running for ever."""
    partition = platform.arrive(platform.drop("a.xlsx", [order(1)]))
    result = platform.run(partition, ["raw"])
    assert result.success
    assert platform.state("a") == ("arrived", None)
    assert platform.attempts("a")[0].outcome == "ended"
    assert platform.fulfil(platform.tick())[0].success
    assert platform.state("a") == ("published", None)


def test_raw_alone_that_fails_by_hand_leaves_a_published_partition_alone(platform: Platform) -> None:
    """A look at an old partition would take it out of the roll-ups."""
    path = platform.drop("a.xlsx", [order(1)])
    platform.process(path)
    delivery = platform.record("a").delivery
    kept = platform.outside.store.raw(delivery or "")
    assert kept is not None
    kept.unlink()
    path.unlink()
    result = platform.run("a", ["raw"])
    assert platform.failure(result)["shp/code"] == "source_missing"
    assert platform.state("a") == ("published", None)


def test_the_validating_step_alone_shows_what_a_change_of_the_contract_would_do(platform: Platform) -> None:
    """Trying a stricter rule on a published partition would take it out of service."""
    platform.process(platform.drop("a.xlsx", [order(1, "AT"), order(2, "DE"), order(3, "FR")]))
    platform.feed_file("orders", ORDERS.replace("[AT, DE, FR]", "[AT]"))
    result = platform.run("a", TEXT_LAYERS)
    assert platform.failure(result)["shp/code"] == "too_many_rejects"
    assert platform.state("a") == ("published", None)
    assert platform.loaded("a") == [1, 2, 3]


def test_the_warehouse_alone_before_anything_is_made_says_what_to_do(platform: Platform) -> None:
    """A file would be lost because a person asked for its last step first."""
    platform.arrive(platform.drop("a.xlsx", [order(1)]))
    for layers, next_step in ((["warehouse"], "Materialize raw/orders first."), (TEXT_LAYERS, "Materialize raw/orders first.")):
        failure = platform.failure(platform.run("a", layers))
        assert (failure["shp/code"], failure["shp/next"]) == ("artefact_damaged", next_step)
        assert platform.state("a") == ("arrived", None)
    platform.run("a", ["raw"])
    assert platform.failure(platform.run("a", ["warehouse"]))["shp/next"] == "Materialize validated/orders first."
    assert platform.fulfil(platform.tick())[0].success


def test_the_warehouse_alone_under_a_new_contract_leaves_a_published_partition_published(platform: Platform) -> None:
    """A changed feed file and one wrong click would take a good partition out of service."""
    platform.process(platform.drop("a.xlsx", [order(1), order("x")]))
    platform.feed_file("orders", ORDERS.replace("min: 1", "min: 0"))
    assert platform.failure(platform.run("a", ["warehouse"]))["shp/next"] == "Materialize validated/orders first."
    assert platform.state("a") == ("published_with_rejects", None)


def test_a_held_partition_keeps_its_reason_when_a_person_asks_for_the_wrong_step(platform: Platform) -> None:
    """Why a file is quarantined would be overwritten by an operator's mistake."""
    platform.process(platform.drop_bytes("a.xlsx", b"no workbook"))
    reason = platform.record("a").message
    platform.run("a", ["warehouse"])
    assert platform.state("a") == ("quarantined", "not_a_workbook")
    assert platform.record("a").message == reason


def test_the_warehouse_alone_never_publishes_what_was_refused(platform: Platform) -> None:
    """One click in the UI would load a file that the rules refused."""
    platform.process(platform.drop("a.xlsx", [order("x"), order("y"), order(3)]))
    result = platform.run("a", ["warehouse"])
    assert platform.failure(result)["shp/code"] == "too_many_rejects"
    assert platform.loaded("a") == []
    assert platform.state("a") == ("quarantined", "too_many_rejects")


def test_a_partition_for_which_nothing_came_fails_with_words(platform: Platform) -> None:
    """A backfill over an empty day would be a traceback, or invent a partition."""
    result = platform.run("2026-02-02", feed=DAYS)
    failure = platform.failure(result)
    assert (failure["shp/code"], failure["shp/message"]) == ("source_missing", "Nothing has arrived for counts/2026-02-02.")
    assert platform.outside.ledger.partitions.get(DAYS, "2026-02-02") is None
    assert platform.attempts("2026-02-02", DAYS) == []


def test_a_file_that_vanished_before_its_copy_waits(platform: Platform) -> None:
    """A file that was taken back would be reported as a bug."""
    path = platform.drop("a.xlsx", [order(1)])
    partition = platform.arrive(path)
    path.unlink()
    result = platform.run(partition)
    assert platform.failure(result)["shp/code"] == "source_missing"
    assert platform.state("a") == ("waiting", "source_missing")


@pytest.mark.parametrize(("tags", "via"), [({}, "ui"), ({"dagster/backfill": "b1"}, "backfill"), ({"shp/via": "ingest"}, "ingest")])
def test_runs_without_our_tags_work_and_are_told_apart(platform: Platform, tags: dict[str, str], via: str) -> None:
    """A backfill from the UI would fail, or nobody could say later who asked for it."""
    partition = platform.arrive(platform.drop("a.xlsx", [order(1)]))
    assert platform.run(partition, tags=tags).success
    assert [attempt.via for attempt in platform.attempts("a")] == [via]


def test_dagsters_own_materialize_works(platform: Platform) -> None:
    """What every Dagster user knows would not work here."""
    partition = platform.arrive(platform.drop("a.xlsx", [order(1)]))
    platform.instance.add_dynamic_partitions("orders_files", [partition])
    repository = platform.definitions.get_repository_def()
    assets = [repository.assets_defs_by_key[key] for key in platform.kits["orders"].keys]
    result = dg.materialize(list({id(asset): asset for asset in assets}.values()), partition_key=partition, instance=platform.instance)
    assert result.success
    assert platform.state("a") == ("published", None)


def test_the_same_bytes_under_two_names_count_once_without_a_key(platform: Platform) -> None:
    """A till's file that was sent twice would double its turnover."""
    platform.feed_file("orders", ORDERS.replace("key: [Order]\n", ""))
    first = platform.drop("a.xlsx", [order(1), order(1)])
    platform.process(first)
    result = platform.process(platform.drop_bytes("b.xlsx", first.read_bytes()))
    assert platform.failure(result)["shp/code"] == "duplicate_delivery"
    assert platform.state("b") == ("quarantined", "duplicate_delivery")
    assert platform.sql("select count(*) from warehouse.orders") == [(2,)]
    assert platform.outside.ledger.publications.sinks("orders", "b") == {}, "it was never to be held"
