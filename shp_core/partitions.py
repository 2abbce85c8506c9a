"""Which partition a file is: keys from file names.

A key is made of `[A-Za-z0-9_.=-]`, under 200 characters; where that changes the name, or the key is taken by another
file, `~` and 8 hex digits of the name's hash follow.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import PurePosixPath

from shp_core.codes import Code
from shp_core.errors import Refusal
from shp_core.expectations.periods import begin_of, key_of, local_day
from shp_core.feeds.model import Feed, Partition

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
        Refusal: `no_partition`, the feed is by period and the name holds none within the feed's dates.
    """
    return key_of(_period(feed, name)) if feed.partition.by_period else file_key(name)


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


def _period(feed: Feed, name: str) -> date | datetime:
    """The first day of the period in a file's name, by hour its first instant."""
    spec = feed.partition
    match = re.search(spec.pattern, name)
    text = match.group("date") if match else None
    if text is None:
        raise Refusal(Code.NO_PARTITION, f"The file's name holds no date of the form {spec.pattern!r}.")
    try:
        moment = datetime.strptime(text, spec.form)
    except ValueError:
        raise Refusal(Code.NO_PARTITION, f"{text!r} in the file's name is not a date of the form {spec.form}.") from None
    begin = _hour(spec, moment, text) if spec.by == "hour" else begin_of(spec.by, moment.date())
    if spec.start is not None and local_day(spec, begin) < spec.start:
        raise Refusal(Code.NO_PARTITION, f"{key_of(begin)} in the file's name lies before {spec.start}, where the feed starts.")
    return begin


def _hour(spec: Partition, moment: datetime, text: str) -> datetime:
    """The hour that a name spells in the feed's time zone, or by its own offset."""
    if moment.tzinfo is not None:
        return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first, second = (moment.replace(tzinfo=spec.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        words = f"{text!r} in the file's name comes twice or never in {spec.timezone}; write the offset too (%z in `format`)."
        raise Refusal(Code.NO_PARTITION, words)
    return first.replace(minute=0, second=0, microsecond=0)
