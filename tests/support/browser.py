"""A real browser without a window, on a page of a platform's UI.

Lives here: which Chromium, and how it is started. Must not live here: what a page is to show.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE_MS = 60_000
_QUIET = [f"--disable-{what}" for what in ("gpu", "quic", "background-networking", "component-update", "sync")]


def chromium() -> str:
    """Where the browser is: `SHP_TEST_BROWSER`, else the machine's own."""
    found = os.environ.get("SHP_TEST_BROWSER") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert found, "No Chromium here; install it (apt-get install chromium), or name one with SHP_TEST_BROWSER."
    return found


@contextmanager
def opened() -> Iterator[Page]:
    """A page of a browser of its own."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium declines to run as root with it
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-first-run", *_QUIET, *sandbox])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(_PATIENCE_MS)
        yield page
        browser.close()
