"""How a CSV file that nobody described is spelled, from what it holds: for looking into files and for proposals.

A feed's files are never guessed at; they are read as the feed says (`csvtext`). Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path
from typing import Dict, Iterator, Tuple

from shp_core.limits import MIB, Limits
from shp_core.reading.csvrows import DELIMITERS
from shp_core.reading.csvtext import load_codec
from shp_core.reading.gate import check_size
from shp_core.reading.textrow import CsvForm

GUESSED = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "iso-8859-1")
"""What a guess may be."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_HEAD = 1 << 16
_ROWS = 100
_UNDEFINED = b"\x81\x8d\x8f\x90\x9d"  # no characters in cp1252


def guess(path: Path, limits: Limits) -> CsvForm:
    """How a file is spelled: encoding by its mark or by all of its bytes, delimiter by its first rows.

    Args:
        path: the private copy.
        limits: `source_bytes` is looked at.

    Raises:
        Unreadable: `empty_file` or `limit_reached`.
        OSError: the copy cannot be read.
    """
    check_size(path, limits)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), None) or _unmarked(path, head)
    text = codecs.decode(head, load_codec(encoding), "replace")
    agreed, delimiter = max(((_agreement(text, delimiter), delimiter) for delimiter in DELIMITERS), key=lambda found: found[0])
    return CsvForm(delimiter if agreed[0] else ",", encoding)


def _unmarked(path: Path, head: bytes) -> str:
    even, odd = head[::2].count(0), head[1::2].count(0)
    if 4 * max(even, odd) > len(head) // 2:
        return "utf-16-be" if even > odd else "utf-16-le"
    decoder = codecs.getincrementaldecoder("utf-8")()
    undefined = False
    is_utf8 = True
    for piece in _pieces(path):
        undefined = undefined or any(byte in piece for byte in _UNDEFINED)
        is_utf8 = is_utf8 and _decodes(decoder, piece)
        if undefined and not is_utf8:
            return "iso-8859-1"
    return "utf-8" if is_utf8 and _decodes(decoder, b"", True) else "iso-8859-1" if undefined else "cp1252"


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(MIB):
            yield piece


def _agreement(text: str, delimiter: str) -> Tuple[float, int]:
    """How many of the first rows have the same number of fields, if it is more than one, and that number.

    The first rows weigh most: decimal commas stand in every row but the header.
    """
    weights: Dict[int, float] = {}
    rows = 0
    try:
        for fields in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows += bool(fields)
            weights[len(fields)] = weights.get(len(fields), 0.0) + (1 / rows if fields else 0.0)
            if rows == _ROWS:
                break
    except csv.Error:
        return 0.0, 0
    size = max((size for size in weights if size > 1), key=lambda size: weights[size], default=0)
    return weights.get(size, 0.0), size
