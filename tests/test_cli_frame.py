"""The frame of the command `shp`: what every command does alike."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shp_ops.cli import main as front
from shp_resources.processes import wait_until
from tests.support.holders import REPOSITORY
from tests.support.waiting import PATIENCE, worked

SAMPLES = "tests.support.cli_samples"


@pytest.fixture(autouse=True)
def sample_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sample commands in the table, and a home of the test's own."""
    monkeypatch.setitem(front.COMMANDS, "sample", front.Entry(SAMPLES, "sample", "Behave as asked."))
    monkeypatch.setitem(front.COMMANDS, "place", front.Entry(SAMPLES, "place", "Print the home."))
    monkeypatch.setenv("SHP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SHP_DEBUG", raising=False)


def start(code: str, *words: str, **options: object) -> subprocess.Popen[str]:
    """A Python process of our own with the sample command in its table."""
    enter = f"from shp_ops.cli import main as f; f.COMMANDS['sample'] = f.Entry('{SAMPLES}', 'sample', '');"
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", enter + code, *words]
    return subprocess.Popen(command, text=True, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


def test_success_is_0_and_one_document(capfd: pytest.CaptureFixture[str]) -> None:
    """A program reading the output could not parse it."""
    assert front.run(["sample", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == {"how": "well", "at": "2026-11-20T08:00:00Z", "path": "a"}
    assert err == "behaving well\n"


def test_without_json_standard_output_stays_empty(capfd: pytest.CaptureFixture[str]) -> None:
    """Text for people would end up in somebody's pipe."""
    assert front.run(["sample"]) == 0
    assert capfd.readouterr().out == ""


def test_unhealthy_is_1(capfd: pytest.CaptureFixture[str]) -> None:
    """A monitor would take an unhealthy platform for a healthy or a broken one."""
    assert front.run(["sample", "--how", "unhealthy", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["how"] == "unhealthy"


def test_an_error_of_ours_is_2_and_tells_the_next_step(capfd: pytest.CaptureFixture[str]) -> None:
    """A user would know that it failed, but not what to do."""
    assert front.run(["sample", "--how", "refused"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[1:] == ["error (feed_unknown): there is no feed wrong", "next: Run: shp feeds check"]


def test_an_error_of_ours_as_document(capfd: pytest.CaptureFixture[str]) -> None:
    """A program would have to parse prose to learn what failed."""
    assert front.run(["sample", "--how", "refused", "--json"]) == 2
    expected = {"code": "feed_unknown", "message": "there is no feed wrong", "next": "Run: shp feeds check"}
    assert json.loads(capfd.readouterr().out) == {"error": expected}


def test_many_errors_are_all_told(capfd: pytest.CaptureFixture[str]) -> None:
    """A user would mend one feed file after the other instead of all at once."""
    assert front.run(["sample", "--how", "feeds", "--json"]) == 2
    assert json.loads(capfd.readouterr().out)["error"]["message"] == "a.yaml: one\nb.yaml: two"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["sample", "--wrong"], "No such option"),
        (["sample", "extra"], "unexpected extra argument"),
        (["sample", "--home"], "requires an argument"),
    ],
)
def test_a_wrong_call_is_2_in_the_same_form(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A mistyped option would look to a program like a crash."""
    assert front.run([*words[:1], "--json", *words[1:]]) == 2
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["code"] == "usage"
    assert said in error["message"]
    assert error["next"].endswith("--help")


def test_a_bug_is_code_bug_with_the_traceback_in_a_private_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A user would be shown a wall of Python, or the one who must mend it would get nothing."""
    assert front.run(["sample", "--how", "bug", "--json"]) == 2
    out, err = capfd.readouterr()
    error = json.loads(out)["error"]
    assert (error["code"], error["message"]) == ("code_bug", "ZeroDivisionError: nobody named this")
    assert "Traceback" not in err
    log = tmp_path / "home" / "logs" / "errors.log"
    assert str(log) in error["next"]
    kept = json.loads(log.read_text())
    assert kept["message"] == "shp sample --how bug --json failed: ZeroDivisionError"
    assert ", line " in kept["traceback"]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_bug_shows_itself_when_asked(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A developer would have to look for a file at every try."""
    monkeypatch.setenv("SHP_DEBUG", "1")
    assert front.run(["sample", "--how", "bug"]) == 2
    assert "Traceback" in capfd.readouterr().err


def test_a_bug_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """On a full or read-only disk the second failure would hide the first."""
    monkeypatch.setenv("SHP_HOME", "/proc/nowhere")
    assert front.run(["sample", "--how", "bug", "--json"]) == 2
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["message"] == "ZeroDivisionError: nobody named this"
    assert "SHP_DEBUG=1" in error["next"]


@pytest.mark.parametrize("form", [["--home", "{}"], ["--home={}"]])
def test_home_wins_over_the_environment(form: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A command meant for one installation would work on another."""
    other = tmp_path / "other"
    words = [word.format(other) for word in form]
    assert front.run(["place", *words]) == 0
    assert capfd.readouterr().out == f"{other}\n"
    assert front.run(["sample", "--how", "bug", *words]) == 2
    assert (other / "logs" / "errors.log").exists()


def test_interrupted_is_130(capfd: pytest.CaptureFixture[str]) -> None:
    """A script could not tell Ctrl-C from a failure."""
    assert front.run(["sample", "--how", "interrupted", "--json"]) == 130
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_a_command_holds_is_let_go(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """A terminated command would leave a database server or a lock behind."""
    process = start("f.main()", "sample", "--how", "waiting")
    held = tmp_path / "home" / "held"
    assert wait_until(held.exists, PATIENCE)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, held.exists()) == (status, False)
    assert "Traceback" not in err


def test_a_reader_that_leaves_early_is_no_bug(tmp_path: Path) -> None:
    """`shp partitions sales --json | head -1` would leave a traceback and an entry in the error log."""
    process = start("__import__('sys').stdin.read(); f.main()", "sample", "--json", stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stdin.close()
    err = process.stderr.read()
    assert process.wait(PATIENCE) == 1
    assert "Traceback" not in err and "code_bug" not in err


def test_help_is_quick_and_imports_no_framework() -> None:
    """Every command, and every completion in a shell, would wait seconds for Dagster."""
    process = start(
        "code = f.run(['--help']); print(code, sorted({'dagster', 'pandas', 'sqlalchemy', 'rich'} & set(__import__('sys').modules)))"
    )
    before = worked()
    out, _ = process.communicate(timeout=PATIENCE)
    assert out.splitlines()[-1] == "0 []"
    assert worked() - before < 1.0


def test_help_lists_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    """A user would not find a command that exists."""
    assert front.run(["--help"]) == 0
    out = capfd.readouterr().out
    assert all(f"  {name} " in out for name in front.COMMANDS)


def test_every_command_of_the_table_exists_and_takes_home(capfd: pytest.CaptureFixture[str]) -> None:
    """A name in the help would end in an import error, or work on the wrong installation."""
    for name, entry in front.COMMANDS.items():
        command = front.cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None and entry.help
        subcommands = list(getattr(command, "commands", {}).values()) or [command]
        assert all(any("--home" in option.opts for option in part.params) for part in subcommands), name


def test_the_version_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody could say in a report which version failed."""
    assert front.run(["--version"]) == 0
    assert capfd.readouterr().out.startswith("shp ")
