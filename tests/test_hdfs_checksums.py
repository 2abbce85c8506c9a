"""HDFS's checksum as it is computed while a file is sent: the very bytes that a real one told, and no other."""

from __future__ import annotations

import random

import pytest

from shp_resources.hdfs.checksums import Sent

CONTENT = random.Random(6).randbytes(5000)
BLOCK = 1 << 20
ONE_BLOCK = {"algorithm": "MD5-of-0MD5-of-512CRC32", "bytes": "000002000000000000000000c88e1164ce1d059b1d7688b04b95af2800000000"}
"""What HDFS 3.5.0 said of `CONTENT`; files of many blocks are asked of a real one (test_hadoop_hdfs)."""


def sent(content: bytes, piece: int = 700) -> Sent:
    """What is remembered of content that was sent in pieces."""
    made = Sent()
    for start in range(0, len(content), piece):
        made.update(content[start : start + piece])
    return made


@pytest.mark.parametrize("piece", [1, 511, 512, 513, 5000])
def test_it_is_what_hdfs_told(piece: int) -> None:
    """Every file would be called damaged, or read back for nothing."""
    made = sent(CONTENT, piece)
    assert made.size == len(CONTENT)
    assert made.is_told_by(ONE_BLOCK, BLOCK) is True


@pytest.mark.parametrize("place", [0, 511, 512, 4999])
def test_one_other_byte_is_seen(place: int) -> None:
    """A damaged file would be published."""
    other = bytearray(CONTENT)
    other[place] ^= 1
    assert sent(bytes(other)).is_told_by(ONE_BLOCK, BLOCK) is False
    assert sent(CONTENT[:-1]).is_told_by(ONE_BLOCK, BLOCK) is False


@pytest.mark.parametrize("algorithm", ["MD5-of-0MD5-of-512CRC32C", "MD5-of-0MD5-of-4096CRC32", "COMPOSITE-CRC32C"])
def test_other_kinds_of_checksums_are_not_judged(algorithm: str) -> None:
    """Nothing could be published on a cluster with other settings."""
    assert sent(CONTENT).is_told_by({**ONE_BLOCK, "algorithm": algorithm}, BLOCK) is None
