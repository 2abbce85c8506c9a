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
    """Turn what nobody named into `code_bug`; the traceback goes to a file, or to the terminal with SHP_DEBUG=1."""
    story = "".join(traceback.format_exception(error))
    if os.environ.get("SHP_DEBUG") == "1":
        click.echo(story, err=True)
    first_line = str(error).partition("\n")[0][:300]
    return ShpError(Code.CODE_BUG, f"{type(error).__name__}: {first_line}", _keep(story, words))


def _keep(story: str, words: Sequence[str]) -> str:
    try:
        log = _home_of(words) / "logs" / "errors.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch(mode=0o600)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat()} shp {' '.join(words)}\n{story}\n")
    except (OSError, ShpError) as error:
        return f"Its traceback could not be kept ({error}); run it again with SHP_DEBUG=1 and report what it prints."
    return f"Nothing was lost by it; please report it with the end of {log}."


def _home_of(words: Sequence[str]) -> Path:
    given = [after for word, after in pairwise([*words, ""]) if word == "--home"]
    given += [word.partition("=")[2] for word in words if word.startswith("--home=")]
    return Settings.load(home=Path(given[-1]) if given else None).home


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)
