"""Faults on purpose, to rehearse what happens then: off unless `SHP_FAULTS` asks for them.

    SHP_FAULTS="warehouse:reset:rate=0.3:seed=7; store:full:count=2; warehouse/sales:refused"

A rule names a target (`system` or `system/feed`), what happens, and how often: `rate` (a share of the calls, drawn by
`seed`, feed, partition and attempt, so that a rehearsal can be repeated) or `count` (the first so many, over all
processes of a home). Without either it happens at every call.
Must not live here: what the platform does about a fault.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence

T = TypeVar("T")

_REHEARSED = "rehearsed by SHP_FAULTS"
_EVIDENCE: dict[str, dict[str, Evidence]] = {
    "warehouse": {
        "reset": Evidence("warehouse", sqlstate="08006", text=_REHEARSED),
        "timeout": Evidence("warehouse", sqlstate="57014", text=_REHEARSED),
        "down": Evidence("warehouse", sqlstate="08001", text=_REHEARSED),
        "refused": Evidence("warehouse", sqlstate="42501", text=_REHEARSED),
        "full": Evidence("warehouse", sqlstate="53100", text=_REHEARSED),
    },
    "store": {
        "reset": Evidence("store", errno=errno.EIO, text=_REHEARSED),
        "timeout": Evidence("store", errno=errno.ETIMEDOUT, text=_REHEARSED),
        "refused": Evidence("store", errno=errno.EACCES, text=_REHEARSED),
        "full": Evidence("store", errno=errno.ENOSPC, text=_REHEARSED),
    },
    "hdfs": {
        "reset": Evidence("hdfs", errno=errno.ECONNRESET, text=_REHEARSED),
        "timeout": Evidence("hdfs", errno=errno.ETIMEDOUT, text=_REHEARSED),
        "down": Evidence("hdfs", errno=errno.ECONNREFUSED, text=_REHEARSED),
        "refused": Evidence("hdfs", http_status=403, text=_REHEARSED),
        "full": Evidence("hdfs", errno=errno.EDQUOT, text=_REHEARSED),
    },
    "yarn": {
        "reset": Evidence("yarn", errno=errno.ECONNRESET, text=_REHEARSED),
        "timeout": Evidence("yarn", errno=errno.ETIMEDOUT, text=_REHEARSED),
        "down": Evidence("yarn", errno=errno.ECONNREFUSED, text=_REHEARSED),
        "refused": Evidence("yarn", http_status=403, text=_REHEARSED),
    },
    "lake": {
        "reset": Evidence("lake", errno=errno.EIO, text=_REHEARSED),
        "timeout": Evidence("lake", errno=errno.ETIMEDOUT, text=_REHEARSED),
        "refused": Evidence("lake", errno=errno.EACCES, text=_REHEARSED),
        "full": Evidence("lake", errno=errno.ENOSPC, text=_REHEARSED),
    },
}
_ELSEWHERE = ("crash", "lost_answer")
_HELP = "Write it as system[/feed]:what[:rate=0.3][:count=5][:seed=1]; several are separated by semicolons."


@dataclass(frozen=True)
class Rule:
    """One kind of fault that is rehearsed.

    Args:
        system: outside system whose calls it hits.
        what: what happens (`reset`, `down`, `refused`, `full`, `timeout`, `crash`, `lost_answer`).
        feed: only this feed's calls, None: all.
        rate: which share of the calls, from 0 to 1.
        count: at most so many, None: without end.
        seed: draws another share.
    """

    system: str
    what: str
    feed: str | None = None
    rate: float = 1.0
    count: int | None = None
    seed: int = 0

    def meets(self, system: str, feed: str, key: str, nth: int) -> bool:
        """Whether the nth call under a key is hit, `count` aside."""
        if system != self.system or self.feed not in (None, feed):
            return False
        digest = sha256(f"{self.seed}|{self.what}|{system}|{feed}|{key}|{nth}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64 < self.rate


@dataclass(frozen=True)
class Rehearsal:
    """The rules in force; without any, calls are made as they are.

    Args:
        rules: the rules.
        folder: where `count` is kept for all processes; made when it is needed.
    """

    rules: tuple[Rule, ...] = ()
    folder: Path = Path("faults")
    _calls: Counter[str] = field(default_factory=Counter)

    def around(self, system: str, feed: str, key: str, do: Callable[[], T]) -> T:
        """Make a call, or let it fail, or both.

        Args:
            system: outside system that is called.
            feed: for which feed.
            key: partition and attempt.
            do: the call.

        Raises:
            Fault: a rule hit.
        """
        found = self._rule(system, feed, key) if self.rules else None
        if found is None:
            return do()
        if found.what == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if found.what == "lost_answer":
            do()
        raise _fault(found)

    def _rule(self, system: str, feed: str, key: str) -> Rule | None:
        place = f"{system}|{feed}|{key}"
        self._calls[place] += 1
        for number, rule in enumerate(self.rules):
            if rule.meets(system, feed, key, self._calls[place]) and self._left(number, rule):
                return rule
        return None

    def _left(self, number: int, rule: Rule) -> bool:
        """Take one of a rule's faults: a byte in a file is one that happened, whichever process it hit."""
        if rule.count is None:
            return True
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / f"{number}-{rule.system}-{rule.what}", os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
        try:
            os.write(handle, b".")
            return os.lseek(handle, 0, os.SEEK_CUR) <= rule.count
        finally:
            os.close(handle)


def parse(text: str, folder: Path) -> Rehearsal:
    """The rehearsal that `SHP_FAULTS` asks for.

    Args:
        text: its value.
        folder: where counts are kept.

    Raises:
        UsageError: it cannot be read.
    """
    return Rehearsal(tuple(_parse(part.strip()) for part in text.split(";") if part.strip()), folder)


def _parse(text: str) -> Rule:
    target, _, rest = text.partition(":")
    what, *options = rest.split(":")
    system, _, feed = target.partition("/")
    if what not in (*_EVIDENCE.get(system, ()), *_ELSEWHERE) or system not in _EVIDENCE:
        known = "; ".join(f"{name}: {', '.join((*kinds, *_ELSEWHERE))}" for name, kinds in _EVIDENCE.items())
        raise UsageError(f"SHP_FAULTS: {text!r} is no fault that can be rehearsed ({known}).", _HELP, Code.SETTINGS_INVALID)
    try:
        given = dict(option.split("=", 1) for option in options)
        rate, seed = float(given.pop("rate", 1.0)), int(given.pop("seed", 0))
        count = int(given.pop("count")) if "count" in given else None
    except ValueError as error:
        raise UsageError(f"SHP_FAULTS: {text!r} cannot be read.", _HELP, Code.SETTINGS_INVALID) from error
    if given:
        raise UsageError(f"SHP_FAULTS: {text!r} has {', '.join(given)}.", _HELP, Code.SETTINGS_INVALID)
    return Rule(system, what, feed or None, rate, count, seed)


def _fault(rule: Rule) -> Fault:
    evidence = _EVIDENCE[rule.system]["reset" if rule.what == "lost_answer" else rule.what]
    return Fault(classify(evidence), f"{rule.system}: {rule.what}, {_REHEARSED}.", evidence)
