"""`shp inspect`: one answer for each file, whatever it is, and no trace of having looked."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from shp_core.errors import Fault, UsageError
from shp_core.limits import Limits
from shp_ops import inspect as looking
from shp_ops.inspect import files_of
from tests.support.holders import REPOSITORY
from tests.support.waiting import PATIENCE, worked
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, read, text_row, written

GOOD = header_row("a") + text_row(2, "x")


def shp(base: Path, *words: str | bytes | Path) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a shell does, in a folder, with an environment that knows nothing."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(base.parent / "scratch")}
    (base.parent / "scratch").mkdir(exist_ok=True)
    command: Sequence[Any] = [sys.executable, "-m", "shp_ops.cli.main", "inspect", *words]
    return subprocess.run(command, cwd=base, env=environ, capture_output=True, check=False, timeout=PATIENCE)


def lines(out: bytes | Path) -> list[dict[str, Any]]:
    """JSON Lines, parsed."""
    text = out.read_bytes() if isinstance(out, Path) else out
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder of a sound and an unsound workbook, below which nothing else lies."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    rows = GOOD + '<row r="4"><c r="B4" t="e"><v>#REF!</v></c><c r="C4" s="0"/><c r="D4"><f>1+1</f></c></row>' + text_row(5, " ")
    RawWorkbook([RawSheet(rows), RawSheet(text_row(1, "secret"), name="Ünder", state="veryHidden")]).write(folder / "b.xlsx")
    (folder / "a.xlsx").write_bytes(b"a,b\n1,2\n")
    return folder


def test_each_file_has_one_line_with_the_fields_that_programs_rely_on(inbox: Path) -> None:
    """A program that asks before it delivers would not understand the answer."""
    done = shp(inbox, ".", "--json")
    refused, sound = lines(done.stdout)
    assert (done.returncode, done.stderr) == (1, b"")
    assert refused.pop("message") == "the file does not begin like a workbook (.xlsx)"
    digest = hashlib.sha256((inbox / "a.xlsx").read_bytes()).hexdigest()
    assert refused == {"path": "a.xlsx", "sha256": digest, "verdict": "refused", "code": "not_a_workbook", "sheets": []}
    assert sound == {
        "path": "b.xlsx",
        "sha256": hashlib.sha256((inbox / "b.xlsx").read_bytes()).hexdigest(),
        "verdict": "ok",
        "code": None,
        "message": None,
        "sheets": [
            {"name": "Sheet1", "hidden": False, "rows": 3, "cells": 5, "error_cells": 1},
            {"name": "Ünder", "hidden": True, "rows": 1, "cells": 1, "error_cells": 0},
        ],
    }


def test_nothing_is_left_behind_and_nothing_is_needed(inbox: Path) -> None:
    """Looking would make an installation where nobody wants one, or fill the disk with copies."""
    before = sorted(inbox.parent.rglob("*"))
    shp(inbox, ".", "--json")
    assert sorted(set(inbox.parent.rglob("*")) - {inbox.parent / "scratch"}) == before
    assert list((inbox.parent / "scratch").iterdir()) == []


def test_people_read_it_on_standard_error(inbox: Path) -> None:
    """A person would have to read JSON."""
    done = shp(inbox, "b.xlsx")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "ok  b.xlsx\n    Sheet1: 3 rows, 5 cells, 1 error cells\n    Ünder (hidden): 1 rows" in done.stderr.decode()
    assert "--  a.xlsx: not_a_workbook: the file does not begin" in shp(inbox, "a.xlsx").stderr.decode()


def test_cells_are_written_with_their_places(inbox: Path) -> None:
    """Somebody who compares two readings would not find the cell that differs."""
    assert shp(inbox, ".", "--json", "--cells", "../cells.jsonl").returncode == 1
    places = [tuple(cell.values()) for cell in lines(inbox.parent / "cells.jsonl")]
    assert list(lines(inbox.parent / "cells.jsonl")[0]) == ["path", "sheet", "row", "column", "kind", "text"]
    assert places == [
        ("b.xlsx", "Sheet1", 1, 1, "s", "a"),
        ("b.xlsx", "Sheet1", 2, 1, "s", "x"),
        ("b.xlsx", "Sheet1", 4, 2, "e", "#REF!"),
        ("b.xlsx", "Sheet1", 4, 4, "f", None),
        ("b.xlsx", "Sheet1", 5, 1, "s", " "),
        ("b.xlsx", "Ünder", 1, 1, "s", "secret"),
    ]


def test_cells_are_those_that_a_delivery_would_have(tmp_path: Path) -> None:
    """Looking would show another table than the one that is loaded."""
    path = REPOSITORY / "samples/sales/sales_records_n6_defects.xlsx"
    (found,) = (one for one in looking.inspect([path], Limits(), cells=True) if _kept(one, tmp_path / "cells"))
    header, rows, _ = read(path)
    told = [(cell["row"], cell["column"], cell["kind"], cell["text"]) for cell in lines(tmp_path / "cells")]
    expected = [
        (row.row, column, kind, text)
        for row in rows
        for column, (kind, text) in enumerate(zip(row.kinds, row.texts, strict=True), 1)
        if kind != "-"
    ]
    assert [cell for cell in told if cell[0] > 1] == expected
    assert [text for *_, text in told if text in header][: len(header) - 1] == list(header[1:])
    assert found.document["sheets"][0]["cells"] == len(told)


def _kept(inspected: looking.Inspected, place: Path) -> bool:
    """Keep the cells of an answer, as the command does."""
    with place.open("ab") as out:
        looking.keep_cells(inspected, out)
    return True


def test_half_a_sheet_leaves_no_cells(tmp_path: Path) -> None:
    """Cells before the damage would be taken for all cells."""
    rows = "".join(text_row(number, "x" * 100) for number in range(2, 5000)) + '<row r="5000"><c t="b"><v>x</v></c></row>'
    raw(tmp_path / "bad.xlsx", header_row("a") + rows)
    raw(tmp_path / "good.xlsx", GOOD)
    done = shp(tmp_path, "bad.xlsx", "good.xlsx", "--json", "--cells", "cells.jsonl")
    assert [found["code"] for found in lines(done.stdout)] == ["invalid_markup", None]
    assert {cell["path"] for cell in lines(tmp_path / "cells.jsonl")} == {"good.xlsx"}


def test_a_folder_is_walked_whole(tmp_path: Path) -> None:
    """A file would be overlooked, and nobody could say which."""
    for name in ("b/2.xlsx", "b/10.xlsx", ".hidden/x", "~$lock.xlsx", "a"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"")
    (tmp_path / "in/link").symlink_to(tmp_path / "in/b")
    (tmp_path / "named").symlink_to(tmp_path / "in/b")
    os.mkfifo(tmp_path / "in/pipe")
    names = [str(path.relative_to(tmp_path)) for path in files_of([tmp_path / "in", tmp_path / "named", tmp_path / "gone"])]
    assert names[:7] == ["in/.hidden/x", "in/a", "in/b/10.xlsx", "in/b/2.xlsx", "in/link", "in/pipe", "in/~$lock.xlsx"]
    assert names[7:] == ["named/10.xlsx", "named/2.xlsx", "gone"]


def test_what_is_no_file_gets_a_line_at_once(tmp_path: Path) -> None:
    """A pipe in a folder would hold up the answer for ever, a file that is gone would end it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("good.xlsx")
    raw(tmp_path / "good.xlsx", GOOD)
    done = shp(tmp_path, "pipe", "link", "gone.xlsx", "/dev/zero", "x" * 300, "good.xlsx", "--json")
    found = lines(done.stdout)
    assert [one["code"] for one in found] == ["not_a_regular_file"] * 2 + ["source_missing", "not_a_regular_file", "source_missing", None]
    assert {one["sha256"] for one in found[:5]} == {None}
    assert done.returncode == 1


NAMES = [b"a b'\"$(id).xlsx", b"new\nline.xlsx", "\u202eright.xlsx".encode(), b"bad\xff.xlsx", b"x" * 255, "é".encode(), "e\u0301".encode()]


def test_names_are_data(tmp_path: Path) -> None:
    """A name could run a command, forge a line of the answer, or keep its file from being looked at."""
    folder = os.fsencode(tmp_path / "in")
    Path(os.fsdecode(folder)).mkdir()
    for name in NAMES:
        raw(Path(os.fsdecode(folder + b"/" + name)), GOOD)
    done = shp(tmp_path, "in", "--json", "--cells", "cells.jsonl")
    found = [one["path"] for one in lines(done.stdout)]
    assert found == ["in/" + name.decode("utf-8", "backslashreplace") for name in sorted(NAMES)]
    assert "in/bad\\xff.xlsx" in found
    assert [cell["path"] for cell in lines(tmp_path / "cells.jsonl")] == [name for name in found for _ in range(2)]
    told = shp(tmp_path, "in").stderr.decode()
    assert "ok  in/new\\nline.xlsx\n" in told and "\u202e" not in told


def test_a_command_that_fails_says_so(tmp_path: Path) -> None:
    """A script would take a mistyped command for sound files."""
    raw(tmp_path / "good.xlsx", GOOD)
    before = (tmp_path / "good.xlsx").read_bytes()
    for words in ([], ["good.xlsx", ""], ["good.xlsx", "--cells", "good.xlsx"], ["good.xlsx", "--cells", "gone/cells"]):
        done = shp(tmp_path, "--json", *words)
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"]["code"] == "usage"
    assert (tmp_path / "good.xlsx").read_bytes() == before


def test_the_limits_are_those_of_the_installation(tmp_path: Path) -> None:
    """A file would pass here and be refused when it is delivered."""
    raw(tmp_path / "good.xlsx", GOOD)
    (tmp_path / "shp.yaml").write_text("limits: {columns: 1}\n")
    raw(tmp_path / "wide.xlsx", header_row("a", "b"))
    found = lines(shp(tmp_path, "good.xlsx", "wide.xlsx", "--json").stdout)
    assert [one["code"] for one in found] == [None, "limit_reached"]
    assert "columns = 1" in found[1]["message"]


def test_dagster_and_databases_are_not_waited_for(tmp_path: Path) -> None:
    """A look at one file would take seconds, and would not work where the platform is not set up."""
    raw(tmp_path / "good.xlsx", GOOD)
    program = (
        "import sys; from shp_ops.cli import main; code = main.run(['inspect', 'good.xlsx', '--json'])\n"
        "print(code, sorted({'dagster', 'sqlalchemy', 'psycopg2', 'pandas', 'pyarrow', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[1] == "0 []", done.stderr


def test_a_full_disk_is_told_for_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound workbooks would be called unsound because the scratch folder is full, or cells would be missing silently."""
    monkeypatch.setattr(looking, "_Lines", _Full)
    paths = [raw(tmp_path / "good.xlsx", GOOD), tmp_path / "gone.xlsx"]
    found = list(looking.inspect(paths, Limits(), cells=True))
    assert [one.document["code"] for one in found] == ["store_refused", "source_missing"]
    assert [str(one.fault.code) if one.fault else None for one in found] == ["store_refused", None]
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(Fault, match="No space left"):
        looking.keep_cells(looking.Inspected({}, cells=paths[0]), full)


class _Full:
    """A file for cells on a full disk."""

    def __init__(self, *_: object) -> None:
        pass

    def __call__(self, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_leaving_early_ends_all_processes(tmp_path: Path) -> None:
    """A look that is broken off (`shp inspect … | head`) would go on for hours."""
    path, before, taken = raw(tmp_path / "good.xlsx", GOOD), psutil.Process().children(), []

    def endless() -> Iterator[Path]:
        while True:
            taken.append(path)
            yield path

    answers = looking.inspect(endless(), Limits(), workers=2)
    assert next(answers).document["verdict"] == "ok"
    answers.close()  # type: ignore[attr-defined]
    assert psutil.Process().children() == before
    assert len(taken) <= 8, "so many are looked at ahead"


def test_the_file_for_cells_may_be_anywhere_else(tmp_path: Path) -> None:
    """A second run would be refused, because the file of the first one is there."""
    path = raw(tmp_path / "good.xlsx", GOOD)
    (tmp_path / "cells").write_text("old")
    with looking.cells_file(tmp_path / "cells", [path, tmp_path / "gone"]) as out:
        assert out is not None and (tmp_path / "cells").read_bytes() == b""
    with pytest.raises(UsageError), looking.cells_file(tmp_path / "." / "good.xlsx", [path]):
        pass
    with looking.cells_file(None, [path]) as out:
        assert out is None


MANY = """
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
from shp_core.limits import Limits
from shp_ops.inspect import inspect

def memory():
    lasting = ["self", *(child.pid for child in psutil.Process().children())]  # what they fork ends with its file
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in lasting)

paths = [Path(word) for word in sys.argv[2:]]
total = int(sys.argv[1])
many = (paths[number % len(paths)] for number in range(total))
early = None
for number, found in enumerate(inspect(many, Limits())):
    if number == 50:
        early = memory()
print(number + 1, memory() - early)
"""


@pytest.mark.parametrize(("files", "mib"), [(300, 10), pytest.param(5000, 50, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_memory_does_not_grow_with_the_number_of_files(files: int, mib: int, tmp_path: Path) -> None:
    """A service that looks into thousands of files a day would fill its machine within the week."""
    paths = [
        written(tmp_path / "small.xlsx", [["a", "b"], *[[f"text {number}", number] for number in range(50)]]),
        raw(tmp_path / "bad.xlsx", header_row("a") + '<row r="2"><c t="b"><v>x</v></c></row>'),
        raw(tmp_path / "strings.xlsx", GOOD, strings=["<si><t>x</t></si>"] * 2000),
    ]
    before = worked()
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(files), *map(str, paths)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    seen, grown = map(int, done.stdout.split())
    assert (seen, done.returncode) == (files, 0)
    assert grown < mib * 2**20
    assert (worked() - before) / files < 0.1, "20 a second on two processors is what is promised"
