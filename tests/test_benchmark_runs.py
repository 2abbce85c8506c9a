"""The benchmark of runs: what it computes, and that both ways to run really differ in what they should and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmarks import run_phases, runs
from benchmarks.run_homes import WAYS, RunHome, _settings, _undo_ours
from shp_ops.forkserver.__main__ import OUR_DEFINITIONS

_STEPS = [
    ("ASSET_MATERIALIZATION_PLANNED", "raw", 0.0, 100),
    ("PIPELINE_ENQUEUED", None, 1.0, 100),
    ("PIPELINE_STARTING", None, 10.0, 100),
    ("ENGINE_EVENT", None, 10.2, 100),
    ("PIPELINE_START", None, 10.3, 100),
    ("STEP_START", "raw", 10.5, 100),
    ("STEP_OUTPUT", "raw", 10.75, 100),
    (None, "raw", 10.76, 100),
    ("STEP_SUCCESS", "raw", 10.8, 100),
    ("STEP_START", "load", 10.9, 100),
    ("STEP_OUTPUT", "load", 11.9, 100),
    ("STEP_SUCCESS", "load", 12.0, 100),
    ("PIPELINE_SUCCESS", None, 12.25, 100),
]


def test_the_parts_of_a_run_add_up() -> None:
    """The table would hide where the time goes."""
    found = run_phases.phases(_STEPS)
    assert {name: round(value, 3) for name, value in found.items()} == {
        "forked, connected, run found": 0.2,
        "plan and context": 0.3,
        "raw: its work": 0.25,
        "raw: telling its results": 0.05,
        "load: its work": 1.1,
        "load: telling its results": 0.1,
        "ending": 0.25,
    }
    assert sum(found.values()) == pytest.approx(12.25 - 10.0)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """A target would be met by a number that no run had."""
    found = runs.summary([float(number) for number in range(1, 21)])
    assert found == {"n": 20, "p50": 10.5, "p95": 19.0, "min": 1.0, "max": 20.0}
    assert runs.summary([3.0]) == {"n": 1, "p50": 3.0, "p95": 3.0, "min": 3.0, "max": 3.0}


def test_the_two_ways_differ_in_launcher_storage_queue_and_output_only(tmp_path: Path) -> None:
    """A ratio would compare more than it says."""
    ours, default = (RunHome(way, _settings(tmp_path / way.name, "postgresql://h/d"), "postgresql://h/d", OUR_DEFINITIONS) for way in WAYS)
    for home in (ours, default):
        home.layout.write_dagster_home()
    path = default.layout.dagster_home / "dagster.yaml"
    _undo_ours(path, default.dsn)
    mine, theirs = yaml.safe_load((ours.layout.dagster_home / "dagster.yaml").read_text()), yaml.safe_load(path.read_text())
    assert {name for name in mine if mine[name] != theirs.get(name)} == {"storage", "run_launcher", "compute_logs", "run_coordinator"}
    assert "SHP_PLATFORM" in ours.environ
    assert ours.mark != default.mark


def test_a_result_shows_every_target_and_whether_many_runs_leave_anything() -> None:
    """A number that was asked for would be missing, or the reader would not know what was asked for."""
    measures = {name: {"p50": 1.0, "p95": 2.0} for name in runs.TARGETS}
    result = {
        "machine": {"cores": 2, "memory_gib": 4, "python": "3", "postgresql": "18"},
        "measures": {"shp": measures, "default": measures},
        "runs_per_minute": {"shp": 160.4, "default": 17.2},
        "many": {"runs": 9, "runs_per_minute": 8, "memory_growth_mib": 0.5, "children_left": 0, "connections_left": 0},
        "parts": {"shp": {"seconds": {"a": 0.25, "b": 0.75}, "events": 58, "kilobytes": 85.5}},
        "what": {"shp": "ours"},
        "notes": ["in turn"],
    }
    page = runs.markdown(result)
    assert all(name in page for name in runs.TARGETS)
    assert "| runs a minute, queued | 160 |  | 17 |  | >= 150, 5 times the default |" in page
    assert "After 9 runs through one fork server (8 a minute): 0.5 MiB more memory, 0 processes and 0 connections left." in page
    assert "| a | 250 | 25 |\n| b | 750 | 75 |\n| launch to end | 1000 | 100 |" in page


@pytest.mark.platform
def test_a_small_course_is_run_to_its_end(postgres_server: str, tmp_path: Path) -> None:
    """The benchmark would stop half way, after half an hour."""
    samples: runs.Samples = {way.name: {} for way in WAYS}
    course = runs.Course(runs=1, queued=2, queued_default=2, many=2, warm=False)
    rates, left = runs.noop_runs(course, tmp_path, postgres_server, samples)
    ours, default = (samples[way]["no-op run, s"] for way in ("shp", "default"))
    assert len(ours) == len(default) == 1
    assert min(*ours, *default) > 0
    assert all(rate > 0 for rate in rates.values())
    assert left is not None and left["children_left"] == left["connections_left"] == 0
