"""What the value of one cell means: its kind letter and its text.

Must not live here: addresses and markup (`reference`). Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from shp_core.limits import Limits
from shp_core.reading.dates import iso_text, serial_text
from shp_core.reading.numbers import NotANumber, NotFinite, number_text
from shp_core.reading.problem import shown
from shp_core.reading.strings import unescaped
from shp_core.reading.textrow import ABSENT, BOOLEAN, CUT, DATE, ERROR, FORMULA, NUMBER, TEXT

_BOOLEANS = {"1": "TRUE", "true": "TRUE", "0": "FALSE", "false": "FALSE"}
_MEMO = 1 << 16


class Malformed(ValueError):
    """A cell says what the format does not allow; the message says what."""


class Content(NamedTuple):
    """All that a cell holds.

    Args:
        value: the characters of its value as they are spelled, None if it has none.
        inline: its inline text, escapes undone, None if it has none.
        formula: whether it has a formula.
    """

    value: str | None
    inline: str | None
    formula: bool


class Cells:
    """The meaning of values in one workbook.

    Args:
        strings: the shared strings.
        dated: by style number, what its format shows (`package.Workbook.dated`).
        date1904: whether serial numbers count from 1904.
        limits: `text_chars` is looked at.
    """

    def __init__(self, strings: Sequence[str], dated: dict[str, str], date1904: bool, limits: Limits) -> None:
        self._strings = strings
        self._limits = limits
        self._dated = dated
        self._date1904 = date1904
        self._moments: dict[tuple[str, str], tuple[str, str]] = {}
        self._readers: dict[str, Callable[[str, str | None], tuple[str, str]]] = {
            "n": self._number,
            "s": self._shared,
            "str": self._text,
            "inlineStr": self._text,
            "b": self._boolean,
            "e": self._error,
            "d": self._iso,
        }

    def meaning(self, kind: str, style: str | None, content: str | Content) -> tuple[str, str | None]:
        """Kind letter and text of a cell.

        A number that is not finite is an error cell: it is what became of a calculation. An empty text is a text if
        the file says so, an error that is not named is still an error, and a formula without a value is no blank.

        Args:
            kind: the cell's `t` attribute, `n` if it has none.
            style: the cell's `s` attribute.
            content: the characters of its value, if that is all it holds and not empty; else all it holds.

        Raises:
            Malformed: the cell says what the format does not allow.
        """
        reader = self._readers.get(kind)
        if reader is None:
            raise Malformed(f"is of an unknown kind {shown(kind)}")
        if isinstance(content, str):
            return reader(content, style)
        value, inline, formula = content
        if inline is not None:
            return self._whole(_inline(kind, value, inline))
        return reader(value, style) if value else _nothing(kind, value, formula)

    def _number(self, spelled: str, style: str | None) -> tuple[str, str]:
        if style in self._dated:
            return self._moment(spelled, style)
        try:
            return NUMBER, number_text(spelled)
        except NotFinite:
            return ERROR, spelled
        except NotANumber:
            raise Malformed("is no number") from None

    def _moment(self, spelled: str, style: str) -> tuple[str, str]:
        """A cell with a date format; days repeat, so the last ones are kept at hand."""
        key = (spelled, style)
        found = self._moments.get(key)
        if found is None:
            if len(self._moments) >= _MEMO:
                self._moments.clear()
            found = self._moments[key] = self._new_moment(spelled, self._dated[style])
        return found

    def _new_moment(self, spelled: str, shows: str) -> tuple[str, str]:
        kind, text = self._number(spelled, None)
        moment = serial_text(float(text), shows, self._date1904) if kind == NUMBER else None
        return (DATE, moment) if moment is not None else (kind, text)

    def _shared(self, spelled: str, style: str | None) -> tuple[str, str]:
        if not (spelled.isdigit() and spelled.isascii()):
            spelled = spelled.strip(" \t\r\n")
            if not (spelled.isdigit() and spelled.isascii()):
                raise Malformed("names no shared string")
        try:
            return self._whole(self._strings[int(spelled)])
        except (IndexError, ValueError):
            raise Malformed("names a shared string that is not there") from None

    def _text(self, spelled: str, style: str | None) -> tuple[str, str]:
        return self._whole(unescaped(spelled))

    def _whole(self, text: str) -> tuple[str, str]:
        """A text, or the beginning of one that no cell can hold."""
        longest = self._limits.text_chars
        return (TEXT, text) if len(text) <= longest else (CUT, text[:longest])

    def _boolean(self, spelled: str, style: str | None) -> tuple[str, str]:
        text = _BOOLEANS.get(spelled.strip(" \t\r\n").lower())
        if text is None:
            raise Malformed("is no boolean")
        return BOOLEAN, text

    def _error(self, spelled: str, style: str | None) -> tuple[str, str]:
        return ERROR, spelled[: self._limits.text_chars]

    def _iso(self, spelled: str, style: str | None) -> tuple[str, str]:
        text = iso_text(spelled)
        if text is None:
            raise Malformed("is no date of ISO 8601 that exists")
        return DATE, text


def _inline(kind: str, value: str | None, inline: str) -> str:
    if kind != "inlineStr" or value:
        raise Malformed("has an inline text beside a value, or is of another kind")
    return inline


def _nothing(kind: str, value: str | None, formula: bool) -> tuple[str, str | None]:
    """A cell whose value is missing (None) or empty."""
    if value is not None and kind in ("str", "inlineStr"):
        return TEXT, ""
    if kind == "e":
        return ERROR, ""
    return (FORMULA, None) if formula else (ABSENT, None)
