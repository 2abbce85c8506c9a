"""HDFS's own checksum of a file, computed here while the file is sent, so that nothing has to be read back.

HDFS keeps a CRC of every 512 bytes. They are made of the bytes that arrived, and every later read is held to them; what
WebHDFS tells of a file is the MD5 of the MD5s of each block's CRCs. Only the polynomial of gzip is computed here: Castagnoli's,
which Hadoop takes unless `dfs.checksum.type` says otherwise, is not to be had fast without another dependency.
"""

from __future__ import annotations

import sys
from array import array
from hashlib import md5
from typing import Any

from isal.isal_zlib import crc32

_PIECE = 512
_ALGORITHM = "MD5-of-{blocks}MD5-of-512CRC32"
_LEAST_BUFFER = 32


class Sent:
    """What was sent: its length, and a CRC of every 512 bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._crcs = array("I")
        self._rest = b""

    def update(self, piece: bytes) -> None:
        """Go on with the next bytes."""
        self.size += len(piece)
        view = memoryview(self._rest + piece if self._rest else piece)
        whole = len(view) - len(view) % _PIECE
        self._crcs.extend([crc32(view[start : start + _PIECE]) for start in range(0, whole, _PIECE)])
        self._rest = bytes(view[whole:])

    def is_told_by(self, told: dict[str, Any], block_size: int) -> bool | None:
        """Whether a checksum is that of what was sent; None when it is of a kind that cannot be computed here.

        Args:
            told: what WebHDFS says: `algorithm`, `bytes` in hexadecimal digits.
            block_size: of the file in HDFS, bytes.
        """
        per_block = block_size // _PIECE
        blocks = -(-self.size // block_size)
        if block_size % _PIECE or told["algorithm"] != _ALGORITHM.format(blocks=per_block if blocks > 1 else 0):
            return None
        found = bytes.fromhex(told["bytes"])[12:28]  # before it: bytes of a piece, pieces of a block
        return found == self._digest(per_block)

    def _digest(self, per_block: int) -> bytes:
        crcs = array("I", self._crcs)
        if self._rest:
            crcs.append(crc32(self._rest))
        if sys.byteorder == "little":
            crcs.byteswap()
        blocks = [md5(crcs[start : start + per_block], usedforsecurity=False).digest() for start in range(0, len(crcs), per_block)]
        return md5(_padded(b"".join(blocks)), usedforsecurity=False).digest()


def _padded(digests: bytes) -> bytes:
    """Hadoop digests the whole buffer that it wrote the blocks' digests into: 32 bytes, doubled as often as needed."""
    size = _LEAST_BUFFER
    while size < len(digests):
        size *= 2
    return digests.ljust(size, b"\0")
