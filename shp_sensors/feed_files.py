"""`feed_files`: is a feed file broken?

What it finds is the check `sound` of the feed's file; which version is in force is the supervisor's business.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import dagster as dg

from shp_assets.feed_file import evaluation, file_key, problems
from shp_assets.kit import FeedKit
from shp_resources.outside import Outside

INTERVAL_SECONDS = 10


def feed_files_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over the files of all feeds."""

    @dg.sensor(
        name="feed_files",
        description="A feed file that is broken turns its check red; its last good version stays in force.",
        asset_selection=dg.AssetSelection.assets(*[file_key(name) for name in kits]),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def feed_files(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        told: dict[str, str] = json.loads(context.cursor or "{}")
        stamp = _digest(sorted(_marks(outside.settings.feeds)))
        if told.get("") == stamp and set(kits) <= set(told):
            return dg.SensorResult(skip_reason=dg.SkipReason("No feed file changed."), cursor=context.cursor)
        found = problems(outside.settings, kits)
        now = {name: _digest(text) if text else "" for name, text in found.items()}
        broken = [name for name, text in found.items() if text]
        return dg.SensorResult(
            asset_events=[evaluation(name, found[name]) for name in kits if told.get(name) != now[name]],
            skip_reason=dg.SkipReason(f"Broken: {', '.join(broken)}." if broken else "Every feed file is sound."),
            cursor=json.dumps({"": stamp, **now}),
        )

    return feed_files


def _digest(what: object) -> str:
    return sha256(repr(what).encode()).hexdigest()[:8]


def _marks(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path in folder.glob("*.y*ml"):
        with suppress(FileNotFoundError):  # gone since the folder was listed
            status = path.stat()
            yield path.name, status.st_size, status.st_mtime_ns
