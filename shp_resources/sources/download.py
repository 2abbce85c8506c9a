"""A download that comes whole or not at all: goes on where it broke off, in the same version only, within its limits.

What is there already lies beside a note of its version. Must not live here: any one kind of source.
"""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.healing.faults import Evidence
from shp_core.limits import Limits
from shp_resources.intake import stored, write_all
from shp_resources.sources.protocol import RemoteSource, Stream, moving

_KEPT_SECONDS = 7 * 86_400
"""A download that nobody went on with for so long is taken away."""

PROGRESS = 64 << 10
"""A connection that brought so many bytes before it broke is followed by another one at once, and costs no try."""


@dataclass(frozen=True)
class Download:
    """What has come of one file so far.

    Args:
        path: the bytes.
        note: the version that they are of.
    """

    path: Path
    note: Path

    @classmethod
    def of(cls, folder: Path, key: str) -> Download:
        """The download of a file.

        Args:
            folder: where downloads lie; made if need be, and old ones are taken away.
            key: tells this one from others.
        """
        with stored():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _tidy(folder)
        name = sha256(key.encode()).hexdigest()[:32]
        return cls(folder / f"{name}.part", folder / f"{name}.json")

    def begun(self) -> tuple[str, int]:
        """The version of the bytes that are there, and their number; ("", 0) where nothing can be gone on with."""
        try:
            noted = json.loads(self.note.read_text(encoding="utf-8"))
            return (str(noted["version"]), self.path.stat().st_size) if noted["boot"] == _boot() else ("", 0)
        except (OSError, ValueError, KeyError):
            return "", 0

    def restart(self, version: str) -> None:
        """Forget what is there; what comes now is of this version."""
        self.drop()
        if version:
            self.note.write_text(json.dumps({"version": version, "boot": _boot()}), encoding="utf-8")

    def drop(self) -> None:
        """Take away what is there."""
        for path in (self.note, self.path):  # never bytes of a version beside the note of another one
            with suppress(FileNotFoundError):
                path.unlink()


def download(
    source: RemoteSource, uri: str, into: Download, limits: Limits, seconds: float, clock: Callable[[], float] = time.monotonic
) -> Path:
    """Fetch a file, over as many broken connections as bring it forward; on a fault what has come stays, to be gone on with.

    Args:
        source: where it is.
        uri: the file.
        into: where it comes to; one process at a time.
        limits: `source_bytes` is looked at.
        seconds: how long all of it may take.
        clock: tells seconds that pass.

    Returns:
        The whole file.

    Raises:
        Refusal: `limit_reached`.
        Fault: the source failed, took too long, sent less or more than it announced, or changed the file meanwhile.
    """
    until = clock() + seconds
    while True:
        there = into.begun()[1]
        try:
            return _whole(source, uri, into, lambda size: _check(source, size, limits, clock() > until))
        except Fault as fault:
            if fault.code is Code.STILL_MOVING:  # what is there belongs to no version any more
                into.drop()
            if fault.code is not Code.TRANSIENT or into.begun()[1] - there < PROGRESS:
                raise


def _whole(source: RemoteSource, uri: str, into: Download, check: Callable[[int], None]) -> Path:
    version, there = into.begun()
    with source.open(uri, version, there) as stream:
        check(stream.size or 0)
        if stream.start == 0:
            with stored():
                into.restart(stream.version)
        elif (stream.version, stream.start) != (version, there):
            raise moving(source.system, _name(uri))
        size = _append(stream, into, check)
    if stream.size is not None and size != stream.size:
        raise _cut(source, uri, size, stream.size) if size < stream.size else moving(source.system, _name(uri))
    return into.path


def _append(stream: Stream, into: Download, check: Callable[[int], None]) -> int:
    """Write what comes behind what is there; the number of bytes that are there then."""
    size = stream.start
    with stored():
        file = into.path.open("ab", buffering=0)
    with file:
        for piece in stream.pieces:
            size += len(piece)
            check(size)
            with stored():
                write_all(file.fileno(), piece)
    return size


def _check(source: RemoteSource, size: int, limits: Limits, late: bool) -> None:
    """Refuse what is too large, and what takes too long."""
    if late:
        raise Fault(Code.TRANSIENT, f"{source.system} took too long.", Evidence(source.system, errno=errno.ETIMEDOUT, text="deadline"))
    if size > limits.source_bytes:
        message = f"the limit source_bytes = {limits.source_bytes} is reached"
        raise Refusal(Code.LIMIT_REACHED, message, {"limit": "source_bytes", "value": limits.source_bytes})


def _cut(source: RemoteSource, uri: str, came: int, announced: int) -> Fault:
    text = f"{came} bytes of {announced} came"
    return Fault(Code.TRANSIENT, f"{_name(uri)}: {text}.", Evidence(source.system, errno=errno.ECONNRESET, text=text))


def _boot() -> str:
    """Tells one run of the machine from another: after a power cut nobody knows which bytes reached the disk."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _name(uri: str) -> str:
    return uri.partition("?")[0].rpartition("/")[2]


def _tidy(folder: Path) -> None:
    oldest = time.time() - _KEPT_SECONDS
    for path in folder.glob("*.part"):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink()
