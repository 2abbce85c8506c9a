"""How every command speaks: one JSON document for programs, everything for people on standard error.

A command is decorated with `@with_settings` (takes `--home`) or `@with_output` (takes `--json` too) and gets a `Desk`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, wraps
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_resources.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")


@dataclass(frozen=True)
class Desk:
    """What a command works at: the settings, and the two ways to speak.

    Args:
        settings: the installation's settings, `--home` applied.
        json: whether a program reads the answer.
    """

    settings: Settings
    json: bool = False

    @cached_property
    def console(self) -> Console:
        """The terminal for people (standard error), with colours and progress where it is one."""
        from rich.console import Console

        # A log file has no width: there a table is as wide as it is.
        return Console(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else 200)

    def say(self, text: str) -> None:
        """A line for people."""
        click.echo(text, err=True)

    def answer(self, document: dict[str, Any]) -> None:
        """The command's one JSON document; nothing without `--json`."""
        if self.json:
            click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))


def with_settings(command: Callable[Concatenate[Desk, P], int | None]) -> Callable[P, int | None]:
    """Give a command the option `--home`, and a desk as its first argument."""
    return _home(_at_desk(command))


def with_output(command: Callable[Concatenate[Desk, P], int | None]) -> Callable[P, int | None]:
    """Give a command the options `--home` and `--json`, and a desk as its first argument."""
    flag = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
    return _home(flag(_at_desk(command)))


def _home(command: Callable[P, int | None]) -> Callable[P, int | None]:
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("--home", type=kind, default=None, metavar="DIR", help="State of the installation, instead of SHP_HOME.")(command)


def _at_desk(command: Callable[Concatenate[Desk, P], int | None]) -> Callable[P, int | None]:
    @wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> int | None:
        options: dict[str, Any] = dict(kwargs)
        home, as_json = options.pop("home"), options.pop("as_json", False)
        return command(Desk(Settings.load(home=home), as_json), *args, **options)

    return call


def failure(error: ShpError, words: Sequence[str]) -> int:
    """Tell an error, in the form the caller asked for.

    Args:
        error: what is wrong.
        words: the command line, which says whether a program reads the answer.

    Returns:
        Exit code 2.
    """
    if "--json" in words:
        click.echo(json.dumps({"error": error.as_dict()}, ensure_ascii=False))
    click.echo(f"error ({error.code}): {error.message}\nnext: {error.next_step}", err=True)
    return 2


def interrupted(status: int) -> int:
    """Say that the command was stopped from outside; what it held has been let go."""
    click.echo("stopped.", err=True)
    return status


def reader_has_gone() -> int:
    """Whoever read our output closed it (`shp … | head`): end quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def unexpected(error: Exception, words: Sequence[str]) -> ShpError:
    """Turn what nobody named into `code_bug`; where it happened goes to a log, the whole traceback to the terminal with SHP_DEBUG=1."""
    if os.environ.get("SHP_DEBUG") == "1":
        click.echo("".join(traceback.format_exception(error)), err=True)
    first_line = str(error).partition("\n")[0][:300]
    return ShpError(Code.CODE_BUG, f"{type(error).__name__}: {first_line}", _keep(error, words))


def _keep(error: Exception, words: Sequence[str]) -> str:
    """Log it like anything else that went wrong: where and of which type, not what it says, which may quote a cell."""
    from shp_core.logs.line import Record, stamp, written
    from shp_resources.log_file import LogFile
    from shp_resources.logs import log_path, path_of, redaction_of

    said = f"shp {' '.join(words)} failed: {type(error).__name__}"
    record = Record(stamp(datetime.now(UTC)), "error", said, "shp.cli", {"code": str(Code.CODE_BUG)}, path_of(error))
    try:
        settings = _settings_of(words)
        log = log_path(settings.home, "errors")
        LogFile(log).keep(redaction_of(settings)(written(record, "errors")))
    except (OSError, ShpError) as why:
        return f"Its traceback could not be kept ({why}); run it again with SHP_DEBUG=1 and report what it prints."
    return f"Nothing was lost by it; please report it with the end of {log}."


def _settings_of(words: Sequence[str]) -> Settings:
    given = [after for word, after in pairwise([*words, ""]) if word == "--home"]
    given += [word.partition("=")[2] for word in words if word.startswith("--home=")]
    return Settings.load(home=Path(given[-1]) if given else None)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)
