"""Faults on purpose: off unless asked for, as often as asked for, the same again with the same seed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.codes import Code
from shp_core.errors import Fault, ShpError, UsageError
from shp_resources.outside import rehearsal_of
from shp_resources.rehearsal import Rehearsal, Rule, parse
from shp_resources.settings import Settings
from shp_resources.spool import Spool, Spooled


def hits(rehearsal: Rehearsal, system: str = "warehouse", feed: str = "sales", calls: int = 100) -> list[str]:
    """What becomes of so many calls, each of another partition: `done`, or the code."""
    return [outcome(rehearsal, system, feed, f"p{number}/1") for number in range(calls)]


def outcome(rehearsal: Rehearsal, system: str, feed: str, key: str) -> str:
    """What becomes of one call."""
    try:
        return rehearsal.around(system, feed, key, lambda: "done")
    except ShpError as error:
        return str(error.code)


def test_nothing_fails_unless_it_is_asked_for(tmp_path: Path) -> None:
    """A platform in production would fail on purpose."""
    settings = Settings.load({}, home=tmp_path)
    assert settings.faults == ""
    assert rehearsal_of(settings).rules == ()
    assert set(hits(rehearsal_of(settings))) == {"done"}
    assert "SHP_FAULTS" not in settings.as_environment()


def test_it_reaches_the_workers_by_the_environment(tmp_path: Path) -> None:
    """A rehearsal would stop at the command that was given it."""
    asked = "warehouse:reset:rate=0.5"
    settings = Settings.load({"SHP_FAULTS": asked}, home=tmp_path)
    assert Settings.load(settings.as_environment()).faults == asked


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("warehouse:reset", Code.TRANSIENT),
        ("warehouse:timeout", Code.TRANSIENT),
        ("warehouse:down", Code.SINK_UNREACHABLE),
        ("warehouse:refused", Code.SINK_REFUSED),
        ("warehouse:full", Code.SINK_REFUSED),
        ("store:full", Code.STORE_REFUSED),
        ("store:reset", Code.TRANSIENT),
        ("warehouse:memory", Code.TRANSIENT),
        ("hdfs:memory", Code.TRANSIENT),
        ("warehouse:corruption", Code.SINK_DISAGREES),
        ("store:corruption", Code.ARTEFACT_DAMAGED),
        ("lake:corruption", Code.SINK_DISAGREES),
        ("reader:killed", Code.READER_CRASHED),
        ("reader:timeout", Code.READER_TIMEOUT),
        ("reader:memory", Code.READER_OUT_OF_MEMORY),
    ],
)
def test_each_fault_is_what_the_real_one_is_called(tmp_path: Path, what: str, code: Code) -> None:
    """People would rehearse something that never happens."""
    system = what.partition(":")[0]
    assert set(hits(parse(what, tmp_path), system, calls=3)) == {str(code)}


def test_a_share_of_the_calls_fails_and_the_same_ones_again(tmp_path: Path) -> None:
    """A rehearsal that found something could not be repeated."""
    first, again, other = (hits(parse(f"warehouse:reset:rate=0.3:seed={seed}", tmp_path), calls=400) for seed in (7, 7, 8))
    assert first == again != other
    assert 90 < first.count("transient") < 150


def test_a_second_try_of_the_same_call_is_drawn_anew(tmp_path: Path) -> None:
    """A call that was hit once would be hit at every try, and nothing would ever heal."""
    rehearsal = parse("warehouse:reset:rate=0.5:seed=1", tmp_path)
    assert {outcome(rehearsal, "warehouse", "sales", "p1/1") for _ in range(20)} == {"done", "transient"}


def test_a_count_holds_over_all_processes_of_a_home(tmp_path: Path) -> None:
    """Each worker would fail twice where two failures in all were asked for."""
    processes = [parse("warehouse:down:count=2", tmp_path) for _ in range(5)]
    assert [hits(process, calls=1) for process in processes] == [["sink_unreachable"], ["sink_unreachable"], ["done"], ["done"], ["done"]]


def test_a_target_may_be_one_feed(tmp_path: Path) -> None:
    """A rehearsal for one feed would hit all."""
    rehearsal = parse("warehouse/sales:refused; store:full:count=0", tmp_path)
    assert set(hits(rehearsal, calls=3)) == {"sink_refused"}
    assert set(hits(rehearsal, feed="stock", calls=3)) == {"done"}
    assert set(hits(rehearsal, "store", calls=3)) == {"done"}


def test_a_target_may_be_one_partition_and_one_of_its_calls(tmp_path: Path) -> None:
    """What went wrong with one file on one day could not be rehearsed."""
    rehearsal = parse("warehouse/sales/p1:refused:nth=2", tmp_path)
    assert [outcome(rehearsal, "warehouse", "sales", key) for key in ("p1/1", "p2/1", "p2/1", "p1/1", "p1/1")] == [
        *["done"] * 3,
        "sink_refused",
        "done",
    ]


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("source:reset", Code.TRANSIENT),
        ("s3:timeout", Code.TRANSIENT),
        ("s3@inbox:limited", Code.TRANSIENT),
        ("source:down", Code.SOURCE_UNREACHABLE),
        ("s3:refused", Code.SOURCE_REFUSED),
        ("source:missing", Code.SOURCE_MISSING),
        ("s3@inbox:corruption", Code.STILL_MOVING),
        ("source:lost_answer", Code.TRANSIENT),
    ],
)
def test_a_target_may_be_every_source_those_of_a_kind_or_one_place(tmp_path: Path, what: str, code: Code) -> None:
    """Nobody could try what a bad network, or a server that is away, does to a feed."""
    assert set(hits(parse(what, tmp_path), "s3@inbox", calls=3)) == {str(code)}
    with pytest.raises(Fault) as caught:
        parse(what, tmp_path).around("s3@inbox", "sales", "p/1", lambda: None)
    assert caught.value.evidence is not None and caught.value.evidence.system == "s3@inbox", "the breaker of that place is meant"
    assert set(hits(parse(what, tmp_path), "warehouse", calls=3)) == {"done"}


def test_a_place_is_meant_whatever_its_port_and_no_other(tmp_path: Path) -> None:
    """A rehearsal of one server would take all others away."""
    rule = "http@files.example.com:down"
    assert set(hits(parse(rule, tmp_path), "http@files.example.com:8443", calls=2)) == {"source_unreachable"}
    assert set(hits(parse(rule, tmp_path), "http@files.example.org", calls=2)) == {"done"}
    assert parse("source:corruption", tmp_path).around("s3@inbox", "sales", "look", lambda: "seen") == "seen", "a look brings no bytes"


def test_rules_may_stand_in_a_file(tmp_path: Path) -> None:
    """A rehearsal of many faults would be one line that nobody can read."""
    (tmp_path / "faults").write_text("warehouse:down:count=1  # nobody there\n\nstore:full\n", encoding="utf-8")
    rules = parse(f"@{tmp_path / 'faults'}", tmp_path).rules
    assert [(rule.system, rule.what, rule.count) for rule in rules] == [("warehouse", "down", 1), ("store", "full", None)]
    with pytest.raises(UsageError, match="cannot be read"):
        parse("@/nowhere", tmp_path)


def test_an_asset_may_run_out_of_memory(tmp_path: Path) -> None:
    """A worker without memory could only be rehearsed on a machine that has none."""
    with pytest.raises(MemoryError):
        parse("validated/sales:memory", tmp_path).around("validated", "sales", "p1/1", lambda: None)


def test_an_answer_may_be_lost_after_the_work_was_done(tmp_path: Path) -> None:
    """Nobody could rehearse the failure that makes double rows."""
    done: list[int] = []
    with pytest.raises(Fault, match="lost_answer"):
        parse("warehouse:lost_answer", tmp_path).around("warehouse", "sales", "p/1", lambda: done.append(1))
    assert done == [1]


def test_a_crash_is_a_real_one(tmp_path: Path) -> None:
    """A rehearsed crash that unwinds would close what a real one leaves open."""
    pid = os.fork()
    if pid == 0:
        parse("warehouse:crash", tmp_path).around("warehouse", "sales", "p/1", lambda: None)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize(
    "text",
    [
        "warehouse",
        "warehouse:flood",
        "moon:down",
        "warehouse:down:rate=often",
        "warehouse:down:twice",
        "store:down:at=3",
        "raw:full",
        "store/a/b/c:full",
        "source:full",
        "warehouse@host:down",
        "ftp@host:down",
    ],
)
def test_a_slip_is_told_with_what_to_write(tmp_path: Path, text: str) -> None:
    """A rehearsal with a slip in it would rehearse nothing, and all would look well."""
    with pytest.raises(UsageError) as raised:
        parse(text, tmp_path)
    assert text in raised.value.message
    assert "rate=" in raised.value.next_step


@given(st.floats(0, 1), st.integers(0, 99))
def test_no_rate_hits_more_than_everything(rate: float, seed: int) -> None:
    """A rate of nothing would fail a call, or a rate of one let one through."""
    rule = Rule("warehouse", "reset", rate=rate, seed=seed)
    hit = [rule.meets("warehouse", "sales", str(number), 1) for number in range(50)]
    assert not any(hit) if rate == 0 else all(hit) if rate == 1 else len(hit) == 50


# verdicts that the ledger could not be told


def test_the_first_verdict_about_a_run_is_kept_and_can_be_forgotten(tmp_path: Path) -> None:
    """A later net would overwrite what really happened, or the verdict be entered for ever."""
    spool = Spool(tmp_path / "spool")
    assert list(spool.all()) == []
    first = Spooled("sales", "p1", "run-1", "sensor", True, "column_missing", "no Amount", {"system": "worker"})
    spool.keep(first)
    spool.keep(Spooled("sales", "p1", "run-1", "sensor", True, "code_bug", "later"))
    assert list(spool.all()) == [first]
    spool.forget(first)
    spool.forget(first)
    assert list(spool.all()) == []


def test_what_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    """One file cut off by a power cut would stop every verdict behind it, at each look."""
    spool = Spool(tmp_path)
    (tmp_path / "run-0.json").write_text('{"feed": "sa')
    spool.keep(Spooled("sales", "p1", "run-1", "sensor", True, "transient", "reset"))
    assert [kept.run_id for kept in spool.all()] == ["run-1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-0.unreadable", "run-1.json"]
