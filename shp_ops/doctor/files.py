"""The files of an installation: feed files, drop folders, and a home that can be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from shp_ops.doctor.check import Check, ok, told, wrong
from shp_ops.installation import catalogue_of
from shp_resources.settings import Settings


def files(settings: Settings) -> Iterator[Check]:
    """What lies on disk."""
    yield writable("home", settings.home)
    if settings.store_uri is not None:
        yield told("store", lambda: _afar(settings))
    yield _feeds(settings)
    yield _landing(settings)


def writable(name: str, place: Path) -> Check:
    """Whether a folder can be written, or made.

    Args:
        name: what it is.
        place: the folder.
    """
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    if not existing.is_dir():
        return wrong(name, f"{existing} is no folder.", "Name another one: --home DIR, or SHP_HOME.")
    if os.access(existing, os.W_OK | os.X_OK):
        return ok(name, f"{place} can be written." if existing == place else f"{place} can be made.")
    return wrong(name, f"{existing} cannot be written.", "Make it writable, or name another one: --home DIR, or SHP_HOME.")


def _afar(settings: Settings) -> str:
    """Whether the place that keeps deliveries' bytes can be written, and what is there."""
    from shp_resources.store.far import store_of

    return f"{store_of(settings).count_afar():,} deliveries are kept at {settings.store_uri}, which can be written."


def _feeds(settings: Settings) -> Check:
    if not any(settings.feeds.glob("*.y*ml")):
        return wrong("feeds", f"There is no feed in {settings.feeds}.", "Run: shp feeds new NAME --from WORKBOOK")
    catalogue = catalogue_of(settings)
    if catalogue.errors:
        return wrong("feeds", "; ".join(catalogue.errors), "Run: shp feeds check")
    return ok("feeds", f"{len(catalogue.feeds)} feeds and {len(catalogue.marts)} marts are sound: {', '.join(catalogue.feeds)}.")


def _landing(settings: Settings) -> Check:
    if not settings.landing.exists():
        return ok("landing", f"{settings.landing} is made by shp up.")
    folders = [folder for folder in settings.landing.iterdir() if folder.is_dir()]
    unreadable = [str(folder) for folder in folders if not os.access(folder, os.R_OK | os.X_OK)]
    if unreadable:
        return wrong("landing", f"Not readable: {', '.join(unreadable)}.", "Let the platform's user read it.")
    return ok("landing", f"{len(folders)} drop folders in {settings.landing}.")
