"""What the bytes or our own code are to blame for: no retry, three runs at most, one incident, and a way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shp_assets import work
from shp_sensors import redrives
from tests.support.healing import Ward
from tests.support.platforms import HEADER, ORDERS, Platform, order

DAY = 24 * 3600
SOUND = [order(number) for number in range(1, 5)]
BAD: dict[str, tuple[Callable[[Platform], Path], str]] = {
    "data_breach": (lambda platform: platform.drop("a.xlsx", [order("x"), order("y"), order(3)]), "too_many_rejects"),
    "schema_drift": (lambda platform: platform.drop("a.xlsx", SOUND, header=(*HEADER[:4], "Order")), "column_twice"),
    "corrupt_input": (lambda platform: platform.drop_bytes("a.xlsx", b"PK\x03\x04 and then nothing"), "damaged_workbook"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bytes_that_are_wrong_cost_three_runs_at_most_and_heal_with_the_corrected_file(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A wrong file would be tried again every minute, or a corrected one would need somebody who releases it."""
    platform = ward.platform
    drop, code = BAD[kind]
    drop(platform)
    ward.look()
    assert platform.state("a") == ("quarantined", code)
    (attempt,) = platform.attempts("a")
    assert (attempt.kind, attempt.verdict, attempt.due_at) == (kind, "quarantine", None)
    assert attempt.ended_at is not None
    assert (attempt.ended_at - attempt.started_at).total_seconds() < 10, "the ledger knows within ten seconds"
    assert ward.slept == [], "no call was made twice"
    (incident,) = ward.incidents()
    assert (incident.cause, len(incident.members)) == (f"{code}/orders", 1)
    for _ in range(5):
        ward.later(DAY)
        assert ward.look() == [], "time mends no file"
    monkeypatch.setattr(redrives, "CONVERTER_VERSION", 99)
    monkeypatch.setattr(work, "CONVERTER_VERSION", 99)
    ward.look()
    assert ward.look() == []
    if kind != "corrupt_input":
        platform.feed_file("orders", ORDERS.replace("min: 1", "min: 0"))
        ward.look()
        assert ward.look() == []
    assert len(platform.attempts("a")) <= 3
    platform.drop("a.xlsx", SOUND)
    ward.until(lambda: platform.state("a")[0] == "published", seconds=60)
    ward.until(lambda: all(found.closed_at for found in ward.incidents()), seconds=60)
    assert platform.loaded("a") == [1, 2, 3, 4]


def test_a_bug_of_ours_is_run_once_told_at_once_and_over_when_it_is_mended(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own bug would be hammered at, hidden, or never heal after the upgrade that mends it."""
    platform = ward.platform

    def bug(*_: Any, **__: Any) -> Any:
        raise KeyError("amount")

    with monkeypatch.context() as broken:
        broken.setattr("shp_assets.artefacts.validate", bug)
        ward.drop("a", "b")
        ward.look()
        assert set(ward.states().values()) == {"exhausted"}
        assert [platform.attempts(name)[0].kind for name in ("a", "b")] == ["code_bug", "code_bug"]
        ward.later(3 * DAY)
        assert ward.look() == []
    (incident,) = ward.incidents()
    assert (incident.cause, incident.severity, len(incident.members)) == ("code_bug/orders", "critical", 2)
    monkeypatch.setattr(redrives, "CONVERTER_VERSION", 99)  # the version that mends it
    monkeypatch.setattr(work, "CONVERTER_VERSION", 99)
    ward.until(lambda: set(ward.states().values()) == {"published"}, seconds=60)
    ward.until(lambda: all(found.closed_at for found in ward.incidents()), seconds=60)
    assert max(len(platform.attempts(name)) for name in ("a", "b")) == 2
