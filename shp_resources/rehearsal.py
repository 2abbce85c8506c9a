"""Faults on purpose, to rehearse what happens then: off unless `SHP_FAULTS` asks for them.

    SHP_FAULTS="warehouse:reset:rate=0.3:seed=7; store:full:count=2; validated/sales/november:memory:nth=1"
    SHP_FAULTS="source/sales:timeout:rate=0.5; s3@inbox:limited:count=3"
    SHP_FAULTS=@faults.txt

A rule names a target (a system whose calls it hits, or an asset; then maybe a feed and a partition of it), what happens,
and how often: `rate` (a share of the calls, drawn by `seed`, feed, partition and attempt, so that a rehearsal can be
repeated), `count` (the first so many, over all processes of a home) or `nth` (that call of an attempt). Without any it
happens at every call. Must not live here: what the faults look like (`rehearsed`), what the platform does about them.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_core.healing.cause import is_source, kind_of
from shp_resources.rehearsed import ANY_SOURCE, KINDS, failure

T = TypeVar("T")

_HELP = "Write it as system[/feed[/partition]]:what[:rate=0.3][:count=5][:nth=2][:seed=1]; several are separated by semicolons."
_NOTHING_COMES = ("look", "probe")
"""Calls of a source that bring no bytes, so none can be damaged."""

_NUMBERS: dict[str, Callable[[str], Any]] = {"rate": float, "seed": int, "count": int, "nth": int}


@dataclass(frozen=True)
class Rule:
    """One kind of fault that is rehearsed.

    Args:
        system: outside system whose calls it hits, or the layer of an asset that it hits.
        what: what happens (`KINDS`).
        feed: only this feed's calls, None: all.
        rate: which share of the calls, from 0 to 1.
        count: at most so many, None: without end.
        seed: draws another share.
        partition: only this partition's calls, None: all.
        nth: only this call of an attempt, counted from 1, None: all.
    """

    system: str
    what: str
    feed: str | None = None
    rate: float = 1.0
    count: int | None = None
    seed: int = 0
    partition: str | None = None
    nth: int | None = None

    def meets(self, system: str, feed: str, key: str, nth: int) -> bool:
        """Whether the nth call under a key is hit, `count` aside."""
        if not self._names(system) or self.feed not in (None, feed) or self.nth not in (None, nth):
            return False
        if self.what == "corruption" and is_source(system) and key in _NOTHING_COMES:
            return False
        if self.partition not in (None, key.rpartition("/")[0]):
            return False
        digest = sha256(f"{self.seed}|{self.what}|{system}|{feed}|{key}|{nth}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64 < self.rate

    def _names(self, system: str) -> bool:
        """Whether the target is this system; of a remote source also its kind, its place with or without the port, or any."""
        if not is_source(system):
            return system == self.system
        return self.system in (system, system.rpartition(":")[0], kind_of(system), ANY_SOURCE)


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
            system: outside system that is called, or the layer of the asset that is made.
            feed: for which feed.
            key: partition and attempt.
            do: the call.

        Raises:
            Fault: a rule hit; of a reading process it may be a `Refusal`, of an asset a `MemoryError`.
        """
        found = self._rule(system, feed, key) if self.rules else None
        if found is None:
            return do()
        if found.what == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if found.what == "lost_answer":
            do()
        raise failure(system, found.what)

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
        text: its value: rules, or `@` and the name of a file with a rule on each line.
        folder: where counts are kept.

    Raises:
        UsageError: it cannot be read.
    """
    lines = [line.partition("#")[0] for line in _listed(text).splitlines()]
    parts = [part.strip() for line in lines for part in line.split(";")]
    return Rehearsal(tuple(_parse(part) for part in parts if part), folder)


def _listed(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"SHP_FAULTS: {text[1:]!r} cannot be read ({error}).", _HELP, Code.SETTINGS_INVALID) from error


def _parse(text: str) -> Rule:
    target, _, rest = text.partition(":")
    what, *options = rest.split(":")
    system, *place = target.split("/")
    kind = kind_of(system) if is_source(system) else system
    if what not in KINDS.get(kind, ()) or len(place) > 2:
        known = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in KINDS.items())
        raise UsageError(f"SHP_FAULTS: {text!r} is no fault that can be rehearsed ({known}).", _HELP, Code.SETTINGS_INVALID)
    try:
        given = dict(option.split("=", 1) for option in options)
        numbers = {name: _NUMBERS[name](value) for name, value in given.items()}
    except (KeyError, ValueError) as error:
        raise UsageError(f"SHP_FAULTS: {text!r} cannot be read.", _HELP, Code.SETTINGS_INVALID) from error
    feed, partition = (*place, None, None)[:2]
    return Rule(system, what, feed, partition=partition, **numbers)
