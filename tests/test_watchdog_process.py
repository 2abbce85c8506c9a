"""The watchdog's own process, with nothing beside it but a database and a mail server: it needs neither daemon nor webserver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shp_core.codes import Code
from shp_resources.ledger import Member
from shp_resources.processes import LOOPBACK, free_port, stop, wait_until
from tests.support.mailbox import PASSWORD, SENDER, Mailbox, certificate, mail_server
from tests.support.platforms import FEED, Platform
from tests.support.waiting import PATIENCE
from tests.support.web import web_server


@dataclass
class Process:
    """The watchdog of an installation, as the supervisor starts it.

    Args:
        platform: the installation.
        environ: its whole environment.
        log: what it writes.
    """

    platform: Platform
    environ: dict[str, str]
    log: Path

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, and wait until it answers."""
        self.port = free_port(None)
        command = [sys.executable, "-m", "shp_ops.watchdog", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(command, env=self.environ, cwd=self.platform.base, stdout=log, stderr=log)
        assert wait_until(lambda: self.status("/livez") == 200, PATIENCE, 0.05), self.log.read_text()
        return self.child

    def status(self, path: str) -> int | None:
        """The status that it answers, None when it does not."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{path}", timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def readiness(self, *names: str) -> list[float | None]:
        """What `/metrics` says of services."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/metrics", timeout=15) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families if family.name == "shp_service_ready" for sample in family.samples]
        known = {sample.labels["service"]: sample.value for sample in samples}
        return [known.get(name) for name in names]


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    """A mail server with TLS and a login."""
    with mail_server(certificate(tmp_path)) as found:
        yield found


@pytest.fixture
def process(platform: Platform, mailbox: Mailbox, tmp_path: Path) -> Iterator[Process]:
    """A watchdog that was not started yet; it is ended afterwards."""
    told = {"SMTP_SERVER": LOOPBACK, "SMTP_PORT": str(mailbox.port), "SENDER_EMAIL": SENDER, "SENDER_PASSWORD": PASSWORD}
    more = {"RECIPIENT_EMAIL": "night@example.com", "SSL_CERT_FILE": str(tmp_path / "tls.pem")}
    found = Process(platform, {**os.environ, **told, **more}, tmp_path / "watchdog.log")
    (platform.settings.home / "run").mkdir(exist_ok=True)
    yield found
    stop(found.child, 10.0)


def test_it_tells_once_over_its_own_death_and_says_no_secret(process: Process, platform: Platform, mailbox: Mailbox) -> None:
    """Where daemon and webserver are dead people must still be told, once, and not with the password in a log."""
    incidents, now = platform.outside.ledger.incidents, datetime.now(UTC)
    said = {"severity": "critical", "code": str(Code.SINK_UNREACHABLE), "message": "warehouse: no answer"}
    number = incidents.join("warehouse", FEED, "n1", at=now, **said)
    process.start()
    assert wait_until(lambda: len(mailbox.mails) == 1, PATIENCE, 0.1), process.log.read_text()
    process.child.send_signal(signal.SIGKILL)
    process.child.wait()
    incidents.leave(number, Member(FEED, "n1"), "healed", now)
    assert incidents.close(number, "1 partitions were read again.", now)
    process.start()
    assert wait_until(lambda: len(mailbox.mails) == 2, PATIENCE, 0.1), process.log.read_text()
    assert [subject.partition(" (")[0] for subject in mailbox.subjects] == ["[SHP] critical: warehouse", "[SHP] over: warehouse"]
    assert {mail["To"] for mail in mailbox.mails} == {"night@example.com"}
    assert not [place for place, text in platform.everywhere() if PASSWORD in text]
    assert PASSWORD not in process.log.read_text()


def test_it_is_alive_where_nothing_else_is_and_ends_when_told(process: Process) -> None:
    """Monitoring would get no answer at all when it is needed; or the platform could not be stopped."""
    child = process.start()
    assert (process.status("/readyz"), process.status("/metrics"), process.status("/livez")) == (503, 200, 200)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{LOOPBACK}:{process.port}/readyz", timeout=PATIENCE)
    services = json.load(caught.value)["services"]
    assert services["daemon"] in ("not started yet", "was not looked at yet")
    assert set(services) == {"postgres", "code", "runs", "web", "daemon"}
    child.send_signal(signal.SIGTERM)
    assert child.wait(PATIENCE) == 0


def test_a_cluster_of_somebody_else_is_watched_too(process: Process) -> None:
    """The NameNode that the settings name would be away for a night, and monitoring be green."""
    answers = {"/webhdfs/v1/": (200, b'{"FileStatus": {}}'), "/ws/v1/cluster/info": (200, b'{"clusterInfo": {"state": "STARTED"}}')}
    with web_server(answers) as url:
        process.environ |= {"SHP_HDFS_URL": url, "SHP_YARN_URL": url}
        process.start()
        assert wait_until(lambda: process.readiness("namenode", "resourcemanager") == [1.0, 1.0], PATIENCE), process.log.read_text()
    assert wait_until(lambda: process.readiness("namenode", "resourcemanager") == [0.0, 0.0], PATIENCE), "both went away"
    with web_server(answers, int(url.rpartition(":")[2])):
        assert wait_until(lambda: process.readiness("namenode", "resourcemanager") == [1.0, 1.0], PATIENCE), "both came back"
