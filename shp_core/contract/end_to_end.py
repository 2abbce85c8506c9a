"""The bytes of a column of texts, as they lie in Arrow's memory: what is asked of all its characters is asked once."""

from __future__ import annotations

import pyarrow as pa


def texts_end_to_end(texts: pa.Array) -> memoryview:
    """The texts, one behind the other: so they lie in Arrow's memory."""
    _, offsets, data = texts.buffers()
    if data is None:
        return memoryview(b"")
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]]
