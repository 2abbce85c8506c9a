"""The story: start the platform in a home of its own, drop the samples, watch them arrive in tables, prove it, stop."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shp_assets.build import build_kits
from shp_assets.kit import FeedKit
from shp_core.feeds.load import load_catalogue
from shp_core.partitions import partition_key
from shp_ops.bundle_files import bundled
from shp_ops.demo.proof import Line, prove
from shp_ops.demo.watch import Dropped, Sight, look, watch
from shp_ops.supervisor.platform import Platform
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
    """

    files: Mapping[Dropped, Sight]
    loaded_now: frozenset[Dropped]
    seconds: Mapping[Dropped, float]
    lines: list[Line]
    marts: Mapping[str, bool]

    @property
    def proven(self) -> bool:
        """Whether every comparison agrees (and there is one), and every file is published."""
        published = all(sight.record is not None and sight.record.state.is_published for sight in self.files.values())
        return bool(self.lines) and all(line.equal for line in self.lines) and published


def demo_settings(settings: Settings, home: Path | None) -> Settings:
    """Settings of the demo: a home of its own with its own embedded server, whatever is configured."""
    place = home or settings.base / "var" / "demo"
    return Settings(settings.base, place, bundled("feeds"), place / "landing", place / "store")


def play(
    settings: Settings,
    say: Callable[[str], None],
    on_sight: Callable[[Mapping[Dropped, Sight]], None],
    on_files: Callable[[list[Dropped]], None],
) -> Outcome:
    """Play the story.

    Args:
        settings: made by `demo_settings`.
        say: takes a line for people.
        on_sight: told where the files are, twice a second.
        on_files: told the files before they are watched.
    """
    catalogue = load_catalogue(settings.feeds, settings.marts).require_sound()
    kits = build_kits(catalogue)
    with Platform(settings, tell=say).running() as platform:
        say(f"The platform is up: {platform.ui_url}")
        outside = outside_of(settings, pooled=True)
        files = list(_drop(settings, kits))
        on_files(files)
        before = {file for file, sight in look(outside.ledger, files).items() if sight.record and sight.record.state.is_published}
        sights = watch(outside.ledger, files, PATIENCE_SECONDS, on_sight)
        now = frozenset(set(files) - before)
        marts = {name: _mart_is_current(outside, name) for name in catalogue.marts}
        lines = [line for kit in kits.values() for line in _prove(outside, kit, sights, settings)]
        seconds = {file: _seconds(outside, file) for file in now}
        outside.ledger.close()
    return Outcome(sights, now, seconds, lines, marts)


def _drop(settings: Settings, kits: Mapping[str, FeedKit]) -> Iterator[Dropped]:
    """Copy the samples into the landing folders, as a careful sender does: aside, then renamed."""
    for feed, kit in kits.items():
        for sample in sorted((bundled("samples") / feed).glob("*.xlsx")):
            place = settings.landing / feed / sample.name
            if not place.exists() or place.read_bytes() != sample.read_bytes():
                draft = place.with_name(f".{sample.name}.draft")
                shutil.copyfile(sample, draft)
                draft.replace(place)
            yield Dropped(feed, sample.name, partition_key(kit.feed, sample.name))


def _prove(outside: Outside, kit: FeedKit, sights: Mapping[Dropped, Sight], settings: Settings) -> list[Line]:
    files = {file: sight for file, sight in sights.items() if file.feed == kit.name}
    return prove(outside, kit, files, settings.landing / kit.name) if files else []


def _mart_is_current(outside: Outside, mart: str) -> bool:
    """Wait until the mart has read every publication."""
    until = time.monotonic() + _MART_SECONDS
    while time.monotonic() < until:
        if outside.ledger.publications.mart_watermark(mart) >= outside.ledger.publications.newest():
            return True
        time.sleep(0.5)
    return False


def _seconds(outside: Outside, file: Dropped) -> float:
    """From the newest arrival to the publication of a file."""
    arrival = outside.ledger.arrivals.current(*file.key)
    record = outside.ledger.partitions.get(*file.key)
    return (record.updated_at - arrival.at).total_seconds() if arrival and record else 0.0
