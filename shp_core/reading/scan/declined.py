"""How the fast reader says that a part is not for it."""

from __future__ import annotations


class Declined(Exception):
    """The scan does not know this; the reference reads the part from its beginning. The message says what it was."""
