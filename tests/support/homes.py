"""Installations of a test's own, the command `shp` run on them, and what processes they have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shp_resources.settings import Settings
from tests.support.holders import REPOSITORY
from tests.support.warm import warm

SHP = [sys.executable, "-m", "shp_ops.cli.main"]


@dataclass(frozen=True)
class Home:
    """One installation in a temporary folder.

    Args:
        base: the folder with `feeds` and, once it is used, `var`.
        variables: what its commands find in their environment beside the usual.
    """

    base: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, base: Path, **variables: str) -> Home:
        """An installation with the repository's feeds and marts."""
        for name in ("feeds", "marts"):
            shutil.copytree(REPOSITORY / name, base / name)
        return cls(base, variables)

    @property
    def path(self) -> Path:
        """Its SHP_HOME."""
        return self.base / "var"

    @property
    def environ(self) -> dict[str, str]:
        """An environment that knows no other installation."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SHP_", "DAGSTER_"))}
        return clean | {"PYTHONPATH": str(REPOSITORY)} | dict(self.variables)

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return Settings.load({"SHP_FEEDS": str(self.base / "feeds")}, home=self.path)

    def shp(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it and wait."""
        return subprocess.run(
            [*SHP, *words, "--home", str(self.path)],
            cwd=self.base,
            env=self.environ | more,
            text=True,
            capture_output=True,
            check=False,
            timeout=200,
        )

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command on it."""
        command = [*SHP, *words, "--home", str(self.path)]
        return subprocess.Popen(
            command, cwd=self.base, env=self.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )

    def status(self) -> Mapping[str, Any]:
        """What `shp status --json` says now; asked often, so without the second that a cold start takes."""
        _, out, _ = warm().call(["status", "--json", "--home", str(self.path)], self.environ, self.base)
        return json.loads(out)  # type: ignore[no-any-return]

    def pids(self) -> dict[str, int]:
        """The services' processes, as `shp status` names them."""
        return {name: service["pid"] for name, service in self.status()["services"].items()}

    def processes(self) -> list[str]:
        """Every process on the machine, but this one, that has to do with it: number and command line."""
        numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        return [found for number in numbers if number != os.getpid() and (found := self._about(number))]

    def _about(self, number: int) -> str:
        try:
            command = Path(f"/proc/{number}/cmdline").read_bytes()
            environ = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
        except OSError:
            return ""
        ours = str(self.path).encode() in command or f"SHP_HOME={self.path}".encode() in environ
        return f"{number} {command.decode(errors='replace')}" if ours else ""
