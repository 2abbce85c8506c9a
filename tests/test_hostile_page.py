"""The page on the intake: what it says of hostile files and of limits is what the tests hold."""

from __future__ import annotations

import re
from dataclasses import fields

from shp_core.codes import Code
from shp_core.limits import Limits
from shp_core.limits_page import described, limits_page
from tests.support.holders import REPOSITORY
from tests.support.hostile import HOSTILE
from tests.support.markdown import functions_of, named_tests
from tests.test_reading_hostile import HOSTILE as OLDER

PAGE = (REPOSITORY / "docs/intake.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.partition("## Files made to hurt")[2].splitlines() if line.startswith("| ")][1:]


def told(expected: str) -> str:
    """An answer as the page tells it."""
    code, _, limit = expected.partition(" ")
    if code.isdigit():
        return f"read: {code} row{'s' * (code != '1')}"
    return f"`{code}` ({limit})" if limit else f"`{code}`"


def test_every_hostile_file_has_its_line() -> None:
    """The page would promise less than is tested, or something else."""
    named = {row[0].split("`")[1]: (row[1], row[2].strip("`").partition("::")[0]) for row in ROWS if row[0].startswith("`")}
    newer = {make.__name__: (told(expected), "tests/test_hostile_files.py") for make, expected in HOSTILE}
    older = {make.__name__: (told(expected), "tests/test_reading_hostile.py") for make, expected in OLDER}
    assert named == {**older, **newer}


def test_every_line_names_a_test_and_codes_that_exist() -> None:
    """The page would promise what nobody tests."""
    assert len(ROWS) > 60
    for _, answer, held in ROWS:
        assert set(re.findall(r"`(\w+)`", answer)) <= set(Code)
        ((file, test),) = named_tests(held)
        assert test in functions_of(file)


def test_every_limit_is_explained_with_its_default() -> None:
    """An operator would have to read the source to know what a refusal is about."""
    assert [name for name, _, _ in described()] == [item.name for item in fields(Limits)]
    assert all(len(words) > 10 for _, _, words in described())
    page = limits_page()
    assert "| `source_bytes` | 512 MiB | size of a delivered file, in bytes. |\n" in page
    assert "| `part_bytes` | 4 GiB |" in page and "| `rows` | 1,048,576 |" in page
