"""What refuses a file on its way into HDFS, on real daemons: full disks, and a gateway before it that says no at any request.

Whatever happens, a path holds what it held before or all that was sent, and the next attempt succeeds.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_resources.hdfs import Cluster
from shp_resources.hdfs.client import Hdfs
from shp_resources.processes import wait_until
from tests.support.cutting import Proxy, before_hdfs
from tests.support.hadoop import Daemons
from tests.support.waiting import PATIENCE
from tests.support.web import web_server

pytestmark = pytest.mark.hadoop
CONTENT = random.Random(8).randbytes(100_000)
PATH = "refused/name"
_RESERVED = "<property><name>dfs.datanode.du.reserved</name><value>{bytes}</value></property></configuration>"


class Gateway:
    """Gives a status of its own instead of one of the answers; the request got through all the same.

    Args:
        status: the HTTP status.
        at: which answer, from 1 on.
    """

    def __init__(self, status: int, at: int) -> None:
        self._status, self._at, self.seen = status, at, 0

    def __call__(self, piece: bytes) -> bytes:
        """Pass an answer on, or another one in its place."""
        self.seen += piece.startswith(b"HTTP/1.1 ")
        if not piece.startswith(b"HTTP/1.1 ") or self.seen != self._at:
            return piece
        return b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self._status


@pytest.fixture
def hdfs(hadoop: Daemons, tmp_path: Path) -> Hdfs:
    """HDFS under a root of this test's own."""
    hadoop.revive()
    return Hdfs(replace(hadoop.cluster, root=f"/refused/{tmp_path.name}"))


def file(path: Path, content: bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("status", "code"), [(503, Code.TRANSIENT), (403, Code.SINK_REFUSED)])
@pytest.mark.parametrize("before", ["namenode", "datanode"])
def test_a_gateway_that_says_no_at_any_request(hadoop: Daemons, hdfs: Hdfs, tmp_path: Path, before: str, status: int, code: Code) -> None:
    """A proxy under maintenance would leave half of a publication, or be called a bug."""
    old, new = file(tmp_path / "old", b"old"), file(tmp_path / "new", CONTENT)
    names, failed = Proxy(hadoop.ports["namenode"]), 0
    with before_hdfs(hadoop.ports["namenode"], hadoop.ports["datanode"]) as (behind, data):
        url = f"http://127.0.0.1:{names.port}" if before == "namenode" else behind
        at, through = 1, Hdfs(replace(hdfs._cluster, hdfs_urls=(url,)))
        while True:
            hdfs.put(old, PATH)
            gateway = Gateway(status, at)
            (names if before == "namenode" else data).down = gateway
            try:
                through.put(new, PATH)
                assert hdfs.read(PATH) == CONTENT
            except Fault as fault:
                failed += 1
                assert (fault.code, fault.evidence.http_status) == (code, status)
                assert hdfs.read(PATH) == b"old"
            if gateway.seen < at:
                break
            through.put(new, PATH)
            assert hdfs.read(PATH) == CONTENT
            at += 1
    names.close()
    assert failed >= (4 if before == "namenode" else 2)


def test_whoever_else_knows_no_such_path_does_not_speak_for_hdfs() -> None:
    """Behind a gateway that was moved every partition would look as if somebody had removed it, and be loaded anew."""
    with web_server({}) as url:
        elsewhere = Hdfs(Cluster((url,), "me", "/shp"))
        for ask in (elsewhere.read, elsewhere.entries):
            with pytest.raises(Fault) as caught:
                ask("lake/a")
            assert (caught.value.code, caught.value.evidence.http_status) == (Code.SINK_REFUSED, 404)


def test_a_full_disk_is_told_from_a_datanode_that_is_away(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """Who must make room would hear of a passing trouble, and partitions would be given up one after the other."""
    full = Daemons(tmp_path_factory.mktemp("full"), ("namenode", "datanode"))
    settings, new = Path(full.cluster.environ["HADOOP_CONF_DIR"]) / "hdfs-site.xml", file(tmp_path / "new", CONTENT)
    plain, hdfs = settings.read_text(), Hdfs(full.cluster)
    reserved = shutil.disk_usage(tmp_path).total - (1 << 30)  # what is left for it is long in use
    settings.write_text(plain.replace("</configuration>", _RESERVED.format(bytes=reserved)))
    try:
        full.start("namenode")
        told = _told(hdfs, new)
        assert told.code in (Code.TRANSIENT, Code.SINK_UNREACHABLE), "there is no DataNode yet"
        full.parts["datanode"].start()
        assert wait_until(lambda: "NoRoom" in _told(hdfs, new).evidence.text, PATIENCE, 0.5), _told(hdfs, new)
        assert (_told(hdfs, new).code, hdfs.read(PATH)) == (Code.SINK_REFUSED, None)
        full.kill("datanode")
        settings.write_text(plain)
        full.start("datanode")
        hdfs.put(new, PATH)
        assert hdfs.read(PATH) == CONTENT
    finally:
        full.stop()


def _told(hdfs: Hdfs, source: Path) -> Fault:
    with pytest.raises(Fault) as caught:
        hdfs.put(source, PATH)
    return caught.value
