"""The markup around the part that kernels scan, judged by expat as the reference judges it.

A part is what comes before its rows (or strings), the rows, and what follows them. Expat is given the first and the
last; the rows are left out, which changes nothing for it, because kernels accept only whole elements. Must not live
here: rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shp_core.limits import Limits
from shp_core.reading.markup import LOOKED_THROUGH, events, expect_blank
from shp_core.reading.scan.declined import Declined
from shp_core.reading.scan.windows import Window

_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?(?:<\?xml([^?>]*)\?>)?\s*(?=<[A-Za-z])")
_ENCODING = re.compile(rb"\sencoding\s*=\s*[\"']utf-8[\"']", re.IGNORECASE)
_ROOT = re.compile(rb"<[A-Za-z]+((?:\s+[\w.:-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*>")
_VALUE = re.compile(rb"\"[^\"]*\"|'[^']*'")
_PREFIX = re.compile(rb"\sxmlns:([\w.-]+)\s*=")


class Frame:
    """The markup around the rows of a part.

    Attributes:
        start: where in the window the scanned part begins.
        opening: what comes before it.
        prefixes: declared prefixes, each with a colon behind it.

    Args:
        window: the part's bytes, nothing read yet.
        tag: the name of the element that holds the rows, as it is spelled.
        names: the events that lead to it: the names of the elements, the last one that of `tag`.
        part: the part's name, for messages.
        limits: what `markup.events` looks at.

    Raises:
        Declined: it is not as spreadsheet programs write it.
        Unreadable: it is not well-formed.
    """

    def __init__(self, window: Window, tag: bytes, names: tuple[str, ...], part: str, limits: Limits) -> None:
        window.advance(0)
        self.start = _opening_end(window, tag)
        self._part = part
        self._names = names
        self.opening = bytes(window.data[: self.start])
        self._closing: Iterator[bytes] | None = None
        self.prefixes = _prefixes(self.opening)
        self._events = events(self._given(), part, limits)
        self._expect_opening()

    def _given(self) -> Iterator[bytes]:
        """What expat is given."""
        yield self.opening
        if self._closing is None:
            raise Declined("the markup before the rows ends elsewhere")
        yield from self._closing

    def _expect_opening(self) -> None:
        for name in self._names:
            self._expect(name)
            if next(self._events).__class__ is not dict:
                raise Declined("an element without its attributes")

    def _expect(self, name: str) -> None:
        """Pass over blanks up to the beginning or the end of an element."""
        for event in self._events:
            if event is name:
                return
            self._expect_blank(event)
        raise Declined("the part ended early")

    def _expect_blank(self, event: Any) -> None:
        if any(event is name for name in LOOKED_THROUGH):
            raise Declined("a wrapper")
        expect_blank(event, self._part)

    def close(self, rest: Iterator[bytes]) -> None:
        """Read what follows the rows, to the part's end, which verifies its size and CRC.

        Args:
            rest: the bytes from the end tag on.

        Raises:
            Declined: it is more than that.
            Unreadable: it is not well-formed, or the part is damaged.
        """
        self._closing = rest
        for name in reversed(self._names):
            self._expect(name)
        for event in self._events:
            self._expect_blank(event)


def _opening_end(window: Window, tag: bytes) -> int:
    """Where the tag that begins the rows ends."""
    at = window.data.find(b"<" + tag, 0, window.size)
    end = window.data.find(b">", at, window.size)
    if at < 0 or end < 0 or window.data[end - 1] == ord("/") or window.data[at + len(tag) + 1] not in b" \t\r\n>":
        raise Declined("no rows in the first window")
    return end + 1


def _prefixes(opening: bytes) -> bytes:
    """The prefixes that the outermost element declares."""
    start = _BEGINNING.match(opening)
    if start is None or opening.count(b"<?") > 1 or b"<!" in opening:
        raise Declined("an unusual beginning")
    declaration = start.group(1) or b""
    if b"encoding" in declaration and not _ENCODING.search(declaration):
        raise Declined("another encoding")
    root = _ROOT.match(opening, start.end())
    if root is None:
        raise Declined("an unusual outermost element")
    declared = _PREFIX.findall(_VALUE.sub(b"", root.group(1)))
    return b"".join(prefix + b":" for prefix in (b"xml", *declared))
