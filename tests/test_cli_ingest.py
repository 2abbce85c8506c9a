"""`shp ingest` as a stranger meets it: the document, the exit codes, what is left alone, what it says when it cannot."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from shp_resources.ledger import Holder, Ledger
from shp_resources.processes import free_port
from tests.support.commands import COUNTS, VISITS, Answer, Place, counts, visit, visits
from tests.support.postgres import fresh_database, rows
from tests.support.waiting import PATIENCE
from tests.support.workbooks import written

FIELDS = {"path", "partition", "delivery", "state", "changed", "code", "message", "rows", "seconds"}
ROWS = {"read", "clean", "rejected", "duplicate", "displaced", "loaded", "blank", "after_end"}
STRANGE = "né\x1b[31m 1.xlsx"


@dataclass
class Told:
    """A folder that was ingested once, and what was said."""

    place: Place
    dsn: str
    drop: Path
    answer: Answer


@pytest.fixture(scope="module")
def told(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One ingestion of a folder that holds all sorts of files; the tests that follow only ask more of the same place."""
    with fresh_database(postgres_server) as dsn:
        place = Place.make(
            tmp_path_factory.mktemp("ingest"), dsn, {"visits": VISITS, "counts": COUNTS, "broken": "feed: broken\nowner: 1\n"}
        )
        drop = place.base / "drop"
        visits(drop / "good.xlsx", range(1, 4))
        visits(drop / "mixed.xlsx", range(3, 6), visit(5), (None,) * 4, visit(6, day="31.02.2026"), visit(7, fee="?"))
        visits(drop / STRANGE, [20])
        (drop / "damaged.xlsx").write_text("not a workbook")
        for name in ("~$good.xlsx", "notes.txt", ".good.xlsx"):
            (drop / name).write_text("no delivery")
        yield Told(place, dsn, drop, place.shp("ingest", "visits", "drop", "--json"))


def test_the_document_has_all_fields_and_no_others(told: Told) -> None:
    """A program that reads the document would break."""
    assert told.answer.code == 1
    document = told.answer.json
    assert set(document) == {"feed", "files"}
    assert document["feed"] == "visits"
    assert all(set(file) == FIELDS and set(file["rows"]) == ROWS for file in document["files"])
    assert all(isinstance(file["seconds"], float) and 0 < file["seconds"] < PATIENCE for file in document["files"])


def test_a_folder_stands_for_the_files_that_match_the_feed(told: Told) -> None:
    """What spreadsheet programs and people leave beside deliveries would be refused one by one."""
    names = [Path(file["path"]).name for file in told.answer.json["files"]]
    assert names == ["damaged.xlsx", "good.xlsx", "mixed.xlsx", "né\\x1b[31m 1.xlsx"]


def test_published_files_tell_what_became_of_their_rows(told: Told) -> None:
    """The sender would be told wrong numbers."""
    good, mixed = told.answer.file("good.xlsx"), told.answer.file("mixed.xlsx")
    assert (good["partition"], good["state"], good["changed"], good["code"]) == ("good", "published", True, None)
    assert good["rows"] == dict.fromkeys(ROWS, 0) | {"read": 3, "clean": 3, "loaded": 3}
    assert (mixed["state"], mixed["changed"], mixed["code"]) == ("published_with_rejects", True, None)
    # row 3 belongs to `good`, which sorts first; 5 stands twice; one row is blank; 6 and 7 are rejects
    expected = {"read": 6, "clean": 3, "rejected": 2, "duplicate": 1, "displaced": 1, "loaded": 2, "blank": 1}
    assert mixed["rows"] == dict.fromkeys(ROWS, 0) | expected
    assert rows(told.dsn, "select visit, _partition from warehouse.visits where visit < 10 order by 1") == [
        (1, "good"), (2, "good"), (3, "good"), (4, "mixed"), (5, "mixed"),
    ]  # fmt: skip


def test_a_refused_file_tells_its_code_and_keeps_its_bytes(told: Told) -> None:
    """Nobody would know why a file is missing, or the only copy of it could be lost."""
    damaged = told.answer.file("damaged.xlsx")
    assert (damaged["state"], damaged["code"], damaged["changed"]) == ("quarantined", "not_a_workbook", False)
    assert damaged["message"]
    kept = told.place.home / "store" / "raw" / damaged["delivery"][:2] / damaged["delivery"]
    assert kept.read_text() == "not a workbook"


def test_names_cannot_write_to_the_terminal(told: Told) -> None:
    """A file's name could colour, clear or fake what the operator sees."""
    assert "\x1b" not in told.answer.out + told.answer.err
    (strange,) = [file for file in told.answer.json["files"] if file["path"].endswith(" 1.xlsx")]
    assert strange["state"] == "published"
    assert strange["partition"].isascii() and "~" in strange["partition"]


def test_what_people_drop_is_left_alone(told: Told) -> None:
    """The sender's own files would be moved or changed."""
    assert len(list(told.drop.iterdir())) == 7
    assert (told.drop / "damaged.xlsx").read_text() == "not a workbook"


def test_another_feeds_broken_file_is_named_and_stops_nothing(told: Told) -> None:
    """One typing error in a feed file would stop all feeds, or hide."""
    assert "feeds/broken.yaml" in told.answer.err
    again = told.place.shp("ingest", "broken", "drop", "--json")
    assert (again.code, again.error["code"]) == (2, "feed_invalid")
    assert "owner" in again.error["message"] and "shp feeds check" in again.error["next"]


def test_no_cell_is_repeated(told: Told) -> None:
    """Names of people would end up in cron mails."""
    assert "Ann" not in told.answer.out + told.answer.err


def test_unchanged_files_cost_no_run(told: Told) -> None:
    """A folder that is ingested every five minutes would fill Dagster's tables and the ledger for nothing."""
    count = "select (select count(*) from runs), (select count(*) from shp.attempts), (select count(*) from shp.transitions)"
    before = rows(told.dsn, count)
    again = told.place.shp("ingest", "visits", "drop", "--json")
    assert rows(told.dsn, count) == before
    assert again.code == 1
    assert [file["changed"] for file in again.json["files"]] == [False] * 4
    first = {file["path"]: file for file in told.answer.json["files"]}
    for file in again.json["files"]:
        same = {name: file[name] for name in ("partition", "delivery", "state", "code", "message", "rows")}
        assert same.items() <= first[file["path"]].items()


def test_strict_counts_rejected_rows(told: Told) -> None:
    """A pipeline that must not lose a row could not tell."""
    assert told.place.shp("ingest", "visits", "drop/mixed.xlsx").code == 0
    strict = told.place.shp("ingest", "visits", "drop/mixed.xlsx", "--strict")
    assert strict.code == 1
    assert "shp quarantine show visits mixed" in strict.err


def test_rows_lost_in_the_warehouse_are_loaded_again(told: Told) -> None:
    """It would say that all is well because it remembers so, while the table is empty."""
    rows(told.dsn, "delete from warehouse.visits where visit = 20")
    name = told.drop / STRANGE
    assert told.place.shp("ingest", "visits", name, "--json").code == 0
    assert rows(told.dsn, "select count(*) from warehouse.visits where visit = 20") == [(1,)]


def test_a_changed_file_replaces_its_partition(told: Told, tmp_path: Path) -> None:
    """Corrections would be added to what they correct; the same name elsewhere would be another partition."""
    answer = told.place.shp("ingest", "visits", visits(tmp_path / "mixed.xlsx", [8, 9]), "--json")
    assert answer.code == 0
    assert answer.file("mixed.xlsx")["rows"]["loaded"] == 2
    assert rows(told.dsn, "select visit from warehouse.visits where _partition = 'mixed' order by 1") == [(8,), (9,)]


def test_a_missing_file_costs_only_itself(told: Told) -> None:
    """One wrong name would keep all other files out."""
    answer = told.place.shp("ingest", "visits", "drop/nowhere.xlsx", "drop/good.xlsx", "drop/good.xlsx", "--json")
    assert answer.code == 1
    missing, good = answer.json["files"]
    assert (missing["partition"], missing["delivery"], missing["state"], missing["code"]) == (None, None, None, "source_missing")
    assert (good["state"], good["changed"], good["code"]) == ("published", False, None)


def test_a_day_without_a_partition_is_told(told: Told) -> None:
    """A file with a mistyped date would vanish, or be loaded under a wrong day."""
    day = counts(told.place.base / "days" / "counts_2026-11-18.xlsx", ("pen", 3))
    wrong = counts(told.place.base / "days" / "counts_2126-11-18.xlsx", ("pen", 3))
    answer = told.place.shp("ingest", "counts", day, wrong, "--json")
    assert answer.code == 1
    loaded, unplaced = answer.json["files"]
    assert (loaded["partition"], loaded["state"]) == ("2026-11-18", "published")
    assert (unplaced["partition"], unplaced["state"], unplaced["code"]) == (None, "quarantined", "no_partition")
    assert rows(told.dsn, "select item, count, _partition from warehouse.counts") == [("pen", 3, "2026-11-18")]


def test_two_files_for_one_day_are_taken_in_order_and_the_second_is_held(told: Told, tmp_path: Path) -> None:
    """Which of two files counts would depend on which worker is faster."""
    first = counts(tmp_path / "counts_2026-11-17.xlsx", ("ink", 1))
    second = counts(tmp_path / "counts_2026-11-17 (new).xlsx", ("ink", 2))
    answer = told.place.shp("ingest", "counts", first, second, "--json")
    assert [(file["code"], file["rows"]["loaded"]) for file in answer.json["files"]] == [(None, 1), ("ambiguous_partition", 0)]
    assert rows(told.dsn, "select count from warehouse.counts where _partition = '2026-11-17'") == [(1,)]


def test_a_file_that_another_worker_has_is_waited_for(told: Told, tmp_path: Path) -> None:
    """A file dropped for a running platform and ingested by hand would be reported as failed although it is being loaded."""
    ledger = Ledger(told.dsn)
    holder = Holder.here("another run")
    assert ledger.leases.acquire("visits", "shared", holder)
    threading.Timer(5.0, lambda: ledger.leases.release("visits", "shared", holder)).start()
    answer = told.place.shp("ingest", "visits", visits(tmp_path / "shared.xlsx", [30]), "--json")
    assert (answer.code, answer.file("shared.xlsx")["state"]) == (0, "published")
    assert rows(told.dsn, "select count(*) from shp.attempts where partition = 'shared'") == [(1,)]
    ledger.close()


def test_an_unknown_feed_says_where_feeds_are(told: Told) -> None:
    """A mistyped name would leave the user without a hint."""
    answer = told.place.shp("ingest", "visit", "drop/good.xlsx", "--json")
    assert (answer.code, answer.error["code"]) == (2, "feed_unknown")
    assert str(told.place.base / "feeds") in answer.error["message"] and "visits" in answer.error["message"]


def test_a_folder_without_a_delivery_is_a_wrong_call(told: Told) -> None:
    """A wrong path in a cron job would look like a day without files."""
    answer = told.place.shp("ingest", "visits", "feeds", "--json")
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert "*.xlsx" in answer.error["message"]
    unset = told.place.shp("ingest", "visits", "", "--json")
    assert (unset.code, unset.error["message"]) == (2, "One of the paths is empty.")


def test_two_commands_at_once_on_the_same_files(told: Told, tmp_path: Path) -> None:
    """Overlapping cron jobs would load rows twice, or fail each other."""
    files = [visits(tmp_path / f"twice_{number}.xlsx", range(number * 100, number * 100 + 50)) for number in (1, 2, 3)]
    both = [told.place.start("ingest", "visits", *files, "--json") for _ in range(2)]
    answers = [Answer(process.returncode, out, err) for process in both for out, err in [process.communicate(timeout=120)]]
    assert [answer.code for answer in answers] == [0, 0], [answer.err for answer in answers]
    for answer in answers:
        assert [(file["state"], file["rows"]["loaded"]) for file in answer.json["files"]] == [("published", 50)] * 3
    assert rows(told.dsn, "select count(*), count(distinct visit) from warehouse.visits where _partition like 'twice%%'") == [(150, 150)]
    assert rows(told.dsn, "select * from shp.leases") == []


@pytest.mark.parametrize("how", ["refusing", "silent"])
def test_a_database_that_is_down_is_told_soon(told: Told, how: str) -> None:
    """A cron job would hang, or the user would read a traceback; and a secret must not be printed."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = free_port() if how == "refusing" else silent.getsockname()[1]
        began = time.monotonic()
        answer = told.place.shp("ingest", "visits", "drop/good.xlsx", "--json", SHP_PG_DSN=f"postgresql://u:hidden@127.0.0.1:{port}/d")
    assert time.monotonic() - began < PATIENCE
    assert (answer.code, answer.error["code"]) == (2, "ledger_unreachable")
    assert "SHP_PG_DSN" in answer.error["next"]
    assert "hidden" not in answer.out + answer.err


def test_a_home_that_cannot_be_written_is_a_wrong_setting(told: Told) -> None:
    """The user would be asked to report a bug for a wrong path."""
    answer = told.place.shp("ingest", "visits", "drop/good.xlsx", "--json", "--home", "/proc/nowhere")
    assert (answer.code, answer.error["code"]) == (2, "settings_invalid")


def test_a_warehouse_that_is_down_parks_the_file(told: Told, tmp_path: Path) -> None:
    """The bytes would have to be sent again although only the database was away."""
    file = visits(tmp_path / "parked.xlsx", [40])
    away = f"postgresql://u:hidden@127.0.0.1:{free_port()}/d"
    answer = told.place.shp("ingest", "visits", file, SHP_WAREHOUSE_DSN=away)
    assert answer.code == 1
    assert "sink_unreachable" in answer.err and "next: Bring the warehouse's database back" in answer.err
    assert "hidden" not in answer.err
    again = told.place.shp("ingest", "visits", file, "--json")
    assert (again.code, again.file("parked.xlsx")["rows"]["loaded"]) == (0, 1)


def test_text_for_people_is_lines_where_there_is_no_terminal(told: Told) -> None:
    """A log file would be full of escape sequences."""
    answer = told.place.shp("ingest", "visits", "drop/good.xlsx", "drop/damaged.xlsx")
    assert answer.out == ""
    assert "good.xlsx: 3 rows (unchanged) in" in answer.err
    assert "damaged.xlsx: not_a_workbook:" in answer.err
    assert "next: Save the file as an Excel workbook" in answer.err
    assert "\x1b" not in answer.err


def test_a_terminal_gets_a_bar_for_each_file_and_short_lines(told: Told) -> None:
    """A user would stare at nothing while a big file is read, or at a table torn by line breaks."""
    answer = told.place.on_terminal("ingest", "visits", "drop/good.xlsx", "drop/mixed.xlsx")
    assert "━" in answer.out and "reading" in answer.out
    assert answer.code == 0
    last = answer.out[answer.out.rindex("\x1b[?25h") :].splitlines()
    assert all(len(line.encode().decode("ascii", "ignore")) < 160 for line in last)
    assert any("mixed.xlsx" in line for line in last)


def test_an_empty_workbook_never_replaces_rows(told: Told, tmp_path: Path) -> None:
    """A broken export would delete yesterday's data."""
    empty = written(tmp_path / "good.xlsx", [("Visit", "Name", "Day", "Fee")])
    answer = told.place.shp("ingest", "visits", empty, "--json")
    assert (answer.code, answer.file("good.xlsx")["code"]) == (1, "no_rows")
    assert rows(told.dsn, "select count(*) from warehouse.visits where _partition = 'good'") == [(3,)]
    assert os.path.exists(told.drop / "good.xlsx")  # noqa: PTH110


def test_one_file_is_one_source_however_it_is_named(told: Told) -> None:
    """The same file from another folder would count as a new arrival every time."""
    count = "select count(*) from shp.arrivals where partition = 'mixed'"
    before = rows(told.dsn, count)
    for name in ("./drop/mixed.xlsx", "feeds/../drop/mixed.xlsx", str(told.drop / "mixed.xlsx")):
        told.place.shp("ingest", "visits", name)
    after = rows(told.dsn, count)
    assert after[0][0] - before[0][0] <= 1  # another file of that name came in a test before


def test_many_files_do_not_fill_the_screen_with_bars(told: Told, tmp_path: Path) -> None:
    """A folder of a year's files would cost more time to draw than to load."""
    files = [visits(tmp_path / f"many_{number:02}.xlsx", [1000 + number]) for number in range(16)]
    answer = told.place.on_terminal("ingest", "visits", *files)
    assert answer.code == 0
    assert sum("1 rows" in line for line in answer.out.splitlines()) >= 16
    assert rows(told.dsn, "select count(*) from warehouse.visits where visit >= 1000") == [(16,)]
