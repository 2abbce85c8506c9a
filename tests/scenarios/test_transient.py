"""Calls that fail in passing, three in ten, over two hundred partitions: all heal, none is lost, none is there twice."""

from __future__ import annotations

from uuid import uuid4

from shp_assets.steps import keep_bytes, publish_delivery, refuse_unsound, validate_delivery
from shp_assets.work import Work
from shp_core.errors import ShpError
from shp_core.healing.decide import REDRIVES_A_DAY
from shp_resources.ledger import REDRIVE
from shp_resources.rehearsal import Rehearsal, Rule
from tests.support.healing import Ward
from tests.support.platforms import FEED, ORDERS, order

PARTITIONS = 200
FAULTS = Rehearsal(
    (
        Rule("warehouse", "lost_answer", rate=0.1, seed=3),
        Rule("warehouse", "reset", rate=0.25, seed=7),
        Rule("store", "reset", rate=0.3, seed=11),
    )
)


def worked(ward: Ward, partition: str, via: str) -> None:
    """What a run does with a partition, without Dagster round it."""
    platform = ward.platform
    work = Work(platform.kits[FEED], partition, str(uuid4()), via, publishes=True, outside=platform.outside)
    try:
        with work.step("raw"):
            keep_bytes(work)
        with work.step("validated"):
            refuse_unsound(work, validate_delivery(work))
        with work.step("warehouse"):
            publish_delivery(work)
    except ShpError as error:
        work.failed(error, getattr(error, "evidence", None))


def test_three_calls_in_ten_fail_and_every_partition_heals(ward: Ward) -> None:
    """A shaky network would cost files, or double rows where only the answer was lost."""
    ward.platform.change(faults=FAULTS)
    for number in range(PARTITIONS):
        path = ward.platform.drop(f"p{number:03}.xlsx", [order(10 * number + 1), order(10 * number + 2)])
        worked(ward, ward.platform.arrive(path), "sensor")
    held = {name for name, state in ward.states().items() if state != "published"}
    assert len(ward.slept) > PARTITIONS * 0.3, "calls did fail"
    assert 0 < len(held) < PARTITIONS / 5, "most healed within their call"
    while held:
        ward.later(60)
        due = ward.platform.outside.ledger.waiting.due(FEED, ward.clock.now(), [], PARTITIONS)
        for record in due:
            worked(ward, record.partition, REDRIVE)
        held = {name for name, state in ward.states().items() if state != "published"}
        assert not held & {name for name, state in ward.states().items() if state == "exhausted"}
    assert len(ward.states()) == PARTITIONS
    expected = sorted(10 * number + row for number in range(PARTITIONS) for row in (1, 2))
    assert [value for (value,) in ward.platform.sql('select "order" from warehouse.orders order by 1')] == expected
    runs = [count for (count,) in ward.platform.sql("select count(*) from shp.attempts group by partition")]
    assert max(runs) <= 1 + REDRIVES_A_DAY


def test_a_feed_chooses_how_patient_its_calls_are(ward: Ward) -> None:
    """A feed whose system is known to be shaky could not be given more time, nor a rehearsal less."""
    platform = ward.platform
    platform.change(faults=Rehearsal((Rule("warehouse", "reset", rate=1.0),)))
    for policy, tries in (("none", 1), ("standard", 4), ("patient", 8)):
        platform.feed_file("orders", f"{ORDERS}calls: {policy}\n")
        ward.slept.clear()
        ward.drop(policy)
        ward.look("arrivals")
        assert platform.state(policy) == ("waiting", "transient")
        assert len(ward.slept) == tries - 1
