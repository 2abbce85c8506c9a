"""Workbooks that somebody puts into HDFS, on real daemons: cut connections and changed files, down to the rows in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from shp_core.errors import Fault
from shp_core.feeds.origin import Origin
from shp_core.limits import Limits
from shp_resources.hdfs.client import Hdfs
from shp_resources.sources.download import Download, download
from shp_resources.sources.settings import SourceSettings
from shp_resources.sources.webhdfs import HdfsSource
from shp_resources.store.far import Far
from tests.support.cutting import Counter, before_hdfs
from tests.support.hadoop import Daemons
from tests.support.platforms import ORDERS, Platform, book_of, order

pytestmark = pytest.mark.hadoop
FIRST, SECOND = Random(1).randbytes(1 << 20), Random(2).randbytes(1 << 20)


class Inbox:
    """A folder of HDFS into which a sender puts files."""

    def __init__(self, hadoop: Daemons, scratch: Path) -> None:
        hadoop.revive()
        self._scratch, self._hdfs = scratch, Hdfs(replace(hadoop.cluster, root=f"/inbox/{scratch.name}"))
        self.user = hadoop.cluster.user
        self.address = hadoop.cluster.hdfs_urls[0].removeprefix("http://")
        self.folder = f"/inbox/{scratch.name}/in/"

    def put(self, name: str, content: bytes) -> None:
        """Let a file lie there."""
        path = self._scratch / name
        path.write_bytes(content)
        self._hdfs.put(path, f"in/{name}")

    def uri(self, name: str = "", address: str | None = None) -> str:
        """The folder's address, or a file's."""
        return f"hdfs://{address or self.address}{self.folder}{name}"

    def source(self, uri: str) -> HdfsSource:
        """The source at an address."""
        return HdfsSource(Origin(uri), self.settings, "*.xlsx")

    @property
    def settings(self) -> SourceSettings:
        """Who we are there."""
        return SourceSettings({"127_0_0_1_USER": self.user, "LOCALHOST_USER": self.user})


@pytest.fixture
def inbox(hadoop: Daemons, tmp_path: Path) -> Inbox:
    """An inbox of the test's own."""
    return Inbox(hadoop, tmp_path)


def test_a_download_from_hdfs_goes_on_and_a_changed_file_begins_anew(hadoop: Daemons, inbox: Inbox, tmp_path: Path) -> None:
    """A file of two versions would be loaded, or a large one never come while DataNodes die."""
    inbox.put("a.xlsx", FIRST)
    inbox.put("notes.txt", b"x")
    (seen,) = inbox.source(inbox.uri()).look()
    assert (seen.source.uri, seen.source.size) == (inbox.uri("a.xlsx"), len(FIRST))
    into = Download.of(tmp_path / "downloads", "x")
    with before_hdfs(hadoop.ports["namenode"], hadoop.ports["datanode"]) as (url, proxy):
        uri = inbox.uri("a.xlsx", url.removeprefix("http://"))

        def fetch() -> bytes:
            return download(inbox.source(uri), uri, into, Limits(), 60.0).read_bytes()

        proxy.down = counter = Counter(700_000)
        assert fetch() == FIRST
        assert counter.reached
        assert counter.passed < 700_000 + len(FIRST) - (256 << 10), "what had come was not asked for again"
        into.drop()
        proxy.down = Counter(700_000, then=lambda: bool(inbox.put("a.xlsx", SECOND)))
        assert fetch() == SECOND
        into.drop()
        proxy.down = Counter(100)
        with pytest.raises(Fault) as caught:
            fetch()
        assert caught.value.code == "transient"
    with pytest.raises(Fault) as caught:
        inbox.source(inbox.uri("none.xlsx")).look()
    assert caught.value.code == "source_missing"


def test_files_in_hdfs_are_published(platform: Platform, inbox: Inbox) -> None:
    """A feed whose sender writes to HDFS could not be loaded."""
    inbox.put("a.xlsx", book_of(order(1), order(2)))
    platform.feed_file("orders", ORDERS.replace('{match: "*.xls[xm]"}', f'{{uri: "{inbox.uri()}"}}'))
    platform.reach(inbox.settings)
    for rows in ([1, 2], [3]):
        platform.tick("remotes")
        platform.fulfil(platform.tick())
        assert (platform.loaded("a"), platform.state("a")) == (rows, ("published", None))
        inbox.put("a.xlsx", book_of(order(3)))


def test_a_delivery_is_kept_in_hdfs_and_comes_back(inbox: Inbox, tmp_path: Path) -> None:
    """A store whose address is in HDFS would keep nothing there, and the disk's loss be the deliveries' loss."""
    far = Far(Origin(inbox.uri()), inbox.settings)
    path, name = tmp_path / "copy", sha256(FIRST).hexdigest()
    path.write_bytes(FIRST)
    far.try_out(path)
    assert far.sizes() == {}
    far.keep(path, name)
    assert far.sizes() == {name: len(FIRST)}
    assert far.fetch(name, tmp_path / "back") and (tmp_path / "back").read_bytes() == FIRST
    far.remove(name)
    assert not far.has(name)
