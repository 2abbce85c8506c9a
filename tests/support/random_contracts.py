"""Random contracts, and sheets that fit them more or less, for property tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from hypothesis import strategies as st

from shp_core.contract.compile import compile_contract
from shp_core.contract.contract import Contract
from shp_core.feeds.model import Feed
from tests.support.contracts import ABSENT, Cell

_WORDS = st.sampled_from(["a", "b", "A", "ab", "abc", "ä", "x\ty", "x\\N", "a b", " a ", "abcd", "ä b c"])
_SMALL = st.integers(-3, 3)
_AMOUNTS = st.sampled_from(["0", "1", "-1", "1.5", "1.50", "-2.25", "2.255", "0.1", "0.30000000000000004"])
_DAYS = st.dates(date(2014, 1, 1), date(2014, 1, 6))


@dataclass(frozen=True)
class Sheet:
    """A contract and rows that were made for it."""

    contract: Contract
    rows: list[list[Cell]]


def _with(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


def _bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(_with(min=values), _with(max=values)).map(lambda pair: _ordered({**pair[0], **pair[1]}))


def _ordered(bounds: dict[str, Any]) -> dict[str, Any]:
    if len(bounds) == 2 and bounds["min"] > bounds["max"]:
        return {"min": bounds["max"], "max": bounds["min"]}
    return bounds


_TEXT = _with(
    max_length=st.integers(1, 3),
    pattern=st.sampled_from(["[a-z]+", "a|ab", "(?i)A.*", ".{1,2}", "(?x) a b? # why"]),
    **{"in": st.lists(st.sampled_from(["a", "b", "ab", "ä"]), min_size=1, max_size=3, unique=True)},
)
_LISTED = _with(**{"in": st.lists(_SMALL, min_size=1, max_size=4, unique=True)})
_WHOLE = st.tuples(_bounds(_SMALL), _LISTED).map(lambda two: {**two[0], **two[1]})

_RULES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "text": _TEXT,
    "integer": _WHOLE,
    "bigint": _WHOLE,
    "decimal": _bounds(st.sampled_from([-1.5, 0, 0.1, 2])),
    "money": _bounds(st.sampled_from([-1.5, 0, 0.1, 2])),
    "date": _bounds(_DAYS).map(lambda bounds: {**bounds, "formats": ["%m/%d/%Y"]}),
    "timestamp": st.just({"formats": ["%m/%d/%Y %H:%M"]}),
    "boolean": st.just({}),
}

_GOOD: dict[str, st.SearchStrategy[Cell]] = {
    "text": st.tuples(st.just("s"), _WORDS),
    "integer": st.tuples(st.sampled_from("sn"), _SMALL.map(str)),
    "bigint": st.tuples(st.sampled_from("sn"), _SMALL.map(str)),
    "decimal": st.tuples(st.sampled_from("sn"), _AMOUNTS),
    "money": st.tuples(st.just("s"), _AMOUNTS.map("${}".format)) | st.tuples(st.just("n"), _AMOUNTS),
    "date": st.tuples(st.just("d"), _DAYS.map(str)) | st.tuples(st.just("s"), _DAYS.map(lambda day: day.strftime("%m/%d/%Y"))),
    "timestamp": st.tuples(st.just("d"), _DAYS.map(lambda day: f"{day} 10:30:00.500000")),
    "boolean": st.sampled_from([("b", "TRUE"), ("b", "FALSE"), ("s", "true")]),
}
_ODD: st.SearchStrategy[Cell] = st.sampled_from(
    [
        *(ABSENT, ("s", ""), ("s", " "), ("e", "#REF!"), ("f", None), ("x", "1"), ("s", "nul\0"), ("n", "1e308")),
        *(("d", "2014-01-01 10:00:00"), ("s", "€1")),
    ]
)


@st.composite
def columns(draw: st.DrawFn, optional: bool | None = None) -> dict[str, Any]:
    """One column of a feed file."""
    type_ = draw(st.sampled_from(sorted(_RULES)))
    blank = draw(st.booleans()) if optional is None else optional
    more: dict[str, Any] = {"currency": "USD"} if type_ == "money" else {}
    return {"type": type_, "optional": blank, **more, **draw(_RULES[type_])}


def contract_from(described: dict[str, dict[str, Any]], key: list[str]) -> Contract:
    """The contract of columns described as in a feed file."""
    return compile_contract(Feed.model_validate({"feed": "things", "owner": "team:tests", "columns": described, "key": key}))


@st.composite
def sheets(draw: st.DrawFn, keyed: bool | None = None, odd: bool = True, most_rows: int = 12) -> Sheet:
    """A random contract and rows of its columns; with a key, of few different values, so that rows collide.

    Args:
        draw: Hypothesis's hand.
        keyed: whether the contract has a key; None: sometimes.
        odd: whether cells of another kind, errors and blanks turn up.
        most_rows: the most rows.
    """
    described = {f"C{place}": draw(columns()) for place in range(draw(st.integers(1, 4)))}
    key: list[str] = []
    if keyed if keyed is not None else draw(st.booleans()):
        described["Key"] = draw(st.sampled_from([{"type": "text"}, {"type": "integer"}, {"type": "date", "formats": ["%m/%d/%Y"]}]))
        key = ["Key"]
    kinds = [_GOOD[column["type"]] | _ODD if odd else _GOOD[column["type"]] for column in described.values()]
    rows = draw(st.lists(st.tuples(*kinds).map(list), max_size=most_rows))
    again = draw(st.lists(st.sampled_from(rows), max_size=4)) if rows else []
    return Sheet(contract_from(described, key), rows + again)
