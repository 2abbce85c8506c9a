"""Arrow's functions, called without `pyarrow.compute`, do what they do when they are called with it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute
import pytest

from shp_core.contract import arrow_compute as pc

TEXTS = pa.array(["a-1", None, "b-2", "a-1"])


@pytest.mark.parametrize(
    ("name", "given", "named"),
    [
        ("equal", (TEXTS, "a-1"), {}),
        ("and_", (pa.array([True, None]), pa.array([True, True])), {}),
        ("all", (pa.array([True, None]),), {"skip_nulls": False}),
        ("is_in", (TEXTS,), {"value_set": pa.array(["b-2"])}),
        ("starts_with", (TEXTS, "a"), {}),
        ("replace_substring", (TEXTS, "-", ""), {"max_replacements": 1}),
        ("binary_replace_slice", (TEXTS, -1, -1, "."), {}),
        ("dictionary_encode", (TEXTS, "encode"), {}),
        ("binary_join_element_wise", (TEXTS, TEXTS, "+"), {}),
        ("fill_null", (TEXTS, "z"), {}),
        ("cast", (pa.array(["7", None]), pa.int64()), {}),
        ("cast", (pa.array([7.5]), pa.int64()), {"safe": False}),
    ],
)
def test_a_function_means_what_it_means_there(name: str, given: tuple[object, ...], named: dict[str, object]) -> None:
    """Options would be taken for arguments, or be passed over: other cells would be clean."""
    assert getattr(pc, name)(*given, **named).equals(getattr(pyarrow.compute, name)(*given, **named))


def test_what_cannot_be_cast_is_told() -> None:
    """A text that is no number would become one, or null, unseen."""
    with pytest.raises(pa.ArrowInvalid):
        pc.cast(pa.array(["x"]), pa.int64())
    with pytest.raises(pa.ArrowInvalid):
        pc.cast(pa.array([7.5]), pa.int64())


def test_a_function_that_arrow_has_not_is_told_at_once() -> None:
    """A slip of the pen would be found on a node, in a job."""
    with pytest.raises(KeyError):
        pc.no_such_function(TEXTS)
