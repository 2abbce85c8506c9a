"""What remote sources need beside their addresses: credentials from the environment, deadlines from `shp.yaml`.

A place's variables are named after it: `SHP_SOURCE_FILES_EXAMPLE_COM_TOKEN` is the token for `https://files.example.com`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

NAME = "SHP_SOURCE"
PREFIX = f"{NAME}_"
_KINDS = ("USER", "PASSWORD", "TOKEN", "KEY_FILE", "HOST_KEY", "ENDPOINT")
_SECRET_KINDS = ("PASSWORD", "TOKEN")
_FILE = "_FILE"


@dataclass(frozen=True)
class Access:
    """How one place lets us in.

    Args:
        user: login name (HTTP, SFTP, HDFS), or the access key's id (S3).
        password: password, or the secret access key (S3).
        token: bearer token (HTTP), or session token (S3).
        key_file: a file with a private key (SFTP).
        host_key: the server's key, such as `ssh-ed25519 AAAA…` (SFTP); without it `~/.ssh/known_hosts` decides.
        endpoint: address of an S3 service that is not Amazon's.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    key_file: str | None = None
    host_key: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class SourceSettings:
    """How remote sources are spoken to.

    Args:
        variables: `SHP_SOURCE_…` variables without that prefix; secrets by value.
        connect_seconds: how long a connection may take to be made.
        read_seconds: how long a source may be silent.
        look_seconds: how long a look at a source may take.
        fetch_seconds: how long one file may take to be fetched.
    """

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    look_seconds: float = 15.0
    fetch_seconds: float = 1800.0

    @cached_property
    def timeout(self) -> tuple[float, float]:
        """(connect, read), in seconds."""
        return self.connect_seconds, self.read_seconds

    def access(self, place: str) -> Access:
        """How a place lets us in.

        Args:
            place: host with its port, or bucket.
        """
        name = variable_part(place)
        host = variable_part(place.rpartition(":")[0] or place)
        found = {kind: self.variables.get(f"{name}_{kind}") or self.variables.get(f"{host}_{kind}") for kind in _KINDS}
        return Access(**{kind.lower(): value for kind, value in found.items()})

    @property
    def secrets(self) -> list[str]:
        """The values that nobody may see."""
        return [value for name, value in self.variables.items() if name.endswith(_SECRET_KINDS)]

    def as_environment(self) -> dict[str, str]:
        """The variables with which another process reaches the same places; they hold secrets."""
        return {f"{PREFIX}{name}": value for name, value in self.variables.items()}


def variable_part(place: str) -> str:
    """A place as it stands in the names of its variables: `files.example.com:8443` is `FILES_EXAMPLE_COM_8443`."""
    return re.sub(r"[^A-Za-z0-9]+", "_", place).upper()


def source_variables(values: Mapping[str, str], secret: Callable[[str], str | None]) -> dict[str, str]:
    """The variables of remote sources.

    Args:
        values: the variables that are set.
        secret: reads one that may be named by file (`NAME_FILE`).
    """
    names = {_by_value(name) for name in values if name.startswith(PREFIX)}
    found = {name.removeprefix(PREFIX): secret(name) if name.endswith(_SECRET_KINDS) else values.get(name) for name in names}
    return {name: value for name, value in sorted(found.items()) if value}


def _by_value(name: str) -> str:
    """The variable that a name stands for, also when it names a file with a secret in it."""
    plain = name.removesuffix(_FILE)
    return plain if plain.endswith(_SECRET_KINDS) else name
