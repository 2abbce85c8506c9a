"""A person fills a gap in Dagster's UI: a real browser on a real platform (make test-browser)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from shp_resources.processes import wait_until
from tests.support import browser
from tests.support.commands import COUNTS, Place, counts
from tests.support.postgres import rows
from tests.support.web import graphql

pytestmark = [pytest.mark.platform, pytest.mark.browser]

SENSOR = """query($which: SensorSelector!) { sensorOrError(sensorSelector: $which) { ... on Sensor { sensorState { id } } } }"""
STOP = """mutation($id: String!) { stopSensor(id: $id) { ... on StopSensorMutationResult { instigationState { status } } } }"""
WHICH = {"repositoryName": "__repository__", "repositoryLocationName": "shp", "sensorName": "arrivals"}
BELOW_LIVE = """
    select count(*) from run_tags join run_tags filled using (run_id)
    where run_tags.key = 'shp/queue' and filled.key = 'dagster/backfill'
"""


@dataclass
class Gap:
    """A platform with four days of a feed, of which the two in the middle are missing though their files lie there.

    Args:
        place: where it runs.
        ui: address of the UI.
        days: the four days.
    """

    place: Place
    ui: str
    days: list[str]

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of a statement."""
        return rows((self.place.home / "postgres" / "dsn").read_text(), statement, *values)


@pytest.fixture(scope="module")
def gap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gap]:
    """Two days were loaded; then somebody switched the sensor off, and the files of the days between came."""
    today = datetime.now(UTC).date()
    days = [str(today - timedelta(days=ago)) for ago in (3, 2, 1, 0)]
    place = Place.make(tmp_path_factory.mktemp("browser"), feeds={"counts": COUNTS.replace("2026-11-01", days[0])})
    _drop(place, days[0], days[3])
    up = place.cold("up", "--detach", "--json")
    assert up.code == 0, up.err
    found = Gap(place, up.json["ui"], days)
    assert wait_until(lambda: found.sql("select count(*) from shp.partitions where state = 'published'") == [(2,)], 120, 0.2)
    state = graphql(found.ui, SENSOR, which=WHICH)["sensorOrError"]["sensorState"]
    assert graphql(found.ui, STOP, id=state["id"])["stopSensor"]["instigationState"]["status"] == "STOPPED"
    _drop(place, days[1], days[2])
    yield found
    place.cold("down")


def _drop(place: Place, *days: str) -> None:
    for day in days:
        counts(place.home / "landing" / "counts" / f"counts_{day}.xlsx", (f"a {day}", 1), (f"b {day}", 2))


def test_a_backfill_launched_in_the_ui_fills_the_gap_and_the_page_shows_it(gap: Gap) -> None:
    """Who sees a gap in the UI could not fill it there, or would not see that it is filled."""
    with browser.opened() as page:
        _see(page, gap.ui, materialized=2, missing=2)
        _launch_what_is_missing(page, gap.ui)
        done = "select status from bulk_actions"
        assert wait_until(lambda: gap.sql(done) == [("COMPLETED_SUCCESS",)], 180, 0.5), gap.sql(done)
        _see(page, gap.ui, materialized=4, missing=0)
    assert gap.sql("select _partition, count(*) from warehouse.counts group by 1 order by 1") == [(day, 2) for day in gap.days]
    ran = gap.sql("select partition from shp.attempts where via <> 'sensor' order by 1")
    assert [day for (day,) in ran] == gap.days[1:3], "only what was missing ran"
    assert gap.sql(BELOW_LIVE) == [(2,)], "below live data, like a backfill of our own"


def _see(page: Page, ui: str, *, materialized: int, missing: int) -> None:
    page.goto(f"{ui}/assets/warehouse/counts?view=partitions")
    expect(page.get_by_text(f"Missing ({missing})")).to_be_visible(timeout=60_000)
    expect(page.get_by_text(f"Materialized ({materialized})")).to_be_visible()


def _launch_what_is_missing(page: Page, ui: str) -> None:
    """As a person does it: the table's lineage, all that is upstream, what is missing of it."""
    page.goto(f"{ui}/assets/warehouse/counts?view=lineage&lineageScope=upstream")
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_role("button", name="Confirm").click()  # text and quarantine come with validated
    page.get_by_role("button", name="Missing", exact=True).click()
    page.get_by_role("button", name=re.compile("^Launch")).last.click()
