"""A full disk at any write of the intake leaves nothing behind but a code."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.limits import Limits
from shp_ops.inspect import inspect
from shp_resources.intake import private_copy
from tests.support.full_disk import full_disk, small_disk
from tests.support.workbooks import header_row, raw, text_row

CONTENT = os.urandom(2_500_000)  # about three pieces
ERRORS = [errno.ENOSPC, errno.EDQUOT]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A delivered file."""
    path = tmp_path / "report.xlsx"
    path.write_bytes(CONTENT)
    return path


def files(folder: Path) -> dict[str, bytes]:
    """Every file in a folder and below, with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_whatever_call_the_disk_fails_at(source: Path, tmp_path: Path, error: int) -> None:
    """Halves of copies would fill the store for ever, or one would be taken for the delivery."""
    good = 0
    while True:
        store = tmp_path / f"store{good}"
        with full_disk(good, error) as disk:
            try:
                copied = private_copy(source, store, Limits(), lambda sha256: f"{sha256[:2]}/{sha256}")
                assert not disk.reached, "a failure was passed over in silence"
                break
            except Fault as fault:
                assert (fault.code, fault.evidence.system, fault.evidence.errno) == (Code.STORE_REFUSED, "store", error)
        left = files(store) if store.exists() else {}
        assert set(left.values()) <= {CONTENT}, "what is there is whole"
        assert all(name.endswith(hashlib.sha256(CONTENT).hexdigest()) for name in left), "and has its name"
        good += 1
    assert good >= 9, "folder, file, three writes, sync, folder, rename, sync"
    assert copied.path.read_bytes() == CONTENT
    assert source.read_bytes() == CONTENT


def test_the_next_copy_goes_well_when_there_is_room_again(source: Path, tmp_path: Path) -> None:
    """After a full disk, somebody would have to clean up by hand."""
    for good in range(9):
        with full_disk(good, errno.ENOSPC), pytest.raises(Fault):
            private_copy(source, tmp_path / "store", Limits())
    copied = private_copy(source, tmp_path / "store", Limits())
    assert files(tmp_path / "store") == {copied.sha256: CONTENT}


@pytest.mark.parametrize("room", [0, 1 << 20, 2 << 20])
def test_a_real_full_disk_behaves_like_the_one_above(source: Path, tmp_path: Path, room: int) -> None:
    """The tests above would hold for an imagined disk alone."""
    with small_disk(tmp_path / "small", 3 << 20) as disk:
        if disk is None:
            assert os.geteuid() != 0 or not _may_mount(), "root may mount, so this must have been tried"
            return
        (disk / "filler").write_bytes(bytes((3 << 20) - room - 8192))
        before = files(disk)
        with pytest.raises(Fault) as caught:
            private_copy(source, disk / "store", Limits())
        assert (caught.value.code, caught.value.evidence.errno) == (Code.STORE_REFUSED, errno.ENOSPC)
        assert files(disk) == before
        (disk / "filler").unlink()
        assert private_copy(source, disk / "store", Limits()).path.read_bytes() == CONTENT


def _may_mount() -> bool:
    """Whether this process has the capability to mount (number 21)."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")]
    return bool(int(line.split()[1], 16) >> 21 & 1)


def test_a_real_short_write_is_what_the_fake_does(tmp_path: Path) -> None:
    """The fake would fail too early, and the half that a real disk takes would never be tested."""
    with small_disk(tmp_path / "small", 1 << 20) as disk:
        if disk is None:
            assert os.geteuid() != 0 or not _may_mount()
            return
        file = os.open(disk / "file", os.O_CREAT | os.O_WRONLY)
        try:
            assert 0 < os.write(file, bytes(2 << 20)) < 2 << 20
            with pytest.raises(OSError, match="No space left"):
                os.write(file, b"x" * 8192)
        finally:
            os.close(file)
        (disk / "file").unlink()


def test_looking_into_a_file_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound workbook would be called unsound, or its cells would end in the middle without a word."""
    path = raw(tmp_path / "w.xlsx", header_row("a") + "".join(text_row(number, f"{number:0500}") for number in range(2, 9000)))
    with small_disk(tmp_path / "small", 1 << 20) as disk:
        if disk is None:
            assert os.geteuid() != 0 or not _may_mount()
            return
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        (found,) = inspect([path], Limits(), cells=True)
        assert (found.document["code"], found.cells) == ("store_refused", None)
        assert found.fault is not None and found.fault.evidence.errno == errno.ENOSPC
        assert list(disk.iterdir()) == []
