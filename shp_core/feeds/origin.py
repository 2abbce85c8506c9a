"""Addresses of sources beyond the drop folder: what a feed file may write, and what such an address says.

    file:///srv/share/orders/             a folder elsewhere on this machine (a mount)
    hdfs://namenode:9870/in/orders/       a folder or a file in HDFS, by WebHDFS
    https://host/prices.xlsx              one workbook
    s3://bucket/orders/                   the objects below a prefix, or one of them
    sftp://host:22/out/orders.xlsx        a folder or a file

An address that ends with `/` is a folder, whose files are those that `match`. Must not live here: connections, credentials.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

SCHEMES = ("file", "hdfs", "http", "https", "s3", "sftp")
PERIOD = "{date}"
"""What stands in an address for the period, as the partition's `format` writes it."""

_SYSTEMS = {"file": "landing", "hdfs": "webhdfs", "http": "http", "https": "http", "s3": "s3", "sftp": "sftp"}
_SECRETS = re.compile(r"(?i)(^|[_-])(sig|signature|token|secret|password|passwd|pwd|key|apikey|credential|credentials)$")
_FOLDERLESS = ("http", "https")


@dataclass(frozen=True)
class Origin:
    """Where a source is.

    Args:
        uri: the address.
    """

    uri: str

    @property
    def scheme(self) -> str:
        """How it is spoken to."""
        return self._parts.scheme

    @property
    def place(self) -> str:
        """The host with its port, the bucket; empty on this machine."""
        return self._parts.netloc.lower()

    @property
    def path(self) -> str:
        """The path, without percent escapes; of an object, its key."""
        return unquote(self._parts.path)

    @property
    def is_folder(self) -> bool:
        """Whether it holds files, rather than being one."""
        return self.uri.endswith("/")

    @property
    def name(self) -> str:
        """The file's name; empty of a folder."""
        return self.path.rpartition("/")[2]

    @property
    def by_period(self) -> bool:
        """Whether each period has an address of its own."""
        return PERIOD in self.uri

    @property
    def system(self) -> str:
        """The outside system, as evidence and breakers name it: each place is one of its own."""
        kind = _SYSTEMS[self.scheme]
        return kind if kind == "landing" else f"{kind}@{self.place}"

    def at(self, period: str) -> Origin:
        """The address of one period.

        Args:
            period: as the partition's `format` writes it.
        """
        return Origin(self.uri.replace(PERIOD, quote(period, safe="")))

    def below(self, name: str) -> Origin:
        """The address of a file in this folder."""
        return Origin(self.uri + quote(name, safe=""))

    def holds(self, uri: str) -> bool:
        """Whether an address is this one, or of a file in this folder, or of one of its periods."""
        if self.by_period:
            return re.fullmatch(re.escape(self.uri).replace(re.escape(PERIOD), "[^/]+"), uri) is not None
        return uri.startswith(self.uri) if self.is_folder else uri == self.uri

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.uri)


def uri_problem(uri: str) -> str | None:
    """Why an address cannot be used, None when it can be."""
    try:
        parts = urlsplit(uri)
        valid = parts.port is None or parts.port > 0
    except ValueError:
        return "is no address; write it like https://host/prices.xlsx or s3://bucket/orders/"
    if parts.scheme not in SCHEMES or not valid:
        return f"begins with {parts.scheme or 'nothing'!r}; write one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}"
    if "@" in parts.netloc:
        return "holds a user or a password; write the address without, and name them in the environment (docs/operations.md)"
    return _shape_problem(uri, parts) or _query_problem(parts)


def _shape_problem(uri: str, parts: SplitResult) -> str | None:
    if any(char.isspace() or not char.isprintable() for char in uri) or parts.fragment:
        return "holds a blank or a `#`; write %20 or %23 for it"
    if (parts.scheme == "file") == bool(parts.netloc):
        return "needs a host or a bucket, as in s3://bucket/orders/; only file:///srv/share/ has none"
    if not parts.path or (parts.path == "/" and parts.scheme in _FOLDERLESS):
        return "names no file and no folder; write https://host/prices.xlsx, or a folder with a `/` at its end"
    if parts.scheme in _FOLDERLESS and parts.path.endswith("/"):
        return "is a folder; by HTTP one file has one address, such as https://host/prices.xlsx"
    return None


def _query_problem(parts: SplitResult) -> str | None:
    if parts.query and parts.scheme not in _FOLDERLESS:
        return "has a `?`; write %3F for it"
    secrets = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if _SECRETS.search(name)]
    if secrets:
        return f"holds what looks like a secret (`{secrets[0]}=`), which would be shown; name it in the environment (docs/operations.md)"
    return None
