"""The story: start the platform in a home of its own, drop the samples, watch them arrive in tables, prove it, stop."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from shp_assets.build import build_kits
from shp_assets.kit import FeedKit
from shp_assets.steps import SINK
from shp_core.feeds.load import load_catalogue
from shp_core.partitions import partition_key
from shp_ops.bundle_files import bundled
from shp_ops.demo.home import claim
from shp_ops.demo.proof import Line, prove
from shp_ops.demo.watch import Dropped, Sight, look, watch
from shp_ops.hadoop.machine import HadoopMachine
from shp_ops.supervisor.platform import Platform
from shp_ops.views import displaced_rows
from shp_resources.outside import Outside, outside_of
from shp_resources.settings import Settings

PATIENCE_SECONDS = 300.0
_MART_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """What the demo shows at its end.

    Args:
        files: every file with where it ended.
        loaded_now: the files that were loaded by this run of the demo.
        seconds: for each of those, from its arrival to its publication.
        lines: the proof.
        marts: each mart with whether it has read every publication.
        lake: what kind of place the lake is.
    """

    files: Mapping[Dropped, Sight]
    loaded_now: frozenset[Dropped]
    seconds: Mapping[Dropped, float]
    lines: list[Line]
    marts: Mapping[str, bool]
    lake: str = ""

    @property
    def proven(self) -> bool:
        """Whether every comparison agrees (and there is one), every file is published, and every mart has read all."""
        published = all(sight.published for sight in self.files.values())
        return bool(self.lines) and all(line.equal for line in self.lines) and published and all(self.marts.values())


def play(
    settings: Settings,
    say: Callable[[str], None],
    on_sight: Callable[[Mapping[Dropped, Sight]], None],
    on_files: Callable[[list[Dropped]], None],
    *,
    hadoop: bool = False,
) -> Outcome:
    """Play the story.

    Args:
        settings: made by `demo_settings`.
        say: takes a line for people.
        on_sight: told where the files are, twice a second.
        on_files: told the files before they are watched.
        hadoop: whether HDFS, YARN and Hive run for it, instead of a local folder and a process.

    Raises:
        UsageError: the home is somebody's, or this machine cannot run a Hadoop.
        ShpError: something did not start or end in time.
    """
    claim(settings)
    machine = HadoopMachine(settings, with_hive=True) if hadoop else None
    catalogue = load_catalogue(settings.feeds, settings.marts).require_sound()
    kits = build_kits(catalogue)
    with Platform(settings, tell=say, hadoop=machine).running() as platform:
        say(f"The platform is up: {platform.ui_url}")
        outside = outside_of(settings, pooled=True)
        files = list(_drop(settings, _by_file(kits) if hadoop else kits))
        on_files(files)
        before = {file for file, sight in look(outside.ledger, files).items() if sight.published}
        sights = _as_they_are_now(settings, kits, watch(outside.ledger, files, PATIENCE_SECONDS, on_sight))
        now = frozenset(set(files) - before)
        marts = {name: _mart_is_current(outside, name) for name in catalogue.marts}
        lines = [line for kit in kits.values() for line in _prove(outside, kit, sights)]
        seconds = {file: _seconds(outside, file) for file in now}
        outside.ledger.close()
        place = outside.lake.label
    return Outcome(sights, now, seconds, lines, marts, place)


def _by_file(kits: Mapping[str, FeedKit]) -> dict[str, FeedKit]:
    """Some of the feeds: on a cluster of one machine each partition costs a job of ten seconds."""
    return {name: kit for name, kit in kits.items() if not kit.feed.partition.by_period}


def _drop(settings: Settings, kits: Mapping[str, FeedKit]) -> Iterator[Dropped]:
    """Copy the samples into the landing folders, as a careful sender does: aside, then renamed."""
    for feed, kit in kits.items():
        for sample in sorted((bundled("samples") / feed).glob("*.xlsx")):
            place = settings.landing / feed / sample.name
            if not place.exists() or place.read_bytes() != sample.read_bytes():
                draft = place.with_name(f".{sample.name}.draft")
                shutil.copyfile(sample, draft)
                draft.replace(place)
            yield Dropped(feed, place, partition_key(kit.feed, sample.name))


def _as_they_are_now(settings: Settings, kits: Mapping[str, FeedKit], sights: Mapping[Dropped, Sight]) -> dict[Dropped, Sight]:
    """The files with the counts of this moment: a partition published later may have displaced rows of an earlier one."""
    displaced = {name: displaced_rows(settings, kit.feed) for name, kit in kits.items()}
    return {file: sight.with_displaced(displaced[file.feed].get(file.partition, 0)) for file, sight in sights.items()}


def _prove(outside: Outside, kit: FeedKit, sights: Mapping[Dropped, Sight]) -> list[Line]:
    files = {file: sight for file, sight in sights.items() if file.feed == kit.name}
    return prove(outside, kit, files) if files else []


def _mart_is_current(outside: Outside, mart: str) -> bool:
    """Wait until the mart has read every publication."""
    until = time.monotonic() + _MART_SECONDS
    while time.monotonic() < until:
        if outside.ledger.publications.mart_watermark(mart) >= outside.ledger.publications.newest(sink=SINK):
            return True
        time.sleep(0.5)
    return False


def _seconds(outside: Outside, file: Dropped) -> float:
    """From the newest arrival to the publication of a file."""
    arrival = outside.ledger.arrivals.current(*file.key)
    record = outside.ledger.partitions.get(*file.key)
    return (record.updated_at - arrival.at).total_seconds() if arrival and record else 0.0
