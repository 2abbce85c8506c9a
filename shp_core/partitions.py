"""Which partition a file is: keys from file names.

A key is made of `[A-Za-z0-9_.=-]`, under 200 characters; where that changes the name, or the key is taken by another
file, `~` and 8 hex digits of the name's hash follow.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from hashlib import sha256
from pathlib import PurePosixPath

from shp_core.codes import Code
from shp_core.errors import Refusal
from shp_core.feeds.model import Feed

MAX_KEY = 199
_UNSAFE = re.compile(r"[^A-Za-z0-9_.=-]+|\.{2,}")  # Dagster writes a range of keys as `a...b`
_DIGITS = 8
UNPLACED = "unplaced"
"""What stands before the hash in the key of a file that no partition could be found for."""


def partition_key(feed: Feed, name: str) -> str:
    """The partition that a file name stands for.

    Args:
        feed: the feed.
        name: file name without folders; bytes that are not UTF-8 come as lone surrogates.

    Raises:
        Refusal: `no_partition`, the feed is by day and the name holds no day within the feed's dates.
    """
    return file_key(name) if feed.partition.by == "file" else _day(feed, name).isoformat()


def file_key(name: str, *, taken: bool = False) -> str:
    """The key of a file in a feed by file.

    Args:
        name: file name.
        taken: whether another file owns the plain key.
    """
    stem = PurePosixPath(name).stem
    safe = _UNSAFE.sub("_", stem).strip(".")
    if safe and safe == stem and len(safe) <= MAX_KEY and not taken:
        return safe
    return with_hash(safe, name)


def with_hash(key: str, name: str) -> str:
    """A key made one of a kind by the hash of the file's name."""
    digest = sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    return f"{key[: MAX_KEY - _DIGITS - 1] or 'file'}~{digest}"


def unplaced_key(name: str) -> str:
    """Under what a file is held for which no partition could be found."""
    return with_hash(UNPLACED, name)


def _day(feed: Feed, name: str) -> date:
    match = re.search(feed.partition.from_, name)
    text = match.group("date") if match else None
    if text is None:
        raise Refusal(Code.NO_PARTITION, f"The file's name holds no date of the form {feed.partition.from_!r}.")
    try:
        day = datetime.strptime(text, feed.partition.format).date()
    except ValueError:
        raise Refusal(Code.NO_PARTITION, f"{text!r} in the file's name is not a date of the form {feed.partition.format}.") from None
    if feed.partition.start is not None and day < feed.partition.start:
        raise Refusal(Code.NO_PARTITION, f"{day} in the file's name lies before {feed.partition.start}, where the feed starts.")
    return day
