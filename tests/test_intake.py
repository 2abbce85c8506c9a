"""The private copy: what it takes, what it refuses, and what it leaves behind."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal, ShpError
from shp_core.limits import MIB, Limits
from shp_resources import intake
from shp_resources.intake import private_copy

CONTENT = bytes(range(256)) * 12_000  # about three pieces


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A delivered file."""
    path = tmp_path / "landing" / "report.xlsx"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of copies, not made yet."""
    return tmp_path / "store"


def files(folder: Path) -> list[Path]:
    """Every file in a folder and below."""
    return [path for path in folder.rglob("*") if not path.is_dir()] if folder.exists() else []


def code_of(source: Path, store: Path, limits: Limits | None = None) -> Code:
    """The code with which a copy is refused; nothing may be left behind."""
    with pytest.raises(ShpError) as caught:
        private_copy(source, store, limits or Limits())
    assert files(store) == []
    return caught.value.code


def test_the_copy_is_named_by_its_bytes(source: Path, store: Path) -> None:
    """The bytes that were judged would not be the bytes that are kept."""
    copied = private_copy(source, store, Limits())
    status = source.stat()
    assert copied.path.read_bytes() == CONTENT
    assert copied.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (copied.size, copied.mtime_ns, copied.inode) == (len(CONTENT), status.st_mtime_ns, status.st_ino)
    assert files(store) == [copied.path] == [store / copied.sha256]


def test_the_caller_names_the_copy(source: Path, store: Path) -> None:
    """Copies could not be spread over folders."""
    copied = private_copy(source, store, Limits(), lambda sha256: f"{sha256[:2]}/{sha256}.xlsx")
    assert files(store) == [store / copied.sha256[:2] / f"{copied.sha256}.xlsx"]


def test_the_source_is_left_as_it_was(source: Path, store: Path) -> None:
    """People would find their file changed or gone."""
    before = source.stat()
    private_copy(source, store, Limits())
    after = source.stat()
    assert source.read_bytes() == CONTENT
    assert (before.st_mtime_ns, before.st_ctime_ns, before.st_mode) == (after.st_mtime_ns, after.st_ctime_ns, after.st_mode)


def test_only_the_owner_reads_the_copy(source: Path, store: Path) -> None:
    """What one department sends would be open to every user of the machine."""
    assert stat.S_IMODE(private_copy(source, store, Limits()).path.stat().st_mode) == 0o600


def test_the_same_bytes_again_are_the_same_copy(source: Path, store: Path) -> None:
    """A second delivery would take the room of a second copy, or fail because there is one."""
    first, second = (private_copy(source, store, Limits()) for _ in range(2))
    assert first == second and files(store) == [first.path]


def test_an_empty_file_is_copied(source: Path, store: Path) -> None:
    """The bytes of a refused delivery could not be looked at later."""
    source.write_bytes(b"")
    assert private_copy(source, store, Limits()).path.read_bytes() == b""


def test_a_missing_file_is_missing(source: Path, store: Path) -> None:
    """A file that was taken back would look like a fault of the platform."""
    source.unlink()
    assert code_of(source, store) == Code.SOURCE_MISSING
    assert code_of(source / "below", store) == Code.SOURCE_MISSING


def make_special(kind: str, path: Path) -> None:
    """Make something that is no regular file."""
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(path.parent / "elsewhere")
        (path.parent / "elsewhere").write_bytes(CONTENT)
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.timeout(5)
@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "dangling link", "socket", "link to a device"])
def test_what_is_no_file_is_refused_at_once(source: Path, store: Path, kind: str) -> None:
    """A pipe would block the intake for ever; a link would load any file of the machine."""
    make_special(kind, source)
    assert code_of(source, store) == Code.NOT_A_REGULAR_FILE


@pytest.mark.timeout(5)
def test_a_device_is_refused_without_being_opened(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a tape or a terminal would already do something to it."""
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda path, *_: opened.append(path))
    with pytest.raises(Refusal) as caught:
        private_copy(Path("/dev/zero"), store, Limits())
    assert (caught.value.code, opened) == (Code.NOT_A_REGULAR_FILE, [])


def test_a_file_that_is_too_large_is_refused(source: Path, store: Path) -> None:
    """One delivery would fill the store."""
    with pytest.raises(Refusal) as caught:
        private_copy(source, store, Limits(source_bytes=MIB))
    assert (caught.value.code, caught.value.details) == (Code.LIMIT_REACHED, {"limit": "source_bytes", "value": MIB})
    assert files(store) == []
    assert private_copy(source, store, Limits(source_bytes=len(CONTENT))).size == len(CONTENT)


def meddle(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Do something to the source after the first piece was read."""
    original, done = os.read, []

    def read(descriptor: int, size: int) -> bytes:
        data = original(descriptor, size)
        if not done:
            done.append(True)
            what()
        return data

    monkeypatch.setattr(intake.os, "read", read)


def grow(path: Path) -> None:
    """Write more to it."""
    with path.open("ab") as file:
        file.write(b"more")


def overwrite(path: Path) -> None:
    """Write over some of it."""
    with path.open("r+b") as file:
        file.write(b"other")


def overwrite_behind_the_clock(path: Path) -> None:
    """Write over some of it and set its time back."""
    status = path.stat()
    overwrite(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_by_another(path: Path) -> None:
    """Put another file in its place."""
    other = path.with_name("other")
    other.write_bytes(CONTENT)
    other.replace(path)


def cut_off(path: Path) -> None:
    """Cut it off."""
    os.truncate(path, 10)


@pytest.mark.parametrize("change", [grow, overwrite, overwrite_behind_the_clock, replace_by_another, cut_off])
def test_a_file_that_changes_meanwhile_is_left_alone(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """Half of an old and half of a new file would be loaded as one."""
    meddle(monkeypatch, lambda: change(source))
    assert code_of(source, store) == Code.STILL_MOVING


def test_a_file_that_vanishes_meanwhile_is_missing(source: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its sender took back would be loaded."""
    meddle(monkeypatch, source.unlink)
    assert code_of(source, store) == Code.SOURCE_MISSING


def test_a_change_within_one_tick_of_the_clock_is_noticed(source: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file written just before and just after it was read would look unchanged, because file systems keep time in ticks."""
    for _ in range(5):
        source.write_bytes(CONTENT)
        with monkeypatch.context() as patch:
            meddle(patch, lambda: overwrite(source))
            assert code_of(source, store) == Code.STILL_MOVING


def test_a_writer_at_work_is_never_copied_in_the_middle(source: Path, store: Path) -> None:
    """Without any trick: a copy would hold bytes that never were in the file together."""
    stop = threading.Event()

    def write() -> None:
        letter = 0
        while not stop.is_set():
            letter = (letter + 1) % 256
            source.write_bytes(bytes([letter]) * 3 * MIB)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        outcomes = [outcome(source, store) for _ in range(8)]
    finally:
        stop.set()
        writer.join()
    assert set(outcomes) <= {"still_moving", "whole"}
    assert "still_moving" in outcomes


def outcome(source: Path, store: Path) -> str:
    """A code, or whether the copy is what a writer wrote at once."""
    try:
        content = private_copy(source, store, Limits()).path.read_bytes()
    except Fault as fault:
        return str(fault.code)
    return "whole" if len(set(content)) <= 1 and len(content) in (0, 3 * MIB) else f"half: {len(content)} bytes"


def broken_after(calls: int, number: int, original: Callable[..., Any]) -> Callable[..., Any]:
    """A file system call that fails with an error number, after it went well some times."""
    left = [calls]

    def call(*arguments: Any) -> Any:
        if not left[0]:
            raise OSError(number, os.strerror(number))
        left[0] -= 1
        return original(*arguments)

    return call


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize(("name", "calls"), [("write", 0), ("write", 1), ("write", 2), ("fsync", 0), ("fsync", 1)])
def test_a_full_disk_leaves_nothing_behind_but_a_code(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch, name: str, calls: int, error: int
) -> None:
    """A full store would stay full of halves, and the delivery would be blamed."""
    with monkeypatch.context() as patch:
        patch.setattr(intake.os, name, broken_after(calls, error, getattr(os, name)))
        with pytest.raises(Fault) as caught:
            private_copy(source, store, Limits())
    assert caught.value.code == Code.STORE_REFUSED
    assert (caught.value.evidence.system, caught.value.evidence.errno) == ("store", error)
    whole = [path for path in files(store) if path.read_bytes() == CONTENT]
    assert files(store) == whole and len(whole) <= (name == "fsync" and calls == 1)
    assert private_copy(source, store, Limits()).path.read_bytes() == CONTENT


def test_a_store_that_is_no_folder_refuses(source: Path, store: Path) -> None:
    """A wrong setting would look like a fault of the delivery."""
    store.write_text("a file")
    with pytest.raises(Fault) as caught:
        private_copy(source, store, Limits())
    assert caught.value.code == Code.STORE_REFUSED


def test_short_writes_are_continued(source: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes a piece in parts would cost the rest of it."""
    original = os.write
    monkeypatch.setattr(intake.os, "write", lambda file, data: original(file, data[: max(1, len(data) // 2)]))
    assert private_copy(source, store, Limits()).path.read_bytes() == CONTENT


def test_a_source_that_cannot_be_read_is_a_fault_of_landing(source: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network folder that fails would look like a full disk here."""
    monkeypatch.setattr(intake.os, "read", broken_after(1, errno.EIO, os.read))
    with pytest.raises(Fault) as caught:
        private_copy(source, store, Limits())
    assert (caught.value.code, caught.value.evidence.system) == (Code.SOURCE_MISSING, "landing")
    assert files(store) == []


@pytest.mark.parametrize("name", ["a b'\"$(id)", "new\nline", "\u202eright", "bad\udcff", "x" * 255, "é", "e\u0301"])
def test_names_are_data(source: Path, store: Path, name: str) -> None:
    """A file's name could write into a log, or keep its file from being delivered."""
    path = source.with_name(name)
    source.rename(path)
    assert private_copy(path, store, Limits()).size == len(CONTENT)
    path.unlink()
    with pytest.raises(Fault) as caught:
        private_copy(path, store, Limits())
    assert caught.value.message.isascii() and caught.value.message.isprintable()


def test_no_descriptor_stays_open(source: Path, store: Path) -> None:
    """After some thousand deliveries the service could open no more."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    private_copy(source, store, Limits())
    code_of(source.parent / "gone", store / "other")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
