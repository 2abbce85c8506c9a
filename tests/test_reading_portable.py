"""The modules that define the meaning of a workbook must run where the platform is not installed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import shp_core
from tests.support.workbooks import header_row, raw, text_row

PACKAGE = Path(shp_core.__file__).parent
MODULES = [PACKAGE / "limits.py", *sorted((PACKAGE / "reading").glob("*.py"))]
PURE = [path for path in MODULES if path.name not in ("batches.py", "child.py")]
YOUNGER = {"removesuffix", "removeprefix", "pairwise", "StrEnum", "ulp", "TypeAlias"}
"""Names of the standard library that Python 3.8 does not have and that are tempting here."""

OPTIONAL = {"isal"}
"""What makes reading faster where it is installed; the last test here reads without it."""


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.name)
def test_pure_modules_are_python_3_8(path: Path) -> None:
    """The reader could not run on a cluster's older Python."""
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]  # csv has a "strict", too
    keywords = {word.arg for node in calls for word in node.keywords}
    assert not names & YOUNGER
    assert not keywords & {"strict", "slots", "kw_only"}
    assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body) or len(tree.body) == 1


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.name)
def test_pure_modules_need_the_standard_library_alone(path: Path) -> None:
    """A node of a cluster would need packages that nobody installs there."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in imported:
            ours = name == "shp_core.limits" or name.startswith("shp_core.reading.")
            assert ours or name in OPTIONAL or name.split(".")[0] in sys.stdlib_module_names, f"{path.name} imports {name}"


def test_a_workbook_is_read_without_any_package(tmp_path: Path) -> None:
    """What the import lists promise would not be true."""
    path = raw(tmp_path / "w.xlsx", header_row("a") + text_row(2, "x"))
    program = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); from pathlib import Path; "
        "from shp_core.limits import Limits; from shp_core.reading.textrow import SheetSpec; "
        "from shp_core.reading.workbook import open_table\n"
        f"with open_table(Path({str(path)!r}), SheetSpec(), Limits()) as table: rows = list(table)\n"
        "assert not {'pyarrow', 'numpy', 'pydantic', 'isal'} & set(sys.modules)\n"
        "print(table.header, rows[0].texts)"
    )
    done = subprocess.run([sys.executable, "-S", "-I", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "('a',) ('x',)", done.stderr
