"""Whose process the embedded server is, and what happens where that user may not enter."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

import pytest

from shp_core.errors import UsageError
from shp_resources.embedded import EmbeddedServer
from shp_resources.embedded.binaries import Binaries
from shp_resources.embedded.rights import Rights, owner_for, that_reach
from tests.support.holders import holder
from tests.support.postgres import rows

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changing the user needs root; the other tests ran as a normal user")

needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv to change rights and still read this interpreter")


def effective_capabilities(pid: int) -> int:
    """The capabilities a process may use, as bits."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16)


def open_folder() -> Path:
    """A folder that every user may enter (a test's own folder is private to us)."""
    folder = Path("/var/tmp") / f"shp-rights-{os.getpid()}"
    folder.mkdir(mode=0o755)
    return folder


@as_root
def test_below_an_open_folder_no_capability_is_kept() -> None:
    """Root's server would be able to read every file on the machine without needing to."""
    folder = open_folder()
    try:
        rights = that_reach(owner_for(folder / "data"), Path("/bin/true"), folder)
        assert rights == Rights(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    finally:
        shutil.rmtree(folder)


@as_root
def test_below_a_private_folder_one_capability_is_kept(tmp_path: Path) -> None:
    """The platform would not start for root in /root, in CI, or in any private folder."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with EmbeddedServer(private).held() as dsn:
        assert rows(dsn, "select 1") == [(1,)]
        server = EmbeddedServer(private).postmaster
        assert server is not None
        assert effective_capabilities(server.pid) in (1 << 2, 1 << 1)  # CAP_DAC_READ_SEARCH, else CAP_DAC_OVERRIDE


@as_root
@needs_setpriv
def test_in_a_container_the_other_capability_does(tmp_path: Path) -> None:
    """Root in a container lacks the first capability: the platform would not start there."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with holder(private, ("setpriv", "--bounding-set=-dac_read_search", "--inh-caps=-dac_read_search")) as other:
        assert rows(other.dsn(), "select 1") == [(1,)]
        server = EmbeddedServer(private).postmaster
        assert server is not None
        assert effective_capabilities(server.pid) == 1 << 1  # CAP_DAC_OVERRIDE
        assert other.let_go() == 0


@as_root
def test_where_nothing_helps_the_closed_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root would see "permission denied" from a program it never heard of."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        EmbeddedServer(private).start()
    closed = next(folder for folder in reversed((private / "x").parents) if not folder.stat().st_mode & 1)
    assert str(closed) in caught.value.message
    assert f"chmod o+x {closed}" in caught.value.next_step
    assert "SHP_PG_DSN" in caught.value.next_step


@as_root
@needs_setpriv
def test_a_normal_user_needs_no_tricks(tmp_path: Path) -> None:
    """Everybody who does not work as root would have no embedded server."""
    nobody = pwd.getpwnam("nobody")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    drop = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    keep = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    with holder(home, (*drop, *keep)) as other:
        assert rows(other.dsn(), "select 1") == [(1,)]
        assert (home / "postgres").stat().st_mode & 0o777 == 0o700
        assert other.let_go() == 0


@as_root
def test_root_runs_it_as_the_user_who_made_the_data(tmp_path: Path) -> None:
    """A home made by a normal user would be lost to that user after one command of root's."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    assert owner_for(data).uid == 65534


def test_somebody_elses_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A normal user would get a puzzling permission error for a home that root made."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: data.stat().st_uid + 1)
    with pytest.raises(UsageError, match="belongs to another user"):
        owner_for(data)


def test_the_server_program_is_found_and_knows_its_version() -> None:
    """Without the programs nobody can try the platform on a machine without PostgreSQL."""
    programs = Binaries.find()
    assert programs.major == "18"
    assert programs.initdb.is_file()
