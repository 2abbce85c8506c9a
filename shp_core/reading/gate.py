"""The first look at a private copy, before any reader: is this a whole, harmless workbook?

Lives here: the order of the checks, and those that are about the file as a whole. The zip directory is checked in
`zipdir`, sizes and CRC in `container`. Must not live here: sheets and cells. Memory stays bounded, whatever the file
says. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from xml.parsers import expat

from shp_core.limits import MIB, Limits
from shp_core.reading.container import Container
from shp_core.reading.markup import bounded, hardened_parser, parse
from shp_core.reading.problem import MARKUP, Unreadable, limit_reached

CONTENT_TYPES = "[Content_Types].xml"
_ZIP, _EMPTY_ZIP, _OLE2 = b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAMS = tuple(name.encode("utf-16-le") for name in ("EncryptionInfo", "EncryptedPackage"))
_MARKUP_SUFFIXES = (".xml", ".rels", ".vml")


def open_container(path: Path, limits: Limits) -> Container:
    """Check what kind of file this is, and its zip directory.

    Args:
        path: the private copy.
        limits: what is accepted.

    Returns:
        The open container; nothing was inflated yet (see `verify`).

    Raises:
        Unreadable: `empty_file`, `limit_reached`, `encrypted_workbook`, `legacy_workbook`, `not_a_workbook`,
            `damaged_workbook` or `unsafe_workbook`.
        OSError: the copy cannot be read.
    """
    check_size(path, limits)
    _check_type(path)
    container = Container(path, limits)
    if CONTENT_TYPES not in container:
        with container:
            raise Unreadable("not_a_workbook", f"a zip file without {CONTENT_TYPES} is not a workbook")
    return container


def check_size(path: Path, limits: Limits) -> None:
    """Look at a file's size, before anything else.

    Raises:
        Unreadable: `empty_file` or `limit_reached`.
    """
    size = path.stat().st_size
    if not size:
        raise Unreadable("empty_file", "the file has 0 bytes")
    if size > limits.source_bytes:
        raise limit_reached("source_bytes", limits.source_bytes, f"a file of {size} bytes")


def _check_type(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    if start == _OLE2:
        raise _ole2(path)
    if start[:4] == _EMPTY_ZIP:
        raise Unreadable("not_a_workbook", "the file is an empty zip file")
    if start[:4] != _ZIP:
        raise Unreadable("not_a_workbook", "the file does not begin like a workbook (.xlsx)")


def _ole2(path: Path) -> Unreadable:
    if any(name in window for window in _windows(path) for name in _ENCRYPTED_STREAMS):
        return Unreadable("encrypted_workbook", "the workbook is protected by a password or by rights management")
    return Unreadable("legacy_workbook", "the file is of the binary format before .xlsx")


def _windows(path: Path) -> Iterator[bytes]:
    """The file in pieces that overlap by more than a stream's name."""
    with path.open("rb") as file:
        tail = b""
        while data := file.read(MIB):
            yield tail + data
            tail = data[-64:]


def verify(
    container: Container,
    limits: Limits,
    watchers: dict[str, Callable[[bytes], object]] | None = None,
    but: Collection[str] = (),
) -> None:
    """Inflate every part once, in pieces: true sizes, CRC, no DOCTYPE.

    Args:
        container: as `open_container` gives it.
        limits: what is accepted.
        watchers: by a part's name, who else wants to see its pieces while they pass.
        but: names of parts to leave out, because whoever reads them verifies them at the same time.

    Raises:
        Unreadable: `damaged_workbook`, `crc_mismatch`, `unsafe_workbook` or `limit_reached`.
    """
    watching = {name.casefold(): watcher for name, watcher in (watchers or {}).items()}
    left_out = {name.casefold() for name in but}
    for key, entry in container.entries.items():
        if key in left_out:
            continue
        pieces = container.pieces(entry.name)
        if key.endswith(_MARKUP_SUFFIXES):
            pieces = _without_doctype(pieces, entry.name, limits)
        watcher = watching.get(key, _nobody)
        for piece in pieces:
            watcher(piece)


def _nobody(_piece: bytes) -> None:
    """Nobody else wants to see the part."""


class _RootReached(Exception):
    """The document element begins; a DOCTYPE can no longer come."""


def _root(*_: object) -> None:
    raise _RootReached


def _without_doctype(pieces: Iterator[bytes], name: str, limits: Limits) -> Iterator[bytes]:
    """Hand the pieces on, after expat has seen what stands before the document element.

    Parts that no reader looks at need not be well-formed, so nothing but the DOCTYPE is refused here.
    """
    parser = hardened_parser(name, names=False)
    parser.StartElementHandler = _root
    for piece in bounded(parser, pieces, name, limits):
        reached = _root_reached(parser, piece, name)
        yield piece
        if reached:
            break
    yield from pieces


def _root_reached(parser: expat.XMLParserType, piece: bytes, name: str) -> bool:
    try:
        parse(parser, piece, name)
    except _RootReached:
        return True
    except Unreadable as problem:
        if problem.code != MARKUP:
            raise
        return True
    return False
