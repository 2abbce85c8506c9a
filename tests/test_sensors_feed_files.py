"""The sensor `feed_files`: a broken feed file is red in the UI for as long as it is broken, and nothing stops."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from shp_assets.feed_file import SOUND, file_key
from tests.support.platforms import DAYS, FEED, ORDERS, Platform, order


def looked(platform: Platform, cursor: str | None = None) -> tuple[dict[str, tuple[bool, str]], str | None]:
    """What the sensor tells of each feed's file (whether it passed, and the errors), and its cursor."""
    (sensor,) = [found for found in platform.definitions.sensors or () if found.name == "feed_files"]
    with dg.build_sensor_context(
        instance=platform.instance, definitions=platform.definitions, resources={"outside": platform.outside}, cursor=cursor
    ) as context:
        answer = sensor(context)
    assert isinstance(answer, dg.SensorResult)
    told = {event.asset_key.path[1]: event for event in answer.asset_events if isinstance(event, dg.AssetCheckEvaluation)}
    return {name: (event.passed, str(event.metadata.get("errors", ""))) for name, event in told.items()}, answer.cursor


def write(platform: Platform, text: str, at: int) -> None:
    """Edit the feed's file; the servers keep what they have loaded, as they do while it is broken."""
    path = platform.base / "feeds" / f"{FEED}.yaml"
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(at, at))


def test_a_broken_file_is_red_until_it_is_mended(platform: Platform) -> None:
    """A slip would go unseen: the last good version stays in force and every run is green."""
    assert platform.definitions  # loaded while the file is sound
    first, cursor = looked(platform)
    assert first == {FEED: (True, ""), DAYS: (True, "")}
    assert looked(platform, cursor) == ({}, cursor), "nothing changed, nothing is told"
    write(platform, ORDERS.replace("integer", "colour"), 1)
    broken, cursor = looked(platform, cursor)
    assert list(broken) == [FEED], "the other feed's file is as it was"
    passed, errors = broken[FEED]
    assert not passed
    assert "feeds/orders.yaml: columns.Order.type" in errors
    assert looked(platform, cursor)[0] == {}, "told once"
    platform.drop("a.xlsx", [order(1)])
    assert [result.success for result in platform.fulfil(platform.tick())] == [True], "the last good version goes on"
    write(platform, ORDERS, 2)
    assert looked(platform, cursor)[0] == {FEED: (True, "")}


@pytest.mark.parametrize(("text", "passes"), [(ORDERS, True), ("feed: orders\n", False)])
def test_a_person_can_ask_for_the_check(platform: Platform, text: str, passes: bool) -> None:
    """Whoever mended a file could not find out in the UI whether it is sound now."""
    job = platform.job(set(), [dg.AssetCheckKey(file_key(FEED), SOUND)])
    write(platform, text, 1)
    (found,) = job.execute_in_process(instance=platform.instance).get_asset_check_evaluations()
    assert (found.passed, found.check_name) == (passes, SOUND)


def test_no_run_of_a_partition_pays_for_it(platform: Platform) -> None:
    """Every partition's run would read the feed file once more."""
    platform.drop("a.xlsx", [order(1)])
    (result,) = platform.fulfil(platform.tick())
    assert SOUND not in platform.checks(result)
