"""The package as people install it: a wheel in a fresh virtual environment, far from any checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.holders import REPOSITORY

pytestmark = pytest.mark.platform
_NOT_OURS = shutil.ignore_patterns(".git", ".venv", "__pycache__", "var", "dist", ".*_cache", ".hypothesis", "tests")


@dataclass
class Installed:
    """An environment with the wheel, and an empty folder to use it in."""

    bin: Path
    folder: Path

    def run(self, *words: str, timeout: float = 250, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command in the empty folder."""
        environ = {"PATH": f"{self.bin}:{os.defpath}", "HOME": str(self.folder.parent), **more}
        return subprocess.run(
            [self.bin / "shp", *words], cwd=self.folder, env=environ, text=True, capture_output=True, check=False, timeout=timeout
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The wheel, built from a copy of the source and installed beside the libraries of this environment."""
    base = tmp_path_factory.mktemp("installed")
    shutil.copytree(REPOSITORY, base / "source", ignore=_NOT_OURS)
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", base / "wheels", base / "source"])
    (wheel,) = (base / "wheels").glob("*.whl")
    shutil.rmtree(base / "source")
    _run([sys.executable, "-m", "venv", "--without-pip", base / "venv"])
    python = base / "venv" / "bin" / "python"
    _run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel])
    # A path file of a path file is not read: what is installed here in place of a wheel stays unknown there.
    purelib = next((base / "venv" / "lib").glob("python*")) / "site-packages"
    (purelib / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (base / "empty").mkdir()
    yield Installed(base / "venv" / "bin", base / "empty")


def _run(command: list[object]) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_the_wheel_that_runs(installed: Installed) -> None:
    """The tests below would prove the checkout and not the package."""
    code = "import shp_ops, shp_core; print(shp_ops.__file__, shp_core.__file__)"
    said = subprocess.run([installed.bin / "python", "-c", code], text=True, capture_output=True, check=True, cwd=installed.folder).stdout
    assert all(path.startswith(str(installed.bin.parent)) for path in said.split())
    assert installed.run("--version").stdout.startswith("shp 0.")


def test_the_bundled_feeds_are_sound_and_complete(installed: Installed) -> None:
    """What an installation without a checkout starts from would be missing or broken."""
    done = installed.run("feeds", "check", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    examples = document["folder"]
    assert examples.startswith(str(installed.bin.parent))
    assert [feed["feed"] for feed in document["feeds"]] == ["sales", "stock"]
    assert document["marts"] == ["sales_by_country_month"]
    assert {path.name for path in Path(examples).parent.iterdir()} >= {"feeds", "marts", "samples", "shp.yaml", "dagster.yaml"}
    assert list(installed.folder.iterdir()) == []


def test_every_command_can_be_asked_for_help(installed: Installed) -> None:
    """A module that the wheel forgot would be found by a user."""
    for words in (
        ["ingest"],
        ["feeds", "explain"],
        ["partitions"],
        ["history"],
        ["quarantine", "show"],
        ["demo"],
        ["up"],
        ["status"],
        ["env"],
    ):
        assert installed.run(*words, "--help").returncode == 0, words


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_alone(installed: Installed) -> None:
    """Whoever installs the package without a checkout could not even try it. CI runs it with all libraries installed afresh, too."""
    done = installed.run("demo", "--home", "h", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    assert (document["proven"], document["loaded_now"]) == (True, 9)
    assert [path.name for path in installed.folder.iterdir()] == ["h"]
    looked = installed.run("partitions", "sales", "--home", "h", "--json", SHP_FEEDS=str(_feeds(installed)))
    assert [record["state"] for record in json.loads(looked.stdout)["partitions"]] == ["published"] * 5 + ["published_with_rejects"]


def _feeds(installed: Installed) -> Path:
    (found,) = (installed.bin.parent / "lib").glob("python*/site-packages/shp_ops/bundle/feeds")
    return found
