"""Names: what a header is called in tables, and which names SQL lets us use."""

from __future__ import annotations

import re
import unicodedata

MAX_IDENTIFIER_BYTES = 63
"""PostgreSQL cuts longer identifiers off silently (NAMEDATALEN 64)."""

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*\Z")


def snake_case(header: str) -> str:
    """The column name of a header: `Order ID` → `order_id`, `Größe (cm)` → `grosse_cm`.

    Args:
        header: header text as it stands in the sheet.

    Returns:
        A lower-case identifier, or an empty string when the header has no letter or digit of the Latin alphabet.
    """
    folded = unicodedata.normalize("NFKD", header.replace("ß", "ss").replace("ẞ", "SS"))
    plain = folded.encode("ascii", "ignore").decode("ascii")
    humps = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", plain)
    name = re.sub(r"[^a-z0-9]+", "_", humps.lower()).strip("_")
    return f"c_{name}" if name[:1].isdigit() else name


def identifier_problem(name: str) -> str | None:
    """Why a name cannot be a table's or a column's name, or None if it can."""
    if not IDENTIFIER.match(name):
        return "must be a lower-case identifier: a letter, then letters, digits and underscores"
    if len(name.encode()) > MAX_IDENTIFIER_BYTES:
        return f"must be at most {MAX_IDENTIFIER_BYTES} bytes long"
    return None


def clean_header(text: str | None) -> str:
    """A header as it is compared: surrounding blanks gone, blanks and line breaks inside folded to one space."""
    return " ".join((text or "").split())
