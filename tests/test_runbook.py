"""The runbook: a paragraph for every code, which says what is done and what to do."""

from __future__ import annotations

import re

import pytest

from shp_core.codes import Code, Scope
from shp_core.runbook_words import PERSON, PLATFORM
from shp_ops.cli.main import COMMANDS
from shp_ops.runbook import runbook_page

PAGE = runbook_page()
ENTRIES = {part.partition("\n")[0]: part for part in PAGE.split("\n### ")[1:]}


def test_no_code_is_missing_and_none_is_told_twice() -> None:
    """Somebody who was told a code at night would look for it in vain."""
    assert sorted(ENTRIES) == sorted(str(code) for code in Code)
    assert PAGE.count("\n### ") == len(Code)


@pytest.mark.parametrize("code", list(Code))
def test_every_code_says_what_to_do(code: Code) -> None:
    """A paragraph that only repeats what went wrong helps nobody."""
    entry = ENTRIES[str(code)]
    platform, person = (re.search(rf"\* \*\*{who}:\*\* (.+)", entry) for who in ("The platform", "You"))
    assert platform is not None and person is not None
    assert person[1] != code.info.operator
    assert person[1].endswith(".") and platform[1].endswith(".")
    assert ("**The sender:**" in entry) == (code.info.scope in (Scope.ROW, Scope.FILE))


def test_every_command_it_names_is_one() -> None:
    """At night a person would type what the platform does not know."""
    named = set(re.findall(r"`shp ([a-z]+)", PAGE))
    assert len(named) > 5
    assert named <= set(COMMANDS)


def test_own_words_are_of_codes_that_need_them() -> None:
    """A sentence that nobody prints would be kept up to date for nothing."""
    assert all(words in PAGE for words in (*PLATFORM.values(), *PERSON.values()))
