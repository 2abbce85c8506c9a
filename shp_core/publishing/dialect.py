r"""The one text dialect and the hashes both sinks are compared by.

The dialect is PostgreSQL's COPY text format, as COPY TO writes it: columns separated by TAB, rows by LF; backslash,
TAB, LF, CR and the rarer backspace, form feed and vertical tab inside a text written as `\\`, `\t`, `\n`, `\r`, `\b`,
`\f`, `\v`; null written as `\N` (https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"). What PostgreSQL
gives back can so be compared byte for byte. Standard library only, Python 3.8 syntax: the same module runs on Hadoop
nodes.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Iterable, Optional

NULL = "\\N"

ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
"""Characters and what is written for them; the backslash first, for who replaces one after the other."""

_UNESCAPES = {escaped: plain for plain, escaped in ESCAPES.items()}
_SPECIAL = re.compile(r"[\\\t\n\r\b\f\v]")
_ESCAPED = re.compile(r"\\[\\tnrbfv]")

MODULUS = 1 << 128


def escape(text: Optional[str]) -> str:
    """The dialect's form of one value (None is null)."""
    if text is None:
        return NULL
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: ESCAPES[match.group()], text)


def unescape(field: str) -> Optional[str]:
    """The value of one field of the dialect; the inverse of `escape`."""
    if field == NULL:
        return None
    return _ESCAPED.sub(lambda match: _UNESCAPES[match.group()], field) if "\\" in field else field


def row_digest(row_text: str) -> bytes:
    """The row hash: the first 16 bytes of the SHA-256 of the row text (fields joined by TAB, UTF-8, no line end)."""
    return sha256(row_text.encode("utf-8")).digest()[:16]


def sum_digests(digests: Iterable[bytes]) -> int:
    """The partition hash: row hashes as big-endian numbers, added up modulo 2^128; independent of the rows' order."""
    return sum(int.from_bytes(digest, "big") for digest in digests) % MODULUS


def hash_text(value: int) -> str:
    """A partition hash as 32 hexadecimal digits."""
    return format(value % MODULUS, "032x")
