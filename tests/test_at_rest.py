"""What services import, and do not: at rest the platform's memory is what its processes have imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from shp_assets.preview import frame_type
from shp_assets.preview_type import preview_type
from shp_core.contract.contract import Contract
from tests.support.contracts import contract_of
from tests.support.holders import REPOSITORY

_CONTRACT = "columns: {ID: {type: integer}, Note: {type: text, optional: true}}"
_HEAVY = ("numba", "pandas", "pandera", "pygments", "rich", "s3fs", "paramiko", "openpyxl")
_TOLD = f"""
import json, sys, structlog, mako.exceptions, dagster._grpc.server, shp_ops.definitions, shp_resources.dagster_storage
loaded = [name for name in {_HEAVY!r} if name in sys.modules]
import rich.console
json.dump({{"loaded": loaded, "words": sys.argv, "drawn": rich.console.Console.__name__}}, sys.stdout)
"""


@pytest.fixture(scope="module")
def contract() -> Contract:
    """A required and an optional column."""
    return contract_of(_CONTRACT)


def test_the_code_server_does_without_what_only_runs_need(tmp_path: Path) -> None:
    """Every platform would hold 50 MB for libraries that draw, or judge rows, where no row ever comes and nothing is drawn."""
    (tmp_path / "told.py").write_text(_TOLD, encoding="utf-8")
    environ = {"PYTHONPATH": f"{REPOSITORY}:{tmp_path}", "SHP_HOME": str(tmp_path / "home"), "SHP_FEEDS": str(REPOSITORY / "feeds")}
    command = [sys.executable, "-m", "shp_ops.sparing", "told", "one", "--two"]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["loaded"] == []
    assert told["words"][1:] == ["one", "--two"]
    assert told["drawn"] == "Console"  # hidden from two libraries, not from who asks for it


def test_a_preview_type_says_what_its_dagster_pandas_type_says(contract: Contract) -> None:
    """The UI would describe other columns and rules than those that previews are checked against."""
    shown, checked = preview_type(contract), frame_type(contract)
    assert (shown.unique_name, shown.description) == (checked.unique_name, checked.description)
    assert "**id**\n+ No Null values allowed." in (shown.description or "")


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (pd.DataFrame({"id": [1], "note": [None]}), True),
        (pd.DataFrame({"id": [None], "note": ["a"]}), False),
        (pd.DataFrame({"note": ["a"]}), False),
        ("no frame", False),
    ],
)
def test_a_preview_is_checked_by_dagster_pandas(contract: Contract, value: object, fits: bool) -> None:
    """A preview that is none would be shown as one."""
    with dg.DagsterInstance.ephemeral() as instance, dg.build_op_context(instance=instance) as context:
        checked = preview_type(contract).type_check(context, value)  # type: ignore[arg-type]
    assert checked.success is fits
