"""Counters of a job whose client did not tell them: found in the job's history, wherever the configuration lets it lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from shp_resources.hdfs import Cluster
from shp_resources.lake.local import LocalFolder
from shp_resources.yarn.engine import YarnEngine
from shp_resources.yarn.history import counters_in, counters_of, history_folder
from tests.support.web import Answer, web_server
from tests.test_yarn_words import APPS, JOB, answer, app

APPLICATION, FILE = "application_1_0001", "job_1_0001-1795-etl-curated%2Fa-1796-1-0-SUCCEEDED-default-1795.jhist"
OTHERS = ("job_1_0001_conf.xml", "job_1_00011-1795-etl-x.jhist", "job_1_0001.summary")
DEFAULT = "/tmp/hadoop-yarn/staging/history/done_intermediate"
GROUPS = [
    {"name": "org.apache.hadoop.mapreduce.TaskCounter", "counts": [{"name": "MAP_INPUT_RECORDS", "value": 9}]},
    {"name": "shp", "displayName": "shp", "counts": [{"name": "read", "value": 3}, {"name": "reject.invalid_date", "value": 1}]},
]


def line(kind: str, **told: object) -> str:
    """An event as a history of the format `json` tells it."""
    return json.dumps({"type": kind, "event": {f"org.apache.hadoop.mapreduce.jobhistory.{kind}": told}}, separators=(",", ":"))


def history(*ends: str) -> bytes:
    """A history that ends with these lines."""
    return "\n".join(["Avro-Json", '{"type":"record"}', "", line("MAP_ATTEMPT_FINISHED", counters={"groups": []}), *ends, ""]).encode()


HISTORY = history(line("JOB_FINISHED", totalCounters={"name": "TOTAL_COUNTERS", "groups": GROUPS}))


@contextmanager
def cluster(content: bytes | None, folder: str = DEFAULT, more: dict[str, Answer] | None = None) -> Iterator[Cluster]:
    """A cluster whose HDFS has this history, among others, in a folder; None: it may not be read."""
    names = [FILE, *OTHERS]
    listed = {"FileStatuses": {"FileStatus": [{"pathSuffix": name, "type": "FILE", "length": 1, "modificationTime": 0} for name in names]}}
    place, name = f"/webhdfs/v1{folder}/etl", FILE.replace("%", "%25")
    answers = {place: answer(listed), f"{place}/{name}": (403, b"{}") if content is None else (200, content), **(more or {})}
    with web_server(answers) as url:
        yield Cluster((url,), "etl", "/shp", url, ("false",), {"HADOOP_USER_NAME": "etl"})


def configured(conf: Path, **properties: str) -> dict[str, str]:
    """A client's environment whose configuration has these properties."""
    lines = [f"<property><name>{name}</name><value> {value}\n</value></property>" for name, value in properties.items()]
    (conf / "mapred-site.xml").write_text(f"<configuration>{''.join(lines)}</configuration>")
    return {"HADOOP_CONF_DIR": str(conf)}


def test_the_mappers_counters_are_read_from_the_jobs_own_history() -> None:
    """Nobody could see what a job did whose client had died, or they would be those of another job."""
    with cluster(HISTORY) as where:
        assert counters_of(where, APPLICATION) == {"read": 3, "reject.invalid_date": 1}
        assert counters_of(where, "application_1_0002") == {}


@pytest.mark.parametrize(
    ("properties", "folder"),
    [
        ({}, DEFAULT),
        ({"yarn.app.mapreduce.am.staging-dir": "/user"}, "/user/history/done_intermediate"),
        ({"mapreduce.jobhistory.intermediate-done-dir": "hdfs://nameservice1/mr-history/tmp/"}, "/mr-history/tmp"),
        (
            {
                "mapreduce.jobhistory.intermediate-done-dir": "${yarn.app.mapreduce.am.staging-dir}/done",
                "yarn.app.mapreduce.am.staging-dir": "/stage",
            },
            "/stage/done",
        ),
    ],
)
def test_the_history_lies_where_the_clients_configuration_says(tmp_path: Path, properties: dict[str, str], folder: str) -> None:
    """On a cluster with folders of its own no counters would ever be found."""
    environ = configured(tmp_path, **properties)
    assert history_folder(environ) == folder
    with cluster(HISTORY, folder) as where:
        assert counters_of(replace(where, environ=environ), APPLICATION)["read"] == 3


def test_without_a_configuration_that_can_be_read_hadoops_own_folder_is_meant(tmp_path: Path) -> None:
    """A broken file on this machine would be a traceback, after a job that ended well."""
    (tmp_path / "mapred-site.xml").write_text("<configuration>")
    assert (
        history_folder({"HADOOP_CONF_DIR": str(tmp_path)}) == history_folder({"HADOOP_CONF_DIR": "/none"}) == history_folder({}) == DEFAULT
    )


@pytest.mark.parametrize(
    "said", ["", "{", '{"event":null,"type":"JOB_FINISHED"}', line("JOB_FINISHED"), line("JOB_FAILED", totalCounters=1)]
)
def test_a_history_of_other_words_has_no_counters(said: str) -> None:
    """Rows that are right would be a fault, because a file that is only a help is not understood."""
    assert counters_in(history(said)) == counters_in(b"Avro-Binary\n\x00\xff") == {}


def test_a_history_that_cannot_be_read_is_no_fault() -> None:
    """A partition would be red because of a folder that it has no right to."""
    with cluster(None) as where:
        assert counters_of(where, APPLICATION) == {}
    assert counters_of(where, APPLICATION) == {}, "nobody listens there any more"


@pytest.mark.parametrize(("tags", "counters"), [("shp-0f", {"read": 3, "reject.invalid_date": 1}), ("shp-0f,shp-10", {})])
def test_a_job_that_is_taken_over_brings_its_counters_unless_it_made_the_work_of_many(
    tmp_path: Path, tags: str, counters: dict[str, int]
) -> None:
    """A partition would show the rows of nine as its own; or of a job whose worker died nobody could see what it did."""
    lake = LocalFolder(tmp_path / "lake")
    (tmp_path / "part").write_text("1\n")
    lake.put(tmp_path / "part", "curated/a/_attempt-1/part-00000")
    with cluster(HISTORY, more={APPS: answer({"apps": {"app": [app(final="SUCCEEDED", applicationTags=tags)]}})}) as where:
        found = YarnEngine(where, lake).found(JOB)
    assert found is not None and (found.taken, found.target, found.counters) == (True, "curated/a/_attempt-1", counters)
