"""Feed files that are edited while the platform runs: what is sound is in force, what is broken changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_core.feeds.load import Catalogue, load_catalogue
from shp_ops.supervisor.feed_files import LOOK_SECONDS, FeedFiles
from shp_ops.supervisor.in_force import InForce, ask, read
from shp_ops.supervisor.layout import python_path
from shp_resources.settings import Settings

FEED = "feed: {}\nowner: team:a\ncolumns: {{A: {{type: text}}}}\n"
MART = "mart: m\nfrom: a\ngroup_by: [A]\nsum: []\n"
BROKEN = "feed: a\nowner: nobody\n"


@dataclass
class Folder:
    """An installation's files, and what was told of them."""

    base: Path
    told: list[str] = field(default_factory=list)
    ticks: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        (self.base / "feeds").mkdir()
        (self.base / "marts").mkdir()
        self.settings = Settings.load({"SHP_FEEDS": str(self.base / "feeds")}, home=self.base / "home")
        self.files = FeedFiles(self.settings, self.told.append, read)

    def write(self, name: str, text: str) -> None:
        """Write a file; its time differs from the one before even on a coarse clock."""
        path = self.base / name
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(next(self.ticks), next(self.ticks)))

    def looks(self, times: int = 3) -> list[bool]:
        """What some looks say, each when it is due."""
        return [self.files.changed(next(self.ticks) * LOOK_SECONDS) for _ in range(times)]

    @property
    def in_force(self) -> Catalogue:
        """What a code server would load."""
        return load_catalogue(self.settings.feeds, self.settings.marts, self.settings.last_good)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """One feed and one mart, taken up."""
    made = Folder(tmp_path)
    made.write("feeds/a.yaml", FEED.format("a"))
    made.write("marts/m.yaml", MART)
    made.files.begin()
    return made


def test_an_edit_counts_once_when_the_files_have_come_to_rest(folder: Folder) -> None:
    """A file would be taken up while it is written, or servers restarted for ever."""
    assert folder.looks() == [False, False, False]
    folder.write("feeds/b.yaml", FEED.format("b"))
    assert folder.looks() == [False, True, False]
    assert list(folder.in_force.feeds) == ["a", "b"]
    assert folder.files.changed(0.0) is False, "it is not looked at more often than that"


def test_a_comment_restarts_nothing(folder: Folder) -> None:
    """Whoever writes a note into a feed file would interrupt the sensors."""
    folder.write("feeds/a.yaml", f"# a note\n{FEED.format('a')}")
    assert folder.looks() == [False, False, False]
    assert folder.told == []


def test_a_broken_file_leaves_its_last_good_version_in_force(folder: Folder) -> None:
    """A slip in one feed file would take its feed out of the platform, or the others with it."""
    folder.write("feeds/a.yaml", BROKEN)
    assert folder.looks() == [False, False, False]
    assert any("feeds/a.yaml" in line and "The last good version stays in force." in line for line in folder.told)
    assert list(folder.in_force.feeds) == ["a"]
    assert list(folder.in_force.marts) == ["m"], "what is made from it goes on, too"
    assert folder.in_force.errors, "and the errors are told"
    folder.write("feeds/a.yaml", FEED.format("a").replace("text", "integer"))
    assert folder.looks() == [False, True, False]
    assert folder.in_force.feeds["a"].columns["A"].type == "integer"


def test_a_broken_file_after_a_restart(folder: Folder) -> None:
    """A platform that is started while a file is broken would forget the feed."""
    folder.write("feeds/a.yaml", BROKEN)
    again = FeedFiles(folder.settings, folder.told.append, read)
    again.begin()
    assert list(folder.in_force.feeds) == ["a"]
    folder.write("feeds/a.yaml", FEED.format("a"))
    assert [again.changed(n * LOOK_SECONDS) for n in range(100, 103)] == [False, False, False], "the same is in force again"


def test_a_file_that_is_gone_is_in_force_no_more(folder: Folder) -> None:
    """A feed that was removed on purpose would come back when a file of its name is broken."""
    (folder.base / "feeds/a.yaml").unlink()
    assert folder.looks() == [False, True, False]
    assert folder.in_force.feeds == {}
    folder.write("feeds/a.yaml", BROKEN)
    folder.looks()
    assert folder.in_force.feeds == {}


def test_limits_are_in_force_and_broken_ones_are_not(folder: Folder) -> None:
    """Limits could only be raised by a restart, or a slip would set the defaults."""
    folder.write("shp.yaml", "limits: {source_bytes: 1 GiB}\n")
    assert folder.looks() == [False, True, False]
    folder.write("shp.yaml", "limits: {source: many}\n")
    assert folder.looks() == [False, False, False]
    assert any("shp.yaml" in line for line in folder.told)


def test_a_process_of_its_own_says_the_same(folder: Folder) -> None:
    """The platform would follow other files than those that `shp feeds check` reads, or restart code at each comment."""
    folder.write("shp.yaml", "limits: {source: many}\n")
    folder.write("feeds/b.yaml", BROKEN)
    asked = ask(folder.settings)
    assert asked == ask(folder.settings)
    assert (asked.platform, asked.errors, asked.slips) == (None, read(folder.settings).errors, read(folder.settings).slips)
    assert asked.errors and asked.slips
    folder.write("shp.yaml", "limits: {source_bytes: 1 GiB}\n")
    assert ask(folder.settings).platform == read(folder.settings).platform


def test_an_edit_that_could_not_be_read_is_read_at_the_next_look(folder: Folder) -> None:
    """Where no process is to be had for a moment the platform would end, or the edit never come into force."""
    away: list[ShpError] = []

    def once_away(settings: Settings) -> InForce:
        if away:
            raise away.pop()
        return read(settings)

    files = FeedFiles(folder.settings, folder.told.append, once_away)
    files.begin()
    away.append(ShpError(Code.SERVICE_FAILED, "No process was to be had.", "-"))
    folder.write("feeds/b.yaml", FEED.format("b"))
    assert [files.changed(n * LOOK_SECONDS) for n in range(100, 104)] == [False, False, True, False]
    assert folder.told == ["No process was to be had. They are looked at again."]


def test_files_that_nobody_can_read_are_said_to_be_so(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that fails for it would end in a traceback."""
    monkeypatch.setattr(sys, "executable", str(folder.base / "nobody"))
    with pytest.raises(ShpError, match="could not be read") as caught:
        ask(folder.settings)
    assert "shp feeds check" in caught.value.next_step


def test_the_supervisor_loads_nothing_that_reads_them(tmp_path: Path) -> None:
    """Every platform would hold 9 MB for a look at edits that come once a month."""
    script = "import sys, shp_ops.cli.main, shp_ops.cli.platform, shp_ops.supervisor.platform; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=python_path(), capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
