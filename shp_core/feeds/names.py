"""Names: what a header is called in tables, and which names SQL lets us use."""

from __future__ import annotations

import re
import unicodedata

MAX_IDENTIFIER_BYTES = 63
"""PostgreSQL cuts longer identifiers off silently (NAMEDATALEN 64)."""

MAX_TABLE_LENGTH = MAX_IDENTIFIER_BYTES - 12
"""Views and indexes are called after their table, with something added."""

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*\Z")


_SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
"""Every PostgreSQL table has these already."""

_PLAIN_LETTERS = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"}
)
"""Latin letters that Unicode does not take apart into a plain letter and a mark."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z]{2})|(?<=[A-Z]{2})(?=[A-Z][a-z]{2})")


def snake_case(header: str) -> str:
    """The column name of a header: `Order ID` → `order_id`, `OrderID` → `order_id`, `Größe (cm)` → `grosse_cm`.

    Args:
        header: header text as it stands in the sheet.

    Returns:
        A lower-case identifier, or an empty string when the header has no letter or digit of the Latin alphabet.
    """
    folded = unicodedata.normalize("NFKD", header.translate(_PLAIN_LETTERS))
    plain = folded.encode("ascii", "ignore").decode("ascii")
    name = re.sub(r"[^a-z0-9]+", "_", _HUMP.sub("_", plain).lower()).strip("_")
    return f"c_{name}" if name[:1].isdigit() else name


def identifier_problem(name: str) -> str | None:
    """Why a name cannot be a feed's, a mart's or a column's name, or None if it can."""
    if not IDENTIFIER.match(name):
        return f"must be a lower-case identifier (a letter, then letters, digits and underscores){_proposal(name)}"
    if len(name) > MAX_IDENTIFIER_BYTES:
        return f"must be at most {MAX_IDENTIFIER_BYTES} characters long"
    return None


def column_name_problem(name: str) -> str | None:
    """Why a name cannot be a column's name, or None if it can."""
    if name in _SYSTEM_COLUMNS:
        return f"must not be {name}, a name that PostgreSQL keeps for itself; write another, such as {name}_"
    return identifier_problem(name)


def table_name_problem(name: str) -> str | None:
    """Why a name cannot be a table's name, or None if it can."""
    if len(name) > MAX_TABLE_LENGTH:
        return f"must be at most {MAX_TABLE_LENGTH} characters long (names of views and indexes are made from it)"
    return identifier_problem(name)


def _proposal(name: str) -> str:
    proposed = snake_case(name)
    return f", such as {proposed}" if proposed and proposed != name else ""


def clean_header(text: str | None) -> str:
    """A header as it is compared: surrounding blanks gone, blanks and line breaks inside folded to one space."""
    return " ".join((text or "").split())
