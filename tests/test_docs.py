"""Documents: what they name exists, what they show works."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from shp_core.feeds.load import load_catalogue
from shp_ops.cli import main as front
from tests.support.holders import REPOSITORY
from tests.support.markdown import (
    CommandLine,
    broken_links,
    command_lines,
    documents,
    fences,
    functions_of,
    inline,
    named_places,
    named_tests,
    why_not,
)

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
GUARANTEES = (REPOSITORY / "docs/guarantees.md").read_text(encoding="utf-8")
DEPENDENCIES = (REPOSITORY / "docs/adr/0002-dependencies.md").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
DOCUMENTS = {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in documents()}


def test_there_are_documents() -> None:
    """Every check below would pass on an empty list."""
    assert {
        "README.md",
        "CONTEXT.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/guarantees.md",
        "docs/adr/0001-record-of-decisions.md",
    } <= set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    """A reader would click into nothing."""
    assert broken_links(REPOSITORY / name, DOCUMENTS[name]) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_line_is_one_that_shp_takes(name: str) -> None:
    """A user who copies a line would get a usage error."""
    lines = [line for line in command_lines(DOCUMENTS[name]) if not _is_planned(name, line)]
    assert {" ".join(line.words): why for line in lines if (why := why_not(line))} == {}


def _is_planned(name: str, line: CommandLine) -> bool:
    """Whether a document says of a missing command that it is missing."""
    if line.whole or not line.words or line.words[0] in front.COMMANDS:
        return False
    paragraphs = re.split(r"\n(?=\n|#|\* )", DOCUMENTS[name])
    planned = DOCUMENTS[name].partition("## Not there yet")[2].partition("\n## ")[0]
    telling = [part for part in paragraphs if f"`shp {line.words[0]}`" in part]
    return bool(telling) and all(part in planned or " yet" in part for part in telling)


def test_the_commands_of_the_readme_are_found() -> None:
    """The check of command lines would look at nothing."""
    words = {line.words for line in command_lines(README)}
    assert {("feeds", "check"), ("ingest", "visits", "november.xlsx"), ("up", "--home", "var/demo")} <= words


@pytest.mark.parametrize(
    ("line", "whole", "why"),
    [
        ("ingest sales a.xlsx --json", True, None),
        ("ingest sales", True, "Missing"),
        ("ingest sales", False, None),
        ("ingest sales a.xlsx --jsno", False, "No such option"),
        ("feeds chek", False, "has no command"),
        ("up --port many", True, "Invalid value"),
        ("deploy", False, "there is no command"),
        ("feeds", False, None),
    ],
)
def test_a_wrong_command_line_is_noticed(line: str, whole: bool, why: str | None) -> None:
    """A command that was renamed would stay in the documents."""
    found = why_not(CommandLine(tuple(line.split()), whole))
    assert found is None if why is None else found is not None and why in found


def test_command_lines_are_found_in_every_dress() -> None:
    """A line behind `cd`, in a subshell or with a redirection would not be looked at."""
    text = '```sh\ncd /srv/shp && .venv/bin/shp ingest sales /data --json > out 2>> log\neval "$(shp env)"  # a\n```\nSay `shp\nup`.'
    assert [line.words for line in command_lines(text)] == [("ingest", "sales", "/data", "--json"), ("env",), ("up",)]


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    """A link to a page that was renamed, or to a heading, would stay."""
    page = tmp_path / "a.md"
    text = "# A title\n[ok](a.md) [ok](#a-title) [ok](a.md#a-title) [away](https://example.com/x) [no](b.md) [no](#b) [no](a.md#c)\n"
    page.write_text(text)
    assert broken_links(page, text) == ["b.md", "#b", "a.md#c"]


def test_every_test_of_the_guarantees_exists() -> None:
    """A promise would rest on a test that nobody runs."""
    named = named_tests(GUARANTEES)
    assert len(named) > 40
    assert [f"{file}::{test}" for file, test in named if test not in functions_of(file)] == []


def test_every_guarantee_names_a_test() -> None:
    """A promise without a test would look like the others."""
    rows = [line for line in GUARANTEES.splitlines() if line.startswith("| ") and "---" not in line and "| held by |" not in line]
    assert len(rows) > 20
    assert [row for row in rows if not named_tests(row)] == []


def test_places_that_documents_name_exist() -> None:
    """Whoever looks for a line of code would look in vain."""
    missing = {f"{name}: {place}" for name, text in DOCUMENTS.items() for place in named_places(text) if not (REPOSITORY / place).exists()}
    assert missing == set()
    assert "shp_resources/warehouse/publish.py" in named_places(README)


def test_the_readme_says_where_to_look() -> None:
    """The table of places would be empty, or gone."""
    table = README.partition("## Where do I look?")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 12
    assert [row for row in rows if "](" not in row and not inline(row)] == []


def test_folders_that_the_readme_names_exist() -> None:
    """`feeds/` would be named and not there."""
    folders = [piece for piece in inline(README) if re.fullmatch(r"[a-z_]+/", piece)]
    assert folders
    assert [folder for folder in folders if not (REPOSITORY / folder).is_dir()] == []


def test_make_targets_that_documents_name_exist() -> None:
    """`make …` copied from a document would fail."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    code = [piece for text in DOCUMENTS.values() for piece in [*fences(text, "sh"), *inline(text)]]
    named = {word for piece in code for words in re.findall(r"^make ((?:[a-z]+ ?)+)", piece, re.MULTILINE) for word in words.split()}
    assert {"demo", "up", "test"} <= named
    assert named <= targets


def test_variables_that_documents_name_are_read_somewhere() -> None:
    """A user would set a variable that nothing looks at."""
    sources = "".join(
        path.read_text() for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] for path in _code(package)
    )
    named = {name for text in DOCUMENTS.values() for name in re.findall(r"\bSHP_[A-Z_]*[A-Z]\b", text)}
    unread = {name for name in named if f'"{name.removesuffix("_FILE")}"' not in sources}
    assert "SHP_PG_DSN" in named
    assert unread == set()


def _code(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def test_every_dependency_has_its_line() -> None:
    """A package would come in without anybody saying what for."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(package for extra in extras for package in extra)]
    names = [re.match(r"[A-Za-z0-9._-]+", package)[0] for package in wanted]  # type: ignore[index]
    told = re.findall(r"^\| `([^`]+)` \|", DEPENDENCIES, re.MULTILINE)
    assert sorted(told) == sorted(names)
    assert all(len([cell for cell in line.split("|") if cell.strip()]) == 4 for line in DEPENDENCIES.splitlines() if line.startswith("| `"))


def test_every_decision_is_listed() -> None:
    """A decision would not be found from the first page."""
    index = (REPOSITORY / "docs/adr/0001-record-of-decisions.md").read_text()
    pages = {path.name for path in (REPOSITORY / "docs/adr").glob("*.md")} - {"0001-record-of-decisions.md"}
    assert set(re.findall(r"^\| \[\d{4}\]\(([^)]+)\)", index, re.MULTILINE)) == pages
    parts = ("## Context", "## Decision", "## Consequences", "## What was measured")
    texts = {name: text for name, text in DOCUMENTS.items() if name.startswith("docs/adr/")}
    assert [name for name, text in texts.items() if not all(part in text for part in parts)] == []


def test_the_changes_begin_with_this_version() -> None:
    """A release would go out without a word about it."""
    versions = re.findall(r"^## (\S+)", DOCUMENTS["CHANGELOG.md"], re.MULTILINE)
    assert versions[0] == PROJECT["project"]["version"]


def test_documents_hold_no_machine_of_ours() -> None:
    """A reader would find paths and addresses that are nobody's business."""
    folders = ["/".join(("", name, "")) for name in ("work", "root", "tmp")]
    hosts = [
        ".".join(parts)
        for parts in (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs"), ("crates", "io"), ("anaconda", "org"))
    ]
    pinned = {name: (REPOSITORY / name).read_text() for name in ("pyproject.toml", "constraints.txt", "Makefile", ".ci/run")}
    found = {f"{name}: {word}" for name, text in DOCUMENTS.items() for word in [*folders, *hosts] if word in text}
    found |= {f"{name}: {word}" for name, text in pinned.items() for word in hosts if word in text}
    assert found == set()
    assert "://" not in pinned["constraints.txt"]


def test_the_first_feed_of_the_readme_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The first thing a new user types would be refused."""
    (text,) = fences(README, "yaml")
    assert len(text.splitlines()) == 8
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds/visits.yaml").write_text(text)
    assert load_catalogue(tmp_path / "feeds").require_sound().feeds["visits"].table == "visits"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHP_FEEDS", raising=False)
    assert front.run(["feeds", "check", "--home", "var", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["feeds"][0]["table"] == "warehouse.visits"
    _workbook(tmp_path / "november.xlsx")
    assert front.run(["feeds", "explain", "visits", "november.xlsx", "--home", "var", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["partition"], told["rows"]["clean"], told["rows"]["rejected"]) == ("november", 39, 1)


def _workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Visit", "Guest", "Day", "Paid"])
    for number in range(1, 41):
        book.active.append([number, "Ada", "11/31/2026" if number == 7 else "11/3/2026", "$1,234.50"])
    book.save(path)
