"""One job over the text rows of many partitions: a job costs ten seconds, whatever it maps.

Each file of text rows makes one part of the output. Which one is whose is written down beside the output before the job
begins; whoever takes a part reads it back and holds it to its own clean rows, so a wrong guess costs a job and no row.
Must not live here: which partitions go together (`shp_assets.lake_together`), publishing (`curated`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shp_core.lake.place import Place
from shp_resources.lake.engine import MapJob

_ORDER = ".order.json"
_PART = "part-"


def together(own: MapJob, others: Sequence[MapJob], target: str) -> MapJob:
    """One job that makes the work of others beside one's own.

    Args:
        own: the pass that is asked for.
        others: passes of the same mode that are made on the way.
        target: the directory to write into, as a path of the lake; no other job's.
    """
    return replace(own, name=f"{own.name} and {len(others)} others", target=target, beside=tuple(others))


def note_parts(place: Place, job: MapJob, scratch: Path) -> None:
    """Write down which part of a job's output will be whose, for those who come after it.

    Args:
        place: the lake.
        job: a job over many files.
        scratch: a folder of this run's own.
    """
    draft = scratch / "order.json"
    draft.write_text(json.dumps([one.tag for one in job.passes]), encoding="utf-8")
    place.put(draft, job.target + _ORDER)


def part_of(place: Place, target: str, tag: str) -> str | None:
    """The name of somebody's part, None where it is not, or not any more.

    Args:
        place: the lake.
        target: a job's output.
        tag: of the work that is looked for.
    """
    noted = place.read(target + _ORDER)
    tags = json.loads(noted) if noted is not None else [tag]
    name = f"{_PART}{tags.index(tag):05}" if tag in tags else None
    return name if name in {entry.name for entry in place.entries(target)} else None


def take_part(place: Place, target: str, name: str, path: str) -> None:
    """Move a part to where it belongs; the last one leaves nothing behind.

    Args:
        place: the lake.
        target: a job's output.
        name: the part.
        path: its place from now on.
    """
    place.move_folder(f"{target}/{name}", path)
    if not any(entry.name.startswith(_PART) for entry in place.entries(target)):
        place.remove(target)
        place.remove(target + _ORDER)
