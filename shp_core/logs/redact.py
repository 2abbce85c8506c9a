"""Secrets, replaced wherever they stand in a line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

MASK = "***"
_SHORTEST = 4
_IN_ADDRESS = re.compile(r"(\w[\w+.-]*://[^\s:/@\"']*:)[^\s@\"']+@")
_NAMED = re.compile(r"(?i)\b(password|passwd|pwd|secret|token)(\s*[=:]\s*)(?!\s)[^\s,;&\"')]+")


class Redaction:
    """Replaces known secrets, and what looks like one: a password in an address, `password=…`.

    Args:
        secrets: values that must not be seen; short ones are left out, for they stand in ordinary words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST}
        words = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, words))) if words else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _IN_ADDRESS.sub(rf"\1{MASK}@", text)
        return _NAMED.sub(rf"\1\2{MASK}", text)


def password_of(address: str | None) -> list[str]:
    """The password in an address, as it is spelled there and as it is; nothing where there is none."""
    try:
        password = urlsplit(address or "").password
    except ValueError:
        return []
    return list({password, unquote(password)}) if password else []
