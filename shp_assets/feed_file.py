"""A feed's file in the graph: an asset that nothing makes, and the check that the file as it lies there is sound.

A broken file leaves its last good version in force, so nothing else of the feed turns red: the check must say so.
Must not live here: what may stand in the file (`shp_core.feeds`), and when it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from shp_assets.kit import FeedKit
from shp_core.feeds.load import load_catalogue
from shp_resources.outside import Outside
from shp_resources.settings import Settings

SOUND = "sound"
_GROUP = "feeds"
_WORDS = "The feed file is sound; red while it is broken and its last good version is in force."


def file_key(name: str) -> dg.AssetKey:
    """The asset of a feed's file."""
    return dg.AssetKey([_GROUP, name])


def feed_file(kit: FeedKit) -> dg.AssetSpec:
    """The feed's file, as the version of it that is in force says."""
    return dg.AssetSpec(
        file_key(kit.name),
        group_name=_GROUP,
        owners=[kit.feed.owner],
        description=f"The feed file {kit.name}.yaml; what is in force is its last sound version.",
        tags={"feed": kit.name},
        kinds={"yaml"},
        metadata={"contract": kit.contract.version},
    )


def sound_check(kit: FeedKit) -> dg.AssetChecksDefinition:
    """The check that the file is sound, which people can also ask for in the UI."""

    @dg.asset_check(
        asset=file_key(kit.name),
        name=SOUND,
        description="The feed file is sound; red while it is broken and its last good version is in force.",
    )
    def sound(outside: dg.ResourceParam[Outside]) -> dg.AssetCheckResult:
        found = problems(outside.settings, [kit.name])[kit.name]
        return dg.AssetCheckResult(passed=not found, metadata=_told(found))

    return sound


def evaluation(name: str, found: str) -> dg.AssetCheckEvaluation:
    """What is told of a feed's file.

    Args:
        name: the feed.
        found: of `problems`.
    """
    return dg.AssetCheckEvaluation(asset_key=file_key(name), check_name=SOUND, passed=not found, metadata=_told(found))


def problems(settings: Settings, names: Iterable[str]) -> Mapping[str, str]:
    """What is wrong with each of these feeds' files as they lie there now, a line each; empty where nothing is.

    Args:
        settings: the installation.
        names: feeds.
    """
    errors = load_catalogue(settings.feeds).errors
    return {name: "\n".join(error for error in errors if _is_about(error, settings.feeds, name)) for name in names}


def _is_about(error: str, folder: Path, name: str) -> bool:
    return error.startswith((f"{folder.name}/{name}.yaml:", f"{folder.name}/{name}.yml:"))


def _told(found: str) -> dict[str, Any]:
    return {"errors": found, "in_force": "the last good version", "next": "Correct the file; shp feeds check"} if found else {}
