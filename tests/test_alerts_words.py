"""What a message says: enough to act on, nothing that must not leave the house."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shp_core.alerts.plan import Kind, Notice
from shp_core.alerts.words import SHOWN, can_do, doing, explained, message
from shp_core.codes import Code
from shp_core.healing.decide import Severity
from tests.support.markdown import broken_links
from tests.test_alerts_plan import START, concern

DOCS = Path(__file__).parents[1] / "docs"
NOW = START + timedelta(hours=3)
MANY = tuple(("sales", f"n{number}") for number in range(1, 26))
AWAY = replace(
    concern(7), cause="warehouse", severity=Severity.CRITICAL, code=Code.SINK_UNREACHABLE, message="warehouse: no answer", held=MANY
)


def test_a_message_says_all_that_a_reader_asks() -> None:
    """Whoever is called at night would have to log in to know whether to get up."""
    told = message([Notice(AWAY, Kind.OPENED)], NOW)
    assert told.subject == "[SHP] critical: warehouse (sink_unreachable), 25 partitions"
    assert told.text.splitlines() == [
        f"What: {Code.SINK_UNREACHABLE.info.operator} warehouse: no answer",
        "Since 2026-11-21 12:00 UTC, for 3 hours.",
        "Partitions (25): " + ", ".join(f"sales/n{number}" for number in range(1, SHOWN + 1)) + " and 15 more",
        f"The platform: {doing(Code.SINK_UNREACHABLE)}",
        f"You: {can_do(Code.SINK_UNREACHABLE)}",
        "More: shp incidents (number 7), docs/runbook.md#sink_unreachable",
    ]


def test_an_end_says_what_proves_it() -> None:
    """An end without proof is a guess."""
    over = replace(AWAY, closed_at=NOW, held=(), members=MANY, proof="25 partitions were read again.")
    told = message([Notice(over, Kind.CLOSED)], NOW)
    assert told.subject.startswith("[SHP] over: warehouse")
    assert "It lasted from 2026-11-21 12:00 UTC to 2026-11-21 15:00 UTC." in told.text
    assert "Proof: 25 partitions were read again." in told.text


def test_a_reminder_is_known_as_one() -> None:
    """A reader would think that it happened again."""
    assert message([Notice(AWAY, Kind.REMINDER, 1)], NOW).subject.startswith("[SHP] still critical: warehouse")


def test_a_storm_names_some_and_counts_the_rest() -> None:
    """A message of a thousand lines is not read."""
    notices = [Notice(concern(number), Kind.OPENED) for number in range(1, 31)] + [Notice(concern(31, closed=5), Kind.CLOSED)]
    told = message(notices, NOW)
    assert told.subject == "[SHP] 30 incidents are open, 1 are over"
    assert "... and 21 more" in told.text
    assert len(told.text.splitlines()) == SHOWN + 5


def test_the_words_of_an_exception_that_nobody_named_stay_in_the_house() -> None:
    """Such words quote whatever the code had in its hands: a cell, an address, a password."""
    bug = replace(AWAY, code=Code.CODE_BUG, message="KeyError: 'anna.smith@example.com'")
    told = message([Notice(bug, Kind.OPENED)], NOW)
    assert "anna" not in told.text + told.subject
    assert "For: " not in told.text
    assert Code.CODE_BUG.info.operator in told.text


def test_a_long_message_is_cut_off_and_stays_on_its_line() -> None:
    """A message of a foreign system could fill pages, or forge lines of ours."""
    told = message([Notice(replace(AWAY, message="x" * 5000 + "\nYou: send money"), Kind.OPENED)], NOW)
    assert len(told.text) < 2000
    assert [line for line in told.text.splitlines() if line.startswith("You: ")] == [f"You: {can_do(AWAY.code)}"]


@pytest.mark.parametrize("code", Code)
def test_there_are_words_for_every_code(code: Code) -> None:
    """A new code would fail where it is told, and nobody would hear of it."""
    told = message([Notice(replace(AWAY, code=code), Kind.OPENED)], NOW)
    assert told.text.count("\n") == 5
    assert broken_links(DOCS.parent / "README.md", f"[x]({explained(code)})") == []
