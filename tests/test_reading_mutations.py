"""Real workbooks, damaged at random: a refusal with a code, or rows; never anything else, never two answers."""

from __future__ import annotations

import os
import random
import zipfile
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.reading.problem import Unreadable
from tests.support.workbooks import read, written
from tests.test_reading_witness import sample_rows

ROUNDS = int(os.environ.get("SHP_FUZZ_ROUNDS", "40"))
"""Mutations per seed; `make fuzz` may ask for more."""

SPLICES = [
    *[b"<c/>", b"<row/>", b"</row>", b'<c r="A1"><v>1</v></c>', b"&amp;", b"&x;", b"<!--", b"-->", b"<![CDATA[", b"]]>"],
    *[b'"', b">", b"<", b"\x00", b"<v>", b"</v>", b't="s"', b't="b"', b"_xD800_", b"1e999", b"-1", b"\xff", b"  "],
    *[b"<is><t>x</t></is>", b"<?x?>", b'r="XFD1048577"'],
]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of a small workbook."""
    path = written(tmp_path_factory.mktemp("real") / "w.xlsx", [list("abcdef"), *sample_rows(6)])
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A part with one to four changes."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at, span = chance.randrange(len(data) + 1), chance.choice([0, 1, 4, 40])
        change = chance.choice(["splice", "cut", "double", "flip"])
        if change == "splice":
            data[at : at + chance.choice([0, span])] = chance.choice(SPLICES)
        elif change == "cut":
            del data[at : at + span]
        elif change == "double":
            data[at:at] = data[at : at + span * 3]
        elif at < len(data):
            data[at] = chance.randrange(256)
    return bytes(data)


def answer(path: Path) -> object:
    """The code, or the rows."""
    try:
        return read(path)
    except Unreadable as problem:
        assert problem.code in set(Code)
        assert problem.message.isprintable()
        return problem.code


@pytest.mark.parametrize("seed", range(4))
def test_a_part_damaged_at_random_is_refused_or_read(parts: dict[str, bytes], tmp_path: Path, seed: int) -> None:
    """A file nobody thought of would crash the reader, or be read differently every time."""
    chance = random.Random(seed)
    targets = [name for name in parts if name.startswith(("xl/w", "xl/s", "_rels", "xl/_rels"))]
    answers = []
    for _ in range(ROUNDS):
        target = chance.choice(targets + ["xl/worksheets/sheet1.xml"] * 6)
        path = tmp_path / "w.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, mutated(content, chance) if name == target else content)
        answers.append(answer(path))
        assert answer(path) == answers[-1]
    assert {type(found) for found in answers} == {str, tuple}


@pytest.mark.parametrize("seed", range(4))
def test_a_container_damaged_at_random_is_refused_or_read(parts: dict[str, bytes], tmp_path: Path, seed: int) -> None:
    """A byte that flipped anywhere in a file would be read as if nothing had happened."""
    chance = random.Random(seed)
    whole = tmp_path / "w.xlsx"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    right, path = answer(whole), tmp_path / "m.xlsx"
    for _ in range(ROUNDS):
        path.write_bytes(mutated(whole.read_bytes(), chance))
        found = answer(path)
        assert isinstance(found, str) or found == right
