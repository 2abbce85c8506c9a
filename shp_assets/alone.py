"""A reading process that was ended from outside, or took too long: its file is read once more, with no other beside it.

Must not live here: how readers make room for each other (`shp_resources.reading_room`), and what an end is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shp_core.healing.decide import READER_ENDS

if TYPE_CHECKING:
    from shp_assets.work import Work


def ends_before(work: Work) -> int:
    """How many earlier runs on the same arrival ended with the end of their reading process."""
    earlier = work.outside.ledger.attempts.of_partition(*work.key)
    return sum(other.code in READER_ENDS and other.arrival == work.arrival.number and other.run_id != work.run_id for other in earlier)


def reads_alone(work: Work) -> bool:
    """Whether nobody may read beside this run: who did so before may be to blame for that end."""
    return work.attempt.number > 1 and ends_before(work) > 0
