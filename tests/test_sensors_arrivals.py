"""The sensor `arrivals`: what lies in the landing folders becomes arrivals and runs, once, in order, and never nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from shp_assets import kit
from shp_core.states import State
from shp_resources import landing
from shp_sensors import arrivals, requests
from tests.support.platforms import COUNTS, DAYS, Platform, order

DAY = "2026-02-01"


def test_a_new_file_is_an_arrival_a_key_and_a_run_in_one_tick(platform: Platform) -> None:
    """A dropped file would wait for a second or third look, or its run be refused for an unknown partition."""
    path = platform.drop("a.xlsx", [order(1)])
    tick = platform.tick()
    assert tick.keys == {"orders_files": ["a"]}
    (request,) = tick.requests
    assert request.partition_key == "a"
    assert request.asset_selection == platform.kits["orders"].keys
    assert request.tags == {"shp/via": "sensor", "shp/feed": "orders", "shp/arrival": "1"}
    arrival = platform.outside.ledger.arrivals.current("orders", "a")
    assert arrival is not None
    assert arrival.source is not None
    assert (arrival.via, arrival.source.name, landing.path_of(arrival.source.uri)) == ("sensor", "a.xlsx", path)
    assert platform.fulfil(tick)[0].success
    assert platform.attempts("a")[0].via == "sensor"


def test_the_same_file_again_is_nothing(platform: Platform) -> None:
    """Every look would load every file anew."""
    platform.drop("a.xlsx", [order(1)])
    platform.fulfil(platform.tick())
    again = platform.tick()
    assert (again.requests, again.keys) == ([], {})
    assert len([event for event in platform.outside.ledger.history("orders", "a") if event["what"] == "arrival"]) == 1


def test_two_ticks_before_the_run_ask_for_one_run(platform: Platform) -> None:
    """A busy daemon would start the same partition several times."""
    platform.drop("a.xlsx", [order(1)])
    first, second = platform.tick(), platform.tick()
    assert first.requests[0].run_key == second.requests[0].run_key
    platform.fulfil(first)
    assert platform.fulfil(second) == []
    assert len(platform.attempts("a")) == 1


def test_a_queued_run_is_not_asked_for_again(platform: Platform) -> None:
    """A full queue would be filled with requests for what is in it."""
    platform.drop("a.xlsx", [order(1)])
    platform.queue(platform.tick().requests[0])
    assert platform.tick().requests == []


def test_a_changed_file_under_the_old_name_is_a_new_arrival(platform: Platform) -> None:
    """A correction under the same name would never be loaded."""
    platform.drop("a.xlsx", [order(1)])
    platform.fulfil(platform.tick())
    platform.drop("a.xlsx", [order(2), order(3)])
    tick = platform.tick()
    assert (tick.partitions, tick.keys) == (["a"], {})
    platform.fulfil(tick)
    assert platform.loaded("a") == [2, 3]


def test_a_touched_file_with_the_same_bytes_changes_no_row(platform: Platform) -> None:
    """A copy program that touches files would rewrite the warehouse every night."""
    path = platform.drop("a.xlsx", [order(1)])
    platform.fulfil(platform.tick())
    before = platform.sql("select xmin::text from warehouse.orders")
    os.utime(path, (1, 1))
    assert platform.fulfil(platform.tick())[0].success
    assert platform.sql("select xmin::text from warehouse.orders") == before
    assert platform.state("a") == ("published", None)


def test_a_file_that_is_still_written_is_left_alone_and_named(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file would be loaded, or nobody could see why the file is not."""
    monkeypatch.setattr(landing, "QUIET_SECONDS", 2.0)
    path = platform.drop("slow.xlsx", [order(1)])
    os.utime(path, (1, 1))  # what a copying program does to mtime does not fool it
    tick = platform.tick()
    assert tick.requests == []
    assert "orders: slow.xlsx still being written" in (tick.skip or "")
    assert platform.outside.ledger.arrivals.known_sources("orders") == {}
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2.5)
    assert platform.tick().partitions == ["slow"]


def test_many_files_that_are_still_written_are_not_all_named(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of a tick would be longer than the database takes."""
    monkeypatch.setattr(landing, "QUIET_SECONDS", 60.0)
    for number in range(8):
        platform.drop_bytes(f"f{number}.xlsx", b"x")
    assert "f0.xlsx, f1.xlsx, f2.xlsx and 5 more still being written" in (platform.tick().skip or "")


def test_a_vanished_file_changes_nothing(platform: Platform) -> None:
    """Clearing the landing folder would clear the warehouse."""
    path = platform.drop("a.xlsx", [order(1)])
    platform.fulfil(platform.tick())
    path.unlink()
    assert platform.tick().requests == []
    assert platform.state("a") == ("published", None)
    assert platform.loaded("a") == [1]


def test_a_file_that_comes_back_is_taken_up(platform: Platform) -> None:
    """A file that was moved away and back before it was copied would never be loaded."""
    path = platform.drop("a.xlsx", [order(1)])
    tick = platform.tick()
    aside = path.rename(platform.base / "aside.xlsx")
    platform.fulfil(tick)
    assert platform.state("a") == ("waiting", "source_missing")
    assert platform.tick().requests == []
    aside.rename(path)
    back = platform.tick()
    assert back.partitions == ["a"]
    assert platform.fulfil(back)[0].success


def test_an_unreadable_file_is_not_tried_for_ever(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without read permission would cost a run every five seconds."""
    path = platform.drop("a.xlsx", [order(1)])
    tick = platform.tick()
    aside = path.rename(platform.base / "aside.xlsx")
    platform.fulfil(tick)
    aside.rename(path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert platform.tick().requests == []


def test_what_spreadsheet_programs_leave_behind_is_no_delivery(platform: Platform) -> None:
    """An open workbook's lock file would be quarantined again and again."""
    for name in (".hidden.xlsx", "~$a.xlsx", "notes.txt", ".~lock.a.xlsx#"):
        platform.drop_bytes(name, b"x")
    assert platform.tick().requests == []
    assert platform.outside.ledger.arrivals.known_sources("orders") == {}


def test_file_names_match_whatever_their_case(platform: Platform) -> None:
    """A file from a program that writes `.XLSX` would be ignored in silence."""
    platform.drop_bytes("UPPER.XLSX", platform.drop("lower.xlsx", [order(1)]).read_bytes())
    assert sorted(key or "" for key in platform.tick().partitions) == ["UPPER", "lower"]


def test_two_files_with_one_stem_are_two_partitions(platform: Platform) -> None:
    """One of two files would overwrite the other for ever."""
    first = platform.drop("a.xlsx", [order(1)])
    os.utime(first, (1, 1))
    platform.drop("a.xlsm", [order(2)])
    tick = platform.tick()
    hashed, plain = tick.partitions  # the plain one had lain there: it comes after
    assert plain == "a"
    assert hashed is not None
    assert hashed.startswith("a~")
    assert len(hashed) == 10
    assert all(result.success for result in platform.fulfil(tick))
    assert platform.loaded("a") == [1]
    assert platform.loaded(hashed) == [2]
    platform.drop("a.xlsm", [order(3)])
    assert platform.tick().partitions == [hashed], "and stays its partition"


def test_files_are_taken_oldest_first_in_bounded_ticks(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand files at once would make the sensor time out, or leave the oldest for last."""
    monkeypatch.setattr(arrivals, "FILES_A_TICK", 40)
    monkeypatch.setattr(arrivals, "HISTORY_AT_ONCE", 5)
    for number in range(100):
        os.utime(platform.drop_bytes(f"f{number:03}.xlsx", b"x"), (1000 - number, 1000 - number))
    first = platform.tick()
    assert first.partitions == ["f099", "f098", "f097", "f096", "f095"]
    assert len(platform.outside.ledger.arrivals.known_sources("orders")) == 40
    platform.tick()
    platform.tick()
    assert len(platform.outside.ledger.arrivals.known_sources("orders")) == 100
    for request in first.requests:
        platform.queue(request)
    assert platform.tick().requests == [], "no more than so many at once"
    (run,) = platform.instance.get_runs(dg.RunsFilter(tags={"dagster/partition": "f099"}))
    platform.instance.report_run_failed(run)
    platform.outside.ledger.partitions.move("orders", "f099", State.QUARANTINED, expect_version=platform.record("f099").version)
    assert platform.tick().partitions == ["f094"], "the next in order takes the place"


def test_five_hundred_files_are_a_matter_of_seconds(platform: Platform) -> None:
    """The sensor would be killed by its time limit with a year's files, at every tick again."""
    for number in range(500):
        platform.drop_bytes(f"f{number:03}.xlsx", b"x")
    began = time.process_time()
    ticks = [platform.tick() for _ in range(3)]
    assert time.process_time() - began < 15
    assert [len(tick.requests) for tick in ticks] == [50, 50, 50]
    assert len(platform.outside.ledger.arrivals.known_sources("orders")) == 500


def test_one_feeds_backlog_does_not_keep_another_waiting(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Today's stock would wait until a year of sales is loaded."""
    monkeypatch.setattr(arrivals, "RUNS_A_TICK", 4)
    for number in range(8):
        platform.drop_bytes(f"f{number}.xlsx", b"x")
    platform.drop_count(f"counts_{DAY}.xlsx", [("a", 1)])
    assert DAY in platform.tick().partitions


def test_a_missing_folder_of_one_feed_is_told_and_stops_nobody(platform: Platform) -> None:
    """One mistyped folder would stop all feeds, or nobody would know that a feed is not watched."""
    platform.drop("a.xlsx", [order(1)])
    platform.fulfil(platform.tick())
    tick = platform.tick()
    assert f"counts: The landing folder {platform.settings.landing / DAYS} is not there." in (tick.skip or "")
    assert platform.state("a") == ("published", None)


def test_a_name_without_a_day_is_held_and_never_lost(platform: Platform) -> None:
    """A misnamed daily file would be ignored in silence, or stop the files beside it."""
    platform.drop_count("counts_of_monday.xlsx", [("a", 1)])
    platform.drop_count(f"counts_{DAY}.xlsx", [("a", 1)])
    tick = platform.tick()
    assert tick.partitions == [DAY]
    (held,) = platform.outside.ledger.partitions.list(DAYS, {State.QUARANTINED})
    assert held.partition.startswith("unplaced~")
    assert held.code == "no_partition"
    assert (held.message or "").startswith("counts_of_monday.xlsx: ")
    platform.fulfil(tick)
    assert "counts_of_monday" not in (platform.tick().skip or ""), "told once, shown by `shp partitions`"


@pytest.fixture
def here() -> Iterator[date]:
    """Today where the feed by day is at home; it stays today while the test lasts."""
    now = datetime.now(ZoneInfo("Asia/Kolkata"))
    with freeze_time(now):
        yield now.date()


def test_a_file_for_tomorrow_is_held_until_its_day_comes(platform: Platform, here: date, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender in another time zone who is early would never see the file loaded."""
    tomorrow = (here + timedelta(days=1)).isoformat()
    platform.drop_count(f"counts_{tomorrow}.xlsx", [("a", 1)])
    platform.drop_count(f"counts_{here}.xlsx", [("a", 1)])
    assert platform.tick().partitions == [here.isoformat()], "today's has its partition before today is over"
    (held,) = platform.outside.ledger.partitions.list(DAYS, {State.QUARANTINED})
    assert (held.code, "lies in the future" in (held.message or "")) == ("no_partition", True)
    assert tomorrow not in platform.tick().partitions
    monkeypatch.setattr(kit, "PERIODS_AHEAD", 2)  # a day later
    platform.feed_file(DAYS, COUNTS)
    assert tomorrow in platform.tick().partitions
    assert platform.outside.ledger.partitions.list(DAYS, {State.QUARANTINED}) == []
    assert platform.state(held.partition, DAYS)[0] == "waived"


def test_a_misnamed_file_finds_its_place_when_the_feed_learns_its_name(platform: Platform) -> None:
    """After a mended feed file every held file would have to be sent again."""
    platform.drop_count("counts 01.02.2026.xlsx", [("a", 1)])
    assert platform.tick().requests == []
    pattern = r"partition: {by: day, from: '(?P<date>\d{2}\.\d{2}\.\d{4})', format: '%d.%m.%Y',"
    platform.feed_file(DAYS, COUNTS.replace("partition: {by: day,", pattern))
    tick = platform.tick()
    assert tick.partitions == [DAY]
    assert platform.fulfil(tick)[0].success
    assert platform.tick().requests == []


def test_two_files_for_one_day_are_nobodys_guess(platform: Platform) -> None:
    """Whichever came last would silently win."""
    platform.drop_count(f"counts_{DAY}.xlsx", [("a", 1)])
    platform.fulfil(platform.tick())
    platform.drop_count(f"{DAY} final.xlsx", [("a", 2)])
    tick = platform.tick()
    assert tick.requests == []
    assert f"{DAY} final.xlsx is held (ambiguous_partition)" in (tick.skip or "")
    assert platform.state(DAY, DAYS) == ("quarantined", "ambiguous_partition")
    assert platform.record(DAY, DAYS).message == f"{DAY} final.xlsx: {DAY} final.xlsx and counts_{DAY}.xlsx both stand for {DAY}."
    assert platform.sql("select count from warehouse.counts") == [(1,)], "the first stays published"
    assert platform.tick().requests == [], "and is not asked for again"


@pytest.mark.parametrize("kept", ["first", "second"])
def test_removing_one_of_two_files_settles_it(platform: Platform, kept: str) -> None:
    """The message says: remove one. Doing so would change nothing."""
    files = {
        "first": platform.drop_count(f"counts_{DAY}.xlsx", [("a", 1)]),
        "second": platform.drop_count(f"{DAY} final.xlsx", [("a", 2)]),
    }
    os.utime(files["first"], (1, 1))
    assert platform.tick().requests == []
    files.pop(kept)
    next(iter(files.values())).unlink()
    tick = platform.tick()
    assert tick.partitions == [DAY]
    assert platform.fulfil(tick)[0].success
    assert platform.sql("select count from warehouse.counts") == [(1 if kept == "first" else 2,)]
    assert platform.state(DAY, DAYS) == ("published", None)
    assert platform.tick().requests == []


def test_a_correction_under_the_same_name_from_elsewhere_is_not_ambiguous(platform: Platform, tmp_path: Path) -> None:
    """A file that is delivered by hand and by drop would be quarantined against itself."""
    path = platform.drop_count(f"counts_{DAY}.xlsx", [("a", 1)])
    other = tmp_path / "inbox" / path.name
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    assert platform.ingest(other, DAYS).state == "published"
    assert platform.tick().partitions == [DAY]
    assert platform.record(DAY, DAYS).state is State.ARRIVED


def test_many_newest_lets_the_newest_file_win(platform: Platform) -> None:
    """A feed that says that the newest counts would be held all the same."""
    platform.feed_file(DAYS, COUNTS.replace("partition: {by: day,", "partition: {by: day, many: newest,"))
    for name, count, at in ((f"counts_{DAY}.xlsx", 1, 200), (f"{DAY} draft.xlsx", 2, 100)):
        os.utime(platform.drop_count(name, [("a", count)]), (at, at))
    platform.fulfil(platform.tick())
    assert platform.sql("select count from warehouse.counts") == [(1,)]
    assert platform.state(DAY, DAYS) == ("published", None)


def test_a_delivery_that_shp_ingest_took_up_is_not_taken_up_again(platform: Platform) -> None:
    """A file that lies in landing would be processed twice: by the command and by the platform."""
    platform.ingest(platform.drop("a.xlsx", [order(1)]))
    assert platform.tick().requests == []
    assert len(platform.attempts("a")) == 1


def test_a_run_that_never_began_is_asked_for_again_with_pauses(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that cannot start would cost the file, or a run every five seconds for ever."""
    platform.drop("a.xlsx", [order(1)])
    now, asked = time.time(), []
    for second in range(0, 400, 10):
        monkeypatch.setattr(requests.time, "time", lambda second=second: now + second)
        for request in platform.tick().requests:
            asked.append((second, request.run_key))
            run = platform.queue(request, dg.DagsterRunStatus.STARTED)
            platform.instance.report_run_failed(run)
            platform.sql("update runs set end_time = %s where run_id = %s", now + second, run.run_id)
    assert [second for second, _ in asked] == [0, 10, 30, 70, 150, 310]
    assert [key for _, key in asked] == [f"orders|a|1|{count}" for count in range(6)]
    assert platform.state("a") == ("arrived", None), "it is never lost"


def old(path: Path, minutes: float) -> None:
    """Let a file have been written some time ago."""
    then = time.time() - minutes * 60
    os.utime(path, (then, then))


def test_after_a_stop_live_files_go_first_and_history_oldest_first(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """This morning's file would wait behind a weekend's, or Saturday's be loaded after Sunday's."""
    monkeypatch.setattr(arrivals, "HISTORY_AT_ONCE", 3)
    for place, name in enumerate(("m", "b", "z", "a")):
        old(platform.drop(f"{name}.xlsx", [order(place + 1)]), 600 - place)
    first = platform.tick()
    assert first.partitions == ["m", "b", "z"]
    assert {(request.tags["dagster/priority"], request.tags["shp/queue"]) for request in first.requests} == {("-1", "after_live")}
    for request in first.requests:
        platform.queue(request)
    platform.drop("live.xlsx", [order(9)])
    (live,) = platform.tick().requests
    assert live.partition_key == "live", "a queue that is full of history has room for it"
    assert "dagster/priority" not in live.tags
    platform.queue(live)
    assert platform.tick().requests == [], "and history waits until its own are done"


def test_what_came_just_now_goes_before_the_history_of_all_feeds(platform: Platform) -> None:
    """One feed's file of this morning would be queued behind another feed's weekend."""
    for number in range(3):
        old(platform.drop_bytes(f"f{number}.xlsx", b"x"), 600 - number)
    platform.drop_count(f"counts_{DAY}.xlsx", [("a", 1)])
    assert platform.tick().partitions == [DAY, "f0", "f1", "f2"]


def test_a_request_that_a_person_cancels_is_not_made_again(platform: Platform) -> None:
    """Whoever empties the queue in the UI would see it fill again."""
    platform.drop("a.xlsx", [order(1)])
    run = platform.queue(platform.tick().requests[0])
    platform.instance.report_run_canceled(run)
    assert platform.tick().requests == []
    assert platform.state("a") == ("exhausted", "terminated")
    platform.drop("a.xlsx", [order(2)])
    assert platform.tick().partitions == ["a"], "a new arrival arms it again"


def test_ranges_and_odd_names_make_keys_that_dagster_understands(platform: Platform) -> None:
    """A key with three dots would be read as a range of partitions in a backfill."""
    for name in ("a...b.xlsx", "x,y.xlsx", "p|q.xlsx", "ü.xlsx"):
        platform.drop_bytes(name, b"x")
    keys = [key or "" for key in platform.tick().partitions]
    assert len(set(keys)) == 4
    assert not any(bad in key for key in keys for bad in ("...", ",", "|", "ü"))


def test_a_feed_without_files_costs_a_tick_nothing(platform: Platform) -> None:
    """An idle platform would load the database with questions about runs."""
    for feed in platform.kits:
        platform.landing(feed)
    assert platform.tick().skip == "Nothing new."


def test_an_arrival_for_a_partition_that_left_the_calendar_stops_nobody(platform: Platform) -> None:
    """One unknown partition key fails the whole tick in Dagster: no feed would be taken up any more."""
    platform.drop_count(f"counts_{DAY}.xlsx", [("a", 1)])
    platform.tick()
    platform.feed_file(DAYS, COUNTS.replace("start: 2026-01-01", "start: 2026-03-01"))
    platform.drop("a.xlsx", [order(1)])
    assert platform.tick().partitions == ["a"]


def test_the_calendar_knows_today_and_not_tomorrow(platform: Platform, here: date) -> None:
    """Today's file would have no partition before midnight."""
    partitions = platform.kits[DAYS].partitions
    assert partitions.has_partition_key(here.isoformat())
    assert not partitions.has_partition_key((here + timedelta(days=1)).isoformat())
