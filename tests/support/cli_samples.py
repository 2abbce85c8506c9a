"""Commands that behave badly in every way the frame must stand; entered into the table by tests only."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from shp_core.codes import Code
from shp_core.errors import FeedFilesError, ShpError
from shp_ops.cli.output import Desk, with_output, with_settings


@click.command()
@click.option("--how", default="well")
@with_output
def sample(desk: Desk, how: str) -> int | None:
    """Behave as asked."""
    desk.say(f"behaving {how}")
    if how == "refused":
        raise ShpError(Code.FEED_UNKNOWN, "there is no feed wrong", "Run: shp feeds check")
    if how == "feeds":
        raise FeedFilesError(["a.yaml: one", "b.yaml: two"])
    if how == "bug":
        raise ZeroDivisionError("nobody named this\nsecond line")
    if how == "interrupted":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    if how == "waiting":
        _hold_something(desk.settings.home)
    desk.answer({"how": how, "at": datetime(2026, 11, 20, 8, tzinfo=UTC), "path": Path("a")})
    return 1 if how == "unhealthy" else None


@click.command()
@with_settings
def place(desk: Desk) -> None:
    """Print where the home is."""
    click.echo(str(desk.settings.home))


def _hold_something(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    held = home / "held"
    held.touch()
    try:
        time.sleep(30)
    finally:
        held.unlink()
