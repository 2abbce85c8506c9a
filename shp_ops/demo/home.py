"""The demo's home: a place of its own, never one that holds somebody's data."""

from __future__ import annotations

from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_ops.bundle_files import bundled
from shp_resources.settings import Settings

_MARK = "this-is-the-demo.txt"
_HOMES = ("demo", "demo-hadoop", "demo-faults")
_WORDS = "Made by `shp demo`: sample data, nothing of value. Stop what runs here (shp down --home …) and delete it when you like.\n"


def demo_settings(settings: Settings, home: Path | None, *, hadoop: bool = False, faults: bool = False) -> Settings:
    """Settings of the demo: a home of its own with its own embedded server, whatever is configured.

    Args:
        settings: the caller's settings.
        home: another place than `./var/demo`.
        hadoop: whether it has a Hadoop of its own; such a demo has a home of its own, for a partition has one lake.
        faults: whether it is the rehearsal of faults, which makes its home anew.
    """
    place = home or _usual(settings, "demo-faults" if faults else "demo-hadoop" if hadoop else "demo")
    return Settings(settings.base, place, bundled("feeds"), place / "landing", place / "store", hadoop_cache=settings.hadoop_cache)


def claim(settings: Settings) -> None:
    """Mark the folder as the demo's.

    Args:
        settings: made by `demo_settings`.

    Raises:
        UsageError: somebody else's files are there, or it cannot be written.
    """
    home = settings.home
    mark = home / _MARK
    if mark.exists():
        return
    try:
        if home not in [_usual(settings, name) for name in _HOMES] and home.exists() and any(home.iterdir()):
            raise UsageError(
                f"{home} holds files that are not the demo's; sample data would be mixed with them.",
                "Name an empty or a new folder with --home, or none: then it is ./var/demo.",
            )
        home.mkdir(parents=True, exist_ok=True)
        mark.write_text(_WORDS, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The demo's home {home} cannot be written ({error.strerror}).", "Name another one with --home.", Code.SETTINGS_INVALID
        ) from error


def _usual(settings: Settings, name: str) -> Path:
    return settings.base / "var" / name
