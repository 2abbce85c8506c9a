"""What the platform tells people of itself: from when on, in the ledger, to whom, and that it is over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shp_core.alerts.routing import Routing
from shp_core.clock import ManualClock
from shp_core.codes import Code
from shp_core.healing.breaker import Breaker, Phase
from shp_core.limits import GIB
from shp_core.watching import Seen, troubles
from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.state import PlatformState, ServiceState, probes_of
from shp_ops.watchdog.troubles import LOOK, Troubles, see
from shp_resources.alerts.channels import Channels, Letter
from shp_resources.alerts.teller import Teller
from shp_resources.ledger import Ledger
from shp_resources.processes import ProcessId
from tests.support.ledgers import opened
from tests.support.platforms import FEED, Platform

CALM = Seen(
    queued=1800,
    quiet=1800,
    failing={"arrivals": 180.0},
    late={"gaps": 599.0},
    shut={"yarn": 900},
    away={"namenode": ("does not answer (refused)", 60.0)},
    disk={"home": GIB},
    memory=GIB,
    connections=(90, 100),
)


@pytest.mark.parametrize(
    ("change", "cause", "code"),
    [
        ({"restarted": {"web": (1, 299.0)}}, "platform/web", Code.SERVICE_FAILED),
        ({"queued": 1801}, "platform/queue", Code.PLATFORM_STRAINED),
        ({"quiet": 1801}, "platform/runs", Code.PLATFORM_STRAINED),
        ({"failing": {"gaps": 181.0}, "late": {"gaps": 9000.0}}, "platform/sensor/gaps", Code.PLATFORM_STRAINED),
        ({"late": {"gaps": 601.0}}, "platform/sensor/gaps", Code.PLATFORM_STRAINED),
        ({"shut": {"yarn": 901.0}}, "platform/breaker/yarn", Code.BREAKER_OPEN),
        ({"disk": {"store": GIB - 1}}, "platform/disk/store", Code.PLATFORM_STRAINED),
        ({"away": {"namenode": ("does not answer", 61.0)}}, "platform/namenode", Code.SINK_UNREACHABLE),
        ({"memory": 1}, "platform/memory", Code.PLATFORM_STRAINED),
        ({"connections": (91, 100)}, "platform/connections", Code.PLATFORM_STRAINED),
    ],
)
def test_each_thing_is_told_from_its_line_on_and_not_before(change: dict[str, Any], cause: str, code: Code) -> None:
    """People would be woken by a healthy platform, or sleep until the disk is full."""
    assert troubles(CALM) == []
    assert troubles(replace(CALM, restarted={"web": (3, 300.0)})) == []
    assert [(one.cause, one.code) for one in troubles(replace(CALM, **change))] == [(cause, code)]


@dataclass
class Box:
    """Letters as they would arrive."""

    subjects: list[str] = field(default_factory=list)

    def send(self, address: str, letter: Letter) -> None:
        """Take a letter."""
        self.subjects.append(letter.subject)


def watched(ledger: Ledger, clock: ManualClock, seen: list[Seen | None]) -> tuple[Box, Any]:
    """A mailbox of those who run the platform, and one look of the watchdog at what is seen then."""
    box = Box()
    looking = Troubles(ledger, lambda: seen[-1], clock)
    teller = Teller(ledger, Channels(box, {}), Routing(), dict, "night@example.com", clock)

    def look() -> None:
        looking.look()
        teller.look()
        teller.deliver()
        clock.advance(LOOK)

    return box, look


def test_a_process_that_was_started_again_is_told_once_and_when_it_is_over(prepared_dsn: str) -> None:
    """A process that dies each night would be restarted for months, and nobody would ever know."""
    with opened(prepared_dsn) as ledger:
        seen: list[Seen | None] = [replace(CALM, restarted={"web": (1, 2.0)})]
        box, look = watched(ledger, ManualClock(datetime.now(UTC)), seen)
        for _ in range(3):
            look()
        assert box.subjects == ["[SHP] warning: platform/web (service_failed)"]
        seen.append(None)
        look()
        assert len(ledger.incidents.open()) == 1, "a database that is away proves nothing"
        seen.append(CALM)
        look()
        assert box.subjects[1:] == ["[SHP] over: platform/web (service_failed)"]
        assert ledger.incidents.open() == []


def test_a_breaker_that_stays_open_is_told_where_no_incident_speaks_of_its_system(prepared_dsn: str) -> None:
    """Partitions would be parked for days because of a breaker that never closes, or people be told twice of one outage."""
    with opened(prepared_dsn) as ledger:
        clock = ManualClock(datetime.now(UTC))
        for name in ("warehouse", "yarn"):
            since = clock.now() - timedelta(hours=1)
            ledger.breakers.change(name, lambda _, name=name, since=since: Breaker(name, Phase.OPEN, opened_at=since))
        said = {"severity": "critical", "code": str(Code.SINK_UNREACHABLE), "message": "away"}
        ledger.incidents.join("warehouse", FEED, "n1", at=clock.now(), **said)
        _, look = watched(ledger, clock, [CALM])
        look()
        assert [incident.cause for incident in ledger.incidents.open()] == ["warehouse", "platform/breaker/yarn"]
        ledger.breakers.change("yarn", lambda _: Breaker("yarn"))
        look()
        assert [incident.cause for incident in ledger.incidents.open()] == ["warehouse"]


@pytest.mark.parametrize("met_by_runs", [False, True])
def test_a_cluster_that_is_away_is_told_once(prepared_dsn: str, met_by_runs: bool) -> None:
    """At night, when no run comes, nobody would know that HDFS is away; or people would be told of it by runs and watchdog both."""
    with opened(prepared_dsn) as ledger:
        clock = ManualClock(datetime.now(UTC))
        if met_by_runs:
            said = {"severity": "critical", "code": str(Code.SINK_UNREACHABLE), "message": "away"}
            ledger.incidents.join("hdfs", FEED, "n1", at=clock.now(), **said)
        seen: list[Seen | None] = [replace(CALM, away={"namenode": ("does not answer (refused)", 75.0)})]
        _, look = watched(ledger, clock, seen)
        look()
        look()
        messages = {incident.cause: incident.message for incident in ledger.incidents.open()}
        assert messages == ({"hdfs": "away"} if met_by_runs else {"platform/namenode": "The cluster's namenode does not answer (refused)."})
        seen.append(replace(CALM, away={}))
        look()
        assert [incident.cause for incident in ledger.incidents.open()] == (["hdfs"] if met_by_runs else [])


def test_runs_that_meet_what_was_told_already_end_no_incident(prepared_dsn: str) -> None:
    """People would read that the cluster is back in the moment in which the first run finds it away."""
    with opened(prepared_dsn) as ledger:
        clock = ManualClock(datetime.now(UTC))
        _, look = watched(ledger, clock, [replace(CALM, away={"namenode": ("does not answer", 75.0)})])
        look()
        said = {"severity": "critical", "code": str(Code.SINK_UNREACHABLE), "message": "away"}
        ledger.incidents.join("hdfs", FEED, "n1", at=clock.now(), **said)
        look()
        assert {incident.cause for incident in ledger.incidents.open()} == {"platform/namenode", "hdfs"}


def test_what_is_seen_of_an_installation_is_told_and_healing_leaves_it_alone(platform: Platform) -> None:
    """The sensor that proves incidents over would close one about a dead process at once, for it holds no partition."""
    me, run = str(ProcessId.current()), Layout(platform.settings.home).run
    run.mkdir()
    services = {"daemon": ServiceState(me, since=datetime.now(UTC).timestamp(), restarts=2), "namenode": ServiceState(me)}
    PlatformState(me, "mark", "", services=services).save(Layout(platform.settings.home).state)
    body = '{"origin": {"job_name": "gaps"}}'
    made = "insert into instigators (selector_id, status, instigator_type, instigator_body)"
    platform.sql(f"{made} values ('g', 'RUNNING', 'SENSOR', '{body}')")
    ticks = "insert into job_ticks (job_origin_id, selector_id, status, type, timestamp)"
    for status, minutes in (("SKIPPED", 30), ("FAILURE", 5), ("FAILURE", 1)):
        platform.sql(f"{ticks} values ('o', 'g', '{status}', 'SENSOR', now() at time zone 'UTC' - interval '{minutes} min')")
    platform.sql("insert into runs (run_id, status, create_timestamp) values ('q', 'QUEUED', now() at time zone 'UTC' - interval '2 h')")
    Troubles(platform.outside.ledger, lambda: see(platform.settings), ManualClock(datetime.now(UTC))).look()
    platform.tick("recovery")
    found = {incident.cause: incident.message for incident in platform.outside.ledger.incidents.open()}
    assert found.pop("platform/daemon") == "daemon ended and was started again, 2 times since the platform was started."
    assert found.pop("platform/sensor/gaps") == "The sensor gaps has failed for 30 minutes."
    assert found.pop("platform/queue") == "A run waits in the queue for 2 hours."
    assert not [cause for cause in found if not cause.startswith(("platform/disk", "platform/memory"))]
    assert set(probes_of(platform.settings)) == {"postgres", "code", "runs", "web", "daemon", "namenode"}


def test_no_database_is_no_reason_to_tell_anything_about_it(platform: Platform) -> None:
    """All incidents would be closed by an outage of the database, and opened again after it."""
    assert see(replace(platform.settings, pg_dsn="postgresql://shp@127.0.0.1:1/nobody")) is None
