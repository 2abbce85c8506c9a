"""The command `shp` as a stranger runs it: a process of its own, an environment that knows nothing, its answer parsed.

Lives here: starting commands, a small installation for them, and workbooks for its feed.
Must not live here: expectations, and anything that calls the command's code in this process.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.holders import REPOSITORY
from tests.support.postgres import fresh_database
from tests.support.waiting import PATIENCE
from tests.support.warm import warm
from tests.support.workbooks import written

SHP = (sys.executable, "-m", "shp_ops.cli.main")
DAGSTER = str(Path(sys.executable).parent / "dagster")

VISITS = """
feed: visits
owner: team:clinic
columns:
  Visit:   {type: integer, min: 1}
  Name:    {type: text, pii: true}
  Day:     {type: date, formats: ["%d.%m.%Y"]}
  Fee:     {type: money, scale: 2, currency: EUR, min: 0}
key: [Visit]
rules: {max_rejected_share: 0.5}
"""
"""A feed by file, with a key and personal data."""

COUNTS = """
feed: counts
owner: team:stores
source: {match: "counts_*.xlsx"}
partition: {by: day, start: 2026-11-01}
columns:
  Item:  {type: text}
  Count: {type: integer, min: 0}
key: [Item]
"""
"""A feed by day."""

HEADER = ("Visit", "Name", "Day", "Fee")


def visit(number: Any, name: str = "Ann", day: str = "01.11.2026", fee: Any = 12.5) -> tuple[Any, ...]:
    """A row of the feed by file."""
    return number, name, day, fee


def visits(path: Path, numbers: Iterable[int] = range(1, 4), *more: Sequence[Any]) -> Path:
    """A workbook of the feed by file: sound rows with these numbers, then these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return written(path, [HEADER, *map(visit, numbers), *more])


def counts(path: Path, *lines: tuple[str, Any]) -> Path:
    """A workbook of the feed by day."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return written(path, [("Item", "Count"), *lines])


@dataclass(frozen=True)
class Answer:
    """What a command said: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """The error it tells a program."""
        found: dict[str, str] = self.json["error"]
        return found

    def file(self, name: str) -> dict[str, Any]:
        """What `shp ingest --json` says of a file."""
        (found,) = [file for file in self.json["files"] if Path(file["path"]).name == name]
        return dict(found)


@dataclass(frozen=True)
class Place:
    """A folder with feeds in which commands are run.

    Args:
        base: the folder; its `feeds` are used and its `var` is the home.
        environ: variables beside a bare environment (`SHP_PG_DSN`).
    """

    base: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, base: Path, dsn: str | None = None, feeds: Mapping[str, str] | None = None) -> Place:
        """A folder with these feed files (by default one by file and one by day), on this database."""
        (base / "feeds").mkdir(parents=True)
        for name, text in (feeds if feeds is not None else {"visits": VISITS, "counts": COUNTS}).items():
            (base / "feeds" / f"{name}.yaml").write_text(text, encoding="utf-8")
        return cls(base, {"SHP_PG_DSN": dsn} if dsn else {})

    @property
    def home(self) -> Path:
        """Its SHP_HOME."""
        return self.base / "var"

    @contextmanager
    def copied(self, postgres: str) -> Iterator[Place]:
        """The same folder on a copy of its database, which is on this server."""
        with fresh_database(postgres, self.environ["SHP_PG_DSN"].rpartition("/")[2]) as dsn:
            yield replace(self, environ={**self.environ, "SHP_PG_DSN": dsn})

    def environment(self, **more: str) -> dict[str, str]:
        """A stranger's environment: nothing of SHP or Dagster but what this place says."""
        bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {**bare, "PWD": str(self.base), "PYTHONPATH": str(REPOSITORY), **self.environ, **more}

    def shp(self, *words: str | Path, **more: str) -> Answer:
        """Run a command and wait for it; in a process of its own that is forked from a warm one."""
        return Answer(*warm().call([str(word) for word in words], self.environment(**more), self.base))

    def cold(self, *words: str | Path, **more: str) -> Answer:
        """Run a command as a shell does, and wait for it."""
        return self.call([*SHP, *words], **more)

    def call(self, command: Sequence[str | Path], **more: str) -> Answer:
        """Run any program in this place and wait for it."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.base,
            env=self.environment(**more),
            text=True,
            capture_output=True,
            check=False,
            timeout=200,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str | Path, **more: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell does."""
        return subprocess.Popen(
            [*SHP, *map(str, words)],
            cwd=self.base,
            env=self.environment(**more),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )

    def on_terminal(self, *words: str | Path, columns: int = 80) -> Answer:
        """Run a command whose standard output and error are a terminal; both come as `out`."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(
            [*SHP, *map(str, words)],
            cwd=self.base,
            env=self.environment(TERM="xterm"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        said = _read_all(ours)
        os.close(ours)
        return Answer(process.wait(PATIENCE), said.decode(errors="replace"), "")

    def processes(self) -> list[str]:
        """Command lines of all processes, but this one, that have to do with this place."""
        numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        return [command for number in numbers if number != os.getpid() and (command := _about(number, str(self.base)))]

    def tree(self) -> set[str]:
        """Everything that lies in this place but the feeds, as relative paths."""
        return {str(path.relative_to(self.base)) for path in self.base.rglob("*") if "feeds" not in path.parts}


def _read_all(terminal: int) -> bytes:
    said = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux: the last process at the other end has gone
            return said
        if not piece:
            return said
        said += piece


def _about(number: int, place: str) -> str:
    """Command line of a process that names the place there or in its environment."""
    try:
        command = Path(f"/proc/{number}/cmdline").read_bytes()
        environ = Path(f"/proc/{number}/environ").read_bytes()
    except OSError:
        return ""
    return command.replace(b"\0", b" ").decode(errors="replace") if place.encode() in command + environ else ""
