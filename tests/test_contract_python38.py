"""What also runs on Hadoop nodes: Python 3.8 syntax, the standard library and each other, nothing else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENTRIES = (
    *(f"shp_core.contract.{name}" for name in ("cells", "contract", "dates", "numbers", "reasons")),
    "shp_core.publishing.dialect",
    *(f"shp_core.lake.{name}" for name in ("mapper", "shipped")),
    *(f"shp_core.reading.{name}" for name in ("reference", "numbers", "dates", "textrow")),
)
_YOUNGER_METHODS = {"removeprefix", "removesuffix", "bit_count", "ulp", "nextafter", "lcm", "is_relative_to", "readlink", "pairwise"}
_YOUNGER_NAMES = {"cache", "StrEnum", "Self", "ParamSpec", "TypeAlias", "ExceptionGroup", "aiter", "anext"}
_OPTIONAL = {"isal"}
"""Tried, and done without where it is not installed."""
_GENERIC = {"list", "dict", "tuple", "set", "frozenset", "type"}


def path_of(module: str) -> Path:
    """A module's file."""
    plain = ROOT / Path(*module.split("."))
    return plain / "__init__.py" if plain.is_dir() else plain.with_suffix(".py")


def imported(tree: ast.Module) -> Iterator[str]:
    """Modules that a file imports, wherever in it; `from package import module` names the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inner if path_of(name).exists()]
            yield from modules or [node.module or ""]


def reached(entries: tuple[str, ...] = ENTRIES) -> list[str]:
    """The entries and every module of ours that they import, directly or not, with their packages."""
    found: list[str] = []
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.append(module)
        tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
        waiting += [name for name in imported(tree) if name.startswith("shp_core")]
        waiting += [module.rpartition(".")[0]] if "." in module else []
    return sorted(found)


MODULES = reached()


def without_annotations(tree: ast.Module) -> ast.Module:
    """What is evaluated at run time: with `from __future__ import annotations` no annotation is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(value=None)
    return tree


def too_young(tree: ast.Module) -> Iterator[str]:
    """What parses, but fails when Python 3.8 runs it."""
    for node in ast.walk(without_annotations(tree)):
        if isinstance(node, ast.Attribute) and node.attr in _YOUNGER_METHODS:
            yield f"line {node.lineno}: .{node.attr} is younger than 3.8"
        elif isinstance(node, ast.alias) and node.name in _YOUNGER_NAMES:
            yield f"{node.name} is younger than 3.8"
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in _GENERIC:
            yield f"line {node.lineno}: {node.value.id}[…] is evaluated at run time"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip" and node.keywords:
            yield f"line {node.lineno}: zip(strict=…) is younger than 3.8"
        elif isinstance(node, ast.Call) and any(keyword.arg in ("slots", "kw_only") for keyword in node.keywords):
            yield f"line {node.lineno}: a keyword of dataclass is younger than 3.8"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_runs_on_hadoop_nodes(module: str) -> None:
    """The mapper does not fail on a cluster whose nodes have Python 3.8 and no packages."""
    source = path_of(module).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    foreign = [name for name in imported(tree) if name.split(".")[0] not in {*sys.stdlib_module_names, *_OPTIONAL, "shp_core"}]
    assert foreign == []
    if any(isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in ast.walk(tree)):
        assert "from __future__ import annotations" in source
    assert list(too_young(tree)) == []


def test_the_check_sees_what_is_too_young() -> None:
    """The guard itself works."""
    young = (
        "from functools import cache\nRow = dict[str, int]\ndef f(a: list[int]) -> None:\n"
        "    zip(a, a, strict=True)\n    ''.removeprefix('')"
    )
    assert len(list(too_young(ast.parse(young)))) == 4
    assert "shp_core.contract.cells" in MODULES
    assert "shp_core" in MODULES
