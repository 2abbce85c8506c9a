"""The landing folder: what lies there, told without opening a file.

Must not live here: copying (`intake`), and any change of what people dropped.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources.ledger import Source

QUIET_SECONDS = 2.0
"""How long a file must have been left alone before it is taken up: a writer that is slower is healed by the next arrival."""


@dataclass(frozen=True)
class Seen:
    """A file as it lies there.

    Args:
        source: what the ledger compares.
        quiet: whether nobody has written to it for a while.
        regular: whether it is a regular file (links, folders, pipes are never opened).
    """

    source: Source
    quiet: bool
    regular: bool


def look(folder: Path, match: str) -> list[Seen]:
    """The files in a feed's drop folder whose names match, in order of names.

    Hidden files and what spreadsheet programs leave beside an open workbook (`~$…`) are not deliveries.

    Args:
        folder: the feed's drop folder.
        match: the feed's file name pattern.

    Raises:
        Fault: `source_missing`, the folder is not there; or what the operating system says.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if is_delivery(entry.name, match))
    except FileNotFoundError as error:
        evidence = Evidence(system="landing", errno=error.errno, text="FileNotFoundError: no landing folder")
        missing = f"The landing folder {printable(str(folder))} is not there."
        raise Fault(Code.SOURCE_MISSING, missing, evidence, "Make it, or name another place with SHP_LANDING.") from error
    except OSError as error:
        raise _fault(folder, error) from error
    return [seen for name in names for seen in _see(folder / name)]


def sight(path: Path) -> Seen:
    """One file as it lies there.

    Raises:
        Fault: `source_missing`, or what the operating system says.
    """
    try:
        status = path.lstat()
    except OSError as error:
        raise _fault(path, error) from error
    # ctime is this machine's clock and moves with every write and rename, whatever a copying program does to mtime.
    quiet = abs(time.time() - status.st_ctime) >= QUIET_SECONDS
    source = Source(uri_of(path), printable(path.name), status.st_size, status.st_mtime_ns, status.st_ino)
    return Seen(source, quiet, stat.S_ISREG(status.st_mode))


def lies_there(source: Source) -> bool:
    """Whether a source is a file of this machine that is there."""
    return is_local(source.uri) and path_of(source.uri).is_file()


def is_local(uri: str) -> bool:
    """Whether an address is of this machine."""
    return uri.startswith("file://")


def is_delivery(name: str, match: str) -> bool:
    """Whether a name is that of a delivery: it matches, and is no hidden file and none that a spreadsheet program leaves.

    Args:
        name: file name.
        match: the feed's file name pattern.
    """
    return fnmatchcase(name.lower(), match.lower()) and not name.startswith((".", "~$"))


def readable(source: Source) -> bool:
    """Whether a source is there and this process may read it."""
    return os.access(path_of(source.uri), os.R_OK)


def uri_of(path: Path) -> str:
    """A path as a URI that keeps every byte of it."""
    return "file://" + quote_from_bytes(os.fsencode(path.absolute()), safe="/~=+,@")


def path_of(uri: str) -> Path:
    """The path of a URI made by `uri_of`."""
    return Path(os.fsdecode(unquote_to_bytes(uri.removeprefix("file://"))))


def printable(name: str) -> str:
    """A file name for tables, logs and messages: what is no printable text is shown as an escape."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
    return shown.encode("utf-8", "backslashreplace").decode()


def _see(path: Path) -> Iterator[Seen]:
    try:
        yield sight(path)
    except Fault as fault:
        if fault.code is not Code.SOURCE_MISSING:  # gone since the folder was listed: the next look tells
            raise


def _fault(path: Path, error: OSError) -> Fault:
    evidence = Evidence(system="landing", errno=error.errno, text=f"{type(error).__name__}: {error.strerror}")
    code = classify(evidence)
    # A path that cannot be looked at (rights, a name that is too long) is for the sender to mend, not a bug.
    return Fault(Code.SOURCE_MISSING if code is Code.CODE_BUG else code, f"{printable(path.name)}: {error.strerror}.", evidence)
