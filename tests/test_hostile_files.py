"""Files made to hurt, on the real path from the private copy to the reading process: at once, in little memory, one code.

Each reader may have 256 MiB of address space above what an idle one has, so a reader that holds what a file makes it
hold would answer `reader_out_of_memory` instead of the code that is expected.
"""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from shp_core.codes import Code
from shp_core.errors import Refusal
from shp_core.limits import MIB, Limits
from shp_core.reading.textrow import SheetSpec
from shp_ops.inspect import inspect
from shp_resources.intake import private_copy
from shp_resources.reader import WorkbookReader
from tests.support.hostile import GOOD, HOSTILE, PLACES, Maker
from tests.support.waiting import worked
from tests.support.workbooks import header_row, raw, text_row

ABOVE_IDLE = 256 * MIB
SECONDS = 2.0
"""Of processor time, with the reading process's."""


def address_space_of_readers() -> int:
    """The most address space that a reading process of this one has had, in bytes."""
    status = [Path(f"/proc/{child.pid}/status").read_text() for child in psutil.Process().children()]
    return max(int(found[1]) * 1024 for text in status if "reading" in _command(text) and (found := re.search(r"VmPeak:\s*(\d+)", text)))


def _command(status: str) -> str:
    pid = re.search(r"^Pid:\s*(\d+)", status, re.MULTILINE)
    assert pid is not None
    return Path(f"/proc/{pid[1]}/cmdline").read_text()


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> Limits:
    """Limits that leave a reader little more memory than an idle one has."""
    rows = header_row("a") + "".join(text_row(number, "x" * 100) for number in range(2, 30_000))
    path = raw(tmp_path_factory.mktemp("idle") / "w.xlsx", rows, stored=True)  # large enough for whatever reader there is
    with WorkbookReader(Limits(batch_rows=20)).open(path, SheetSpec()) as batches:
        next(iter(batches))
        return Limits(child_memory_bytes=address_space_of_readers() + ABOVE_IDLE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every hostile file, by its maker's name."""
    folder = tmp_path_factory.mktemp("hostile")
    return {make.__name__: make(folder / f"{make.__name__}.xlsx") for make, _ in HOSTILE}


def answer(path: Path, store: Path, limits: Limits) -> str:
    """The code of a refusal, with its limit, or the number of rows; on the way of every delivery."""
    try:
        copied = private_copy(path, store, limits)
        with WorkbookReader(limits).open(copied.path, SheetSpec()) as rows:
            return f"{sum(batch.num_rows for batch in rows)} rows"
    except Refusal as refusal:
        limit = refusal.details.get("limit")
        return f"{refusal.code} {limit}" if limit else str(refusal.code)


@pytest.mark.parametrize(("make", "expected"), HOSTILE, ids=[make.__name__ for make, _ in HOSTILE])
def test_a_hostile_file_gets_its_answer_at_once(
    make: Maker, expected: str, files: dict[str, Path], tmp_path: Path, limits: Limits, record_property: pytest.FixtureRequest
) -> None:
    """One file would stop the intake of all others, or take the machine down."""
    before = worked()
    assert answer(files[make.__name__], tmp_path / "store", limits) == expected
    seconds = worked() - before
    record_property("seconds", round(seconds, 2))  # type: ignore[operator]
    assert seconds < SECONDS
    assert answer(raw(tmp_path / "good.xlsx", GOOD), tmp_path / "store", limits) == "1 rows"


def test_looking_at_all_of_them_gives_the_same_codes_twice(files: dict[str, Path], tmp_path: Path, limits: Limits) -> None:
    """Whether a file is accepted would depend on what was read before it, or a refusal would come without a code."""
    good = raw(tmp_path / "good.xlsx", GOOD)
    paths = [path for file in files.values() for path in (file, good)]
    runs = [[inspected.document for inspected in inspect(paths, limits)] for _ in range(2)]
    assert runs[0] == runs[1]
    assert [Path(found["path"]) for found in runs[0]] == paths
    assert {found["verdict"] for found in runs[0][1::2]} == {"ok"}
    told = [found["code"] or f"{found['sheets'][0]['rows'] - 1} rows" for found in runs[0][::2]]
    assert told == [expected if expected[0].isdigit() else expected.split(" ")[0] for _, expected in HOSTILE]
    assert all(found["code"] in set(Code) and found["message"].isprintable() for found in runs[0] if found["verdict"] != "ok")


@pytest.mark.parametrize("place", PLACES)
def test_nobody_is_asked_for_what_an_entity_names(place: str, tmp_path: Path) -> None:
    """A workbook could make the platform call an address of its author's choice, or tell what its network answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "http://{}:{}/x".format(*server.getsockname())
        markup = f'<!DOCTYPE x SYSTEM "{address}.dtd" [<!ENTITY e SYSTEM "{address}"> <!ENTITY % p SYSTEM "{address}"> %p;]><x>&e;</x>'
        path = raw(tmp_path / "w.xlsx", GOOD, parts={PLACES[place]: markup})
        (found,) = inspect([path], Limits())
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()
    assert found.document["code"] == "unsafe_workbook"


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_file_cut_off_anywhere_is_refused_on_the_real_path(tenth: int, tmp_path: Path) -> None:
    """Half an upload would be taken for the whole delivery."""
    data = raw(tmp_path / "w.xlsx", header_row("a") + "".join(text_row(number, f"text {number}") for number in range(2, 400))).read_bytes()
    (tmp_path / "w.xlsx").write_bytes(data[: len(data) * tenth // 10])
    (found,) = inspect([tmp_path / "w.xlsx"], Limits(), cells=True)
    assert (found.document["code"], found.cells) == ("damaged_workbook", None)


def test_what_happens_to_the_source_later_is_of_no_consequence(tmp_path: Path, limits: Limits) -> None:
    """Rows of an old and of a new file would be read as one table, because somebody saved while it was read."""
    rows = header_row("a") + "".join(text_row(number, f"old {number} " + "x" * 300) for number in range(2, 4000))
    source = raw(tmp_path / "w.xlsx", rows)
    copied = private_copy(source, tmp_path / "store", limits)
    with WorkbookReader(replace(limits, batch_rows=100)).open(copied.path, SheetSpec()) as batches:
        stream = iter(batches)
        found = next(stream).column("c1").to_pylist()
        content = source.read_bytes()
        with source.open("r+b") as file:
            file.write(b"\x00" * len(content) + b"growing")
        for batch in stream:
            found += batch.column("c1").to_pylist()
    assert [text.split(" ")[:2] for text in found] == [["old", str(number)] for number in range(2, 4000)]
