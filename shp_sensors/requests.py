"""Runs that sensors asked for: which are under way, and when one may be asked for again.

A run that ended without doing its work (its worker never started, a database was away) leaves things as they were;
it is asked for again, at once at first, then less and less often. The runs themselves are what is remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import TypeVar

import dagster as dg

from shp_assets.kit import FeedKit

T = TypeVar("T")

LIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_AT_ONCE = 2
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 20.0, 3600.0


@dataclass
class Ended:
    """Runs for one purpose that have ended.

    Args:
        count: how many; makes the next run key a new one.
        last_at: when the last one ended, seconds since 1970.
        cancelled: whether the last one was cancelled.
    """

    count: int = 0
    last_at: float = 0.0
    cancelled: bool = False

    def note(self, record: dg.RunRecord) -> None:
        """Count a run."""
        at = record.end_time or record.update_timestamp.timestamp()
        self.count += 1
        if at >= self.last_at:
            self.last_at, self.cancelled = at, record.dagster_run.status is dg.DagsterRunStatus.CANCELED

    @property
    def may_ask_again(self) -> bool:
        """Whether the pause after so many runs is over."""
        if self.count < _AT_ONCE:
            return True
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (self.count - _AT_ONCE))
        return time.time() - self.last_at >= pause


def live(instance: dg.DagsterInstance, tag: str, **tags: str) -> set[str]:
    """The values of a tag over all runs with these tags that are queued or under way.

    Args:
        instance: which knows the runs.
        tag: the tag, such as `shp/arrival`.
        **tags: what the runs must carry, `shp/` left out.
    """
    found = instance.get_run_records(dg.RunsFilter(statuses=LIVE, tags=_full(tags)))
    return {record.dagster_run.tags[tag] for record in found if tag in record.dagster_run.tags}


def waiting_and_live(instance: dg.DagsterInstance, look: Callable[[], list[T]], tag: str, **tags: str) -> tuple[list[T], set[str]]:
    """What waits for a run, and the runs under way, so read that no run that ends meanwhile is asked for again.

    A run ends after the ledger has what it did, so the runs are read first and the ledger after them; at rest, when
    nothing waits, Dagster is not asked at all.

    Args:
        instance: which knows the runs.
        look: reads what waits from the ledger.
        tag: the tag by which runs name what they are for.
        **tags: what the runs must carry, `shp/` left out.
    """
    if not look():
        return [], set()
    under_way = live(instance, tag, **tags)
    return look(), under_way


def ended(instance: dg.DagsterInstance, tag: str, values: Iterable[str], **tags: str) -> dict[str, Ended]:
    """The runs that have ended, by the value of a tag.

    Args:
        instance: which knows the runs.
        tag: the tag, such as `shp/arrival`.
        values: the values of interest.
        **tags: what else the runs must carry, `shp/` left out.
    """
    counts = {value: Ended() for value in values}
    if counts:
        wanted = {**_full(tags), tag: list(counts)}
        for record in instance.get_run_records(dg.RunsFilter(tags=wanted)):
            if record.dagster_run.is_finished:
                counts[record.dagster_run.tags[tag]].note(record)
    return counts


def paced(
    instance: dg.DagsterInstance,
    tag: str,
    wanted: Mapping[str, T],
    ask: Callable[[T, Ended], dg.RunRequest],
    cancelled: Callable[[T], object],
    **tags: str,
) -> Iterator[dg.RunRequest]:
    """A run for each decision, at longer and longer intervals where runs for it ended without their work.

    Args:
        instance: which knows the runs.
        tag: the tag by which runs name their decision, such as `shp/arrival`.
        wanted: what is to run, by the name of the decision.
        ask: makes the request, given the runs that ended before.
        cancelled: what is done instead where a person cancelled the last run before it began.
        **tags: what else the runs carry, `shp/` left out.
    """
    before = ended(instance, tag, wanted, **tags)
    for name, one in wanted.items():
        if before[name].cancelled:
            cancelled(one)
        elif before[name].may_ask_again:
            yield ask(one, before[name])


def in_turn(feeds: Sequence[Iterator[dg.RunRequest]], limit: int) -> list[dg.RunRequest]:
    """One request of each feed, then the next of each: a feed with a thousand files does not keep the others waiting."""
    turns = (request for turn in zip_longest(*feeds) for request in turn if request is not None)
    return list(islice(turns, limit))


def new_keys(instance: dg.DagsterInstance, kit: FeedKit, requests: Iterable[dg.RunRequest]) -> Iterator[dg.AddDynamicPartitionsRequest]:
    """The keys of a feed by file that Dagster does not know yet; a request for an unknown key fails a whole tick."""
    asked = {request.partition_key for request in requests if request.tags["shp/feed"] == kit.name and request.partition_key}
    yield from add_keys(instance, kit, asked)


def add_keys(instance: dg.DagsterInstance, kit: FeedKit, keys: Collection[str]) -> Iterator[dg.AddDynamicPartitionsRequest]:
    """Those of a feed's keys that Dagster does not know yet; by period it knows them all."""
    if kit.feed.partition.by_period or not keys:
        return
    new = set(keys) - set(instance.get_dynamic_partitions(kit.dynamic_name))
    if new:
        yield dg.DynamicPartitionsDefinition(name=kit.dynamic_name).build_add_request(sorted(new))


def _full(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    return {f"shp/{name}": value for name, value in tags.items()}
