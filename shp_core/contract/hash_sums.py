"""Sums of row hashes, a batch at a time. Apart from `typed`, which the mapper's fast twin takes along and which must not need numpy."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def sum_hashes(hashes: pa.FixedSizeBinaryArray) -> int:
    """The sum of row hashes as big-endian numbers: what `sum_digests` adds up one by one, before its modulo."""
    if not len(hashes):
        return 0
    words = np.frombuffer(hashes.buffers()[1], ">u4", count=4 * (hashes.offset + len(hashes))).reshape(-1, 4)[hashes.offset :]
    sums = words.sum(axis=0, dtype=np.uint64)
    return sum(int(part) << shift for part, shift in zip(sums, (96, 64, 32, 0), strict=True))
