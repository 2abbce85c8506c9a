"""The sensor `redrives`: what is due runs once, from the step that failed, and not before its time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from shp_assets import feed_assets
from shp_assets.steps import publish_delivery
from shp_assets.work import Work
from shp_core.codes import Code
from shp_core.contract import contract as contracts
from shp_core.errors import Fault
from shp_core.healing.decide import DAY, PAUSES, REDRIVES_A_DAY
from shp_core.healing.faults import Evidence
from shp_core.states import State
from shp_sensors import redrives
from tests.support.healing import Ward
from tests.support.platforms import FEED, ORDERS, Tick, order

RESET = Evidence("warehouse", sqlstate="08006", text="reset")


def failing(monkeypatch: pytest.MonkeyPatch, times: int, error: Callable[[], Exception], partition: str | None = None) -> list[str]:
    """Let publishing fail so often, for one partition or all; every try is noted."""
    tried: list[str] = []

    def fail(work: Work) -> object:
        tried.append(work.partition)
        if len(tried) <= times and partition in (None, work.partition):
            raise error()
        return publish_delivery(work)

    monkeypatch.setattr(feed_assets, "publish_delivery", fail)
    return tried


def reset() -> Exception:
    """A passing failure, after every try within its call."""
    return Fault(Code.TRANSIENT, "reset", RESET)


def test_a_passing_failure_runs_again_when_it_is_due_and_not_before(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadlock would cost a file, or be answered with a hammer."""
    failing(monkeypatch, 1, reset)
    ward.drop("a")
    ward.look()
    record = ward.platform.record("a")
    assert (record.state, record.code, record.cause) == (State.WAITING, "transient", "transient/warehouse")
    assert record.next_attempt_at == ward.clock.now() + timedelta(seconds=PAUSES.first / 2)
    assert ward.look() == []
    ward.later(PAUSES.first / 2)
    (result,) = ward.look()
    assert ward.platform.reached(result) == ["warehouse"], "from the step that failed on"
    assert ward.states() == {"a": "published"}
    assert ward.platform.record("a").cause is None


def test_a_run_tells_which_attempt_it_is_and_why(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could tell in the UI why a run was started."""
    failing(monkeypatch, 1, reset)
    ward.drop("a")
    ward.look()
    ward.later(PAUSES.first)
    (request,) = ward.tick("redrives").requests
    told = {name: request.tags[name] for name in ("shp/via", "shp/attempt", "shp/cause", "shp/verdict", "dagster/priority")}
    assert told == {
        "shp/via": "redrive",
        "shp/attempt": "2",
        "shp/cause": "transient/warehouse",
        "shp/verdict": "redrive",
        "dagster/priority": "-1",
    }


def test_one_decision_is_one_run_even_if_asking_fails_half_way(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch that answered 500 and still made its run would become two runs."""
    failing(monkeypatch, 1, reset)
    ward.drop("a")
    ward.look()
    ward.later(PAUSES.first)
    first, second = ward.tick("redrives"), ward.tick("redrives")
    assert [request.run_key for request in first.requests] == [request.run_key for request in second.requests] != []
    ward.platform.queue(first.requests[0])
    assert ward.tick("redrives").requests == [], "it is queued: nothing is asked for"


def test_a_run_that_ended_before_it_began_is_asked_for_again(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that never started would cost the file."""
    failing(monkeypatch, 1, reset)
    ward.drop("a")
    ward.look()
    ward.later(PAUSES.first)
    (request,) = ward.tick("redrives").requests
    run = ward.platform.queue(request)
    ward.platform.instance.report_run_failed(run)
    (again,) = ward.tick("redrives").requests
    assert again.run_key != request.run_key
    assert [result.success for result in ward.look("redrives")] == [True]


def test_a_run_that_a_person_cancelled_stays_so(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cancels a queued run would see it come back."""
    failing(monkeypatch, 1, reset)
    ward.drop("a")
    ward.look()
    ward.later(PAUSES.first)
    (request,) = ward.tick("redrives").requests
    ward.platform.instance.report_run_canceled(ward.platform.queue(request))
    assert ward.tick("redrives").requests == []
    assert ward.platform.state("a") == ("exhausted", "terminated")
    ward.later(DAY.total_seconds() * 2)
    assert ward.tick("redrives").requests == []


def test_a_cause_has_a_budget_then_silence_then_once_a_day(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that never passes would burn runs for ever, or the partition would be forgotten."""
    tried = failing(monkeypatch, REDRIVES_A_DAY + 1, reset)
    ward.drop("a")
    ward.until(lambda: ward.states().get("a") == "exhausted", step=300)
    assert len(tried) == 1 + REDRIVES_A_DAY
    (incident,) = ward.incidents()
    assert (incident.cause, incident.closed_at, len(incident.members)) == ("transient/warehouse", None, 1)
    due = ward.platform.record("a").next_attempt_at
    assert due == ward.clock.now() + DAY
    ward.later(DAY.total_seconds() - 60)
    assert ward.look() == []
    ward.later(60)
    assert [result.success for result in ward.look()] == [True]
    ward.look("recovery")
    assert [found.closed_at is not None for found in ward.incidents()] == [True]


def test_a_new_arrival_begins_a_new_count(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corrected file would be exhausted by what the old one cost."""
    failing(monkeypatch, REDRIVES_A_DAY + 2, reset)
    ward.drop("a")
    ward.until(lambda: ward.states().get("a") == "exhausted", step=300)
    ward.platform.drop("a.xlsx", [order(1), order(2)])
    ward.look("arrivals")
    assert ward.states() == {"a": "waiting"}, "its first failure on these bytes"
    ward.until(lambda: ward.states() == {"a": "published"}, step=60)


def test_an_artefact_that_is_gone_is_made_again(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A re-drive would look for rows that somebody deleted, over and over."""
    failing(monkeypatch, 1, reset)
    ward.drop("a")
    ward.look()
    store = ward.platform.outside.store
    artefacts = store.validated(ward.platform.record("a").delivery or "", ward.platform.kits[FEED].contract)
    assert artefacts is not None
    (artefacts.folder / "clean.parquet").write_bytes(b"damaged")
    ward.until(lambda: ward.states() == {"a": "published"}, step=30)
    assert ward.platform.loaded("a") == [98]
    assert len(ward.platform.attempts("a")) == 3


def test_the_oldest_arrival_goes_first_and_only_so_many_at_once(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was dammed up would come down at once, in any order."""
    monkeypatch.setattr(redrives, "REDRIVES_AT_ONCE", 2)
    failing(monkeypatch, 4, reset)
    for name in ("d", "b", "c", "a"):
        ward.drop(name)
        ward.look("arrivals")
    ward.later(PAUSES.first)
    tick = ward.tick("redrives")
    assert tick.partitions == ["d", "b"]
    for request in tick.requests:
        ward.platform.queue(request)
    assert ward.tick("redrives").requests == []


def test_new_arrivals_are_not_kept_waiting_by_redrives(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Yesterday's failures would stand before today's file."""
    failing(monkeypatch, 1, reset)
    ward.drop("a")
    ward.look()
    ward.later(PAUSES.first)
    ward.drop("b")
    (old,), (new,) = ward.tick("redrives").requests, ward.tick("arrivals").requests
    assert int(old.tags["dagster/priority"]) < int(new.tags.get("dagster/priority", "0"))


def test_an_edited_feed_file_judges_a_quarantined_file_again(ward: Ward) -> None:
    """Whoever mends the feed would have to touch every file that the old one refused."""
    ward.platform.drop("a.xlsx", [order("x"), order("y"), order(3)])
    ward.platform.drop_bytes("b.xlsx", b"not a workbook")
    ward.look()
    assert ward.states() == {"a": "quarantined", "b": "quarantined"}
    assert {(found.cause, found.severity) for found in ward.incidents()} == {
        ("too_many_rejects/orders", "warning"),
        ("not_a_workbook/orders", "warning"),
    }
    ward.platform.feed_file("orders", ORDERS.replace("max_rejected_share: 0.5", "max_rejected_share: 0.9"))
    (result,) = ward.look()
    assert ward.platform.reached(result) == ["text", "validated", "quarantine", "warehouse"]
    assert ward.states() == {"a": "published_with_rejects", "b": "quarantined"}, "no contract mends damaged bytes"
    ward.look("recovery")
    assert {(found.cause, found.closed_at is None) for found in ward.incidents()} == {
        ("too_many_rejects/orders", False),
        ("not_a_workbook/orders", True),
    }


def test_an_edit_that_mends_nothing_costs_one_run(ward: Ward) -> None:
    """Each look would run all refused files again after an edit."""
    ward.platform.drop("a.xlsx", [order("x"), order("y"), order(3)])
    ward.look()
    ward.platform.feed_file("orders", ORDERS.replace("max_rejected_share: 0.5", "max_rejected_share: 0.6"))
    assert len(ward.look()) == 1
    ward.later(3600)
    assert ward.look() == []
    assert len(ward.platform.attempts("a")) == 2
    assert len(ward.incidents()[0].members) == 1, "and no second incident"


def test_a_new_converter_judges_a_refused_file_again(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mended converter would leave what the old one refused in quarantine."""
    ward.platform.drop("a.xlsx", [order("x"), order("y"), order(3)])
    ward.look()
    monkeypatch.setattr(redrives, "CONVERTER_VERSION", contracts.CONVERTER_VERSION + 1)
    assert ward.tick("redrives").partitions == ["a"]


def test_a_corrected_file_closes_its_incident(ward: Ward) -> None:
    """People would go on looking after what is mended."""
    ward.platform.drop("a.xlsx", [order("x"), order("y")])
    ward.look()
    assert [found.closed_at for found in ward.incidents()] == [None]
    ward.drop("a")
    ward.look()
    ward.look("recovery")
    (incident,) = ward.incidents()
    assert incident.closed_at is not None
    assert incident.proof == "1 partitions were read again in every sink and hold what the ledger recorded."
    assert [member.outcome for member in incident.members] == ["healed"]


def test_an_incident_is_not_closed_by_what_is_only_remembered(ward: Ward) -> None:
    """Somebody who deletes the healed rows would be told that all is well."""
    ward.platform.drop("a.xlsx", [order("x"), order("y")])
    ward.look()
    ward.drop("a")
    ward.look("arrivals")
    ward.platform.sql("delete from warehouse.orders where _partition = 'a'")
    ward.look("recovery")
    assert [found.closed_at for found in ward.incidents()] == [None]


def test_a_partition_that_was_waived_leaves_its_incident(ward: Ward) -> None:
    """An incident would stay open for a file that nobody will ever mend."""
    ward.platform.drop("a.xlsx", [order("x"), order("y")])
    ward.look()
    record = ward.platform.record("a")
    ward.platform.outside.ledger.partitions.move(FEED, "a", State.WAIVED, expect_version=record.version)
    ward.look("recovery")
    (incident,) = ward.incidents()
    assert [member.outcome for member in incident.members] == ["waived"]
    assert incident.closed_at is not None


def test_a_partition_that_another_cause_holds_moves_to_its_incident(ward: Ward) -> None:
    """One partition would be counted under two causes."""
    ward.platform.drop("a.xlsx", [order("x"), order("y")])
    ward.look()
    ward.platform.drop_bytes("a.xlsx", b"not a workbook")
    ward.look("arrivals", "recovery")
    outcomes = {found.cause: ([member.outcome for member in found.members], found.closed_at is None) for found in ward.incidents()}
    assert outcomes == {"too_many_rejects/orders": (["moved"], False), "not_a_workbook/orders": ([None], True)}


def test_one_incident_holds_every_partition_of_a_cause(ward: Ward) -> None:
    """Twenty wrong files would be twenty alerts."""
    for name in ("a", "b", "c"):
        ward.platform.drop(f"{name}.xlsx", [order("x"), order("y")])
    ward.look()
    (incident,) = ward.incidents()
    assert {member.partition for member in incident.members} == {"a", "b", "c"}


def test_a_bug_is_run_once_and_an_incident_at_once(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own bug would be retried like a time-out."""

    def bug() -> Exception:
        return KeyError("amount")

    tried = failing(monkeypatch, 99, bug)
    ward.drop("a")
    ward.look()
    ward.later(2 * DAY.total_seconds())
    assert ward.look() == []
    assert tried == ["a"]
    (incident,) = ward.incidents()
    assert (incident.cause, incident.severity) == ("code_bug/orders", "critical")


def test_a_feed_by_day_is_driven_again_too(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only feeds by file would heal."""
    failing(monkeypatch, 1, reset)
    ward.platform.drop_count("count 2026-03-01.xlsx", [("nut", 1)])
    ward.look()
    assert ward.platform.state("2026-03-01", "counts") == ("waiting", "transient")
    ward.later(PAUSES.first)
    assert [result.success for result in ward.look()] == [True]


def test_a_redrive_gives_way_to_a_worker_that_has_the_partition(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs on one partition would each undo the other's verdict."""
    failing(monkeypatch, 1, reset)
    ward.drop("a")
    ward.look()
    ward.later(PAUSES.first)
    (request,) = ward.tick("redrives").requests
    assert ward.platform.run("a").success
    assert ward.platform.state("a") == ("published", None)
    (late,) = ward.platform.fulfil(Tick(requests=[request]), "redrives")
    assert late.success, "it finds its work done"
    assert len(ward.platform.sql("select 1 from warehouse.orders")) == 1
    assert ward.look() == []
