"""The states of a partition: which moves are legal, and that no way leads into a dead end."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.codes import Code
from shp_core.states import ANY_STATE, HELD_STATES, PUBLISHED_STATES, TRANSITIONS, IllegalTransition, State, check_transition

OLD_STATES: list[State | None] = [None, *State]


def _legal(old: State | None, new: State) -> bool:
    try:
        check_transition(old, new)
    except IllegalTransition:
        return False
    return True


def _after(old: State | None) -> set[State]:
    return {new for new in State if _legal(old, new)}


def _reachable(start: State) -> set[State]:
    seen, todo = set[State](), {start}
    while todo:
        state = todo.pop()
        seen.add(state)
        todo |= _after(state) - seen
    return seen


def test_the_states_are_the_designs() -> None:
    """SQL and JSON that people wrote against the public words would find other words."""
    assert [str(state) for state in State] == [
        "expected",
        "late",
        "waived",
        "arrived",
        "running",
        "waiting",
        "parked",
        "quarantined",
        "exhausted",
        "published",
        "published_with_rejects",
    ]


def test_every_group_of_moves_has_a_reason_of_its_own() -> None:
    """A reader of the table could not tell why a move is legal."""
    reasons = [moves.reason for moves in TRANSITIONS]
    assert all(reason.endswith(".") and len(reason) > 20 for reason in reasons)
    assert len(set(reasons)) == len(reasons) - (len(State) - 1)  # "beside the state" stands once per state


@pytest.mark.parametrize("old", OLD_STATES)
def test_an_arrival_may_come_in_any_state(old: State | None) -> None:
    """A corrected file would be refused because of where its partition happens to stand."""
    assert _legal(old, State.ARRIVED)


@pytest.mark.parametrize("old", OLD_STATES)
def test_a_run_starts_only_where_there_is_something_to_run(old: State | None) -> None:
    """A run could start on a partition without a file, or one that a person waived."""
    without_bytes = {None, State.EXPECTED, State.LATE, State.WAIVED}
    assert _legal(old, State.RUNNING) == (old not in without_bytes)


@pytest.mark.parametrize("state", State)
def test_what_stands_beside_a_state_may_change(state: State) -> None:
    """A flag such as `stale` could not be set without a false move."""
    assert _legal(state, state)


@pytest.mark.parametrize("end", sorted({*PUBLISHED_STATES, *HELD_STATES, State.ARRIVED}))
def test_a_run_may_end_in_success_in_a_verdict_or_be_given_back(end: State) -> None:
    """A worker would die of an illegal move at the end of its work."""
    assert _legal(State.RUNNING, end)


@pytest.mark.parametrize("state", [State.EXPECTED, State.LATE, State.WAIVED])
def test_a_run_never_ends_in_a_state_without_bytes(state: State) -> None:
    """A partition whose bytes are kept would look as if nothing had come."""
    assert not _legal(State.RUNNING, state)


def test_only_what_came_can_be_published() -> None:
    """A partition that never had a file could claim that its sinks hold it."""
    for published, old in product(PUBLISHED_STATES, (State.EXPECTED, State.LATE, State.WAIVED)):
        assert not _legal(old, published)


def test_refused_bytes_are_published_only_by_a_run() -> None:
    """A quarantined file could become trusted without having been judged again."""
    for published, old in product(PUBLISHED_STATES, (State.QUARANTINED, State.EXHAUSTED)):
        assert not _legal(old, published)
        assert _legal(old, State.RUNNING) and _legal(State.RUNNING, published)


def test_published_falls_back_only_for_a_named_reason() -> None:
    """A published partition could silently become quarantined, although readers have its last good rows."""
    beside = {State.PUBLISHED, State.PUBLISHED_WITH_REJECTS}
    assert _after(State.PUBLISHED) - beside == {State.ARRIVED, State.RUNNING, State.PARKED, State.WAIVED}


def test_lateness_is_about_what_has_not_come() -> None:
    """A partition whose file is there would be called late."""
    assert {old for old in State if _legal(old, State.LATE)} == {State.EXPECTED, State.WAITING, State.LATE}


def test_a_parked_partition_drains_by_a_run_or_by_proof() -> None:
    """Partitions parked behind a dead sink could not be drained when it is back."""
    assert {State.RUNNING, *PUBLISHED_STATES, State.EXHAUSTED} <= _after(State.PARKED)


def test_a_waiver_is_a_way_out_of_every_resting_state_and_can_be_taken_back() -> None:
    """A partition that will never come or never be mended would be reported for ever, or be waived for ever."""
    for old in (State.EXPECTED, State.LATE, State.QUARANTINED, State.EXHAUSTED, State.WAITING, State.PARKED):
        assert _legal(old, State.WAIVED)
    assert not _legal(State.RUNNING, State.WAIVED)
    assert _legal(State.WAIVED, State.EXPECTED)


def test_a_partition_begins_expected_arrived_or_rebuilt() -> None:
    """A partition could appear out of nothing in the middle of its life."""
    assert _after(None) == {State.EXPECTED, State.ARRIVED, State.PUBLISHED, State.PUBLISHED_WITH_REJECTS}


@pytest.mark.parametrize("state", State)
def test_no_state_is_a_dead_end(state: State) -> None:
    """A partition could get stuck where neither people nor the platform can get it out."""
    assert _reachable(state) == ANY_STATE


def test_an_illegal_move_is_named() -> None:
    """Whoever reads the log could not tell which move was refused."""
    with pytest.raises(IllegalTransition, match="from expected to published") as refused:
        check_transition(State.EXPECTED, State.PUBLISHED)
    assert (refused.value.old, refused.value.new, refused.value.code) == (State.EXPECTED, State.PUBLISHED, Code.CODE_BUG)
    with pytest.raises(IllegalTransition, match="from nothing to running"):
        check_transition(None, State.RUNNING)


@given(st.lists(st.sampled_from(list(State)), max_size=40))
def test_whatever_is_asked_for_the_machine_keeps_its_promises(wishes: list[State]) -> None:
    """Some order of events would run or publish without bytes, or publish what was refused without judging it again."""
    state: State | None = None
    has_bytes, refused = False, False
    for wish in wishes:
        if not _legal(state, wish):
            continue
        rebuilt = state is None and wish.is_published
        has_bytes = has_bytes or rebuilt or wish is State.ARRIVED
        refused = wish in (State.QUARANTINED, State.EXHAUSTED) or (refused and wish not in (State.RUNNING, State.ARRIVED))
        assert has_bytes or wish not in (State.RUNNING, *HELD_STATES, *PUBLISHED_STATES)
        assert not (refused and wish.is_published)
        state = wish


def test_is_published_says_so_for_both_kinds() -> None:
    """A partition with rejects would not count as loaded."""
    assert {state for state in State if state.is_published} == {State.PUBLISHED, State.PUBLISHED_WITH_REJECTS}
