"""`shp.yaml` is in force: its limits reach the intake, its errors reach a person."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from shp_core.errors import UsageError
from shp_ops.cli.main import run
from shp_resources.outside import outside_of
from shp_resources.settings import Settings

REPOSITORY = Path(__file__).parents[1]
SAMPLE = REPOSITORY / "samples" / "stock" / "stock_levels_2026-11-17.xlsx"


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the repository's feeds and no shp.yaml yet; the working directory."""
    shutil.copytree(REPOSITORY / "feeds", tmp_path / "feeds")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHP_FEEDS", raising=False)
    return tmp_path


def test_a_limit_of_the_file_is_in_force(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message of `limit_reached` says that limits are set there; raising one would do nothing."""
    (installation / "shp.yaml").write_text("limits: {source_bytes: 1 KiB}\n")
    assert run(["feeds", "explain", "stock", str(SAMPLE), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [refusal["code"] for refusal in found["refusals"]] == ["limit_reached"]
    assert "source_bytes" in found["refusals"][0]["message"]


def test_without_the_file_the_defaults_are_in_force(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An installation without the file would accept nothing, or everything."""
    assert run(["feeds", "explain", "stock", str(SAMPLE), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["clean"] == 72


def test_the_profile_in_force_goes_before(installation: Path) -> None:
    """A developer's small limits would be in force in production, or the other way round."""
    (installation / "shp.yaml").write_text("profile: dev\nlimits: {rows: 500}\nprofiles: {dev: {limits: {rows: 50}}}\n")
    assert outside_of(Settings.load()).limits.rows == 50


def test_a_slip_in_the_file_is_told_and_stops_what_would_ignore_it(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped limit would silently be the default."""
    (installation / "shp.yaml").write_text("limits: {sauce_bytes: 1}\n")
    assert run(["feeds", "check", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [feed["feed"] for feed in document["feeds"]] == ["sales", "stock"]
    assert len(document["errors"]) == 1
    assert "shp.yaml: limits.sauce_bytes" in document["errors"][0]
    with pytest.raises(UsageError, match="sauce_bytes"):
        outside_of(Settings.load())
