"""How alike two headers are, as a number from 0 to 1: spelling, words, abbreviations.

Must not live here: what the cells below say (`columns`), and what follows from it.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import SequenceMatcher

from shp_core.feeds.names import clean_header, snake_case

NEARLY_EQUAL = 0.85
"""From here on two names are taken for one by the policy `unknown_columns: map`."""

_ABBREVIATED = 0.7


def likeness(left: str, right: str) -> float:
    """How alike two headers are: 1 when they differ in case, blanks and punctuation only.

    Args:
        left: a header.
        right: another one.
    """
    one, other = _plain(left), _plain(right)
    if one == other:
        return 1.0
    if not one or not other:
        return 0.0
    if one.replace("_", "") == other.replace("_", ""):
        return 0.98
    short, long = sorted((one, other))
    spelled = float(SequenceMatcher(None, short, long).ratio())
    return max(spelled, _words_shared(one, other), _ABBREVIATED if _abbreviates(one, other) else 0.0)


def nearly_equal(missing: Collection[str], unknown: Collection[str]) -> dict[str, str]:
    """Missing headers and the one unknown header each that is nearly its name; nothing where two would do.

    Args:
        missing: headers that the feed knows and the sheet lacks.
        unknown: headers that the sheet has and the feed does not know.
    """
    alike = [(old, new) for old in missing for new in unknown if likeness(old, new) >= NEARLY_EQUAL]
    olds, news = [old for old, _ in alike], [new for _, new in alike]
    return {old: new for old, new in alike if olds.count(old) == 1 and news.count(new) == 1}


def _plain(header: str) -> str:
    return snake_case(header) or clean_header(header).casefold()


def _words_shared(one: str, other: str) -> float:
    words, others = set(one.split("_")), set(other.split("_"))
    return len(words & others) / len(words | others)


def _abbreviates(one: str, other: str) -> bool:
    """Whether the letters of the shorter stand in the longer in their order, and both begin with the same one."""
    short, long = sorted((one.replace("_", ""), other.replace("_", "")), key=len)
    rest = iter(long)
    return len(short) > 1 and short[0] == long[0] and all(letter in rest for letter in short)
