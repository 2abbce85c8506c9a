"""The watchdog without a platform: what it says of services that hang, of a ledger with things in it, of one that is away."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shp_core.alerts.routing import Routing
from shp_core.codes import Code
from shp_core.healing.breaker import Breaker, Phase
from shp_core.healing.decide import Severity
from shp_ops.supervisor.layout import feed_names
from shp_ops.watchdog.gauges import PERIOD
from shp_ops.watchdog.metrics import Sources, render
from shp_ops.watchdog.readings import read_database, read_ledger, read_machine
from shp_ops.watchdog.server import Answers, server
from shp_ops.watchdog.telling import Telling, teller_of
from shp_ops.watchdog.watch import Watch
from shp_resources.ledger import Ledger
from shp_resources.processes import LOOPBACK, wait_until
from shp_resources.settings import Settings
from tests.support.homes import Home
from tests.support.platforms import DAYS, FEED, Platform, order
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE

Scrape = dict[tuple[str, tuple[str, ...]], float]


def scrape(text: bytes) -> Scrape:
    """Values by name and labels, as Prometheus' own parser reads them."""
    families = text_string_to_metric_families(text.decode())
    return {(sample.name, tuple(sample.labels.values())): sample.value for family in families for sample in family.samples}


def sources(platform: Platform) -> Sources:
    """What the watchdog of an installation reads."""
    settings, ledger = platform.settings, platform.outside.ledger
    return Sources(
        lambda: {"daemon": None, "web": "does not answer"},
        lambda: read_ledger(ledger, feed_names(settings), PERIOD),
        lambda: read_database(settings),
        lambda: read_machine(settings),
        lambda: feed_names(settings),
    )


def test_a_service_that_hangs_hides_no_other() -> None:
    """One probe that waits for ever would freeze all of /readyz at its last, green answer."""
    hold = threading.Event()
    watch = Watch({"stuck": lambda: None if hold.wait(20) else "woke up", "web": lambda: "away"}, 0.01, 0.3)
    watch.start()
    assert wait_until(lambda: watch.why_not_ready()["web"] == "away", PATIENCE)
    assert watch.why_not_ready()["stuck"] == "was not looked at yet"
    hold.set()
    assert wait_until(lambda: watch.why_not_ready()["stuck"] is None, PATIENCE)
    hold.clear()
    assert wait_until(lambda: (watch.why_not_ready()["stuck"] or "").startswith("has not answered"), PATIENCE)
    assert watch.alive
    watch.stop()
    hold.set()


def test_for_how_long_a_service_is_away_is_counted_from_its_last_answer() -> None:
    """A cluster that blinks would be told as an outage, or one that is away since yesterday as new."""
    answers: list[str | None] = [None]
    watch = Watch({"namenode": lambda: answers[-1], "web": lambda: "away"}, 0.01)
    watch.start()
    assert wait_until(lambda: watch.why_not_ready()["namenode"] is None, 60)
    assert watch.away(["namenode"]) == {}
    answers.append("refused")
    assert wait_until(lambda: watch.away(["namenode"]).get("namenode", ("", 0.0))[1] > 0.05, 60), "it goes on"
    answers.append("reset")
    assert wait_until(lambda: watch.away(["namenode"])["namenode"][0] == "reset", 60)
    assert watch.away(["namenode"])["namenode"][1] > 0.05, "another reason is no other outage"
    answers.append(None)
    assert wait_until(lambda: watch.away(["namenode"]) == {}, 60)
    watch.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_probe_that_breaks_is_noticed() -> None:
    """A slip in a probe would leave its service at its last answer for ever."""

    def broken() -> str | None:
        raise ValueError("a slip")

    watch = Watch({"web": broken}, 0.01)
    watch.start()
    assert wait_until(lambda: not watch.alive, PATIENCE)


@contextmanager
def answering(services: dict[str, str | None], alive: bool = True) -> Iterator[str]:
    """A server that says so; its address."""
    found = server(0, Answers(lambda: alive, lambda: services, lambda: b"# HELP x y\n"))
    thread = threading.Thread(target=found.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{found.server_port}"
    finally:
        found.shutdown()
        found.server_close()
        thread.join()


def asked(url: str) -> tuple[int, bytes]:
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize(("why", "status"), [(None, 200), ("does not answer", 503)])
def test_readyz_says_what_is_not_ready(why: str | None, status: int) -> None:
    """A load balancer or a pager would be told that all is well."""
    with answering({"postgres": None, "daemon": why}) as url:
        code, body = asked(f"{url}/readyz")
        assert (code, json.loads(body)) == (status, {"ready": why is None, "services": {"postgres": None, "daemon": why}})
        assert asked(f"{url}/livez") == (200, b'{"alive": true}\n')
        assert asked(f"{url}/metrics?x=1") == (200, b"# HELP x y\n")
        assert asked(f"{url}/elsewhere")[0] == 404


def test_livez_is_about_the_watchdog_alone() -> None:
    """The supervisor would start a watchdog again because the database is away, or leave one that tells nobody."""
    with answering({"postgres": "away"}) as url:
        assert asked(f"{url}/livez")[0] == 200
    with answering({"postgres": None}, alive=False) as url:
        assert asked(f"{url}/livez")[0] == 503


def test_the_numbers_are_those_of_the_ledger(platform: Platform) -> None:
    """A dashboard would be wrong, which is worse than none."""
    started = datetime.now(UTC)
    platform.process(platform.drop("good.xlsx", [order(1), order(2)]))
    platform.process(platform.drop("bad.xlsx", [order("x")]))
    platform.outside.ledger.breakers.change("warehouse", lambda _: Breaker("warehouse", Phase.OPEN, opened_at=started))
    said = {"severity": str(Severity.CRITICAL), "code": str(Code.SINK_UNREACHABLE), "message": "away"}
    platform.outside.ledger.incidents.join("warehouse", FEED, "good", at=started, **said)
    platform.sql("insert into runs (run_id, status, create_timestamp) values ('q', 'QUEUED', now() at time zone 'UTC' - interval '90 s')")
    found = scrape(render(sources(platform)))
    assert found["shp_partitions", (FEED, "published")] == found["shp_partitions", (FEED, "quarantined")] == 1
    assert (found["shp_quarantined_partitions", (FEED,)], found["shp_quarantined_partitions", (DAYS,)]) == (1, 0)
    assert found["shp_held_partitions", (FEED,)] == 1
    assert started.timestamp() <= found["shp_last_published_timestamp_seconds", (FEED,)] <= datetime.now(UTC).timestamp()
    assert found["shp_breaker_open", ("warehouse",)] == 1
    assert (found["shp_open_incidents", ("critical",)], found["shp_open_incidents", ("info",)]) == (1, 0)
    assert 90 <= found["shp_oldest_queued_run_age_seconds", ()] < 150
    assert 0 < found["shp_postgres_connections", ()] < found["shp_postgres_connections_limit", ()] == 200
    assert found["shp_disk_free_bytes", ("store",)] > 1_000_000
    assert (found["shp_service_ready", ("daemon",)], found["shp_service_ready", ("web",)]) == (1, 0)


def test_letters_that_wait_are_counted_without_their_addresses(platform: Platform) -> None:
    """Nobody would see that nobody was told; or a monitoring system would know people's addresses."""
    now = datetime.now(UTC) - timedelta(minutes=5)
    columns = "insert into shp.alerts (destination, subject, text, made_at, tries, next_try_at)"
    rows(platform.dsn, f"{columns} values ('mail:anna@example.com', 's', 't', %s, 3, %s)", now, now)
    text = render(sources(platform))
    assert scrape(text)["shp_alerts_waiting", ("mail",)] == 1
    assert b"anna" not in text


def test_without_a_database_the_rest_is_still_told(home: Home) -> None:
    """When the database is away the scrape would fail, and the dashboard show nothing at all."""
    settings = Settings.load({"SHP_PG_DSN": "postgresql://shp@127.0.0.1:1/nobody"}, home=home.path)
    ledger = Ledger(settings.ledger_dsn)
    known = Sources(
        lambda: {"postgres": "away"},
        lambda: read_ledger(ledger, ["a"], PERIOD),
        lambda: read_database(settings),
        lambda: read_machine(settings),
        lambda: ["a"],
    )
    found = scrape(render(known))
    assert (found["shp_service_ready", ("postgres",)], found["shp_ledger_readable", ()]) == (0, 0)
    assert {name for name, _ in found} == {
        *("shp_service_ready", "shp_ledger_readable", "shp_disk_free_bytes", "shp_memory_available_bytes")
    }


def test_people_are_told_again_when_the_ledger_comes_back(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    """A restart of the database would end the thread that tells people, for ever and without a word."""
    address: list[str | None] = [None]
    ledger = Ledger(lambda: address[0])
    telling = Telling(teller_of(platform.settings, ledger), pause=0.05)
    telling.start()
    try:
        assert wait_until(lambda: "nobody can be told" in caplog.text, PATIENCE)
        said = {"severity": "critical", "code": str(Code.SINK_UNREACHABLE), "message": "away"}
        platform.outside.ledger.incidents.join("warehouse", FEED, "n1", at=datetime.now(UTC), **said)
        address[0] = platform.dsn
        assert wait_until(lambda: "[SHP] critical: warehouse" in caplog.text, PATIENCE)
        assert telling.alive
        assert caplog.text.count("nobody can be told") == 1
    finally:
        telling.stop()
        assert wait_until(lambda: not telling.alive, PATIENCE)
        ledger.close()


def test_a_broken_platform_file_silences_no_alert(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    """A slip in shp.yaml would mean that nobody is told of anything any more."""
    (platform.base / "shp.yaml").write_text("alerts: {owner: never}\n")
    teller = teller_of(platform.settings, platform.outside.ledger)
    assert "alerts.owner" in caplog.text
    assert teller.routing == Routing()
    assert teller.owners()[FEED] == "team:orders"
