"""Each number of a scrape after a story whose numbers are known; the page and the dashboard of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shp_ops.pages import PAGES
from shp_ops.supervisor.layout import feed_names
from shp_ops.supervisor.state import PlatformState, ServiceState
from shp_ops.watchdog.gauges import GAUGES, PERIOD
from shp_ops.watchdog.metrics import Sources, render
from shp_ops.watchdog.readings import read_database, read_ledger, read_machine
from shp_resources.processes import ProcessId
from shp_resources.rehearsal import Rehearsal, Rule
from tests.support.healing import Ward
from tests.support.platforms import DAYS, FEED, Platform, order
from tests.support.waiting import PATIENCE
from tests.test_watchdog import Scrape, scrape

DASHBOARD = Path(__file__).parents[1] / "deploy/grafana/shp.json"


def scraped(platform: Platform) -> Scrape:
    """What monitoring reads of an installation now."""
    settings, ledger = platform.settings, platform.outside.ledger
    feeds = feed_names(settings)
    known = Sources(
        dict, lambda: read_ledger(ledger, feeds, PERIOD), lambda: read_database(settings), lambda: read_machine(settings), lambda: feeds
    )
    return scrape(render(known))


@pytest.fixture
def ward(platform: Platform) -> Ward:
    """A platform under a clock that the story moves."""
    return Ward(platform)


def test_a_story_of_faults_and_healing_in_numbers(ward: Ward) -> None:
    """Somebody would be woken for a platform that heals, or sleep while one does not: each number is somebody's threshold."""
    platform = ward.platform
    platform.process(platform.drop("good.xlsx", [order(1), order(2)]))
    platform.process(platform.drop("some.xlsx", [*(order(number) for number in range(100, 200)), order("x")]))
    platform.process(platform.drop("bad.xlsx", [order("x"), order("y"), order("z")]))
    platform.change(faults=Rehearsal((Rule("warehouse", "down"),)))
    platform.process(platform.drop("held.xlsx", [order(3)]))
    platform.change(faults=Rehearsal())
    ward.later(120)
    platform.fulfil(platform.tick("recovery"), "recovery")
    assert ward.states()["held"] == "published"
    # Three clocks met in that story; what they said is replaced by times of which the right answers can be told.
    platform.sql("update shp.attempts set started_at = ended_at - interval '4 s' where partition = 'bad'")
    platform.sql("update shp.attempts set started_at = ended_at - interval '8 s' where partition = 'held' and code is not null")
    platform.sql("update shp.transitions set at = now() - interval '10 min' where partition = 'held' and new = 'parked'")
    platform.sql("update shp.transitions set at = now() - interval '5 min' where partition = 'held' and new = 'published'")
    platform.sql("update shp.partitions set updated_at = now() - interval '1 hour' where partition = 'bad'")
    found = scraped(platform)
    assert found["shp_success_ratio", (FEED,)] == 3 / 4
    assert found["shp_retry_ratio", (FEED,)] == 1 / 5
    assert found["shp_time_to_detect_seconds", (FEED,)] == (4 + 8) / 2
    assert found["shp_healed_partitions", (FEED,)] == 1
    assert found["shp_time_to_heal_seconds", (FEED,)] == pytest.approx(300, abs=1)
    assert found["shp_quarantined_partitions", (FEED,)] == 1
    assert found["shp_rejected_rows", (FEED,)] == 1 + 3
    assert 3600 <= found["shp_oldest_quarantined_age_seconds", (FEED,)] < 3600 + PATIENCE
    quiet = {name for name, labels in found if labels == (DAYS,)}
    assert not quiet & {"shp_success_ratio", "shp_retry_ratio", "shp_time_to_detect_seconds", "shp_time_to_heal_seconds"}
    assert [found[name, (DAYS,)] for name in ("shp_rejected_rows", "shp_healed_partitions", "shp_oldest_quarantined_age_seconds")] == [
        0
    ] * 3


def test_a_partition_that_was_held_twice_is_two_times_to_heal(platform: Platform) -> None:
    """A partition that fails every day would count as one long outage, or as the last one alone."""
    ends = [("held", 100), ("parked", 90), ("published", 70), ("waiting", 50), ("published", 40), ("running", 30), ("published", 20)]
    for number, (new, ago) in enumerate(ends):
        state = "quarantined" if new == "held" else new
        columns = "insert into shp.transitions (feed, partition, new, version, at)"
        platform.sql(f"{columns} values ('{FEED}', 'p', '{state}', {number}, now() - interval '{ago} s')")
    found = scraped(platform)
    assert found["shp_healed_partitions", (FEED,)] == 2
    assert found["shp_time_to_heal_seconds", (FEED,)] == pytest.approx((30 + 10) / 2, abs=0.1)


def test_runs_without_progress_and_sensors_that_fail_are_seen(platform: Platform) -> None:
    """A run that hangs, or a sensor that fails at each look, would be noticed by the missing data alone."""
    quiet = "now() at time zone 'UTC' - interval '{} s'"
    platform.sql(f"insert into runs (run_id, status, update_timestamp) values ('silent', 'STARTED', {quiet.format(500)})")
    platform.sql(f"insert into runs (run_id, status, update_timestamp) values ('busy', 'STARTED', {quiet.format(900)})")
    platform.sql(f"insert into event_logs (run_id, event, timestamp) values ('busy', '', {quiet.format(3)})")
    for name, status, ticks in (
        ("arrivals", "RUNNING", ["FAILURE", "STARTED"]),
        ("marts", "STOPPED", ["FAILURE"]),
        ("gaps", "RUNNING", ["SKIPPED"]),
    ):
        body = json.dumps({"origin": {"job_name": name}})
        made = "insert into instigators (selector_id, status, instigator_type, instigator_body)"
        platform.sql(f"{made} values ('{name}', '{status}', 'SENSOR', '{body}')")
        for age, tick in enumerate(reversed(ticks)):
            columns = "insert into job_ticks (job_origin_id, selector_id, status, type, timestamp)"
            platform.sql(f"{columns} values ('o', '{name}', '{tick}', 'SENSOR', {quiet.format(60 + age)})")
    found = scraped(platform)
    assert found["shp_longest_quiet_run_seconds", ()] == pytest.approx(500, abs=20)
    assert {labels[0]: value for (name, labels), value in found.items() if name == "shp_sensor_failing"} == {"arrivals": 1, "gaps": 0}
    assert found["shp_sensor_tick_age_seconds", ("arrivals",)] == pytest.approx(61, abs=20)
    assert found["shp_database_bytes", ()] > found["shp_event_log_bytes", ()] > 8192


def test_memory_and_restarts_are_those_of_the_supervisors_children(platform: Platform) -> None:
    """A process that grows for weeks, or dies every hour and comes back, would look like a healthy one."""
    run = platform.settings.home / "run"
    run.mkdir()
    me = ProcessId.current()
    services = {"web": ServiceState(str(me), restarts=3), "daemon": ServiceState("1@gone-0", restarts=1)}
    PlatformState(str(me), "mark", "", services=services).save(run / "platform.json")
    found = scraped(platform)
    assert {labels[0] for name, labels in found if name == "shp_service_memory_bytes"} == {"web"}
    assert found["shp_service_memory_bytes", ("web",)] > 50_000_000
    assert (found["shp_service_restarts", ("web",)], found["shp_service_restarts", ("daemon",)]) == (3, 1)
    assert found["shp_memory_available_bytes", ()] > 1_000_000


def test_every_metric_says_what_it_is() -> None:
    """A reader of a dashboard would have to guess the meaning, or the unit."""
    assert all(gauge.help.endswith(".") for gauge in GAUGES)
    assert len({gauge.name for gauge in GAUGES}) == len(GAUGES)
    documented = re.findall(r"^\| `(shp_\w+)` \|", PAGES["docs/metrics.md"](), re.MULTILINE)
    assert sorted(documented) == sorted(gauge.name for gauge in GAUGES)
    units = {gauge.name.rpartition("_")[2]: gauge for gauge in GAUGES}
    assert {"seconds", "bytes", "ratio"} <= set(units)


def _expressions(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node[key] for key in ("expr", "query") if isinstance(node.get(key), str)]
        return [*here, *(one for value in node.values() for one in _expressions(value))]
    return [one for value in node for one in _expressions(value)] if isinstance(node, list) else []


def test_the_dashboard_names_every_metric_and_no_other() -> None:
    """A panel would stay empty for ever; or a number that somebody needs would be on none."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    known = {gauge.name: set(gauge.labels) for gauge in GAUGES}
    expressions = _expressions(dashboard)
    assert {name for text in expressions for name in re.findall(r"shp_\w+", text)} == set(known)
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            (name,) = re.findall(r"shp_\w+", target["expr"])
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known[name]
            assert set(re.findall(r"[{,](\w+)=~", target["expr"])) <= known[name]
