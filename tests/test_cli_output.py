"""What programs read and what people read, byte by byte."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import Refusal, ShpError
from shp_ops.cli import output
from shp_ops.cli.output import Desk
from shp_resources.log_file import ROTATION
from shp_resources.settings import Settings


def desk(tmp_path: Path, as_json: bool) -> Desk:
    """A desk at an installation of the test's own."""
    return Desk(Settings.load({}, home=tmp_path), as_json)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (datetime(2026, 11, 20, 8, 30, tzinfo=UTC), "2026-11-20T08:30:00Z"),
        (datetime(2026, 11, 20, 8, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-11-20T03:00:00Z"),
        (date(2026, 11, 20), "2026-11-20"),
        (Decimal("10.10"), "10.10"),
        (Path("/a/b"), "/a/b"),
        (Code.USAGE, "usage"),
        ("Ünïçödé ₹", "Ünïçödé ₹"),
        (None, None),
    ],
)
def test_every_kind_of_value_has_one_form(value: object, printed: object, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A program would have to guess time zones, or money would lose its last zero."""
    desk(tmp_path, True).answer({"value": value})
    out = capfd.readouterr().out
    assert json.loads(out) == {"value": printed}
    assert "\\u" not in out


def test_a_document_is_printed_for_programs_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """People would have to read JSON."""
    desk(tmp_path, False).answer({"a": 1})
    assert capfd.readouterr() == ("", "")


def test_people_are_told_on_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is meant for people would end up in the document."""
    here = desk(tmp_path, True)
    here.say("a line")
    here.console.print("[bold]a table[/bold]")
    assert capfd.readouterr() == ("", "a line\na table\n")


def test_the_senders_sentence_is_the_next_step_of_a_refusal(capfd: pytest.CaptureFixture[str]) -> None:
    """A user would be told what is wrong with a file, but not what to ask its sender for."""
    assert output.failure(Refusal(Code.ENCRYPTED_WORKBOOK, "a.xlsx is protected by a password"), ["ingest"]) == 2
    assert capfd.readouterr().err.splitlines()[1] == f"next: {Code.ENCRYPTED_WORKBOOK.info.sender}"


def test_a_failure_is_one_line_of_json(capfd: pytest.CaptureFixture[str]) -> None:
    """A line-wise reader would see half a document."""
    output.failure(ShpError(Code.USAGE, "two\nlines", "do"), ["x", "--json"])
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"error": {"code": "usage", "message": "two\nlines", "next": "do"}}


def test_a_bug_is_told_in_one_bounded_line(tmp_path: Path) -> None:
    """A library that puts a whole table into its error text would flood the terminal."""
    error = output.unexpected(ValueError("x" * 5000 + "\nsecret row"), ["sample", f"--home={tmp_path}"])
    assert error.code is Code.CODE_BUG
    assert len(error.message) < 400
    assert "secret" not in error.message


def test_bugs_are_kept_one_after_the_other_like_any_log(tmp_path: Path) -> None:
    """The second bug would erase what was known of the first, or `shp logs` could not read what commands met."""
    for kind in (ValueError, KeyError):
        output.unexpected(kind("a cell's secret"), ["sample", "--home", str(tmp_path)])
    lines = [json.loads(line) for line in (tmp_path / "logs" / "errors.log").read_text().splitlines()]
    assert [line["message"].rpartition(" ")[2] for line in lines] == ["ValueError", "KeyError"]
    assert {(line["level"], line["process"], line["code"]) for line in lines} == {("error", "errors", "code_bug")}
    assert not any("secret" in str(line) for line in lines)


def test_bugs_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that fails every minute for a year would leave a file of gigabytes, and passwords in its command lines."""
    monkeypatch.setenv("SHP_PG_DSN", "postgresql://shp:hushhush@127.0.0.1/shp")
    log = tmp_path / "logs" / "errors.log"
    output.unexpected(ValueError("old"), ["sample", f"--home={tmp_path}", "postgresql://shp:hushhush@127.0.0.1/shp"])
    old = log.read_text()
    os.truncate(log, ROTATION.bytes)
    output.unexpected(KeyError("new"), ["sample", f"--home={tmp_path}"])
    assert "hushhush" not in old
    assert "ValueError" in old
    assert log.with_name("errors.log.1").stat().st_size == ROTATION.bytes
    assert len(log.read_text().splitlines()) == 1


def test_being_stopped_is_said_without_fuss(capfd: pytest.CaptureFixture[str]) -> None:
    """A user who pressed Ctrl-C would be shown a traceback."""
    assert output.interrupted(130) == 130
    assert capfd.readouterr() == ("", "stopped.\n")
