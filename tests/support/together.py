"""One job for many partitions, as a story that every engine tells alike: a process of this machine that remembers, and YARN.

Must not live here: what starts either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shp_core.lake.mapper import CLEAN
from shp_core.lake.place import Place
from shp_resources.lake.curated import Curator, job_of, shipment_of
from shp_resources.lake.engine import MapJob
from shp_resources.lake.manifests import is_whole, standing
from shp_resources.lake.publish import Published, publish_text, text_file
from shp_resources.lake.together import note_parts, together
from tests.support.contracts import Cell
from tests.support.lake import artefacts, current, partition, sale, sales


@dataclass
class Deliveries:
    """Deliveries whose text rows are in the lake.

    Args:
        place: the lake.
        engine: runs the mapper, and remembers.
        folder: a folder of the test's own.
    """

    place: Place
    engine: Any
    folder: Path
    rows: dict[str, Sequence[Sequence[Cell]]] = field(default_factory=dict)

    @property
    def scratch(self) -> Path:
        """Where files lie meanwhile."""
        made = self.folder / "scratch"
        made.mkdir(exist_ok=True)
        return made

    def add(self, key: str, rows: Sequence[Sequence[Cell]]) -> MapJob:
        """Bring a partition's text rows into the lake; returns the pass over them."""
        self.rows[key] = rows
        mine, made = partition(rows, key=key), self._artefacts(key)
        manifest = publish_text(self.place, mine, made.header, made.text(), self.scratch).manifest
        return job_of(self.place.label, mine, *text_file(mine, manifest), shipment_of(sales(), made), CLEAN)

    def publish(self, key: str, *, again: bool = False) -> Published:
        """A partition's own run."""
        mine = partition(self.rows[key], (1, 2) if again else (1, 1), key)
        return Curator(self.place, self.engine).publish(mine, sales(), self._artefacts(key), self.scratch, again=again)

    def orders(self, key: str) -> list[str]:
        """The first column of what is published."""
        return [line.split("\t")[0] for line in current(self.place, f"curated/sales/partition={key}")]

    def _artefacts(self, key: str) -> Any:
        return artefacts(self.folder / "store", sales(), self.rows[key])


def each_takes_its_part_of_one_job(story: Deliveries) -> None:
    """Four partitions, two of them of one length, and one with rejects, by one job; one of them made again by itself."""
    counts = {"a": 2, "b": 4, "c": 4, "d": 3}
    passes = [story.add(key, [sale(ord(key) * 100 + number) for number in range(count)]) for key, count in counts.items()]
    many = together(passes[0], passes[1:], "curated/sales/_attempt-many")
    assert story.engine.knows(many.tags) == set()
    note_parts(story.place, many, story.scratch)
    made = story.engine.run(many, story.scratch)
    assert story.engine.knows([*many.tags, "shp-nobodys"]) == set(many.tags)
    for key, count in counts.items():
        published = story.publish(key)
        assert (published.changed, published.manifest.made_by) == (True, made.made_by)
        assert story.orders(key) == [str(ord(key) * 100 + number) for number in range(count)]
        manifest = standing(story.place, f"curated/sales/partition={key}")
        assert manifest is not None and is_whole(story.place, f"curated/sales/partition={key}", manifest)
    assert [entry.name for entry in story.place.entries("curated/sales")] == [f"partition={key}" for key in counts]
    anew = story.publish("b", again=True)
    assert anew.manifest.made_by != made.made_by and story.orders("b") == ["9800", "9801", "9802", "9803"]
    assert not story.publish("c").changed
