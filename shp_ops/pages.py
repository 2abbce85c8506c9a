"""Pages of the documentation that are made from the code: `python -m shp_ops.pages` writes them, `--check` compares.

Lives here: which page comes from which function. Must not live here: what a page says; that is beside what it tells of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shp_core.codes_page import codes_page
from shp_core.feeds.schema import feeds_page
from shp_core.healing.page import Numbers, healing_page
from shp_core.limits_page import limits_page
from shp_ops.runbook import runbook_page
from shp_ops.watchdog.gauges import metrics_page
from shp_resources.ledger.leases import RENEW_SECONDS, TTL_SECONDS
from shp_sensors.redrives import REDRIVES_AT_ONCE

ROOT = Path(__file__).parent.parent
"""The checkout: pages lie beside the packages, an installed package has none."""


def _healing() -> str:
    return healing_page(Numbers(TTL_SECONDS, RENEW_SECONDS, REDRIVES_AT_ONCE))


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/feeds.md": feeds_page,
    "docs/codes.md": codes_page,
    "docs/healing.md": _healing,
    "docs/limits.md": limits_page,
    "docs/metrics.md": metrics_page,
    "docs/runbook.md": runbook_page,
}
"""Every generated page, below the checkout, with the function that makes its text."""


def stale(root: Path) -> list[str]:
    """The pages below a checkout that are missing or say something else than the code."""
    return [name for name, make in PAGES.items() if _text(root / name) != make()]


def write(root: Path) -> list[str]:
    """Write the pages that differ; returns them."""
    names = stale(root)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(PAGES[name](), encoding="utf-8")
    return names


def main(words: Sequence[str], root: Path = ROOT) -> int:
    """Write or check the pages.

    Args:
        words: `--check`, or nothing to write.
        root: the checkout.

    Returns:
        0 done or nothing differs, 1 with `--check` when a page differs, 2 for any other word.
    """
    if list(words) not in ([], ["--check"]):
        sys.stderr.write("usage: python -m shp_ops.pages [--check]\n")
        return 2
    checking = bool(words)
    names = stale(root) if checking else write(root)
    for name in names:
        sys.stderr.write(f"{name} {'differs; run: make docs' if checking else 'written'}\n")
    return 1 if checking and names else 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
