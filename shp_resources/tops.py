"""The tops of a delivery's visible sheets, read by the limited reading process.

Must not live here: what they say (`shp_core.drift`).
"""

from __future__ import annotations

from pathlib import Path

from shp_core.drift.tops import TOP_ROWS, SheetTop, Tops
from shp_core.limits import Limits
from shp_resources.inspection import Inspector


def tops_of(path: Path, limits: Limits, *, csv: bool = False) -> list[SheetTop]:
    """Read the first rows of every visible sheet of a file that was found sound, and no more.

    Args:
        path: a delivery's bytes as they are kept.
        limits: what is accepted.
        csv: whether it is a CSV file.

    Raises:
        Refusal: it cannot be read.
        Fault: the kept bytes cannot be read.
    """
    tops = Tops()
    with Inspector(limits) as inspector:
        told = inspector.look(path, tops.hear, csv=csv, top=TOP_ROWS)
    return tops.of([sheet["name"] for sheet in told if not sheet["hidden"]])
