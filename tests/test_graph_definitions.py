"""The graph as it is defined: a snapshot of all that Dagster is told, and that feeds are data."""

from __future__ import annotations

import ast
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from shp_assets.checks import _DESCRIPTIONS
from shp_core.contract.summary import CheckName
from shp_ops.definitions import load_definitions
from tests.support.graphs import GOLDEN, describe, of_repository
from tests.support.holders import REPOSITORY
from tests.support.platforms import FEED, ORDERS, Platform, order

PACKAGES = ("shp_core", "shp_resources", "shp_assets", "shp_sensors", "shp_ops")
EXAMPLES = REPOSITORY / "shp_core" / "feeds" / "page.py"
"""The text of docs/feeds.md, whose examples have names."""
_EXAMPLE = re.compile(r"^Example: |`warehouse: ", re.MULTILINE)


def test_the_graph_is_what_it_was(tmp_path: Path) -> None:
    """An asset, a check, a dependency or an owner would vanish from the UI, and nobody would know since when."""
    now = json.loads(json.dumps(describe(of_repository(tmp_path))))
    assert now == json.loads(GOLDEN.read_text(encoding="utf-8")), "meant? Then run: python -m tests.support.graphs"


def test_every_sensor_runs_by_default_and_every_asset_is_somebodys(tmp_path: Path) -> None:
    """A started platform would do nothing, or nobody would know whom to ask about a table."""
    graph = describe(of_repository(tmp_path))
    assert {name: sensor["default"] for name, sensor in graph["sensors"].items()} == dict.fromkeys(
        ("arrivals", "feed_files", "gaps", "inventory", "lake", "lateness", "lost_runs", "marts", "recovery", "redrives", "remotes"),
        "RUNNING",
    )
    assert all(asset["owners"] and asset["described"] and asset["group"] and asset["kinds"] for asset in graph["assets"].values())
    assert all(asset["columns"] for key, asset in graph["assets"].items() if not key.startswith(("raw/", "feeds/")))


def test_only_conservation_blocks_and_there_are_at_most_eight_checks(tmp_path: Path) -> None:
    """Rows would be lost without stopping the run, or every rule would cost events of its own."""
    checks = describe(of_repository(tmp_path))["checks"]
    for feed in ("sales", "stock"):
        mine = {key.rpartition(":")[2]: blocking for key, blocking in checks.items() if key.startswith(f"validated/{feed}:")}
        assert set(mine) == set(CheckName) == set(_DESCRIPTIONS)
        assert [name for name, blocking in mine.items() if blocking] == ["rows_conserved"]
        assert len(mine) <= 8


def test_loading_needs_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dagster definitions validate` would fail on a laptop and in CI, or wait for a server that is down."""

    def refuse(*_: object) -> None:
        raise AssertionError("something connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("SHP_PG_DSN", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    monkeypatch.setenv("SHP_FEEDS", str(REPOSITORY / "feeds"))
    monkeypatch.setenv("SHP_HOME", str(tmp_path / "never"))
    definitions = load_definitions()
    dg.Definitions.validate_loadable(definitions)
    assert len(definitions.resolve_asset_graph().get_all_asset_keys()) == 17
    assert not (tmp_path / "never").exists()


def test_a_third_feed_is_a_file_and_runs(platform: Platform) -> None:
    """A new spreadsheet would need a programmer."""
    platform.feed_file("returns", ORDERS.replace("feed: orders", "feed: returns"))
    assert {key.path[0] for key in platform.kits["returns"].keys} == {"raw", "text", "validated", "quarantine", "warehouse"}
    assert set(platform.kits["returns"].keys) <= platform.definitions.resolve_asset_graph().get_all_asset_keys()
    path = platform.drop("r.xlsx", [order(7)], feed="returns")
    assert platform.tick().keys == {"returns_files": ["r"]}
    assert platform.run("r", feed="returns").success
    assert platform.sql('select "order", _partition from warehouse.returns') == [(7, "r")]
    assert path.exists()


def test_a_broken_feed_file_leaves_the_others_in_force(platform: Platform) -> None:
    """A typing mistake in one feed would stop all feeds."""
    platform.feed_file("broken", "feed: broken\nowner: nobody\ncolumns: {A: {type: colour}}\n")
    assert platform.catalogue.errors
    assert all("feeds/broken.yaml" in error for error in platform.catalogue.errors)
    platform.drop("a.xlsx", [order(1)])
    tick = platform.tick()
    assert tick.partitions == ["a"]
    assert [result.success for result in platform.fulfil(tick)] == [True]


def test_a_mart_of_a_broken_feed_is_left_out(platform: Platform) -> None:
    """The whole code location would fail to load because a roll-up has lost its feed."""
    platform.feed_file(FEED, "feed: orders\n")
    platform.drop_count("counts_2026-01-05.xlsx", [("a", 1)])
    assert [key.to_user_string() for key in platform.definitions.resolve_asset_graph().get_all_asset_keys() if key.path[0] == "mart"] == []
    assert platform.tick().partitions == ["2026-01-05"]


def test_without_any_feed_the_platform_still_loads(platform: Platform) -> None:
    """A fresh installation would show an error page instead of an empty graph."""
    for path in [*(platform.base / "feeds").glob("*.yaml"), *(platform.base / "marts").glob("*.yaml")]:
        path.unlink()
    platform.feed_file("note", "", folder="marts")
    assert platform.definitions.sensors in (None, [])
    dg.Definitions.validate_loadable(platform.definitions)


def _code_words(path: Path) -> Iterator[tuple[int, str]]:
    """Names and texts of a module; its docstrings, and examples in words for people, left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts and not _EXAMPLE.search(node.value):
            yield node.lineno, node.value
        elif isinstance(node, ast.Name | ast.Attribute):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr


def test_no_code_names_a_feed() -> None:
    """A second feed would need a change of code after all."""
    feeds = [path.stem for path in (REPOSITORY / "feeds").glob("*.yaml")]
    name = re.compile(rf"\b({'|'.join(feeds)})(_|\b)")
    modules = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py") if path != EXAMPLES]
    assert len(modules) > 100
    assert [f"{path.name}:{line}: {text[:60]}" for path in modules for line, text in _code_words(path) if name.search(text)] == []
