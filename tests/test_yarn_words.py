"""What YARN and its client say, and what we make of it; no daemon is needed."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.lake.mapper import CLEAN
from shp_core.lake.shipped import Shipment
from shp_resources.hdfs import Cluster
from shp_resources.lake.archive import TOO_OLD
from shp_resources.lake.engine import MapJob
from shp_resources.lake.local import LocalFolder
from shp_resources.yarn.engine import Deadlines, YarnEngine, client_environment
from shp_resources.yarn.rest import Yarn
from shp_resources.yarn.streaming import command, counters_in
from tests.support.lake import sales
from tests.support.web import web_server

APPS = "/ws/v1/cluster/apps"
JOB = MapJob("shp curated/sales", "shp-0f", "lake/a/part-00000", "curated/a/_attempt-1", Shipment(sales(), (0, 1, 2, 3), 4), CLEAN)
CLIENT_SAID = """\
2026-11-21 12:00:00,001 INFO mapreduce.Job: Counters: 34
\tFile System Counters
\t\tHDFS: Number of bytes read=5
\tshp
\t\tread=5
\t\treject.invalid_date=2
\t\trows=3
\tFile Input Format Counters
\t\tBytes Read=0
"""


def app(number: int = 1, state: str = "FINISHED", final: str = "FAILED", **more: Any) -> dict[str, Any]:
    """An application as the ResourceManager tells it."""
    told = {"id": f"application_1_000{number}", "name": "curated/a/_attempt-1", "startedTime": number, "diagnostics": "Task failed x\nmore"}
    return {**told, "state": state, "finalStatus": final, **more}


def answer(document: object) -> tuple[int, bytes]:
    """A document as a web server gives it."""
    return 200, json.dumps(document).encode()


def cluster(url: str, tmp_path: Path, script: str = "exit 0") -> Cluster:
    """A cluster whose client is a shell script."""
    client = tmp_path / "client"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(client.stat().st_mode | stat.S_IXUSR)
    return Cluster(("http://127.0.0.1:9",), "etl", "/shp", url, (str(client),), {"HADOOP_USER_NAME": "etl"})


def run(url: str, tmp_path: Path, script: str = "exit 0", deadlines: Deadlines | None = None) -> Fault:
    """The fault in which a job ends."""
    engine = YarnEngine(cluster(url, tmp_path, script), LocalFolder(tmp_path / "lake"), deadlines)
    with pytest.raises(Fault) as caught:
        engine.run(JOB, tmp_path)
    return caught.value


def test_counters_are_found_among_others() -> None:
    """The counts of a job would be Hadoop's, or none."""
    assert counters_in(CLIENT_SAID) == {"read": 5, "reject.invalid_date": 2, "rows": 3}
    assert counters_in("INFO mapreduce.Job: Job failed") == {}


def test_the_command_says_where_and_what(tmp_path: Path) -> None:
    """Lines would end with a TAB, a reduce would sort them, or nobody would find the job again."""
    where = cluster("http://rm", tmp_path)
    words = command(where, JOB, tmp_path, 30, "python3")
    properties = dict(words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "-D")
    assert (properties["mapreduce.job.reduces"], properties["stream.map.output"]) == ("0", "keyonlytext")
    assert (properties["mapreduce.job.tags"], properties["mapreduce.task.timeout"]) == ("shp-0f", "30000")
    assert properties["mapreduce.jobhistory.jhist.format"] == "json", "the other format is not read"
    assert words[words.index("-input") + 1] == "/shp/lake/a/part-00000"
    assert words[words.index("-output") + 1] == "/shp/curated/a/_attempt-1"
    assert words[-1] == "python3 mapper.zip shipment.json clean standard"
    assert words[words.index("-files") + 1] == f"file://{tmp_path}/mapper.zip,file://{tmp_path}/shipment.json"


def test_a_job_for_many_is_found_by_each_of_them(tmp_path: Path) -> None:
    """A partition whose rows another run's job makes would start a second job; or take the part of another one."""
    short, long = (replace(JOB, tag=f"shp-{size}", source=f"lake/{size}/part-00000", size=size) for size in (1, 9))
    words = command(cluster("http://rm", tmp_path), replace(JOB, size=4, beside=(short, long)), tmp_path, 30, "python3")
    assert "mapreduce.job.tags=shp-0f,shp-1,shp-9" in words
    inputs = [words[place + 1] for place, word in enumerate(words) if word == "-input"]
    assert inputs == ["/shp/lake/9/part-00000", "/shp/lake/a/part-00000", "/shp/lake/1/part-00000"], "as Hadoop takes them"


def test_the_newest_application_counts() -> None:
    """A job of yesterday would be taken for the one that was just submitted."""
    with web_server({APPS: answer({"apps": {"app": [app(2), app(3, "RUNNING", "UNDEFINED"), app(1)]}})}) as url:
        found = Yarn(url, "etl").newest("shp-0f")
    assert found is not None and (found.id, found.ended, found.waiting) == ("application_1_0003", False, False)
    with web_server({APPS: answer({"apps": None})}) as url:
        assert Yarn(url, "etl").newest("shp-0f") is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, Code.TRANSIENT), (503, Code.TRANSIENT), (500, Code.TRANSIENT), (403, Code.SINK_REFUSED), (401, Code.SINK_REFUSED)],
)
def test_an_answer_that_is_none_has_a_name(status: int, code: Code) -> None:
    """A ResourceManager that was restarted, or a proxy under maintenance, would be called a bug."""
    with web_server({f"{APPS}/application_1_0001": (status, b"no")}) as url, pytest.raises(Fault) as caught:
        Yarn(url, "etl").get("application_1_0001")
    assert caught.value.code is code


def test_a_resourcemanager_that_is_away_is_told_as_down() -> None:
    """A partition would be called broken because YARN is stopped."""
    with pytest.raises(Fault) as caught:
        Yarn("http://127.0.0.1:9", "etl").newest("shp-0f")
    assert caught.value.code is Code.SINK_UNREACHABLE


@pytest.mark.parametrize(
    ("said", "code", "names"),
    [
        ("shp_core.lake.mapper.MalformedLine: a line\nsubprocess failed with code 1", Code.CODE_BUG, "MalformedLine: a line"),
        ("java.io.IOException: Cannot run program &quot;python3&quot;: error=2", Code.SINK_REFUSED, 'program "python3"'),
        ("RuntimeException: PipeMapRed.waitOutputThreads(): subprocess failed with code 127", Code.SINK_REFUSED, "code 127"),
        (f"{TOO_OLD} 3.6.8\nPipeMapRed.waitOutputThreads(): subprocess failed with code 1", Code.SINK_REFUSED, "is 3.6.8"),
        ("Container released on a *lost* node", Code.TRANSIENT, "Task failed x"),
        ("", Code.TRANSIENT, "Task failed x"),
    ],
)
def test_the_tasks_own_words_name_the_cause(tmp_path: Path, said: str, code: Code, names: str) -> None:
    """Every failure of a job would look alike: the ResourceManager does not know why."""
    page = f"<html><pre>{said}</pre></html>".encode()
    answers: dict[str, tuple[int, bytes]] = {"/logs/stderr/": (200, page)}
    with web_server(answers) as url:
        ended = app(master_logs="", amContainerLogs=f"{url}/logs")
        answers[APPS] = answer({"apps": {"app": [app(1, "RUNNING", "UNDEFINED")]}})
        answers[f"{APPS}/application_1_0001"] = answer({"app": ended})
        fault = run(url, tmp_path)
    assert fault.code is code
    assert names in fault.message.partition("\n")[0]
    assert fault.evidence.yarn_state == "FAILED"


def test_a_job_that_somebody_killed_is_taken_up_again(tmp_path: Path) -> None:
    """An operator who makes room on the cluster would have to tell the platform about every job."""
    with web_server(
        {
            APPS: answer({"apps": {"app": [app(1, "RUNNING", "UNDEFINED")]}}),
            f"{APPS}/application_1_0001": answer({"app": app(1, "KILLED", "KILLED")}),
        }
    ) as url:
        assert run(url, tmp_path).code is Code.TRANSIENT


def test_another_runs_job_with_the_same_tag_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    """A run would read its output before its job has ended, or be blamed for rows of others, whose job maps its file too."""
    own, others = app(1, "RUNNING", "UNDEFINED"), app(2, "RUNNING", "UNDEFINED", name="curated/_attempt-2")
    asked: list[str] = []

    class Answers(dict[str, tuple[int, bytes]]):
        def get(self, key: str, default: Any = None) -> Any:
            asked.append(key)
            found = [own, others] if asked.count(APPS) > 2 else []  # the job is looked for, then what is known of it, then submitted
            return answer({"apps": {"app": found}}) if key == APPS else super().get(key, default)

    ended = {"application_1_0001": app(1, "FINISHED", "SUCCEEDED"), "application_1_0002": app(2, "FINISHED", "FAILED")}
    with web_server(Answers({f"{APPS}/{name}": answer({"app": one}) for name, one in ended.items()})) as url:
        made = YarnEngine(cluster(url, tmp_path), LocalFolder(tmp_path / "lake")).run(JOB, tmp_path)
    assert (made.made_by, made.target, made.taken) == ("application_1_0001", JOB.target, False)


def test_a_job_that_nobody_takes_ends_at_its_limit(tmp_path: Path) -> None:
    """A run would wait in ACCEPTED for ever."""
    waiting = app(1, "ACCEPTED", "UNDEFINED")
    answers = {APPS: answer({"apps": {"app": [waiting]}}), f"{APPS}/application_1_0001": answer({"app": waiting})}
    with web_server({**answers, f"{APPS}/application_1_0001/state": answer({"state": "KILLED"})}) as url:
        fault = run(url, tmp_path, deadlines=Deadlines(accepted=0.3))
    assert (fault.code, fault.evidence.yarn_state) == (Code.TRANSIENT, "ACCEPTED")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("java.net.ConnectException: Call From a to b failed", Code.SINK_UNREACHABLE),
        ("RemoteException(SafeModeException): Cannot create file", Code.TRANSIENT),
        ("org.apache.hadoop.security.AccessControlException: Permission denied: user=etl", Code.SINK_REFUSED),
    ],
)
def test_a_client_that_dies_says_why(tmp_path: Path, said: str, code: Code) -> None:
    """Nobody would know why no job was ever submitted."""
    with web_server({APPS: answer({"apps": None})}) as url:
        fault = run(url, tmp_path, f"echo '{said}'; exit 1")
    assert fault.code is code
    assert said in fault.message


def test_a_client_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A wrong HADOOP_HOME would be a traceback."""
    with web_server({APPS: answer({"apps": None})}) as url:
        engine = YarnEngine(Cluster(("http://127.0.0.1:9",), "etl", "/shp", url, ("/no/hadoop",)), LocalFolder(tmp_path / "lake"))
        with pytest.raises(Fault, match="could not be submitted"):
            engine.run(JOB, tmp_path)


def test_the_client_of_a_cluster_with_kerberos_finds_the_ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs could not be submitted, though the platform itself is let in: Java does not know KRB5_CONFIG."""
    monkeypatch.setenv("KRB5CCNAME", "FILE:/run/shp/tickets")
    monkeypatch.setenv("KRB5_CONFIG", "/etc/shp/krb5.conf:/etc/krb5.conf")
    monkeypatch.setenv("HADOOP_OPTS", "-Dmine=1")
    named = replace(cluster("http://127.0.0.1:9", tmp_path), environ={"HADOOP_CONF_DIR": "/etc/hadoop"})
    known = client_environment(replace(named, kerberos=True))
    assert (known["KRB5CCNAME"], known["HADOOP_CONF_DIR"]) == ("FILE:/run/shp/tickets", "/etc/hadoop")
    assert known["HADOOP_OPTS"] == "-Dmine=1 -Djava.security.krb5.conf=/etc/shp/krb5.conf"
    assert client_environment(named)["HADOOP_OPTS"] == "-Dmine=1"


def test_the_client_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's password would be in the environment of a program that ships it to every node."""
    monkeypatch.setenv("SHP_PG_DSN", "postgresql://a:b@c/d")
    with web_server({APPS: answer({"apps": None})}) as url:
        fault = run(url, tmp_path, "env; exit 1")
    assert "HADOOP_USER_NAME=etl" in fault.message
    assert "postgresql" not in fault.message
