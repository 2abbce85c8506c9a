"""Arrow's compute functions, called as those of `pyarrow.compute`, without what that module writes when it is imported.

There it gives each of 300 functions a signature and a documentation: a quarter of the start of a mapper, which every task of
a job pays for. Whoever needs kernels in the mapper takes them from here; a method of an array (`cast`, `take`, `filter`) or a
function that is not named here would import all of it. Must not live here: what is computed with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

try:
    from pyarrow import _compute as arrow
except ImportError:  # another release may keep elsewhere what the public module then still offers
    import pyarrow.compute as arrow

_RENAMED = {"and_": "and", "or_": "or"}
_OPTIONS = {
    "all": arrow.ScalarAggregateOptions,
    "binary_replace_slice": arrow.ReplaceSliceOptions,
    "dictionary_encode": arrow.DictionaryEncodeOptions,
    "ends_with": arrow.MatchSubstringOptions,
    "index_in": arrow.SetLookupOptions,
    "is_in": arrow.SetLookupOptions,
    "match_substring": arrow.MatchSubstringOptions,
    "match_substring_regex": arrow.MatchSubstringOptions,
    "replace_substring": arrow.ReplaceSubstringOptions,
    "starts_with": arrow.MatchSubstringOptions,
}


def cast(values: Any, to: pa.DataType, safe: bool = True) -> Any:
    """Values as another type.

    Args:
        values: an array.
        to: the type.
        safe: whether a value that changes stops it.

    Raises:
        pa.ArrowInvalid: a value is none of that type, or would change.
    """
    options = arrow.CastOptions.safe(to) if safe else arrow.CastOptions.unsafe(to)
    return arrow.call_function("cast", [values], options)


def fill_null(values: Any, value: Any) -> Any:
    """Values, and one for those that are missing.

    Args:
        values: an array.
        value: a Python value of its type.
    """
    return arrow.call_function("coalesce", [values, pa.scalar(value, values.type)])


def __getattr__(name: str) -> Callable[..., Any]:
    """A function by its name; its arrays come first, then its options, as in `pyarrow.compute`."""
    if name.startswith("__"):
        raise AttributeError(name)
    function, options = arrow.get_function(_RENAMED.get(name, name)), _OPTIONS.get(name)
    arity = function.arity

    def call(*given: Any, **named: Any) -> Any:
        if options is None or not (named or len(given) > arity):
            return function.call(given)
        return function.call(given[:arity], options(*given[arity:], **named))

    globals()[name] = call
    return call
