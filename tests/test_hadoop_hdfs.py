"""HDFS under attack, on real daemons: connections cut, writers and daemons killed, rights, quota, safe mode.

Whatever happens, a path holds what it held before or all that was sent.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from json import dumps
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_resources.hdfs.checksums import Sent
from shp_resources.hdfs.client import Hdfs
from shp_resources.lake.strays import GRACE_SECONDS, sweep_partition
from shp_resources.processes import wait_until
from tests.support.cutting import Counter, Proxy, before_hdfs
from tests.support.hadoop import Daemons
from tests.support.holders import REPOSITORY
from tests.support.waiting import PATIENCE
from tests.support.web import web_server

pytestmark = pytest.mark.hadoop
KIB = 1 << 10
SIZE = 1 << 20
CONTENT = random.Random(6).randbytes(SIZE)
PATH = "cut/name"
PATIENT = (10.0, 40.0)
"""Timeouts on a busy machine; no test but that of a hanging DataNode waits for one."""
_PUT = """
import json, sys
from pathlib import Path
from shp_resources.hdfs import Cluster
from shp_resources.hdfs.client import Hdfs
Hdfs(Cluster(**json.loads(sys.argv[1]))).put(Path(sys.argv[2]), sys.argv[3])
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of 1 MiB."""
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def hdfs(hadoop: Daemons, tmp_path: Path) -> Hdfs:
    """HDFS under a root of this test's own, with an old file at `PATH`."""
    hadoop.revive()
    found = Hdfs(replace(hadoop.cluster, root=f"/attack/{tmp_path.name}"), timeout=PATIENT)
    (tmp_path / "old").write_bytes(b"old")
    found.put(tmp_path / "old", PATH)
    return found


def through(hdfs: Hdfs, url: str) -> Hdfs:
    """The same HDFS by another address."""
    return Hdfs(replace(hdfs._cluster, hdfs_urls=(url,)), timeout=PATIENT)


def cluster_text(hdfs: Hdfs, url: str) -> str:
    """The same HDFS by another address, for another process."""
    return dumps(asdict(replace(hdfs._cluster, hdfs_urls=(url,))))


def drafts(hdfs: Hdfs) -> list[str]:
    """Hidden names beside the file."""
    return [entry.name for entry in hdfs.entries("cut") if entry.name != "name"]


def test_a_cut_connection_never_publishes_a_short_file(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """A reader would find the first part of a delivery, looking complete."""
    with before_hdfs(hadoop.ports["namenode"], hadoop.ports["datanode"]) as (url, proxy):
        for limit in range(1, SIZE, 64 * KIB):
            proxy.up = counter = Counter(limit)
            with pytest.raises(Fault) as caught:
                through(hdfs, url).put(source, PATH)
            assert counter.reached and caught.value.code is Code.TRANSIENT, caught.value
            assert hdfs.read(PATH) == b"old"
            # A DataNode that was cut off may make the draft after it was removed: hidden, and swept a day later.
            assert all(name.startswith(".") and name.endswith(".draft") for name in drafts(hdfs))
        proxy.up = lambda piece: piece
        through(hdfs, url).put(source, PATH)
    assert hdfs.read(PATH) == CONTENT


def test_a_lost_answer_never_makes_a_short_file_look_published(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """What HDFS said of a file was lost on its way, and a writer that believes itself would publish what nobody verified."""
    old = source.with_name("older")
    old.write_bytes(b"old")
    with before_hdfs(hadoop.ports["namenode"], hadoop.ports["datanode"]) as (url, proxy):
        failed = 0
        for limit in range(1, 8 * KIB, 200):
            hdfs.put(old, PATH)
            proxy.down = counter = Counter(limit)
            try:
                through(hdfs, url).put(source, PATH)
            except Fault as fault:
                assert (counter.reached, fault.code) == (True, Code.TRANSIENT)
                failed += 1
                assert hdfs.read(PATH) == b"old"
            else:
                assert hdfs.read(PATH) == CONTENT
            if not counter.reached:
                break
    assert failed >= 3 and not counter.reached


def test_the_checksum_of_a_file_of_many_blocks(hdfs: Hdfs) -> None:
    """Every large file would be called damaged."""
    content = random.Random(7).randbytes(5 * SIZE + 700)
    for size in (SIZE, 2 * SIZE):
        hdfs._client.write(hdfs.absolute("blocks"), data=content, overwrite=True, blocksize=size)
        made = Sent()
        made.update(content)
        told = hdfs._client.checksum(hdfs.absolute("blocks"))
        assert made.is_told_by(told, size) is True
        assert made.is_told_by({**told, "bytes": "0" * 56}, size) is False


def test_where_the_checksum_cannot_be_computed_the_file_is_read_back(hdfs: Hdfs, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster with Hadoop's own default nothing could be published, or nothing would be verified."""
    monkeypatch.setattr(Sent, "is_told_by", lambda self, told, block_size: None)
    hdfs.put(source, PATH)
    assert hdfs.read(PATH) == CONTENT
    with monkeypatch.context() as patched:
        patched.setattr(Hdfs, "_send", lambda self, source, draft: _damaged(self, draft))
        with pytest.raises(Fault):
            hdfs.put(source, PATH)
    assert hdfs.read(PATH) == CONTENT
    assert drafts(hdfs) == []


def _damaged(hdfs: Hdfs, draft: str) -> Sent:
    """Other bytes than those of the file, and as many."""
    other = bytearray(CONTENT)
    other[-1] ^= 1
    hdfs._client.write(draft, data=bytes(other))
    made = Sent()
    made.update(CONTENT)
    return made


@pytest.mark.parametrize("done", [True, False], ids=["the answer is lost", "the request is lost"])
def test_a_rename_whose_answer_is_lost(hadoop: Daemons, hdfs: Hdfs, source: Path, done: bool) -> None:
    """A published file would be reported as a failure, or one that is not there as published."""
    asked = threading.Event()

    def up(piece: bytes) -> bytes | None:
        if b"op=RENAME" not in piece:
            return piece
        asked.set()
        return piece if done else None

    def down(piece: bytes) -> bytes | None:
        if not asked.is_set():
            return piece
        asked.clear()
        return None

    proxy = Proxy(hadoop.ports["namenode"], up, down)
    try:
        behind = through(hdfs, f"http://127.0.0.1:{proxy.port}")
        if done:
            behind.put(source, PATH)
        else:
            with pytest.raises(Fault) as caught:
                behind.put(source, PATH)
            assert caught.value.code is Code.TRANSIENT
    finally:
        proxy.close()
    assert hdfs.read(PATH) == (CONTENT if done else b"old")


def test_a_moved_folder_whose_answer_is_lost(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """A job's output that is in its place would be called a bug of ours, and wait for a person."""
    hdfs.put(source, "moving/part-00000")
    proxy = Proxy(hadoop.ports["namenode"])
    asked = threading.Event()

    def up(piece: bytes) -> bytes:
        if b"op=RENAME" in piece:
            asked.set()
        return piece

    def down(piece: bytes) -> bytes | None:
        if not asked.is_set():
            return piece
        asked.clear()
        return None

    proxy.up, proxy.down = up, down
    try:
        through(hdfs, f"http://127.0.0.1:{proxy.port}").move_folder("moving", "moved")
    finally:
        proxy.close()
    assert (hdfs.read("moved/part-00000"), hdfs.entries("moving")) == (CONTENT, [])
    hdfs.put(source, "moving/part-00000")
    with pytest.raises(Fault):
        hdfs.move_folder("moving", "moved")
    assert [entry.name for entry in hdfs.entries("moved")] == ["part-00000"], "it was moved into what stands there"


def test_a_changed_byte_is_noticed(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """A broken cable or proxy would change a number in the lake."""
    with before_hdfs(hadoop.ports["namenode"], hadoop.ports["datanode"]) as (url, proxy):
        place = CONTENT[SIZE // 2 : SIZE // 2 + 16]
        proxy.up = lambda piece: piece.replace(place, place[::-1])
        with pytest.raises(Fault) as caught:
            through(hdfs, url).put(source, PATH)
    assert "other bytes than were sent" in caught.value.message
    assert hdfs.read(PATH) == b"old"
    assert drafts(hdfs) == []


def test_a_killed_writer_publishes_nothing(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """A worker that dies in mid-upload would leave a short file under the name that readers use."""
    with before_hdfs(hadoop.ports["namenode"], hadoop.ports["datanode"]) as (url, proxy):
        for limit in range(1, SIZE, 256 * KIB):
            command = [sys.executable, "-c", _PUT, cluster_text(hdfs, url), str(source), PATH]
            started: list[subprocess.Popen[bytes]] = []
            counter = proxy.up = Counter(limit, lambda started=started: [writer.kill() for writer in started] != [])  # type: ignore[misc]
            started.append(subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}))
            assert started[0].wait(PATIENCE) == -signal.SIGKILL and counter.reached
            assert hdfs.read(PATH) == b"old"
    left = drafts(hdfs)
    assert left and all(name.startswith(".") for name in left)
    assert sweep_partition(hdfs, "cut", time.time()) == []
    assert sweep_partition(hdfs, "cut", time.time() + GRACE_SECONDS + 60) == left
    assert drafts(hdfs) == []
    hdfs.put(source, PATH)
    assert hdfs.read(PATH) == CONTENT


@pytest.mark.parametrize("victim", ["namenode", "datanode"])
def test_a_daemon_killed_in_mid_upload(hadoop: Daemons, hdfs: Hdfs, source: Path, victim: str) -> None:
    """A restart of the cluster would leave half a partition, or stop its feed for good."""
    with before_hdfs(hadoop.ports["namenode"], hadoop.ports["datanode"]) as (url, proxy):
        proxy.up = Counter(SIZE // 2, lambda: hadoop.kill(victim) or True)
        with pytest.raises(Fault) as caught:
            through(hdfs, url).put(source, PATH)
        assert caught.value.code in (Code.TRANSIENT, Code.SINK_UNREACHABLE)
        assert wait_until(lambda: hadoop.parts[victim].process is None, PATIENCE), "the upload failed for another reason"
    hadoop.revive()
    assert hdfs.read(PATH) == b"old"
    hdfs.put(source, PATH)
    assert hdfs.read(PATH) == CONTENT


def test_safe_mode_passes_by_itself(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """A NameNode that has just been started would be reported to a person, or taken for a bug."""
    for daemon in ("datanode", "namenode"):
        hadoop.kill(daemon)
    hadoop.start("namenode")
    with pytest.raises(Fault) as caught:
        hdfs.put(source, PATH)
    assert (caught.value.code, "SafeModeException" in caught.value.evidence.text) == (Code.TRANSIENT, True)
    hadoop.revive()
    hdfs.put(source, PATH)
    assert hdfs.read(PATH) == CONTENT


def test_a_dead_cluster_is_told_as_down_and_quickly(hdfs: Hdfs, source: Path) -> None:
    """A partition would hang, or be called broken, because HDFS is stopped for an hour."""
    started = time.monotonic()
    with pytest.raises(Fault) as caught:
        through(hdfs, "http://127.0.0.1:9").put(source, PATH)
    assert caught.value.code is Code.SINK_UNREACHABLE
    assert time.monotonic() - started < 5


def test_a_hanging_datanode_ends_in_a_timeout(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """A run would wait for ever: the client has no timeout of its own."""
    hadoop.freeze("datanode")
    try:
        with pytest.raises(Fault) as caught:
            Hdfs(hdfs._cluster, timeout=(1.0, 1.0)).put(source, PATH)
    finally:
        hadoop.freeze("datanode", False)
    assert caught.value.code in (Code.TRANSIENT, Code.SINK_UNREACHABLE)
    assert wait_until(lambda: hdfs.read(PATH) == b"old", PATIENCE)


def test_rights_and_quota_are_refusals(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """Somebody who must act would not be told, and the platform would try for ever."""
    stranger = Hdfs(replace(hdfs._cluster, user="nobody"), timeout=PATIENT)
    with pytest.raises(Fault) as caught:
        stranger.put(source, PATH)
    assert (caught.value.code, "AccessControlException" in caught.value.evidence.text) == (Code.SINK_REFUSED, True)
    _administer(hadoop, "-setSpaceQuota", "500k", hdfs.absolute("cut"))
    with pytest.raises(Fault) as caught:
        hdfs.put(source, PATH)
    assert (caught.value.code, "DSQuotaExceeded" in caught.value.evidence.text) == (Code.SINK_REFUSED, True)
    assert hdfs.read(PATH) == b"old"
    _administer(hadoop, "-clrSpaceQuota", hdfs.absolute("cut"))
    hdfs.put(source, PATH)
    assert hdfs.read(PATH) == CONTENT


def _administer(hadoop: Daemons, *words: str) -> None:
    """Do what only HDFS's own user may."""
    admin = [*hadoop.cluster.streaming[:-1], "org.apache.hadoop.hdfs.tools.DFSAdmin", *words]
    subprocess.run(admin, env=dict(os.environ) | dict(hadoop.cluster.environ), check=True, capture_output=True, timeout=PATIENCE)


def test_the_active_namenode_is_found(hdfs: Hdfs, source: Path) -> None:
    """After a failover everything would stop until somebody changes a setting."""
    body = dumps({"RemoteException": {"exception": "StandbyException", "message": "Operation category READ is not supported"}}).encode()
    paths = (hdfs.absolute("cut"), hdfs.absolute(PATH))
    with web_server({f"/webhdfs/v1{path}": (403, body) for path in paths}) as standby:
        urls = ("http://127.0.0.1:9", standby, *hdfs._cluster.hdfs_urls)
        several = Hdfs(replace(hdfs._cluster, hdfs_urls=urls), timeout=PATIENT)
        several.put(source, PATH)
        assert several.read(PATH) == CONTENT
        with pytest.raises(Fault) as caught:
            through(hdfs, standby).read(PATH)
    assert caught.value.code is Code.TRANSIENT


def test_files_and_folders_are_not_for_everybody(hadoop: Daemons, hdfs: Hdfs, source: Path) -> None:
    """Personal data in the lake could be read by every account of the cluster."""
    hdfs.put(source, PATH)
    status = hdfs._client.status(hdfs.absolute(PATH))
    assert (status["permission"], status["owner"]) == ("640", hdfs._cluster.user)
    assert hdfs._client.status(hdfs.absolute("cut"))["permission"] == "750"
