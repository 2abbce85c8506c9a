"""Workbooks on an SFTP server, over a real one: cut connections, files that change, keys that nobody knows, down to the rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shp_core.errors import Fault
from shp_core.feeds.origin import Origin
from shp_core.limits import Limits
from shp_resources.sources.download import Download, download
from shp_resources.sources.settings import SourceSettings
from shp_resources.sources.sftp import SftpSource
from tests.support.platforms import ORDERS, Platform, book_of, order
from tests.support.remote_sftp import PASSWORD, USER, RemoteSftp, remote_sftp

FIRST, SECOND = bytes(range(256)) * 4000, bytes(reversed(range(256))) * 4000


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[RemoteSftp]:
    """A server over an empty folder."""
    (tmp_path / "out").mkdir()
    with remote_sftp(tmp_path) as server:
        yield server


def put(sftp: RemoteSftp, name: str, content: bytes, at: int = 1_000_000_000) -> Path:
    """Let a file lie there that was last changed then."""
    path = sftp.folder / "out" / name
    path.write_bytes(content)
    os.utime(path, (at, at))
    return path


def settings(sftp: RemoteSftp) -> SourceSettings:
    """Credentials and deadlines."""
    place = f"127_0_0_1_{sftp.port}"
    known = {f"{place}_USER": USER, f"{place}_PASSWORD": PASSWORD, f"{place}_HOST_KEY": sftp.host_key}
    return SourceSettings(known, connect_seconds=5, read_seconds=5)


def source(sftp: RemoteSftp, path: str = "/out/") -> SftpSource:
    """A source at the server."""
    return SftpSource(Origin(sftp.url + path), settings(sftp), "*.xlsx")


def test_what_lies_in_a_folder_is_seen(sftp: RemoteSftp) -> None:
    """A file would be missed, or one that is still uploaded be loaded in half."""
    for name in ("b.xlsx", "A.XLSX", ".hidden.xlsx", "notes.txt"):
        put(sftp, name, b"12345")
    (sftp.folder / "out" / "folder.xlsx").mkdir()
    (sftp.folder / "out" / "new.xlsx").write_bytes(b"1")
    seen = source(sftp).look()
    assert [(one.source.name, one.source.size, one.quiet) for one in seen] == [
        ("A.XLSX", 5, True),
        ("b.xlsx", 5, True),
        ("new.xlsx", 1, False),
    ]
    assert source(sftp, "/out/b.xlsx").look() == [seen[1]]


def test_a_download_goes_on_and_a_changed_file_begins_anew(sftp: RemoteSftp, tmp_path: Path) -> None:
    """A file of two versions would be loaded, or a large one never come over a bad line."""
    put(sftp, "a.xlsx", FIRST)
    uri, into = f"{sftp.url}/out/a.xlsx", Download.of(tmp_path / "downloads", "x")

    def fetch() -> bytes:
        return download(source(sftp), uri, into, Limits(), 20.0).read_bytes()

    sftp.cut_after = 600_000
    with pytest.raises(Fault) as caught:
        fetch()
    assert caught.value.code == "transient"
    there = into.path.stat().st_size
    assert 0 < there <= 600_000 + 32_768
    sftp.cut_after, sftp.reads = None, []
    assert fetch() == FIRST
    assert min(sftp.reads) == there
    into.drop()
    sftp.at_read = lambda: put(sftp, "a.xlsx", SECOND, 1_000_000_009)
    with pytest.raises(Fault) as caught:
        fetch()
    assert caught.value.code == "still_moving"
    sftp.at_read = None
    assert fetch() == SECOND


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("/out/none.xlsx", {}, "source_missing"),
        ("/none/", {}, "source_missing"),
        ("/out/", {"PASSWORD": "wr0ng"}, "source_refused"),
        ("/out/", {"HOST_KEY": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA5hDLYdnzBdSSpVTQ8nPgnDHsJPxbQfVIiXUuQHVFWI"}, "source_refused"),
    ],
)
def test_what_is_wrong_has_a_name(sftp: RemoteSftp, path: str, change: dict[str, str], code: str) -> None:
    """A wrong password would be tried for ever, or files be taken from somebody who only says that he is the sender."""
    known = settings(sftp)
    changed = {**known.variables, **{f"127_0_0_1_{sftp.port}_{kind}": value for kind, value in change.items()}}
    with pytest.raises(Fault) as caught:
        SftpSource(Origin(sftp.url + path), replace(known, variables=changed), "*").look()
    assert caught.value.code == code
    assert not any(secret in f"{caught.value.message}{caught.value.evidence}" for secret in ("wr0ng", PASSWORD))


def test_a_server_that_is_away_is_called_so() -> None:
    """A dead server would be asked again within each run."""
    with pytest.raises(Fault) as caught:
        SftpSource(Origin("sftp://127.0.0.1:1/out/"), SourceSettings({"127_0_0_1_1_HOST_KEY": ""}), "*").look()
    assert caught.value.code == "source_unreachable"


def test_files_are_published_whole_or_not_at_all(platform: Platform, sftp: RemoteSftp) -> None:
    """A feed on an SFTP server would load half a file, or stop for good at the first cut connection."""
    platform.feed_file("orders", ORDERS.replace('{match: "*.xls[xm]"}', f'{{uri: "{sftp.url}/out/"}}'))
    platform.change(sleep=lambda _: setattr(sftp, "cut_after", None), chance=lambda: 0.0)
    platform.reach(settings(sftp))
    put(sftp, "a.xlsx", book_of(order(1), order(2)))
    for _ in range(2):
        platform.tick("remotes")
        platform.fulfil(platform.tick())
    assert (platform.loaded("a"), len(platform.attempts("a"))) == ([1, 2], 1)
    seen: list[list[int]] = []
    put(sftp, "a.xlsx", book_of(order(3)), 1_000_000_100)
    sftp.cut_after, sftp.at_read = 0, lambda: seen.append(platform.loaded("a"))
    platform.tick("remotes")
    platform.fulfil(platform.tick())
    assert len(seen) > 1
    assert all(rows == [1, 2] for rows in seen)
    assert (platform.loaded("a"), platform.state("a")) == ([3], ("published", None))
