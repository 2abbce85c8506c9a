"""Codes are a promise: none disappears, none changes its meaning unnoticed, all are documented."""

from __future__ import annotations

import json

from shp_core.code_table import TABLE
from shp_core.codes import Code
from shp_core.codes_page import codes_page
from tests.support.generated import MEANINGS, ROOT, meanings


def test_no_code_disappears_or_changes_its_meaning() -> None:
    """Programs and people that rely on a code can go on doing so after an upgrade."""
    committed = json.loads(MEANINGS.read_text(encoding="utf-8"))
    now = meanings()
    gone = sorted(set(committed) - set(now))
    assert not gone, f"codes are public and never disappear: {gone}"
    changed = sorted(code for code in committed if now[code] != committed[code])
    assert not changed, f"only better words for the same meaning? Then run: python -m tests.support.generated ({changed})"


def test_new_codes_are_committed_with_their_meaning() -> None:
    """From its first release on a code is held to its meaning."""
    assert sorted(meanings()) == sorted(json.loads(MEANINGS.read_text(encoding="utf-8"))), "run: python -m tests.support.generated"


def test_every_code_has_its_row_and_its_words() -> None:
    """Whoever meets a code finds it explained, once."""
    page = codes_page()
    assert set(TABLE) == set(Code)
    for code in Code:
        assert page.count(f"\n| `{code}` |") == 1
        assert code.info.operator.endswith(".")
        assert str(code) == str(code).lower()


def test_the_committed_page_is_the_generated_one() -> None:
    """The documentation never disagrees with the code."""
    assert (ROOT / "docs" / "codes.md").read_text(encoding="utf-8") == codes_page(), "run: python -m tests.support.generated"
