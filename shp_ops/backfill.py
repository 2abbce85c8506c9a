"""`shp backfill`: what a feed's sinks do not hold, why, how long it takes, and the one backfill that fills it.

Must not live here: which partitions those are (`shp_assets.gaps`), and the runs (the daemon of a started platform).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shp_core.errors import UsageError
from shp_core.feeds.model import Feed
from shp_core.gaps import Why
from shp_core.progress import Progress
from shp_core.states import State
from shp_ops.installation import catalogue_of, looked_at, opened, require_feed
from shp_resources.run_coordinator import WAITING_AT_ONCE
from shp_resources.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from shp_assets.gaps import Gap
    from shp_assets.kit import FeedKit
    from shp_resources.outside import Outside

BY_HAND = "command"
_DONE = "COMPLETED_SUCCESS"
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Wanted:
    """What a person asks for.

    Args:
        first: the first partition key; None: from the beginning.
        last: the last partition key; None: to the end.
        stale: also what was published under another contract or converter.
    """

    first: str | None = None
    last: str | None = None
    stale: bool = False

    def has(self, partition: str) -> bool:
        """Whether a partition lies between the two keys."""
        return (self.first is None or self.first <= partition) and (self.last is None or partition <= self.last)


@dataclass(frozen=True)
class Plan:
    """What would run, or runs.

    Args:
        feed: feed.
        items: partition, sinks and reason of each, oldest arrival first.
        seconds: about how long it takes; None where nothing was ever published.
        backfill: the backfill's id, None while it is only a plan.
        behind: how many other partitions only the lake lacks; they are brought there without being asked for.
    """

    feed: str
    items: Sequence[dict[str, Any]]
    seconds: float | None
    backfill: str | None = None
    behind: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The document that programs rely on."""
        return {"feed": self.feed, "plan": list(self.items), "seconds": self.seconds, "backfill": self.backfill, "behind": self.behind}


def planned(settings: Settings, feed: str, wanted: Wanted) -> Plan:
    """What a backfill would do; nothing is changed.

    Args:
        settings: the installation.
        feed: feed.
        wanted: what is asked for.

    Raises:
        UsageError: there is no such feed, or no installation.
        Fault: a sink cannot be asked.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    with looked_at(settings) as found:
        from shp_resources.outside import outside_of

        outside = outside_of(found)
        kit, gaps = _gaps(outside, model, wanted)
        return _plan(outside, kit, gaps, wanted)


def launched(settings: Settings, feed: str, wanted: Wanted) -> Plan:
    """Put the backfill on record; a started platform runs it, below live data.

    Args:
        settings: the installation.
        feed: feed.
        wanted: what is asked for.

    Raises:
        UsageError: there is no such feed, or a backfill of it is under way.
        Fault: a sink cannot be asked.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    with opened(settings) as outside:
        kit, gaps = _gaps(outside, model, wanted)
        plan = _plan(outside, kit, gaps, wanted)
        return replace(plan, backfill=_launch(outside, kit, gaps)) if gaps else plan


@dataclass(frozen=True)
class Followed:
    """How a backfill gets on.

    Args:
        progress: runs that ended, of those that are to be.
        status: Dagster's word for it, such as `COMPLETED_SUCCESS`.
    """

    progress: Progress
    status: str

    @property
    def is_over(self) -> bool:
        """Whether nothing of it will run any more."""
        return self.status not in ("REQUESTED", "CANCELING", "FAILING", "COMPLETED")

    @property
    def is_done(self) -> bool:
        """Whether all of it ran to its end."""
        return self.status == _DONE


def require_platform(settings: Settings) -> None:
    """Refuse to wait for what nobody will do.

    Raises:
        UsageError: no platform runs on this installation.
    """
    from shp_ops.supervisor.layout import Layout
    from shp_ops.supervisor.state import PlatformState

    state = PlatformState.load(Layout(settings.home).state)
    if state is None or state.process is None:
        raise UsageError("No platform runs here, so a backfill would not get on.", "Start it with shp up, or leave out --wait.")


def follow(settings: Settings, plan: Plan) -> Iterator[Followed]:
    """How a launched backfill gets on, twice a second until it is over.

    Args:
        settings: the installation.
        plan: as launched.
    """
    with opened(settings):
        import dagster as dg

        with dg.DagsterInstance.get() as instance:
            while True:
                seen = _followed(instance, plan)
                yield seen
                if seen.is_over:
                    return
                time.sleep(_LOOK_SECONDS)


def _followed(instance: dg.DagsterInstance, plan: Plan) -> Followed:
    import dagster as dg

    found = instance.get_backfill(str(plan.backfill))
    over = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    ended = instance.get_runs_count(dg.RunsFilter(tags={"dagster/backfill": str(plan.backfill)}, statuses=over))
    status = found.status.value if found else "FAILED"
    done = len(plan.items) if status == _DONE else min(ended, len(plan.items))
    return Followed(Progress(done, len(plan.items)), status)


def _gaps(outside: Outside, model: Feed, wanted: Wanted) -> tuple[FeedKit, list[Gap]]:
    """Everything in one list, each partition once, oldest arrival first."""
    from shp_assets import gaps
    from shp_assets.kit import FeedKit

    kit = FeedKit(model)
    found = [
        *gaps.find_gaps(outside, kit, outside.ledger.publications.published(kit.name)),
        *gaps.held_back(outside, kit),
        *(gaps.stale(outside, kit) if wanted.stale else []),
    ]
    once = {item.partition: item for item in reversed(found) if wanted.has(item.partition)}
    return kit, sorted(once.values(), key=lambda item: item.arrival)


def _plan(outside: Outside, kit: FeedKit, gaps: Sequence[Gap], wanted: Wanted) -> Plan:
    usual = outside.ledger.attempts.usual_seconds(kit.name)
    items = [{"partition": item.partition, "sinks": list(item.sinks), "why": _why(item)} for item in gaps]
    seconds = None if usual is None else round(usual * len(items) / WAITING_AT_ONCE, 1)
    planned = {item.partition for item in gaps}
    parked = outside.ledger.partitions.list(kit.name, {State.PARKED})
    behind = [item for item in parked if item.behind is not None and wanted.has(item.partition) and item.partition not in planned]
    return Plan(kit.name, items, seconds, behind=len(behind))


def _why(item: Gap) -> str:
    return f"{item.why}: {item.code}" if item.why is Why.HELD else str(item.why)


def _launch(outside: Outside, kit: FeedKit, gaps: Sequence[Gap]) -> str:
    import dagster as dg

    from shp_assets import backfill
    from shp_assets.gaps import note_gaps

    with dg.DagsterInstance.get() as instance:
        running = backfill.under_way(instance, kit)
        if running is not None:
            words = f"Backfill {running} of {kit.name} is under way."
            raise UsageError(words, "Wait for it, or look at it on the Backfills page of the UI (shp status tells its address).")
        note_gaps(outside, kit, [item for item in gaps if item.why not in (Why.HELD, Why.STALE)])
        keys = [item.partition for item in gaps]
        return backfill.launch(instance, kit, keys, BY_HAND, outside.clock.now().timestamp())
