"""What documents say that can be checked: links, code, command lines, names of tests and files."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from shp_ops.cli.main import COMMANDS, cli
from tests.support.holders import REPOSITORY

_SKIPPED = {".venv", "var", "dist", "build", ".git", "node_modules", ".pytest_cache", ".hypothesis", ".ruff_cache", ".mypy_cache"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"(?<![\w./-])(?:\S*bin/)?shp (?=[a-z-])([^\n|>#;)&\"`…]*)")
_TEST = re.compile(r"(tests/(?:scenarios/)?test_\w+\.py)::(test_\w+)")
_PLACE = re.compile(r"(?:shp_(?:core|resources|assets|sensors|ops)|tests|docs|benchmarks|samples|marts|\.ci)/[\w./-]*")


@dataclass(frozen=True)
class CommandLine:
    """A command line found in a document.

    Args:
        words: without the program's name.
        whole: whether it stands in a block, and so must be complete.
    """

    words: tuple[str, ...]
    whole: bool


def documents() -> list[Path]:
    """Every Markdown file of the repository."""
    found = (path for path in REPOSITORY.rglob("*.md") if not _SKIPPED & set(path.relative_to(REPOSITORY).parts))
    return sorted(found)


def fences(text: str, language: str = "") -> list[str]:
    """The code blocks of a language, or all of them."""
    return [body for name, body in _FENCE.findall(text) if language in ("", name)]


def inline(text: str) -> list[str]:
    """The pieces of code in running text, on one line each."""
    return [" ".join(piece.split()) for piece in _INLINE.findall(_FENCE.sub("", text))]


def broken_links(path: Path, text: str) -> list[str]:
    """The relative links of a document that lead nowhere, with their fragments."""
    links = (link for link in _LINK.findall(_FENCE.sub("", text)) if "://" not in link and not link.startswith("mailto:"))
    return [link for link in links if not _resolves(path, text, link)]


def _resolves(path: Path, text: str, link: str) -> bool:
    place, _, fragment = link.partition("#")
    target = (path.parent / place).resolve() if place else path
    if not target.exists():
        return False
    return not fragment or fragment in _anchors(text if not place else target.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in _HEADING.findall(_FENCE.sub("", text))}


def command_lines(text: str) -> Iterator[CommandLine]:
    """Every call of `shp` in a document's code."""
    for piece, whole in [*((body, True) for body in fences(text)), *((body, False) for body in inline(text))]:
        for found in _COMMAND.findall(piece):
            words = shlex.split(found)
            yield CommandLine(tuple(words[:-1] if words[-1:] == ["2"] else words), whole)


def why_not(line: CommandLine) -> str | None:
    """Why `shp` would not take a command line; None if it would, values aside."""
    words = list(line.words)
    if words and words[0] not in COMMANDS:
        return f"there is no command {words[0]}"
    try:
        _parse(cli, "shp", words)
    except click.MissingParameter as error:
        return error.format_message() if line.whole else None
    except click.UsageError as error:
        return error.format_message()
    return None


def _parse(command: click.Command, name: str, words: list[str]) -> None:
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(click.Context(command), words[0])
        if inner is None:
            raise click.UsageError(f"{name} has no command {words[0]}")
        _parse(inner, words[0], words[1:])
    elif words or not isinstance(command, click.Group):
        command.make_context(name, words, allow_extra_args=False)


def named_tests(text: str) -> list[tuple[str, str]]:
    """Every `file::function` of a document."""
    return _TEST.findall(text)


@cache
def functions_of(name: str) -> frozenset[str]:
    """The test functions of a test file, also those in classes; empty if there is no such file."""
    path = REPOSITORY / name
    if not path.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def named_places(text: str) -> list[str]:
    """Files and folders of the repository that a document names in code."""
    return [piece for piece in inline(text) if _PLACE.fullmatch(piece)]
