"""The machine below an installation: Python, packages, compiled kernels, room, and Java where it is needed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from shp_core.limits import GIB
from shp_ops.doctor.check import Check, ok, told, wrong
from shp_resources.settings import Settings

PYTHONS = ((3, 11), (3, 13))
"""The oldest and the newest Python that the platform is tested with."""

ROOM_BYTES = GIB
"""Below so much free space the next large workbook may not find room for its copy and its artefacts."""


def machine(settings: Settings) -> Iterator[Check]:
    """What the machine offers."""
    yield python(sys.version_info[:2])
    yield packages("shp")
    yield _kernels(settings)
    yield from _room(settings)


def python(version: tuple[int, int]) -> Check:
    """Whether this Python is one that the platform knows.

    Args:
        version: major and minor number.
    """
    spelled = ".".join(map(str, version))
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return ok("python", f"Python {spelled}.")
    known = " to ".join(".".join(map(str, bound)) for bound in PYTHONS)
    return wrong("python", f"This is Python {spelled}; the platform is made for {known}.", f"Install it with Python {known}.")


def packages(distribution: str) -> Check:
    """Whether what is installed is what a distribution asks for; extras count where they are installed.

    Args:
        distribution: its name.
    """
    try:
        asked = [Requirement(line) for line in metadata.requires(distribution) or []]
    except metadata.PackageNotFoundError:
        return wrong("packages", f"{distribution} is not installed as a package.", "Run: make setup (or pip install 'shp[local]')")
    faults = [fault for requirement in asked if (fault := _fault(requirement))]
    if faults:
        return wrong("packages", "; ".join(faults), "Run: make setup (or pip install --upgrade --force-reinstall shp)")
    return ok("packages", f"{len(asked)} requirements hold.")


def _fault(requirement: Requirement) -> str | None:
    optional = requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return None if optional else f"{requirement.name} is missing"
    return (
        None
        if requirement.specifier.contains(found, prereleases=True)
        else f"{requirement.name}{requirement.specifier} is asked for, {found} is installed"
    )


def _kernels(settings: Settings) -> Check:
    """The fast reader runs from compiled kernels; without them large files are read some ten times as slowly."""
    from shp_core.reading.scan import library

    places = [library.OWN_FOLDER, settings.home / "cache"]
    if library.load(places) is not None:
        return ok("reader", "The fast reader is compiled.")
    if any(os.access(_existing(place), os.W_OK) for place in places):
        return ok("reader", "The fast reader is compiled when the first large workbook comes.")
    return wrong(
        "reader", "The fast reader is not compiled, and there is no place to keep it.", "Run: python -m shp_core.reading.scan.build"
    )


def _room(settings: Settings) -> Iterator[Check]:
    places = {"home": settings.home, "store": settings.store}
    for name, place in places.items():
        yield room(name, _existing(place))


def room(name: str, place: Path, wanted: int = ROOM_BYTES) -> Check:
    """Whether a disk has room.

    Args:
        name: what lies there.
        place: a folder that exists.
        wanted: bytes.
    """
    free = shutil.disk_usage(place).free
    spelled = f"{free / GIB:,.1f} GiB free for the {name} ({place})."
    if free >= wanted:
        return ok(f"disk_{name}", spelled)
    return wrong(f"disk_{name}", spelled, "Make room (shp retention --dry-run shows what may go), or name another disk.")


def _existing(place: Path) -> Path:
    return next(folder for folder in (place, *place.parents) if folder.is_dir())


def java() -> Check:
    """Whether Hadoop's client can run."""
    from shp_ops.hadoop.java import find_java

    return told("java", lambda: f"Java at {find_java().home}.")
