"""A run ends while a sensor looks: nothing is asked for twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shp_assets import feed_assets
from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.decide import PAUSES
from shp_core.healing.faults import Evidence
from shp_sensors import requests
from tests.support.healing import Ward

Before = Callable[[Ward], None]


def a_file_came(ward: Ward) -> None:
    """What `arrivals` is to see."""
    ward.drop("a")


def a_publication_failed(ward: Ward) -> None:
    """What `redrives` is to see: the time of its next try has come."""
    ward.drop("a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_assets, "publish_delivery", _reset)
        ward.look("arrivals")
    ward.later(PAUSES.first)


def the_warehouse_has_it(ward: Ward) -> None:
    """What `lake` is to see."""
    ward.drop("a")
    ward.look("arrivals")


def _reset(_: object) -> object:
    raise Fault(Code.TRANSIENT, "reset", Evidence("warehouse", sqlstate="08006", text="reset"))


@pytest.mark.parametrize(
    ("sensor", "before"), [("arrivals", a_file_came), ("redrives", a_publication_failed), ("lake", the_warehouse_has_it)]
)
def test_a_run_that_ends_while_a_sensor_looks_is_not_asked_for_again(
    lake_ward: Ward, monkeypatch: pytest.MonkeyPatch, sensor: str, before: Before
) -> None:
    """Every partition could get a second run, which finds nothing to do, whenever a look met the end of the first."""
    before(lake_ward)
    under_way, results, live = lake_ward.tick(sensor), [], requests.live

    def ends_first(*asked: str, **tags: str) -> set[str]:
        results.extend(lake_ward.platform.fulfil(under_way, sensor))
        return live(*asked, **tags)  # type: ignore[arg-type]

    monkeypatch.setattr(requests, "live", ends_first)
    assert lake_ward.tick(sensor).requests == []
    assert [result.success for result in results] == [True]
