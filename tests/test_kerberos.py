"""A Hadoop that asks for Kerberos, with a real KDC: a ticket lets us in, and nothing else does.

The realm, its ports and its folder are this module's own; its daemons refuse whoever shows no ticket.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_ops.doctor.platform import lake
from shp_ops.hadoop.status import look_at_external
from shp_resources.hdfs import Cluster, cluster_of
from shp_resources.hdfs.client import Hdfs
from shp_resources.kerberos import KINIT
from shp_resources.lake.curated import Curator
from shp_resources.lake.publish import publish_text
from shp_resources.lake.settings import engine_of, lake_of, try_lake
from shp_resources.processes import wait_until
from shp_resources.settings import Settings
from shp_resources.yarn.rest import Yarn
from tests.support.kerberos import Kdc, SecureDaemons, secure_daemons
from tests.support.lake import artefacts, partition, sale, sales
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.kerberos
CONTENT = random.Random(6).randbytes(3 << 20)


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    """The KDC; this process's Kerberos knows its realm and no other."""
    kdc = Kdc(tmp_path_factory.mktemp("kdc"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KRB5_CONFIG", str(kdc.conf))
        patch.delenv("KRB5CCNAME", raising=False)
        try:
            kdc.start()
            yield kdc
        finally:
            kdc.stop()


@pytest.fixture(scope="module")
def secured(realm: Kdc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureDaemons]:
    """The daemons, ready to take a file."""
    folder = tmp_path_factory.mktemp("secured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KRB5CCNAME", realm.ticket(folder / "tickets"))
        with secure_daemons(folder, realm) as daemons:
            place = lake_of(settings_of(daemons, folder))
            assert wait_until(lambda: _takes_files(place), PATIENCE, 0.5)
            yield daemons


@pytest.fixture
def ticket(realm: Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A good ticket, in the environment."""
    name = realm.ticket(tmp_path / "tickets")
    monkeypatch.setenv("KRB5CCNAME", name)
    return name


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of 3 MiB."""
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def settings(secured: SecureDaemons, tmp_path: Path) -> Settings:
    """An installation that names the cluster."""
    return settings_of(secured, tmp_path)


def settings_of(daemons: SecureDaemons, folder: Path, **more: str) -> Settings:
    """An installation that names the cluster, with a root of its own."""
    named = {"SHP_HDFS_URL": daemons.url("namenode"), "SHP_HDFS_ROOT": f"/{folder.name}", "SHP_HADOOP_AUTH": "kerberos"}
    return Settings.load({**named, **more}, home=folder)


def _takes_files(place: Hdfs) -> bool:
    try:
        try_lake(place)
    except Fault as fault:
        assert fault.code in (Code.SINK_UNREACHABLE, Code.TRANSIENT), fault  # its DataNode has not reported yet
        return False
    return True


def found(settings: Settings) -> Cluster:
    """The cluster of an installation."""
    cluster = cluster_of(settings)
    assert cluster is not None
    return cluster


def fault_of(settings: Settings, source: Path) -> Fault:
    """The fault in which publishing ends."""
    with pytest.raises(Fault) as caught:
        lake_of(settings).put(source, "feed/part")
    return caught.value


def test_with_a_ticket_a_file_is_published_and_read_whole(settings: Settings, ticket: str, source: Path, tmp_path: Path) -> None:
    """A cluster that asks for Kerberos could not hold the lake."""
    place = lake_of(settings)
    place.put(source, "feed/part")
    place.put(source, "feed/part")
    assert [(one.name, one.size) for one in place.entries("feed")] == [("part", len(CONTENT))]
    place.move_folder("feed", "moved")
    place.fetch("moved/part", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == CONTENT
    place.remove("moved")
    assert place.entries("moved") == []


@pytest.mark.parametrize(("kind", "words"), [("none", "No Kerberos credentials available"), ("expired", "Ticket expired")])
def test_without_a_good_ticket_nothing_is_written(
    settings: Settings, realm: Kdc, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, words: str
) -> None:
    """Whose ticket has expired overnight would search in a traceback, or find half a file."""
    cache = tmp_path / "other"
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{cache}" if kind == "none" else realm.expired_ticket(cache))
    fault = fault_of(settings, source)
    assert (fault.code, fault.next_step) == (Code.SINK_REFUSED, KINIT)
    assert words in fault.message and "\0" not in fault.message
    told = next(check for check in lake(settings) if check.name == "lake")
    assert told.next == KINIT and words in told.message
    why = look_at_external(settings)["namenode"]["why"]
    assert words in why and "kinit" in why
    monkeypatch.setenv("KRB5CCNAME", realm.ticket(cache))
    assert lake_of(settings).entries("feed") == []


def test_a_new_ticket_in_the_same_cache_is_enough(
    settings: Settings, realm: Kdc, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform would have to be started again after each `kinit`."""
    cache = tmp_path / "tickets"
    place = lake_of(settings)
    monkeypatch.setenv("KRB5CCNAME", realm.ticket(cache))
    place.put(source, "feed/first")
    realm.expired_ticket(cache)
    with pytest.raises(Fault):
        place.put(source, "feed/second")
    realm.ticket(cache)
    place.put(source, "feed/third")
    assert [one.name for one in place.entries("feed")] == ["first", "third"]


def test_who_only_says_a_name_is_refused(secured: SecureDaemons, ticket: str, source: Path, tmp_path: Path) -> None:
    """A cluster with Kerberos and a platform without would be told as a broken network; or would let anybody write."""
    fault = fault_of(settings_of(secured, tmp_path, SHP_HADOOP_AUTH="simple", SHP_HDFS_USER="etl"), source)
    assert fault.code is Code.SINK_REFUSED and fault.evidence is not None and fault.evidence.http_status == 401
    assert "SHP_HADOOP_AUTH=kerberos" in fault.next_step
    assert lake_of(settings_of(secured, tmp_path)).entries("feed") == []


def test_a_namenode_that_is_away_is_passed_by(secured: SecureDaemons, ticket: str, source: Path, tmp_path: Path) -> None:
    """With Kerberos one of two NameNodes could not be maintained."""
    urls = f"http://localhost:9,{secured.url('namenode')}"
    place = lake_of(settings_of(secured, tmp_path, SHP_HDFS_URL=urls))
    place.put(source, "feed/part")
    assert place.read("feed/part") == CONTENT


def test_a_kdc_that_is_away_is_told_as_that(settings: Settings, realm: Kdc, ticket: str, source: Path) -> None:
    """The operator would look for a fault of HDFS, or of the ticket, while the KDC is down."""
    realm.stop()
    try:
        fault = fault_of(settings, source)
        told = next(check for check in lake(settings) if check.name == "lake")
    finally:
        realm.start()
    assert fault.code is Code.SINK_UNREACHABLE and "no KDC answers" in fault.message
    assert "KDC" in fault.next_step and told.next == fault.next_step
    lake_of(settings).put(source, "feed/part")
    assert [one.name for one in lake_of(settings).entries("feed")] == ["part"]


def test_a_host_that_the_realm_does_not_know_is_named(secured: SecureDaemons, ticket: str, source: Path, tmp_path: Path) -> None:
    """An address by number, which no principal has, would be told as a missing ticket."""
    url = secured.url("namenode").replace("localhost", "127.0.0.1")
    fault = fault_of(settings_of(secured, tmp_path, SHP_HDFS_URL=url), source)
    assert fault.code is Code.SINK_REFUSED and "HTTP/127.0.0.1" in fault.message


def test_yarn_is_asked_with_a_ticket(secured: SecureDaemons, ticket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs on a cluster with Kerberos could be neither found nor watched nor ended."""
    url = secured.url("resourcemanager")
    settings = settings_of(secured, tmp_path, SHP_YARN_URL=url)
    cluster = found(settings)
    assert Yarn(url, cluster.user, cluster.kerberos).newest("no-such-tag") is None
    assert look_at_external(settings)["resourcemanager"]["ready"]
    with pytest.raises(Fault) as unnamed:
        Yarn(url, cluster.user).newest("no-such-tag")
    assert unnamed.value.code is Code.SINK_REFUSED and "SHP_HADOOP_AUTH=kerberos" in unnamed.value.next_step
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'none'}")
    with pytest.raises(Fault) as missing:
        Yarn(url, cluster.user, cluster.kerberos).newest("no-such-tag")
    assert (missing.value.code, missing.value.next_step) == (Code.SINK_REFUSED, KINIT)


def test_a_job_is_submitted_with_the_ticket(secured: SecureDaemons, ticket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clean rows could not be made on a cluster with Kerberos: the client that submits their job is another program, in Java."""
    installed = {"HADOOP_HOME": str(secured.installed(tmp_path / "hadoop")), "HADOOP_CONF_DIR": secured.environ["HADOOP_CONF_DIR"]}
    settings = settings_of(secured, tmp_path, SHP_YARN_URL=secured.url("resourcemanager"), **installed)
    place, rows, scratch = lake_of(settings), [sale(1), sale(2, "us")], tmp_path / "scratch"
    scratch.mkdir()
    made = artefacts(tmp_path / "store", sales(), rows)
    publish_text(place, partition(rows), made.header, made.text(), scratch)
    monkeypatch.setenv("JAVA_HOME", secured.environ["JAVA_HOME"])
    manifest = Curator(place, engine_of(settings, place)).publish(partition(rows), sales(), made, scratch).manifest
    assert (manifest.rows, manifest.hash) == (2, made.summary.hash)
    assert str(manifest.made_by).startswith("application_")
