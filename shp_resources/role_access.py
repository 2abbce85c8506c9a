"""Under which database role a process works: names, passwords, addresses.

    owner    no login; the warehouse's schemas and tables belong to it
    writer   reads and writes rows; changes a table only where it says so (`SET ROLE`), and drops nothing by itself
    reader   reads

Must not live here: making the roles (`shp_resources.roles`). This module imports no driver: the supervisor uses it.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

Login = Literal["writer", "reader"]
_LOGINS: tuple[Login, ...] = ("writer", "reader")


def role_name(database: str, role: Literal["owner", "writer", "reader"]) -> str:
    """A role's name; roles are the server's, so each database has its own."""
    return f"{database}_{role}"


def passwords(home: Path) -> dict[str, str]:
    """The passwords of the roles that can log in; made once, readable by their owner only.

    Args:
        home: the installation's folder.

    Raises:
        OSError: they cannot be kept.
    """
    known = known_passwords(home)
    if not {*_LOGINS} <= known.keys():
        from shp_resources.embedded.cluster import write_private  # comes with the driver, which readers of logs do without

        known = {login: secrets.token_urlsafe(24) for login in _LOGINS}
        _place(home).parent.mkdir(parents=True, exist_ok=True)
        write_private(_place(home), json.dumps(known))
    return known


def known_passwords(home: Path) -> dict[str, str]:
    """The passwords that were made; empty where none were."""
    try:
        known: dict[str, str] = json.loads(_place(home).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def _place(home: Path) -> Path:
    return home / "run" / "roles.json"


def as_role(dsn: str, login: Login, password: str) -> str:
    """The address of the same database for another role.

    Args:
        dsn: `postgresql://user:password@host:port/database?…`.
        login: the role.
        password: its password.
    """
    parts = urlsplit(dsn)
    user = quote(role_name(parts.path.lstrip("/"), login), safe="")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}").geturl()
