"""Log lines: one form whoever writes, rotated, readable, and never with a secret or what stands in a personal column."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from shp_core.logs.gather import Gathering
from shp_core.logs.line import Record, parsed, readable, written
from shp_core.logs.redact import Redaction, password_of
from shp_ops.cli.main import run
from shp_ops.daemon import tells_something
from shp_ops.read_logs import follow, last
from shp_ops.supervisor.parts import ServiceProcess
from shp_ops.supervisor.scribe import Scribe
from shp_ops.supervisor.services import Service
from shp_resources import logs
from shp_resources.log_file import LogFile, Rotation, aside, rotate
from shp_resources.processes import wait_until
from shp_resources.settings import Settings
from tests.support.platforms import NOBODY, Platform, order
from tests.support.waiting import PATIENCE

SECRETS = {
    "SENDER_PASSWORD": "kolibri-7",
    "SHP_WEBHOOK_OPS": "https://hooks.example/T0/kormoran",
    "SHP_SOURCE_FILES_TOKEN": "pirol-3",
    "dsn": "zaunkoenig",
}
PERSON = "wilhelmina@example.com"


def gathered(text: str, *, hide: bool = False) -> list[Record]:
    """What becomes of the output of a process."""
    gathering = Gathering(lambda: "now", hide_values=hide)
    found = [record for line in text.splitlines() for record in gathering.take(line)]
    return [*found, *gathering.flush()]


@pytest.fixture
def quiet() -> Iterator[None]:
    """Our logger as it was, afterwards."""
    logger = logging.getLogger(logs.OURS)
    before = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.level, logger.propagate = before[0], before[1], before[2]


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ("2026-11-21 18:29:23 +0000 - dagster.daemon - ERROR - it fails", Record("now", "error", "it fails", "dagster.daemon")),
        ("2026-11-21 18:29:23.123 UTC [17] FATAL:  no more", Record("2026-11-21T18:29:23.123Z", "critical", "no more")),
        ("2026-11-21 18:29:23,123 WARN namenode.NameNode: slow", Record("now", "warning", "slow", "namenode.NameNode")),
        ("\x1b[31mINFO:     started\x1b[0m", Record("now", "info", "started")),
        ("what a C library says", Record("now", "info", "what a C library says")),
    ],
)
def test_every_processs_lines_become_ours(line: str, record: Record) -> None:
    """Whoever searches the logs would have to know five formats, and could not sort them by time or level."""
    assert gathered(line) == [record]
    again = parsed(written(record, "web"))
    assert again == record
    assert gathered(written(record, "web")) == [record], "a line of ours stays as it is"


STORY = """\
2026-11-21 18:29:23 +0000 - dagster.daemon - ERROR - it fails
Traceback (most recent call last):
  File "x.py", line 1, in f
    int(cell)
ValueError: invalid literal: 'Konstantin'
  and 'Wilhelmina'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "x.py", line 3, in g
psycopg2.errors.CheckViolation: row ('Konstantin')
DETAIL: ('Wilhelmina')
2026-11-21 18:29:24 +0000 - dagster.daemon - INFO - goes on
"""


def test_a_traceback_is_one_record_with_what_it_is_about() -> None:
    """A traceback of forty lines would be forty records, between which other processes' lines stand."""
    failed, goes_on = gathered(STORY)
    assert (failed.message, goes_on.message) == ("it fails", "goes on")
    assert failed.traceback.count("Traceback") == 2 and "CheckViolation: row" in failed.traceback
    (alone,) = gathered("\n".join(STORY.splitlines()[1:6]))
    assert (alone.level, alone.message) == ("error", "ValueError: invalid literal: 'Konstantin'")


def test_of_a_process_with_cells_in_its_hands_only_types_and_places_are_kept() -> None:
    """An exception of a library quotes the cell that it could not take."""
    (failed, _) = gathered(STORY, hide=True)
    assert "Konstantin" not in str(failed) and "Wilhelmina" not in str(failed)
    assert [line for line in failed.traceback.splitlines() if not line.startswith((" ", "Trace", "During"))] == [
        *("ValueError", "psycopg2.errors.CheckViolation")
    ]
    (missing,) = gathered("Traceback (most recent call last):\nImportError: no module x", hide=True)
    assert missing.message == "ImportError: no module x"


def test_a_person_reads_a_line_at_a_glance() -> None:
    """A terminal full of JSON is no help to anybody at night."""
    record = Record("2026-11-21T07:00:00.000Z", "error", "refused", "shp.runs", {"feed": "a", "run": "0123456789ab", "code": "x"}, "f.py")
    assert readable(written(record, "runs")) == "2026-11-21T07:00:00.000Z  error     refused  [feed=a run=01234567 code=x]\nf.py"
    assert readable("no line of ours") == "no line of ours"
    assert parsed('{"at": 1}') is None


def test_secrets_are_replaced_whoever_spells_them() -> None:
    """A driver's own error message would give the database away."""
    redact = Redaction([*password_of("postgresql://shp:z%40unk@h/db"), "kolibri-7", "abc"])
    told = "postgresql://shp:other@h/db z@unk z%40unk kolibri-7 password=geheim user=shp abc"
    assert redact(told) == "postgresql://shp:***@h/db *** *** *** password=*** user=shp abc"
    assert password_of(None) == password_of("postgresql://h/db") == []


def test_a_log_is_put_aside_by_size_and_by_day_and_forgotten(tmp_path: Path) -> None:
    """A log that grows for a year fills the disk, and the platform stands still."""
    file = LogFile(tmp_path / "web.log", Rotation(bytes=100, files=2, keep_days=3))
    other = LogFile(tmp_path / "web.log", Rotation(bytes=100, files=2, keep_days=3))
    for number in range(30):
        (file if number % 2 else other).write(f"line {number:02} {'.' * 20}")
    kept = [*aside(file.path), file.path]
    assert [path.name for path in kept] == ["web.log.2", "web.log.1", "web.log"]
    lines = [line.split()[1] for path in kept for line in path.read_text().splitlines()]
    assert lines == [f"{number:02}" for number in range(30 - len(lines), 30)], "no line is lost or torn between two writers"
    os.utime(file.path, (time.time() - 86_400, time.time() - 86_400))
    os.utime(aside(file.path)[-1], (0, 0))
    file.write("a new day")
    assert file.path.read_text() == "a new day\n"
    assert [path.name for path in aside(file.path)] == ["web.log.1"], "what is older than its days is gone"
    os.truncate(file.path, 200)
    with file.path.open("ab") as open_elsewhere:
        rotate(file.path, Rotation(bytes=100), in_place=True)
        open_elsewhere.write(b"goes on\n")
    assert file.path.read_text() == "goes on\n"


def test_a_process_that_crashes_is_in_the_log_with_its_last_words(tmp_path: Path) -> None:
    """The line that says why a process died would be the one that is missing."""
    script = "import sys; print('begins', flush=True); sys.stderr.write('secret-word\\n'); raise KeyError('x')"
    service = Service("sample", [sys.executable, "-c", script], lambda since: None)
    scribe = Scribe("sample", LogFile(tmp_path / "sample.log"), Redaction(["secret-word"]))
    process = ServiceProcess(service, scribe, lambda: {"PATH": os.defpath}, tmp_path)
    process.start()
    assert wait_until(lambda: process.process is None, PATIENCE)
    assert process.last_words().splitlines()[-1] == "KeyError: 'x'"
    lines = [json.loads(line) for line in (tmp_path / "sample.log").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["begins", "***", "KeyError: 'x'"]
    assert lines[-1]["traceback"].startswith("Traceback")
    assert {line["process"] for line in lines} == {"sample"}


def test_a_sensor_that_asks_for_nothing_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    """Two lines a second would push what matters out of the kept files within a day."""

    def said(message: str) -> bool:
        return tells_something(logging.LogRecord("x", logging.INFO, "", 0, message, None, None))

    told = ["Checking for new runs for sensor: gaps", "Sensor gaps skipped: Nothing.", "Launching run for arrivals"]
    assert [said(message) for message in told] == [False, False, True]


def test_shp_logs_shows_all_in_the_order_of_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody would open six files side by side."""
    folder = tmp_path / "logs"
    LogFile(folder / "web.log").write(written(Record("2026-11-21T07:00:02.000Z", "info", "second", "", {"feed": "sales"}), "web"))
    LogFile(folder / "runs.log").write(written(Record("2026-11-21T07:00:03.000Z", "info", "third"), "runs"))
    LogFile(folder / "postgres.log").write("2026-11-21 07:00:01.000 UTC [1] LOG:  first")
    assert run(["logs", "--home", str(tmp_path)]) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[3]) for line in shown] == [("postgres", "first"), ("web", "second"), ("runs", "third")]
    assert run(["logs", "web", "--feed", "sales", "--json", "--home", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["feed"] == "sales"
    assert run(["logs", "wbe", "--home", str(tmp_path)]) == 2
    assert "There are: postgres, runs, web." in capsys.readouterr().err
    assert [line.text for line in last([folder / "web.log"], 0)] == []


def test_following_goes_on_in_the_new_file(tmp_path: Path) -> None:
    """At midnight `shp logs -f` would fall silent, and whoever watches would think that all is well."""
    file = LogFile(tmp_path / "web.log", Rotation(bytes=10))
    file.write(written(Record("1", "info", "before")))
    seen: list[str] = []
    follower = islice(follow([file.path]), 3)
    reading = threading.Thread(target=lambda: seen.extend(json.loads(line.text)["message"] for line in follower), daemon=True)
    reading.start()
    for number, text in enumerate(("one", "two", "three")):
        file.write(written(Record("1", "info", text)))
        assert wait_until(lambda wanted=number + 1: len(seen) == wanted, PATIENCE)
    assert seen == ["one", "two", "three"]


@pytest.mark.usefixtures("quiet")
def test_nothing_that_is_secret_or_personal_is_written(platform: Platform, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A mailbox's password or a customer's address would stand in logs, tickets and screenshots."""
    home = platform.settings.home
    mail = {"SMTP_SERVER": "127.0.0.1", "SENDER_EMAIL": "a@b.example", "SENDER_PASSWORD": SECRETS["SENDER_PASSWORD"]}
    more = {name: value for name, value in SECRETS.items() if name.startswith("SHP_")}
    known = Settings.load({**mail, **more, "SHP_PG_DSN": platform.dsn}, home=home)
    logs.log_to_file(known, "ingest")
    platform.process(platform.drop("good.xlsx", [order(1, contact=PERSON)]))
    platform.process(platform.drop("some.xlsx", [*(order(number) for number in range(100, 200)), order("x", contact=PERSON)]))
    platform.process(platform.drop("bad.xlsx", [order("x", contact=PERSON), order("y", contact=f"{PERSON} ")]))
    platform.sql("alter table warehouse.orders add check (contact <> 'third@example.com') not valid")
    platform.process(platform.drop("refused.xlsx", [order(7, contact="third@example.com")]))
    platform.turn_to(NOBODY.replace("shp@", f"shp:{SECRETS['dsn']}@"))
    platform.process(platform.drop("parked.xlsx", [order(8, contact=PERSON)]))
    logging.getLogger("shp.alerts").warning("%s", list(SECRETS.values())[:3])
    found = [*platform.everywhere(), *(("the terminal", text) for text in capfd.readouterr())]
    forbidden = [*SECRETS.values(), "wilhelmina", "third@"]
    assert [(place, word) for place, text in found for word in forbidden if word in text] == []
    lines = [json.loads(line) for line in (home / "logs" / "ingest.log").read_text().splitlines()]
    verdicts = {line["partition"]: line for line in lines if "code" in line}
    assert {name: line["code"] for name, line in verdicts.items()} == {
        "bad": "too_many_rejects",
        "refused": "code_bug",
        "parked": "sink_unreachable",
    }
    assert all({"feed", "partition", "delivery", "run", "attempt", "code"} <= set(line) for line in verdicts.values())
    steps = {line["message"].split()[1] for line in lines if line.get("partition") == "good"}
    assert steps == {"raw", "validated", "warehouse"}
    assert lines[-1]["message"] == "['***', '***', '***']"
