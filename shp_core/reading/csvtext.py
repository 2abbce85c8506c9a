"""The text of a CSV file: its bytes decoded strictly, line by line, in bounded memory.

Lives here: encodings, byte order marks, what no text file holds, the length of a row. Must not live here: fields
(`csvrows`), and guesses about a file that nobody described (`csvguess`). Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO, Iterator

from shp_core.limits import Limits
from shp_core.reading.problem import Unreadable, limit_reached
from shp_core.reading.textrow import CsvForm

_UTF8_MARK, _LE_MARK, _BE_MARK = b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"
_MARKS = {_UTF8_MARK: "utf-8-sig", _LE_MARK: "utf-16", _BE_MARK: "utf-16"}

ENCODINGS = {
    "utf-8": (_UTF8_MARK,),
    "utf-8-sig": (_UTF8_MARK,),
    "utf-16": (_LE_MARK, _BE_MARK),
    "utf-16-le": (_LE_MARK,),
    "utf-16-be": (_BE_MARK,),
    **{f"cp{number}": () for number in (437, 850, 852, 932, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)},
    **{f"iso-8859-{number}": () for number in (1, 2, 5, 7, 9, 15)},
    "mac-roman": (),
    "big5": (),
    "euc-kr": (),
    "gb18030": (),
}
"""Every encoding that a feed may name, and the byte order marks with which its files may begin."""

_CODECS = {"utf-8": "utf-8-sig"}  # a mark is no part of the text, whichever of the two names a feed uses
_BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


def load_codec(encoding: str) -> str:
    """The name of the codec that decodes an encoding; it is loaded, which takes opening files."""
    return codecs.lookup(_CODECS.get(encoding, encoding)).name


class Lines:
    """The lines of a CSV file; a row of several lines begins with `begin` and has bounded length.

    Attributes:
        row: number of the row that the last line belongs to, from 1.
        first: the first line of that row.
        chars: characters of that row so far.

    Args:
        file: the open file, at its beginning.
        form: how it is spelled.
        limits: `record_chars` and `csv_rows` are looked at.

    Raises:
        Unreadable: `not_a_csv_file` or `undecodable_text`, by its first bytes.
    """

    def __init__(self, file: BinaryIO, form: CsvForm, limits: Limits) -> None:
        _check_start(file.read(8), form)
        file.seek(0)
        self._bytes = file
        self._encoding = form.encoding
        self._text = io.TextIOWrapper(file, encoding=load_codec(form.encoding), errors="strict", newline="")
        self._limits = limits
        self._quote = form.quote
        self.row = self.chars = 0
        self.first = ""

    def begin(self) -> None:
        """The next line begins a row.

        Raises:
            Unreadable: `limit_reached`, there are too many.
        """
        self.row += 1
        self.first, self.chars = "", 0
        if self.row > self._limits.csv_rows:
            raise limit_reached("csv_rows", self._limits.csv_rows, "the file")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line with its line break.

        Raises:
            Unreadable: `undecodable_text`, `nul_character`, `unclosed_quote` or `limit_reached`.
        """
        room = self._limits.record_chars - self.chars
        try:
            line = self._text.readline(room + 1)
        except UnicodeDecodeError as error:
            raise self._undecodable(error) from None
        if not line:
            raise StopIteration
        if len(line) > room:
            raise self._too_long()
        if "\0" in line:
            message = f"row {self.row} holds a NUL character: the file is damaged, or not {self._encoding} (UTF-16 has many of them)"
            raise Unreadable("nul_character", message, {"row": self.row})
        if not self.first:
            self.first = line = line.lstrip("\ufeff") if self.row == 1 else line
        self.chars += len(line)
        return line

    def _too_long(self) -> Unreadable:
        if self.first and self._quote:
            message = f"a quote that opens in row {self.row} is still open after record_chars = {self._limits.record_chars}"
            return Unreadable("unclosed_quote", message, {"row": self.row})
        return limit_reached("record_chars", self._limits.record_chars, f"row {self.row}")

    def _undecodable(self, error: UnicodeDecodeError) -> Unreadable:
        place = self._bytes.tell() - len(error.object) + error.start + 1
        row = self.row + error.object[: error.start].count(b"\n")  # what was decoded before it is still to be read
        wrong = error.object[error.start : error.start + 4].hex()
        message = f"byte {place} of the file (0x{wrong}), near row {row}, is not {self._encoding}"
        return Unreadable("undecodable_text", message, {"byte": place, "row": row})


def _check_start(start: bytes, form: CsvForm) -> None:
    """What the first bytes give away."""
    if start.startswith(_BINARY):
        raise Unreadable("not_a_csv_file", "the file is a workbook or another container, not a CSV file")
    mark = next((mark for mark in _MARKS if start.startswith(mark)), None)
    if mark is not None and mark not in ENCODINGS[form.encoding]:
        message = f"the file begins with the mark of {_MARKS[mark]}, the feed says {form.encoding}"
        raise Unreadable("undecodable_text", message, {"encoding": _MARKS[mark]})
    if mark is None and form.encoding == "utf-16":
        message = "the file has no byte order mark; the feed must say utf-16-le or utf-16-be"
        raise Unreadable("undecodable_text", message)
