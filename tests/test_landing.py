"""The landing folder: what is seen there, and what a name of any bytes becomes."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from shp_core.errors import Fault
from shp_resources import landing
from shp_resources.landing import look, path_of, printable, readable, sight, uri_of

NAMES = [
    "plain.xlsx",
    "two words.xlsx",
    "quo'te\".xlsx",
    "new\nline.xlsx",
    "$(id).xlsx",
    "`id`;rm -rf.xlsx",
    "100%.xlsx",
    "a#b?c=d&e.xlsx",
    "ünïcode-日本.xlsx",
    "rtl\u202ecod.xlsx",
    "\u200f.xlsx",
    "tab\there.xlsx",
    "back\\slash.xlsx",
    " leading and trailing .xlsx",
    os.fsdecode(b"latin-\xff\xfe.xlsx"),
    "x" * 250 + ".xlsx",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_survives_its_uri(tmp_path: Path, name: str) -> None:
    """A file with an odd name would be seen and never found again."""
    path = tmp_path / name
    path.write_bytes(b"x")
    uri = uri_of(path)
    assert path_of(uri) == path
    assert uri.isascii()
    assert uri.startswith("file:///")
    assert not any(char.isspace() for char in uri)
    assert path_of(uri).read_bytes() == b"x"


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_printable_text(tmp_path: Path, name: str) -> None:
    """A file name could forge lines of a log, turn text round, or break the database's encoding."""
    shown = printable(name)
    assert shown.isprintable()
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert "\u202e" not in shown
    if name.isprintable():
        assert shown == name


def test_a_sight_is_what_the_file_system_says(tmp_path: Path) -> None:
    """A changed file would be taken for the one that was loaded."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 123_456_789))
    seen = sight(path)
    status = path.stat()
    assert seen.regular
    assert (seen.source.name, seen.source.size, seen.source.mtime_ns, seen.source.inode) == ("a.xlsx", 5, 123_456_789, status.st_ino)
    assert sight(path).source == seen.source
    path.write_bytes(b"1234567")
    assert sight(path).source != seen.source


def test_a_file_is_quiet_when_nobody_wrote_to_it_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a large upload would be read."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"x")
    os.utime(path, (1, 1))
    assert not sight(path).quiet, "an old mtime says nothing: copying programs set it"
    now = time.time()
    for seconds, quiet in ((1.0, False), (landing.QUIET_SECONDS + 0.5, True), (-landing.QUIET_SECONDS - 3600, True)):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: now + seconds)
        assert sight(path).quiet is quiet


def test_only_deliveries_are_seen_in_order(tmp_path: Path) -> None:
    """Lock files and hidden files would be quarantined, or a file with capital letters ignored."""
    for name in ("b.xlsx", "A.XLSX", ".hidden.xlsx", "~$b.xlsx", "b.csv", "noending"):
        (tmp_path / name).write_bytes(b"")
    assert [seen.source.name for seen in look(tmp_path, "*.xlsx")] == ["A.XLSX", "b.xlsx"]
    assert [seen.source.name for seen in look(tmp_path, "B.*")] == ["b.csv", "b.xlsx"]
    assert [seen.source.name for seen in look(tmp_path, "[!b]*.xlsx")] == ["A.XLSX"]
    assert look(tmp_path, "nothing*") == []


def test_what_is_no_file_is_seen_but_never_opened(tmp_path: Path) -> None:
    """A pipe in the landing folder would stop the sensor for ever."""
    (tmp_path / "folder.xlsx").mkdir()
    (tmp_path / "link.xlsx").symlink_to("/etc/hostname")
    (tmp_path / "dangling.xlsx").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.xlsx")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.xlsx"))
        seen = look(tmp_path, "*.xlsx")
    assert [entry.source.name for entry in seen] == ["dangling.xlsx", "folder.xlsx", "link.xlsx", "pipe.xlsx", "socket.xlsx"]
    assert not any(entry.regular for entry in seen)


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    """Nobody would know which folder the platform looks into."""
    with pytest.raises(Fault) as caught:
        look(tmp_path / "orders", "*.xlsx")
    assert caught.value.code == "source_missing"
    assert str(tmp_path / "orders") in caught.value.message
    assert "SHP_LANDING" in caught.value.next_step


def test_a_file_instead_of_the_folder_is_told(tmp_path: Path) -> None:
    """A mistake in the installation would be a traceback."""
    (tmp_path / "orders").write_text("x")
    with pytest.raises(Fault) as caught:
        look(tmp_path / "orders", "*.xlsx")
    assert (caught.value.code, caught.value.message) == ("source_missing", "orders: Not a directory.")


@pytest.mark.parametrize("name", ["gone.xlsx", "x" * 300 + ".xlsx", "a.xlsx/below.xlsx"])
def test_a_path_that_cannot_be_looked_at_is_the_senders_to_mend(tmp_path: Path, name: str) -> None:
    """A mistyped path would be called a bug of the platform."""
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(Fault) as caught:
        sight(tmp_path / name)
    assert caught.value.code == "source_missing"
    assert caught.value.evidence.system == "landing"


def test_a_file_that_goes_while_the_folder_is_listed_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One vanishing file would hide all others for this look."""
    for name in ("a.xlsx", "b.xlsx", "c.xlsx"):
        (tmp_path / name).write_bytes(b"x")
    plain = landing.sight

    def vanishing(path: Path) -> landing.Seen:
        if path.name == "b.xlsx":
            path.unlink()
        return plain(path)

    monkeypatch.setattr(landing, "sight", vanishing)
    assert [seen.source.name for seen in look(tmp_path, "*.xlsx")] == ["a.xlsx", "c.xlsx"]


def test_readable_means_there_and_allowed(tmp_path: Path) -> None:
    """A file that cannot be opened would be tried every five seconds."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"x")
    source = sight(path).source
    assert readable(source)
    path.unlink()
    assert not readable(source)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """The sender's programs would see files that somebody touched."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"x")
    os.utime(path, ns=(5, 7))
    before = path.stat()
    look(tmp_path, "*.xlsx")
    assert path.stat() == before
