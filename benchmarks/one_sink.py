"""The repository's feeds with the warehouse as their only sink: what others load into, too.

The lake has a benchmark of its own. Must not live here: any feed's name.
"""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def warehouse_only(into: Path) -> Path:
    """Write every feed without its other sinks.

    Args:
        into: an empty folder, or none yet.

    Returns:
        The folder.
    """
    into.mkdir(parents=True, exist_ok=True)
    for file in sorted((ROOT / "feeds").glob("*.yaml")):
        feed = yaml.safe_load(file.read_text())
        feed["sinks"] = {"warehouse": feed["sinks"]["warehouse"]}
        (into / file.name).write_text(yaml.safe_dump(feed, sort_keys=False, allow_unicode=True))
    return into
