"""What `shp up --hadoop` needs and prepares, before any daemon runs; none of these tests needs Java."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault, ShpError, UsageError
from shp_ops.hadoop.configuration import PORTS, Place, write_configuration
from shp_ops.hadoop.jars import POM, fetch_jars, jar_folder
from shp_ops.hadoop.java import find_java
from shp_ops.hadoop.machine import HadoopMachine
from shp_ops.hadoop.status import look_at_external
from shp_resources.hdfs import Cluster, cluster_of, forget_cluster, seal, tell_cluster
from shp_resources.lake.settings import engine_of, lake_of, lake_systems, try_yarn
from shp_resources.settings import Settings
from tests.support.homes import Home
from tests.support.waiting import PATIENCE
from tests.support.web import web_server


def program(path: Path, text: str) -> Path:
    """A shell script that pretends to be another program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def java(folder: Path, version: str) -> dict[str, str]:
    """An environment with a Java of this version."""
    program(folder / "java", f"echo '    java.home = /opt/java' >&2; echo '    java.specification.version = {version}' >&2")
    return {"PATH": str(folder)}


def settings_of(home: Path, **variables: str) -> Settings:
    """Settings of an installation with these variables and no others."""
    return Settings.load(variables, home=home)


def test_without_java_a_sentence_and_exit_code_2(home: Home, tmp_path: Path) -> None:
    """A user without Java would get a traceback, or a platform that hangs; or the rest would not work either."""
    done = home.shp("up", "--hadoop", "--json", PATH=str(tmp_path / "empty"), JAVA_HOME="")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "settings_invalid"
    assert "no java was found" in error["message"]
    assert "without --hadoop no Java is needed" in error["next"]
    assert home.processes() == []


@pytest.mark.parametrize(("version", "fits"), [("17", True), ("21", True), ("11", False), ("1.8", False)])
def test_an_old_java_is_refused_by_name(tmp_path: Path, version: str, fits: bool) -> None:
    """The daemons would die one after the other with `UnsupportedClassVersionError`."""
    environ = java(tmp_path / "bin", version)
    if fits:
        assert find_java(environ).home == Path("/opt/java")
    else:
        with pytest.raises(UsageError, match=f"is Java {version.removeprefix('1.')}"):
            find_java(environ)


def test_java_home_goes_before_the_path(tmp_path: Path) -> None:
    """Whoever sets JAVA_HOME to the right Java would get the old one of the system."""
    environ = java(tmp_path / "old", "11") | {"JAVA_HOME": str(tmp_path / "new")}
    java(tmp_path / "new" / "bin", "17")
    assert find_java(environ).program == tmp_path / "new" / "bin" / "java"


def test_something_else_called_java_is_told(tmp_path: Path) -> None:
    """A broken installation would be a Python traceback."""
    program(tmp_path / "java", "exit 3")
    with pytest.raises(UsageError, match="does not say which Java"):
        find_java({"PATH": str(tmp_path)})


def test_jars_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start would fetch 100 MB, or need the network."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    program(tmp_path / "bin" / "mvn", f"echo called >> {tmp_path / 'calls'}; mkdir lib && echo jar > lib/a.jar")
    folders = [fetch_jars(tmp_path / "cache") for _ in range(2)]
    assert folders == [jar_folder(tmp_path / "cache")] * 2
    assert (folders[0] / "a.jar").read_text() == "jar\n"
    assert (tmp_path / "calls").read_text() == "called\n"
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["fetch.lock", folders[0].name]


def test_two_starts_fetch_together_once(tmp_path: Path) -> None:
    """Two homes with one cache would each remove what the other fetches."""
    program(tmp_path / "bin" / "mvn", f"echo called >> {tmp_path / 'calls'}; sleep 0.5; mkdir lib && echo jar > lib/a.jar")
    code = "import sys; from pathlib import Path; from shp_ops.hadoop.jars import fetch_jars; fetch_jars(Path(sys.argv[1]))"
    environ = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(POM.parents[2])}
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache")], env=environ) for _ in range(2)]
    assert [process.wait(PATIENCE) for process in started] == [0, 0]
    assert (tmp_path / "calls").read_text() == "called\n"


def test_what_could_not_be_fetched_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the jars would be taken for all of them at the next start: daemons fail in silent ways then."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    program(tmp_path / "bin" / "mvn", "mkdir lib; echo jar > lib/a.jar; echo '[ERROR] Could not transfer artifact x'; exit 1")
    with pytest.raises(ShpError, match="Could not transfer artifact x"):
        fetch_jars(tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["fetch.lock"]


def test_without_maven_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start would fail with "No such file or directory: mvn"."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        fetch_jars(tmp_path / "cache")
    assert "apt-get install maven" in caught.value.next_step
    assert not (tmp_path / "cache").exists()


def test_the_pom_names_coordinates_only() -> None:
    """Jars would come from an address that somebody else controls, or from nowhere on another machine."""
    text = POM.read_text()
    assert "<repositor" not in text and "<pluginRepositor" not in text and "<systemPath" not in text
    assert "<hadoop.version>3.5.0<" in text and "<streaming.version>3.4.2<" in text


def configuration(tmp_path: Path) -> dict[str, str]:
    """All properties of all files, for a place below `tmp_path`."""
    place = Place(tmp_path / "a&b", (f"{tmp_path / 'jars'}/*",))
    write_configuration(place, {name: 20000 + number for number, name in enumerate(PORTS)})
    properties = [each for path in place.conf.glob("*-site.xml") for each in ElementTree.parse(path).iter("property")]
    return {str(each.findtext("name")): str(each.findtext("value")) for each in properties}


def test_every_address_is_the_loopback(tmp_path: Path) -> None:
    """Anybody on the network could read and delete the lake: there is no login."""
    found = configuration(tmp_path)
    addresses = {name: value for name, value in found.items() if name.endswith("address") and "mapreduce" not in name}
    assert len(addresses) >= 12
    assert {value.rpartition(":")[0] for value in addresses.values()} == {"127.0.0.1"}
    assert len({value.rpartition(":")[2] for value in addresses.values()}) == len(addresses)


def test_everything_lies_below_the_home(tmp_path: Path) -> None:
    """Uninstalling would leave files behind, two homes would share blocks."""
    found = configuration(tmp_path)
    folders = [value for name, value in found.items() if name.endswith((".dir", "-dirs", "root-dir"))]
    assert len(folders) >= 6
    assert [folder for folder in folders if not folder.removeprefix("file://").replace("%26", "&").startswith(str(tmp_path))] == []


@pytest.mark.parametrize("name", ["a b", "a,b", "a:b", "100%"])
def test_a_folder_that_hadoop_cannot_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The NameNode would fail with a message about URIs."""
    monkeypatch.setenv("PATH", java(tmp_path / "bin", "17")["PATH"])
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(UsageError, match="Hadoop cannot work in"):
        HadoopMachine(settings_of(tmp_path / name))


def test_a_file_system_that_lost_its_names_is_not_formatted_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is not mounted would be answered with an empty HDFS."""
    monkeypatch.setenv("PATH", java(tmp_path / "bin", "17")["PATH"])
    monkeypatch.delenv("JAVA_HOME", raising=False)
    settings = settings_of(tmp_path / "home")
    jar_folder(settings.hadoop_cache).mkdir(parents=True)
    (settings.home / "hadoop").mkdir()
    (settings.home / "hadoop" / "formatted").touch()
    with pytest.raises(ShpError, match="lost its content"):
        HadoopMachine(settings).prepare(dict.fromkeys(PORTS, 1), lambda line: None)


def test_a_cluster_of_ones_own_is_found_by_its_variables(tmp_path: Path) -> None:
    """Whoever has a Hadoop could not use it."""
    home = tmp_path / "opt"
    (home / "share/hadoop/tools/lib").mkdir(parents=True)
    (home / "share/hadoop/tools/lib/hadoop-streaming-3.4.1.jar").touch()
    named = {"SHP_HDFS_URL": "http://a:9870/, http://b:9870", "SHP_YARN_URL": "http://a:8088/", "SHP_HDFS_USER": "etl"}
    found = cluster_of(settings_of(tmp_path, **named, HADOOP_HOME=str(home), HADOOP_CONF_DIR="/etc/hadoop"))
    assert found is not None
    assert (found.hdfs_urls, found.user, found.yarn_url, found.root) == (("http://a:9870", "http://b:9870"), "etl", "http://a:8088", "/shp")
    assert found.streaming == (str(home / "bin/hadoop"), "jar", str(home / "share/hadoop/tools/lib/hadoop-streaming-3.4.1.jar"))
    assert found.environ == {"HADOOP_USER_NAME": "etl", "HADOOP_CONF_DIR": "/etc/hadoop"}
    assert found.runs_jobs and not found.own


def test_hdfs_alone_runs_no_jobs(tmp_path: Path) -> None:
    """A job would be submitted to nobody."""
    found = cluster_of(settings_of(tmp_path, SHP_HDFS_URL="http://a:9870", HADOOP_HOME=str(tmp_path)))
    assert found is not None and not found.runs_jobs


def test_a_cluster_that_runs_here_is_found_until_it_is_gone(tmp_path: Path) -> None:
    """`shp ingest` beside a running platform would write into a local folder instead of HDFS, or look for a dead one."""
    settings = settings_of(tmp_path)
    assert cluster_of(settings) is None
    told = Cluster(("http://127.0.0.1:1",), "me", "/shp", "http://127.0.0.1:2", ("java",), {"A": "b"}, own=True)
    tell_cluster(settings, told)
    assert cluster_of(settings) == told
    forget_cluster(settings)
    forget_cluster(settings)
    assert cluster_of(settings) is None


def test_a_home_that_has_an_hdfs_never_takes_a_folder_for_it(tmp_path: Path) -> None:
    """Who forgets --hadoop once, or ingests while the platform is down, would have the whole lake made a second time in a folder."""
    settings = settings_of(tmp_path)
    seal(settings).parent.mkdir(parents=True)
    seal(settings).touch()
    place, probe = lake_of(settings), tmp_path / "probe"
    probe.write_bytes(b"probe")
    with pytest.raises(Fault) as caught:
        place.put(probe, "f/name")
    assert caught.value.code is Code.SINK_UNREACHABLE and "shp up --hadoop" in caught.value.next_step
    assert (place.label, place.stands_in) == ("hdfs of this home, which does not run, /shp", False)
    assert lake_systems(settings) == ("hdfs",) and not (settings.home / "lake").exists()
    tell_cluster(settings, Cluster(("http://127.0.0.1:1",), "me", "/shp", own=True))
    assert lake_of(settings).label == "hdfs http://127.0.0.1:1/shp"


@pytest.mark.parametrize("home", [None, "empty"])
def test_a_yarn_without_a_client_is_told_and_no_process_of_this_machine_takes_its_place(tmp_path: Path, home: str | None) -> None:
    """Who forgets HADOOP_HOME, or writes it wrongly, would have all rows of the cluster mapped on this machine, without a word."""
    named = {"SHP_HDFS_URL": "http://a:9870", "SHP_YARN_URL": "http://a:8088"} | ({"HADOOP_HOME": str(tmp_path / home)} if home else {})
    settings = settings_of(tmp_path, **named)
    assert lake_systems(settings) == ("hdfs", "yarn")
    for ask in (lambda: engine_of(settings, lake_of(settings)), lambda: try_yarn(settings)):
        with pytest.raises(Fault) as caught:
            ask()
        assert (caught.value.code, caught.value.evidence.system) == (Code.SINK_REFUSED, "yarn")
        assert ("is not set" if home is None else "holds no") in caught.value.message and "HADOOP_HOME" in caught.value.next_step


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHP_HDFS_URL", "hdfs://a:8020"),
        ("SHP_YARN_URL", "resourcemanager:8032"),
        ("SHP_HDFS_ROOT", "shp"),
        ("SHP_HDFS_ROOT", "/a/../b"),
        ("SHP_HADOOP_AUTH", "Kerberos"),
    ],
)
def test_a_wrong_address_is_told_with_what_to_write(tmp_path: Path, name: str, value: str) -> None:
    """The first upload would fail, an hour later, with a message of another program."""
    with pytest.raises(UsageError) as caught:
        settings_of(tmp_path, **{name: value})
    assert name in caught.value.message and value in caught.value.message
    assert caught.value.code is Code.SETTINGS_INVALID


def test_children_find_the_same_cluster(tmp_path: Path) -> None:
    """A run's worker would load into another HDFS than the command that asked for it."""
    named = {"SHP_HDFS_URL": "http://a:1,http://b:2", "SHP_HDFS_USER": "etl", "SHP_HDFS_ROOT": "/data/shp", "SHP_YARN_URL": "http://a:3"}
    named |= {"HADOOP_HOME": "/opt/hadoop", "HADOOP_CONF_DIR": "/etc/hadoop", "SHP_HADOOP_AUTH": "kerberos"}
    known = settings_of(tmp_path, **named).as_environment()
    assert {name: known[name] for name in named} == named
    assert not [name for name in settings_of(tmp_path).as_environment() if "HDFS" in name or "HADOOP" in name]


def test_without_the_package_for_tickets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kerberos is an extra: whoever asks for it without would get a traceback, or a platform that says it is broken."""
    monkeypatch.setitem(sys.modules, "gssapi", None)
    named = {"SHP_HDFS_URL": "http://127.0.0.1:9", "SHP_YARN_URL": "http://127.0.0.1:9", "SHP_HADOOP_AUTH": "kerberos"}
    client = tmp_path / "share/hadoop/tools/lib/hadoop-streaming-3.4.1.jar"
    client.parent.mkdir(parents=True)
    client.touch()
    settings = settings_of(tmp_path, **named, HADOOP_HOME=str(tmp_path))
    (tmp_path / "file").write_bytes(b"a")
    for ask in (lambda: lake_of(settings).put(tmp_path / "file", "a"), lambda: try_yarn(settings)):
        with pytest.raises(Fault) as caught:
            ask()
        assert caught.value.code is Code.SINK_REFUSED
        assert "SHP_HADOOP_AUTH" in caught.value.message and "shp[kerberos]" in caught.value.next_step
    assert "shp[kerberos]" in look_at_external(settings)["namenode"]["why"]


def test_the_status_asks_each_namenode_until_one_answers(tmp_path: Path) -> None:
    """With one of two NameNodes down everything would look broken; with both down, whole."""
    status = b'{"FileStatus": {}}'
    with web_server({"/webhdfs/v1/": (200, status), "/ws/v1/cluster/info": (200, b'{"clusterInfo": {"state": "INITED"}}')}) as url:
        away = "http://127.0.0.1:9"
        found = look_at_external(settings_of(tmp_path, SHP_HDFS_URL=f"{away},{url}", SHP_YARN_URL=url))
    assert (found["namenode"]["ready"], found["namenode"]["url"]) == (True, url)
    assert (found["resourcemanager"]["ready"], found["resourcemanager"]["why"]) == (False, "is inited")
    gone = look_at_external(settings_of(tmp_path, SHP_HDFS_URL=away))["namenode"]
    assert not gone["ready"] and "refused" in gone["why"]
    assert look_at_external(settings_of(tmp_path)) == {}
