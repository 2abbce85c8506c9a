"""What does not count in the lake goes after a day, and nothing else does."""

from __future__ import annotations

import time

from shp_core.lake.manifest import MANIFEST
from shp_resources.lake.manifests import withdraw
from shp_resources.lake.strays import GRACE_SECONDS, sweep_partition
from tests.support.lake import current, partition, sale
from tests.test_lake_publish import CURATED, REJECTED, ROWS, Lake, lake

__all__ = ["lake"]


def test_what_does_not_count_goes_after_a_day(lake: Lake) -> None:
    """The lake would fill up with superseded directories; or what a reader has open would vanish."""
    lake.both(ROWS)
    lake.both([sale(5)], (2, 1))
    lake.place.put(lake.scratch / MANIFEST, f"{CURATED}/_attempt-x/part-00000")
    now = (lake.scratch / MANIFEST).stat().st_mtime
    names = [entry.name for entry in lake.place.entries(CURATED)]
    assert len(names) == 4
    draft = f"{partition([sale(5)], (2, 1)).publication}/.part-00000.0.draft"
    lake.place.put(lake.scratch / MANIFEST, f"{CURATED}/{draft}")
    assert sweep_partition(lake.place, CURATED, now + GRACE_SECONDS - 60) == []
    gone = {"_attempt-x", partition(ROWS).publication, draft}
    assert set(sweep_partition(lake.place, CURATED, now + GRACE_SECONDS + 60)) == gone
    assert [entry.name for entry in lake.place.entries(CURATED)] == sorted([MANIFEST, partition([sale(5)], (2, 1)).publication])
    assert current(lake.place, CURATED) == ["5\tEU\t2026-03-07\t12.50\t2"]


def test_rejects_go_with_their_clean_rows(lake: Lake) -> None:
    """Rows that a corrected file no longer holds, people's data among them, would lie in the lake for ever."""
    first, second = [sale(1), sale(0)], [sale(1), sale(2, day="soon")]
    lake.both(first)
    lake.both(second, (2, 1))
    later = time.time() + GRACE_SECONDS + 60
    assert sweep_partition(lake.place, REJECTED, later) == [partition(first).publication]
    assert [entry.name for entry in lake.place.entries(REJECTED)] == [partition(second, (2, 1)).publication]
    withdraw(lake.place, CURATED)
    assert sweep_partition(lake.place, REJECTED, later) == [partition(second, (2, 1)).publication]
    assert sweep_partition(lake.place, CURATED, later) == [partition(first).publication, partition(second, (2, 1)).publication]


def test_where_the_manifest_cannot_be_read_nothing_is_swept(lake: Lake) -> None:
    """A file that somebody damaged would cost the rows, too; or every later run would end in a traceback."""
    lake.both(ROWS)
    (lake.scratch / "junk").write_bytes(b"{\xff")
    lake.place.put(lake.scratch / "junk", f"{CURATED}/{MANIFEST}")
    assert sweep_partition(lake.place, CURATED, time.time() + GRACE_SECONDS + 60) == []
    lake.both(ROWS, (1, 2))
    assert current(lake.place, CURATED) == [
        "1\tEU\t2026-03-07\t12.50\t2",
        "2\tUS\t2026-03-07\t12.50\t3",
        "3\tA\\tB\\\\N\t2026-03-07\t12.50\t4",
    ]
