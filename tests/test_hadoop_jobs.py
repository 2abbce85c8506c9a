"""Jobs on real YARN daemons: published, joined, failed in every way; no partial partition is ever visible."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from json import dumps
from pathlib import Path
from typing import Any

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.lake.mapper import ARROW, CLEAN
from shp_resources.hdfs.client import Hdfs
from shp_resources.lake.curated import Curator, shipment_of, tag_of
from shp_resources.lake.engine import LocalEngine, MapJob
from shp_resources.lake.manifests import standing
from shp_resources.lake.publish import Published, publish_text
from shp_resources.lake.together import note_parts, together
from shp_resources.processes import marked, spawn, wait_until
from shp_resources.yarn.engine import Deadlines, YarnEngine
from shp_resources.yarn.rest import Yarn
from tests.support.contracts import Cell
from tests.support.hadoop import Daemons
from tests.support.holders import REPOSITORY
from tests.support.lake import artefacts, current, partition, sale, sales
from tests.support.together import Deliveries, each_takes_its_part_of_one_job
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.hadoop
ROWS = [sale(1), sale(2, "us"), sale(3, "a\tb\\N\r\n\\")]
CLEAN_LINES = ["1\tEU\t2026-03-07\t12.50\t2", "2\tUS\t2026-03-07\t12.50\t3", "3\tA\\tB\\\\N\\r\\n\\\\\t2026-03-07\t12.50\t4"]
FOLDER, CURATED = partition(ROWS).lake, partition(ROWS).curated


class Lake:
    """A lake in HDFS of one test's own, and the engine that works on it."""

    def __init__(self, daemons: Daemons, folder: Path) -> None:
        self.cluster = replace(daemons.cluster, root=f"/jobs/{folder.name}")
        self.place = Hdfs(self.cluster)
        self.engine: Any = YarnEngine(self.cluster, self.place, Deadlines(60.0, 120.0, 60.0))
        self.yarn = Yarn(str(self.cluster.yarn_url), self.cluster.user)
        self.folder, self.scratch = folder, folder / "scratch"
        self.scratch.mkdir()

    def text(self, rows: list[list[Cell]], fence: tuple[int, int] = (1, 1)) -> Published:
        """Publish the text rows."""
        made = artefacts(self.folder / "store", sales(), rows)
        return publish_text(self.place, partition(rows, fence), made.header, made.text(), self.scratch)

    def curated(self, rows: list[list[Cell]], fence: tuple[int, int] = (1, 1)) -> Published:
        """Publish the clean rows."""
        made = artefacts(self.folder / "store", sales(), rows)
        return Curator(self.place, self.engine).publish(partition(rows, fence), sales(), made, self.scratch)

    def job(self, target: str, tag: str = "shp-test") -> MapJob:
        """A job over the text rows that are published."""
        manifest = standing(self.place, FOLDER)
        assert manifest is not None
        made = artefacts(self.folder / "store", sales(), ROWS)
        source = f"{FOLDER}/{manifest.directory}/{manifest.files[0].name}"
        return MapJob("shp test", f"{tag}-{self.folder.name}".lower()[:90], source, target, shipment_of(sales(), made), CLEAN)


@pytest.fixture
def lake(hadoop: Daemons, tmp_path: Path) -> Lake:
    """An empty lake on whole daemons."""
    hadoop.revive()
    return Lake(hadoop, tmp_path)


def test_a_partition_is_made_by_yarn_and_agrees_with_the_warehouse(lake: Lake) -> None:
    """HDFS would hold other rows than PostgreSQL; or texts would be broken on their way through Java."""
    rows = [*ROWS, sale(4, day="13/13/2026"), sale(3, "a\tb\\N\r\n\\")]
    lake.text(rows)
    manifest = lake.curated(rows).manifest
    assert current(lake.place, CURATED) == CLEAN_LINES
    assert manifest.hash == artefacts(lake.folder / "store", sales(), rows).summary.hash
    assert str(manifest.made_by).startswith("application_")
    assert manifest.rejects == {"invalid_date": 1}
    assert not lake.curated(rows, (1, 2)).changed


def test_one_job_serves_many_partitions(lake: Lake) -> None:
    """A backfill of a year would take an hour of starting jobs; or parts would land under another partition's key."""
    each_takes_its_part_of_one_job(Deliveries(lake.place, lake.engine, lake.folder))


def test_whoever_waits_for_a_job_for_many_is_not_blamed_for_its_failure(lake: Lake) -> None:
    """One partition's broken rows would be told of every partition whose run waited for the job."""
    story = Deliveries(lake.place, lake.engine, lake.folder)
    good, bad = story.add("a", [sale(1)]), story.add("b", [sale(2)])
    lake.place.put(_file(lake.scratch / "bad", b"no line of the lake\n"), bad.source)
    many = together(good, [bad], "curated/sales/_attempt-many")
    note_parts(lake.place, many, lake.scratch)
    outcome: list[object] = []
    worker = threading.Thread(target=_outcome, args=(outcome, lambda: lake.engine.run(many, lake.scratch)))
    worker.start()
    assert wait_until(lambda: lake.yarn.newest(good.tag) is not None, PATIENCE, 0.05)
    assert lake.engine.found(good) is None, "it waited, and is to ask for a job of its own"
    worker.join(150)
    assert isinstance(outcome[0], Fault) and outcome[0].code is Code.CODE_BUG, outcome
    assert lake.engine.knows([good.tag, bad.tag]) == {good.tag, bad.tag}
    assert story.publish("a").changed and story.orders("a") == ["1"]


def test_counters_come_back(lake: Lake) -> None:
    """Nobody could see in the platform what a job did."""
    lake.text(ROWS)
    result = lake.engine.run(lake.job("out/a"), lake.scratch)
    assert result.counters == {"read": 3, "rows": 3, "by_standard": 1}
    found = lake.yarn.get(result.made_by)
    assert (found.final, found.name) == ("SUCCEEDED", "out/a")


def test_clean_rows_are_not_for_everybody_whatever_the_clusters_own_mask(lake: Lake) -> None:
    """On a cluster with Hadoop's default every account could read the clean rows, though not the text rows that they are made of."""
    lake.text(ROWS)
    place, copy = lake.cluster.environ["HADOOP_CONF_DIR"], lake.folder / "conf"
    shutil.copytree(place, copy)
    core = copy / "core-site.xml"
    core.write_text(core.read_text().replace("<value>027</value>", "<value>022</value>"))
    words = tuple(word.replace(place, str(copy)) for word in lake.cluster.streaming)
    YarnEngine(replace(lake.cluster, streaming=words), lake.place).run(lake.job("out/rights"), lake.scratch)
    part = lake.place._client.status(lake.place.absolute("out/rights/part-00000"))
    assert (part["permission"], part["owner"]) == ("640", lake.cluster.user)
    assert lake.place._client.status(lake.place.absolute("out/rights"))["permission"] == "750"


def test_nodes_with_arrow_may_use_it(lake: Lake) -> None:
    """A cluster that has the packages would run the slow mapper all the same, or make other rows with the fast one."""
    lake.text(ROWS)
    lake.engine = YarnEngine(lake.cluster, lake.place, Deadlines(60.0, 120.0, 60.0), sys.executable, ARROW)
    published = lake.curated(ROWS)
    assert current(lake.place, CURATED) == CLEAN_LINES
    assert published.counters == {"read": 3, "rows": 3, "by_arrow": 1}


def test_the_local_mapper_works_over_hdfs_and_says_so(lake: Lake) -> None:
    """Without YARN there would be no clean rows at all; or they would look as if a cluster had made them."""
    lake.text(ROWS)
    lake.engine = LocalEngine(lake.place)
    assert lake.curated(ROWS).manifest.made_by == "local process"
    assert current(lake.place, CURATED) == CLEAN_LINES


def test_a_mapper_that_fails_on_one_row_is_named(lake: Lake) -> None:
    """A person would be told that "the job failed", by a log that nobody finds."""
    lake.text(ROWS)
    yarn, lake.engine = lake.engine, LocalEngine(lake.place)
    good = lake.curated(ROWS).manifest
    lake.engine = yarn
    bad = [*ROWS, sale(9)]
    manifest = lake.text(bad, (2, 1)).manifest
    path = f"{FOLDER}/{manifest.directory}/part-00000"
    content = lake.place.read(path) or b""
    (lake.scratch / "bad").write_bytes(content.replace(b"\t9\t", b"x9\t", 1))
    lake.place.put(lake.scratch / "bad", path)
    with pytest.raises(Fault) as caught:
        lake.curated(bad, (2, 1))
    assert caught.value.code is Code.CODE_BUG
    assert "MalformedLine" in caught.value.message and caught.value.evidence.yarn_state == "FAILED"
    assert standing(lake.place, CURATED) == good
    lake.place.put(_file(lake.scratch / "mended", content), path)
    assert lake.curated(bad, (2, 2)).manifest.rows == 4


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_node_without_python_is_named(lake: Lake) -> None:
    """The feed would be blamed, and tried for ever, for what somebody must install."""
    lake.text(ROWS)
    lake.engine = YarnEngine(lake.cluster, lake.place, python="python3-that-nobody-installed")
    with pytest.raises(Fault) as caught:
        lake.curated(ROWS)
    assert (caught.value.code, "python3-that-nobody-installed" in caught.value.message) == (Code.SINK_REFUSED, True)
    assert standing(lake.place, CURATED) is None
    lake.engine = YarnEngine(lake.cluster, lake.place)
    assert lake.curated(ROWS, (1, 2)).changed
    assert current(lake.place, CURATED) == CLEAN_LINES


def test_an_output_directory_that_was_left_behind_is_no_obstacle(lake: Lake) -> None:
    """A killed attempt would keep every later one from starting."""
    lake.text(ROWS)
    left = f"{CURATED}/_attempt-{partition(ROWS).publication}"
    lake.place.put(_file(lake.scratch / "left", b"junk\n"), f"{left}/part-00007")
    assert lake.curated(ROWS).manifest.rows == 3
    assert current(lake.place, CURATED) == CLEAN_LINES


def test_without_a_nodemanager_a_job_ends_at_its_limit(hadoop: Daemons, lake: Lake) -> None:
    """A run would wait in ACCEPTED for ever, and its slot with it."""
    lake.text(ROWS)
    hadoop.freeze("nodemanager")
    try:
        lake.engine = YarnEngine(lake.cluster, lake.place, Deadlines(accepted=6.0))
        started = time.monotonic()
        with pytest.raises(Fault) as caught:
            lake.curated(ROWS)
        assert (caught.value.code, caught.value.evidence.yarn_state) == (Code.TRANSIENT, "ACCEPTED")
        assert time.monotonic() - started < 20
    finally:
        hadoop.freeze("nodemanager", False)
    hadoop.await_ready("nodemanager")
    lake.engine = YarnEngine(lake.cluster, lake.place)
    assert lake.curated(ROWS, (1, 2)).changed


def test_a_dead_resourcemanager_is_told_as_down(hadoop: Daemons, lake: Lake) -> None:
    """A partition would be called broken because YARN is stopped."""
    lake.text(ROWS)
    hadoop.kill("resourcemanager")
    with pytest.raises(Fault) as caught:
        lake.curated(ROWS)
    assert caught.value.code is Code.SINK_UNREACHABLE
    hadoop.revive()
    hadoop.await_ready("nodemanager")


_RUN = """
import json, sys
from pathlib import Path
from shp_core.lake.shipped import Shipment
from shp_resources.hdfs import Cluster
from shp_resources.hdfs.client import Hdfs
from shp_resources.lake.engine import MapJob
from shp_resources.yarn.engine import YarnEngine
cluster = Cluster(**json.loads(sys.argv[1]))
job = json.loads(sys.argv[2])
YarnEngine(cluster, Hdfs(cluster)).run(MapJob(**{**job, "shipment": Shipment.from_json(job["shipment"])}), Path(sys.argv[3]))
"""


def test_a_job_whose_worker_died_is_joined(lake: Lake) -> None:
    """A re-drive would start a second job beside the first: two answers, or a cluster full of twins."""
    lake.text(ROWS)
    job = lake.job("out/joined")
    words = dumps({**asdict(job), "shipment": job.shipment.to_json()})
    command = [sys.executable, "-c", _RUN, dumps(asdict(lake.cluster)), words, str(lake.scratch)]
    worker = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    assert wait_until(lambda: lake.yarn.newest(job.tag) is not None, PATIENCE, 0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    first = lake.yarn.newest(job.tag)
    (lake.folder / "second").mkdir()
    result = lake.engine.run(replace(job, target="out/other"), lake.folder / "second")
    assert first is not None and (result.made_by, result.target) == (first.id, "out/joined")
    assert result.counters == {"read": 3, "rows": 3, "by_standard": 1}
    assert lake.engine.found(job) == result, "also when it had ended before it was looked for"
    assert [entry.name for entry in lake.place.entries("out/joined")] == ["_SUCCESS", "part-00000"]
    assert lake.place.entries("out/other") == []


def test_a_client_that_misses_the_end_of_its_job_is_not_waited_for(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are right would be made again, and the partition be red; or nobody could see what the job did."""
    lake.text(ROWS)
    job = lake.job("out/missed")

    def halted(*words: Any) -> subprocess.Popen[bytes]:
        client = spawn(*words)
        assert wait_until(lambda: lake.yarn.newest(job.tag) is not None, PATIENCE, 0.05)
        client.send_signal(signal.SIGSTOP)
        return client

    monkeypatch.setattr("shp_resources.yarn.engine.spawn", halted)
    result = YarnEngine(lake.cluster, lake.place, Deadlines(counters=0.5)).run(job, lake.scratch)
    assert (result.target, result.counters) == ("out/missed", {"read": 3, "rows": 3, "by_standard": 1})
    assert [entry.name for entry in lake.place.entries("out/missed")] == ["_SUCCESS", "part-00000"]


def test_a_nodemanager_killed_during_a_job(hadoop: Daemons, lake: Lake) -> None:
    """A restart of a node would lose the partition, or publish half of it."""
    lake.text(ROWS)
    outcome: list[object] = []
    worker = threading.Thread(target=_outcome, args=(outcome, lambda: lake.curated(ROWS)))
    worker.start()
    assert wait_until(lambda: any(_state(lake, tag) == "RUNNING" for tag in _tags(lake)), PATIENCE, 0.05)
    # By this mark the tasks of a killed NodeManager are found and ended with the platform.
    assert any("MRAppMaster" in Path(f"/proc/{process.pid}/cmdline").read_text() for process in marked(hadoop.mark))
    hadoop.kill("nodemanager")
    hadoop.start("nodemanager")
    worker.join(150)
    assert not worker.is_alive()
    assert isinstance(outcome[0], Published) or (isinstance(outcome[0], Fault) and outcome[0].code is Code.TRANSIENT), outcome
    if not isinstance(outcome[0], Published):
        assert standing(lake.place, CURATED) is None
    assert lake.curated(ROWS, (1, 2)).manifest.rows == 3
    assert current(lake.place, CURATED) == CLEAN_LINES


def _outcome(into: list[object], call: Callable[[], object]) -> None:
    try:
        into.append(call())
    except Fault as fault:
        into.append(fault)


def _tags(lake: Lake) -> list[str]:
    return [tag_of(lake.place.label, CURATED, partition(ROWS).delivery, sales())]


def _state(lake: Lake, tag: str) -> str:
    found = lake.yarn.newest(tag)
    return found.state if found else ""
