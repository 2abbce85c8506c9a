"""What evidence of databases, files and folders is called; the table that a person on call relies on."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.codes import Code, Scope
from shp_core.healing.classify import TABLE, classify
from shp_core.healing.faults import Evidence, FaultKind

UNREACHABLE = ["08001", "08004", "57P03", "25006"]
PASSING = ["08000", "08003", "08006", "57P01", "57P02", "40001", "40P01", "55P03", "57014", "53300", "53200", "25P03"]
REFUSING = ["28000", "28P01", "42501", "3D000", "53100", "58030", "XX001"]


@pytest.mark.parametrize("sqlstate", UNREACHABLE)
def test_a_database_that_is_away_is_called_so(sqlstate: str) -> None:
    """A stopped server would look like a bug, and partitions would not wait for it."""
    assert classify(Evidence("warehouse", sqlstate=sqlstate)) is Code.SINK_UNREACHABLE
    assert classify(Evidence("ledger", sqlstate=sqlstate)) is Code.LEDGER_UNREACHABLE


@pytest.mark.parametrize("sqlstate", PASSING)
@pytest.mark.parametrize("system", ["warehouse", "ledger"])
def test_what_passes_by_itself_is_transient(system: str, sqlstate: str) -> None:
    """A deadlock or a reset connection would park a partition although the next try works."""
    assert classify(Evidence(system, sqlstate=sqlstate)) is Code.TRANSIENT


@pytest.mark.parametrize("sqlstate", REFUSING)
def test_a_refusal_is_told_from_silence(sqlstate: str) -> None:
    """A missing right or a full disk would be waited for although only a person can mend it."""
    assert classify(Evidence("warehouse", sqlstate=sqlstate)) is Code.SINK_REFUSED
    assert classify(Evidence("ledger", sqlstate=sqlstate)) is Code.LEDGER_REFUSED


@pytest.mark.parametrize("sqlstate", ["42703", "42P01", "42804"])
def test_a_changed_table_is_named_in_the_warehouse_only(sqlstate: str) -> None:
    """Somebody's ALTER TABLE would be reported as a bug of ours; a broken ledger must be one."""
    assert classify(Evidence("warehouse", sqlstate=sqlstate)) is Code.TABLE_MISMATCH
    assert classify(Evidence("ledger", sqlstate=sqlstate)) is Code.CODE_BUG


@pytest.mark.parametrize("sqlstate", ["22P02", "23505", "42601", "0A000", "P0001"])
def test_what_nobody_named_is_a_bug(sqlstate: str) -> None:
    """Our own wrong SQL would be retried for ever."""
    assert classify(Evidence("warehouse", sqlstate=sqlstate)) is Code.CODE_BUG


@pytest.mark.parametrize(
    ("system", "number", "code"),
    [
        ("store", errno.ENOSPC, Code.STORE_REFUSED),
        ("store", errno.EDQUOT, Code.STORE_REFUSED),
        ("store", errno.EROFS, Code.STORE_REFUSED),
        ("store", errno.EACCES, Code.STORE_REFUSED),
        ("store", errno.EIO, Code.TRANSIENT),
        ("landing", errno.ENOENT, Code.SOURCE_MISSING),
        ("landing", errno.ESTALE, Code.TRANSIENT),
        ("landing", errno.EISDIR, Code.CODE_BUG),
        ("reader", errno.EAGAIN, Code.TRANSIENT),
    ],
)
def test_files_and_folders(system: str, number: int, code: Code) -> None:
    """A full store or a file that went away would be called a bug."""
    assert classify(Evidence(system, errno=number)) is code


def test_a_missing_file_is_a_missing_source_only_in_landing() -> None:
    """A lost artefact would send people to look for a workbook that never went away."""
    assert classify(Evidence("store", errno=errno.ENOENT)) is Code.CODE_BUG


def test_a_whole_state_is_seen_before_its_class() -> None:
    """A refused connection would be retried at once because most of its class (08) passes."""
    assert classify(Evidence("warehouse", sqlstate="08001")) is Code.SINK_UNREACHABLE
    assert classify(Evidence("warehouse", sqlstate="08006")) is Code.TRANSIENT


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.SINK_UNREACHABLE, FaultKind.SINK_DOWN),
        (Code.LEDGER_UNREACHABLE, FaultKind.SINK_DOWN),
        (Code.SINK_REFUSED, FaultKind.SINK_REFUSED),
        (Code.LEDGER_REFUSED, FaultKind.SINK_REFUSED),
        (Code.STORE_REFUSED, FaultKind.SINK_REFUSED),
        (Code.TRANSIENT, FaultKind.TRANSIENT),
        (Code.SOURCE_MISSING, FaultKind.SOURCE_MISSING),
    ],
)
def test_codes_lead_to_the_kinds_of_the_decision_table(code: Code, kind: FaultKind) -> None:
    """A code would be named rightly and treated wrongly."""
    assert code.info.kind is kind


def test_every_row_can_match_and_speaks_of_the_outside() -> None:
    """A row that is shadowed by one above it, or names a code about rows, would mislead its readers."""
    for rule in TABLE:
        examples = [Evidence(system, sqlstate=state.ljust(5, "0")) for system in rule.systems for state in rule.sqlstates]
        examples += [Evidence(system, errno=number) for system in rule.systems for number in rule.errnos]
        examples += [Evidence(system, http_status=status) for system in rule.systems for status in rule.http]
        assert any(classify(example) is rule.code for example in examples)
        assert rule.code.info.scope in (Scope.PLATFORM, Scope.FILE)


@given(
    system=st.sampled_from(["warehouse", "ledger", "store", "landing", "reader", "nobody"]),
    sqlstate=st.none() | st.from_regex(r"[0-9A-Z]{5}", fullmatch=True),
    number=st.none() | st.integers(1, 140),
)
def test_any_evidence_has_a_name(system: str, sqlstate: str | None, number: int | None) -> None:
    """A failure that nobody thought of would crash the place that reports it."""
    code = classify(Evidence(system, sqlstate=sqlstate, errno=number))
    assert code.info.operator
    assert code is Code.CODE_BUG or any(rule.code is code and system in rule.systems for rule in TABLE)


def test_an_unknown_system_is_never_excused() -> None:
    """A failure of something nobody classified would be retried as if it were known to pass."""
    assert classify(Evidence("nobody", sqlstate="40001", errno=errno.EAGAIN)) is Code.CODE_BUG
