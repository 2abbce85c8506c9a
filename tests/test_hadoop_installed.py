"""`shp up --hadoop` with an installed Hadoop: found by HADOOP_HOME, refused where a part is missing, and run, without Maven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shp_core.errors import UsageError
from shp_core.lake.mapper import CLEAN
from shp_ops.hadoop.installed import installed_hadoop
from shp_resources.hdfs.client import Hdfs
from shp_resources.lake.curated import shipment_of
from shp_resources.lake.engine import MapJob
from shp_resources.lake.publish import publish_text
from shp_resources.yarn.engine import YarnEngine
from tests.support.hadoop import daemons, place, unpacked
from tests.support.homes import Home
from tests.support.lake import artefacts, partition, sale, sales
from tests.test_hadoop_setup import java, program

JARS = (
    "hadoop-common-3.5.0.jar",
    "hadoop-common-3.5.0-tests.jar",
    "hadoop-hdfs-3.5.0.jar",
    "hadoop-hdfs-client-3.5.0.jar",
    "hadoop-yarn-server-resourcemanager-3.5.0.jar",
    "hadoop-yarn-server-nodemanager-3.5.0.jar",
    "hadoop-yarn-server-timelineservice-3.5.0.jar",
    "hadoop-mapreduce-client-app-3.5.0.jar",
    "hadoop-mapreduce-client-shuffle-3.5.0.jar",
    "hadoop-streaming-3.5.0.jar",
    "guava-33.jar",
)


def archive(home: Path, *without: str) -> Path:
    """A folder like that of Apache's archive, whose jars are empty."""
    home.mkdir(parents=True)
    for jar in JARS:
        if not jar.startswith(without or ("-",)):
            place(home, jar).touch()
    return home


def test_an_installed_hadoop_is_found_in_its_folders(tmp_path: Path) -> None:
    """Daemons would die of classes that lie in a folder nobody looked into, or of old copies that came first."""
    found = installed_hadoop(archive(tmp_path / "hadoop"))
    share = tmp_path / "hadoop" / "share" / "hadoop"
    assert (found.home, found.version) == (tmp_path / "hadoop", "3.5.0")
    folders = ("common/lib/*", "common/*", "hdfs/*", "mapreduce/*", "yarn/*", "yarn/timelineservice/*")
    assert found.classes == (*(f"{share}/{name}" for name in folders), f"{share}/tools/lib/hadoop-streaming-3.5.0.jar")


@pytest.mark.parametrize(
    "part", ["hadoop-common", "hadoop-hdfs-3", "hadoop-yarn-server-node", "hadoop-mapreduce-client-shuffle", "hadoop-streaming"]
)
def test_a_part_that_is_missing_is_named(tmp_path: Path, part: str) -> None:
    """A machine on which only the client is installed would start daemons that die, one after the other, without a word."""
    with pytest.raises(UsageError) as caught:
        installed_hadoop(archive(tmp_path / "hadoop", part))
    assert f"/{part.removesuffix('3')}" in caught.value.message and caught.value.message.count(".jar") == 1
    assert "unset it: Maven then fetches one" in caught.value.next_step


def test_a_home_without_a_hadoop_is_a_sentence_and_exit_code_2(home: Home, tmp_path: Path) -> None:
    """Who mistypes HADOOP_HOME would get another Hadoop than the one that is meant, or a traceback."""
    done = home.shp(
        "up", "--hadoop", "--detach", "--json", **java(tmp_path / "bin", "17"), JAVA_HOME="", HADOOP_HOME=str(tmp_path / "none")
    )
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "settings_invalid"
    assert f"HADOOP_HOME ({tmp_path / 'none'}) holds no Hadoop" in error["message"]
    assert "share/hadoop/hdfs/hadoop-hdfs-" in error["message"]
    assert home.processes() == []


def test_up_says_which_hadoop_it_runs_and_needs_no_maven(home: Home, tmp_path: Path) -> None:
    """Nobody could tell from the start which of two Hadoops runs; or a machine without Maven could not use its own."""
    hadoop = archive(tmp_path / "hadoop-3.5.0")
    there = java(tmp_path / "bin", "17")
    program(
        tmp_path / "bin" / "java",
        f'case "$*" in *NameNode*) echo "$*" > {tmp_path / "asked"}; exit 3;; esac\n{(tmp_path / "bin" / "java").read_text()}',
    )
    done = home.shp("up", "--hadoop", **there, JAVA_HOME="", HADOOP_HOME=str(hadoop))
    assert done.returncode == 2
    assert f"Hadoop is 3.5.0 of HADOOP_HOME ({hadoop})." in done.stderr
    assert "HDFS could not be formatted" in done.stderr and "Maven" not in done.stderr
    assert f"{hadoop}/share/hadoop/hdfs/*" in (tmp_path / "asked").read_text()
    assert home.processes() == []


@pytest.mark.hadoop
def test_its_daemons_run_a_job_without_mavens_jars(tmp_path: Path) -> None:
    """Whoever has a Hadoop would need Maven and a network all the same; or jobs would not find their framework in it."""
    variables = {"HADOOP_HOME": str(unpacked(tmp_path / "hadoop")), "SHP_HADOOP_CACHE": str(tmp_path / "no-cache")}
    rows = [sale(1), sale(2, "us")]
    made = artefacts(tmp_path / "store", sales(), rows)
    (tmp_path / "scratch").mkdir()
    with daemons(tmp_path / "home", variables=variables) as running:
        lake = Hdfs(running.cluster)
        text = publish_text(lake, partition(rows), made.header, made.text(), tmp_path / "scratch").manifest
        source = f"{partition(rows).lake}/{text.directory}/{text.files[0].name}"
        job = MapJob("shp test", "shp-installed", source, "out/installed", shipment_of(sales(), made), CLEAN)
        result = YarnEngine(running.cluster, lake).run(job, tmp_path / "scratch")
        commands = [Path(f"/proc/{part.process.pid}/cmdline").read_text() for part in running.parts.values() if part.process]
        lines = (lake.read("out/installed/part-00000") or b"").decode().splitlines()
    assert result.made_by.startswith("application_")
    assert lines == ["1\tEU\t2026-03-07\t12.50\t2", "2\tUS\t2026-03-07\t12.50\t3"]
    assert len(commands) == 4 and all(f"{variables['HADOOP_HOME']}/share/hadoop/hdfs/*" in command for command in commands)
    assert not any("/jars-" in command for command in commands)
    assert not (tmp_path / "no-cache").exists()
