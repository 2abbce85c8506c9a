"""Files of a feed with a lake: all are in the warehouse before the first goes to the lake, and each is told of once."""

from __future__ import annotations

import os
import re
import signal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from shp_ops.cli.ingest import _progress
from shp_ops.ingest.following import into_the_lake, until_the_lake
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.workers import LAKE, Event, Order
from shp_resources.outside import Outside
from shp_resources.settings import Settings
from tests.support.commands import VISITS, Place, visits

IN_LAKE = f"{VISITS}sinks: {{lake: {{path: visits}}}}\n"


class Following:
    """Lets the lake follow by saying so; the worker that has `c` is killed."""

    def follow(self, loaded: FileResult) -> FileResult:
        """What became of a file."""
        if loaded.partition == "c":
            os.kill(os.getpid(), signal.SIGKILL)
        return FileResult(loaded.path, loaded.partition, state="published", seconds=loaded.seconds + 1)


def test_each_file_that_waits_is_taken_to_the_lake_and_told_of_once(tmp_path: Path) -> None:
    """Results would be another file's, a file that was refused would be called published, or one that was lost would be forgotten."""
    loaded = [
        FileResult("a", "a", state="parked", rows={"loaded": 7}, seconds=1.0),
        FileResult("x", None, code="no_partition"),
        FileResult("b", "b", state="published"),
        FileResult("bad", "bad", state="quarantined", code="too_many_rejects"),
        FileResult("busy", "busy", state="running", code="partition_busy"),
        FileResult("c", "c", state="parked", rows={"loaded": 9}),
    ]
    events: list[Event] = []
    for index, result in enumerate(loaded):
        until_the_lake(events.append)(Event(index, "done", result=result))
    assert [(event.index, event.step, event.rows) for event in events] == [
        (0, "lake", 7), (1, "done", 0), (2, "done", 0), (3, "done", 0), (4, "done", 0), (5, "lake", 9),
    ]  # fmt: skip
    outside = Outside(Settings.load({}, home=tmp_path / "home"))
    order = Order([tmp_path / f"{result.path}.xlsx" for result in loaded], [[0]], outside, _never)
    events.clear()
    found = into_the_lake(order, lambda outside: Following(), loaded, events.append)  # type: ignore[arg-type, return-value]
    assert [(one.partition, one.state, one.code) for one in found] == [
        ("a", "published", None), (None, None, "no_partition"), ("b", "published", None), ("bad", "quarantined", "too_many_rejects"),
        ("busy", "running", "partition_busy"),         ("c", "parked", "worker_lost"),
    ]  # fmt: skip
    assert (found[0].seconds, found[5].rows) == (2.0, {"loaded": 9})
    assert sorted((event.index, event.step) for event in events) == [(0, "done"), (5, "done")]


def _never(outside: Outside) -> Any:
    raise AssertionError("nothing is loaded twice")


def test_the_warehouse_has_every_file_before_the_first_goes_to_the_lake(prepared_dsn: str, tmp_path: Path) -> None:
    """A slow cluster would stand between a night's files and the tables; or its job would be started for each of them."""
    place = Place.make(tmp_path, prepared_dsn, {"visits": IN_LAKE})
    for number in range(1, 4):
        visits(place.base / "drop" / f"n{number}.xlsx", [number])
    answer = place.shp("ingest", "visits", "drop")
    told = re.findall(r"^n\d\.xlsx: (reading|1 rows in the warehouse; the lake follows|1 rows in [\d.]+ s)$", answer.err, re.MULTILINE)
    assert sorted(told[:6]) == sorted(["reading", "1 rows in the warehouse; the lake follows"] * 3)
    assert len(told) == 9 and all(one.endswith(" s") for one in told[6:])
    assert answer.code == 0
    assert place.shp("ingest", "visits", "drop", "--json").json["files"][0]["state"] == "published"


def test_files_that_wait_for_the_lake_do_not_fill_the_screen() -> None:
    """Of a night's files a terminal would show the first twenty as they stand still, and none of those that get on."""
    said = StringIO()
    desk = SimpleNamespace(console=Console(file=said, force_terminal=True, width=80, height=24))
    files = [Path(f"n{number}.xlsx") for number in range(20)]
    with _progress(desk, files) as tell:  # type: ignore[arg-type]
        for index in range(20):
            tell(Event(index, "begun"))
            tell(Event(index, LAKE, 7))
        tell(Event(0, "done", result=FileResult("n0.xlsx", "n0", state="published", changed=True, rows={"loaded": 7})))
    told = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\r", "", said.getvalue())
    assert [told.count(f"n{number}.xlsx: 7 rows; the lake follows\n") for number in range(20)] == [1] * 20
    assert "n0.xlsx: 7 rows\n" in told
    assert not re.search(r"the lake follows.*\d:\d\d:\d\d", told), "no bar stays that does not move"
