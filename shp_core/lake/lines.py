r"""Text rows as lines of the one text dialect, a batch at a time.

A line holds the sheet's row number, the kind letters, the texts, and cells right of the header's width (JSON, normally
`\\N`), separated by TAB. No text can end a line: LF and CR inside one are escaped.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shp_core.contract.end_to_end import texts_end_to_end
from shp_core.publishing.dialect import ESCAPES, NULL


def text_lines(batch: pa.RecordBatch) -> bytes:
    """The lines of a batch of text rows.

    Args:
        batch: `row`, `kinds`, `c1` … `cN`, `extra`.

    Returns:
        UTF-8; every row ends with LF.
    """
    if not batch.num_rows:
        return b""
    texts = [_escaped(column) for column in batch.columns[2:]]
    columns = [batch.column(0).cast(pa.string()), batch.column(1), *texts]
    options = {"null_handling": "replace", "null_replacement": NULL}
    lines = pc.binary_join_element_wise(*columns, "\t", **options)
    return bytes(texts_end_to_end(pc.binary_join_element_wise(lines, "", "\n")))


def _escaped(texts: pa.Array) -> pa.Array:
    found = np.frombuffer(texts_end_to_end(texts), np.uint8)
    # From backspace to CR they are six in a row; looking for them costs a tenth of replacing what is not there.
    if not ((found - 8) < 6).any() and not (found == ord("\\")).any():
        return texts
    for plain, escaped in ESCAPES.items():  # the first makes the backslash that the others' results must not double
        texts = pc.replace_substring(texts, plain, escaped)
    return texts
