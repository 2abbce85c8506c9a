"""What a failure is counted under: the outside system that fails, or what is wrong with a feed's deliveries.

Lives here: the names of causes and of breakers. Budgets count by cause, an incident has one cause, a breaker's name is one.
Must not live here: what is done about a cause (`decide`).
"""

from __future__ import annotations

from shp_core.codes import Code
from shp_core.healing.faults import Evidence, FaultKind

GUARDED = frozenset({"warehouse", "store", "hdfs", "yarn", "lake"})
"""Outside systems that have a breaker; `lake` is a local folder that stands in for HDFS.

The ledger has none: where it is away, nobody could look at it.
"""

SOURCES = frozenset({"http", "s3", "sftp", "webhdfs"})
"""Kinds of remote sources: each place of a kind (`http@files.example.com`) is a system of its own, with its own breaker."""

_OF_ONE_FEED = frozenset({"42501", "3F000"})
"""SQLSTATEs that speak of one feed's tables, not of the whole database."""

_OF_A_SYSTEM = (FaultKind.SINK_DOWN, FaultKind.SINK_REFUSED, FaultKind.SOURCE_DOWN)


def kind_of(system: str) -> str:
    """The kind of an outside system: what stands before the place of a remote source, else the system itself."""
    return system.partition("@")[0]


def is_source(system: str) -> bool:
    """Whether an outside system, or a breaker of that name, is a remote source."""
    return "@" in system and kind_of(system) in SOURCES


def breaker_name(system: str, feed: str, evidence: Evidence | None = None) -> str | None:
    """The breaker that a failure is about, None where there is none.

    Args:
        system: outside system.
        feed: feed whose call failed.
        evidence: what was seen; says whether only this feed is concerned.
    """
    if is_source(system):
        return system
    if system not in GUARDED:
        return None
    return f"{system}/{feed}" if evidence and evidence.sqlstate in _OF_ONE_FEED else system


def breaker_names(system: str, feed: str) -> tuple[str, ...]:
    """Every breaker that stands before a feed's calls of a system."""
    if is_source(system):
        return (system,)
    return (system, f"{system}/{feed}") if system in GUARDED else ()


def passing(system: str) -> str:
    """The cause of passing failures of a system; they are counted apart from its outages."""
    return f"transient/{system}"


def cause_of(code: Code, feed: str, evidence: Evidence | None) -> str:
    """The cause of a failure.

    Args:
        code: what it is called.
        feed: feed.
        evidence: what was seen; of an open breaker, its name as `text`.
    """
    if evidence is None:
        return f"{code}/{feed}"
    if code is Code.BREAKER_OPEN:
        return evidence.text
    if code.info.kind in _OF_A_SYSTEM:
        return breaker_name(evidence.system, feed, evidence) or evidence.system
    if code is Code.TRANSIENT:
        return passing(evidence.system)
    return f"{code}/{feed}"
