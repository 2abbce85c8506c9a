"""Rows in the order of their numbers, even where the file has them otherwise.

Almost every file has them in order, and then rows flow through and nothing is held. `RowOrder` finds out, while the
bytes pass by for their checksum, whether that is certain; if not, the rows of the sheet are held and sorted, up to a
limit. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from shp_core.limits import Limits
from shp_core.reading.problem import MARKUP, Unreadable, limit_reached, shown
from shp_core.reading.reference import SheetRow, merged

_ROW_TAG = re.compile(rb"<row(?=[\s/>])([^>]*)>")
_PREFIXED_ROW_TAG = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?row(?=[\s/>])([^>]*)>")  # four times slower
_ROW_NUMBER = re.compile(rb"\sr\s*=(?:\s*[\"']([0-9]{1,9})[\"'])?")
_TAG_BYTES = 4096


class RowOrder:
    """A watcher of a sheet's bytes (`gate.verify`): are its row numbers certain to ascend?

    It does not parse. Whatever it cannot make out (UTF-16, a number spelled with entities, a tag it does not
    understand) leaves it uncertain, which costs memory, never truth: `in_order` checks again.
    """

    def __init__(self) -> None:
        self.certain = True
        self._last = 0
        self._rest = b""
        self._tag: re.Pattern[bytes] | None = None

    def __call__(self, piece: bytes) -> None:
        """Look at the next piece."""
        if not self.certain:
            return
        data = self._rest + piece
        if b"\x00" in piece:
            self.certain = False
        if self._tag is None:
            self._tag = _ROW_TAG if b"<worksheet" in piece else _PREFIXED_ROW_TAG
        for tag in self._tag.finditer(data):
            self._row(tag.group(1))
        cut = max(data.rfind(b"<"), 0)
        self._rest = data[cut:] if b">" not in data[cut:] else b""
        if len(self._rest) > _TAG_BYTES:
            self.certain = False

    def _row(self, attributes: bytes) -> None:
        number = _ROW_NUMBER.search(attributes)
        row = self._last + 1 if number is None else int(number.group(1) or 0)
        cut_short = attributes.count(b'"') % 2 or attributes.count(b"'") % 2  # by a ">" inside a value
        self.certain = self.certain and row > self._last and not cut_short
        self._last = row


def in_order(rows: Iterator[SheetRow], certain: bool, part: str, limits: Limits) -> Iterator[SheetRow]:
    """Rows with ascending numbers, each number once.

    Args:
        rows: as the file has them.
        certain: whether their order is certain (`RowOrder.certain`).
        part: the part's name, for messages.
        limits: `disorder_cells` is looked at.

    Raises:
        Unreadable: `limit_reached`, too many cells would have to be held; `twin_address`, rows with one number have
            cells with one address; `invalid_markup`, an order that was certain turns out to be none.
    """
    return _ascending(rows, part) if certain else _sorted(rows, part, limits)


def _ascending(rows: Iterator[SheetRow], part: str) -> Iterator[SheetRow]:
    last = 0
    for row in rows:
        if row.number <= last:
            raise Unreadable(MARKUP, f"row {row.number} of {shown(part)} follows row {last}")
        last = row.number
        yield row


def _sorted(rows: Iterator[SheetRow], part: str, limits: Limits) -> Iterator[SheetRow]:
    held, room = [], limits.disorder_cells
    for row in rows:
        held.append(row)
        room -= len(row.columns) + 1
        if room < 0:
            raise limit_reached("disorder_cells", limits.disorder_cells, f"the rows of {shown(part)} are out of order")
    held.sort(key=attrgetter("number"))
    for _, same in groupby(held, key=attrgetter("number")):
        group = list(same)
        yield group[0] if len(group) == 1 else merged(group, part)
