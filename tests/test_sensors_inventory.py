"""`inventory`: what is still broken is told once a day, and what healing hides is told, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shp_core.healing.inventory import HEALED_OFTEN, INVENTORY, SILENT_FOR, Held, age, is_looked_after, recurring, recurs, silent, summary
from shp_resources.rehearsal import Rehearsal, Rule
from tests.support.healing import Ward

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = 24 * 3600


def held(name: str, days: float, state: str = "quarantined", code: str = "too_many_rejects") -> Held:
    """A partition that is held for so many days."""
    return Held("orders", name, state, code, NOW - timedelta(days=days))


def test_the_summary_says_how_many_how_old_and_why() -> None:
    """A quarantine that grows would be seen by nobody."""
    assert summary([], NOW) == "Nothing is held."
    told = summary([held("a", 0.5), held("b", 4), held("c", 0.1, "exhausted", "code_bug")], NOW)
    assert told == (
        "3 partitions are held: 1 exhausted, 2 quarantined. The oldest is orders/b, for 4 days."
        " Most frequent: too_many_rejects (2), code_bug (1)."
    )
    assert [age(timedelta(minutes=minutes)) for minutes in (5, 119, 120, 2879, 2880)] == [
        "5 minutes",
        "119 minutes",
        "2 hours",
        "47 hours",
        "2 days",
    ]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 9)), unique_by=lambda item: item[0]), st.sets(st.sampled_from("abcdef")))
def test_silent_is_what_is_old_and_untold(found: list[tuple[str, float]], told: set[str]) -> None:
    """A person would be told twice, of what is a minute old, or not at all."""
    untold = silent([held(*item) for item in found], {("orders", name) for name in told}, NOW)
    assert {one.partition for one in untold} == {name for name, days in found if days >= SILENT_FOR.days and name not in told}
    assert untold == sorted(untold, key=lambda one: one.since)


def test_causes_of_its_own() -> None:
    """An incident about what keeps coming back would be closed because its tables are whole, or never."""
    assert recurs(recurring("transient/warehouse")) == "transient/warehouse"
    assert [is_looked_after(cause) for cause in (INVENTORY, recurring("x"), "warehouse", "inventory/x")] == [True, True, False, False]


def test_what_nobody_was_told_of_becomes_one_incident_that_closes(ward: Ward) -> None:
    """Files that went away, and runs that a person stopped, would wait for ever without a word."""
    platform = ward.platform
    for name in ("a", "b"):
        path = platform.drop(f"{name}.xlsx", [(1, "AT", "2026-03-01", 1, None)])
        platform.arrive(path)
        path.unlink()
        platform.run(name)
    assert {platform.state(name) for name in ("a", "b")} == {("waiting", "source_missing")}
    assert ward.tick("inventory").skip is not None
    assert ward.incidents() == [], "it is a minute old"
    ward.later(DAY + 60)
    told = ward.tick("inventory").skip
    assert told is not None and told.startswith("2 partitions are held: 2 waiting. The oldest is orders/")
    (incident,) = ward.incidents()
    assert (incident.cause, incident.code, {member.partition for member in incident.held}) == ("inventory", "still_held", {"a", "b"})
    ward.look("recovery")
    assert ward.incidents()[0].closed_at is None, "no sink can prove that it is over"
    ward.drop("a", "b")
    ward.look("arrivals")
    assert set(ward.states().values()) == {"published"}
    ward.tick("inventory")
    (over,) = ward.incidents()
    assert (over.closed_at is not None, {member.outcome for member in over.members}) == (True, {"healed"})


def test_a_cause_that_heals_again_and_again_is_told_although_every_run_is_green(ward: Ward) -> None:
    """Healing would hide that the network is broken every night, until it is broken for good."""
    platform = ward.platform
    platform.change(faults=Rehearsal((Rule("warehouse", "reset", rate=1.0),)))
    names = [f"n{number}" for number in range(HEALED_OFTEN)]
    for name in names:
        ward.drop(name)
        ward.look("arrivals")
        platform.outside.ledger.breakers.change("warehouse", lambda breaker: breaker.__class__("warehouse"))
    assert set(ward.states().values()) == {"waiting"}
    platform.change(faults=Rehearsal())
    ward.until(lambda: set(ward.states().values()) == {"published"}, step=30)
    assert ward.incidents() == []
    ward.tick("inventory")
    (incident,) = ward.incidents()
    assert (incident.cause, incident.code) == ("recurring/transient/warehouse", "healed_often")
    assert f"{HEALED_OFTEN} runs met transient/warehouse within 7 days" in incident.message
    ward.look("recovery")
    assert ward.incidents()[0].closed_at is None
    ward.later(DAY + 3600)
    ward.tick("inventory")
    (over,) = ward.incidents()
    assert over.proof == "No run met transient/warehouse for a day."
