"""Commands that look: `shp feeds`, `shp partitions`, `shp history`, `shp quarantine`; they make nothing and mask people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_ops.cli import main as front
from shp_ops.cli.events import event_lines
from shp_ops.cli.tables import shown_counts
from shp_resources.embedded import EmbeddedServer
from tests.support.commands import COUNTS, VISITS, Place, visit, visits
from tests.support.holders import REPOSITORY
from tests.support.postgres import fresh_database, rows
from tests.support.workbooks import written

SECRET = "Ann"
PARTITION = {
    "partition",
    "state",
    "flags",
    "delivery",
    "code",
    "message",
    "rows",
    "attempts",
    "sinks",
    "next_attempt_at",
    "due_at",
    "updated_at",
}
LOOKING = (["partitions", "visits"], ["history", "visits", "good"], ["quarantine", "list"], ["quarantine", "show", "visits", "good"])


@dataclass
class Shown:
    """A place in which one file was published, one with rejects, one refused."""

    place: Place
    dsn: str


@pytest.fixture(scope="module")
def shown(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """What the commands below look at."""
    with fresh_database(postgres_server) as dsn:
        place = Place.make(
            tmp_path_factory.mktemp("views"), dsn, {"visits": VISITS, "plain": VISITS.replace("visits", "plain").replace(", pii: true", "")}
        )
        drop = place.base / "drop"
        bad = visit(5, SECRET, day="31.02.2026")
        files = [visits(drop / "good.xlsx"), visits(drop / "mixed.xlsx", [4, 6], bad), visits(drop / "refused.xlsx", [7], bad, bad)]
        assert place.shp("ingest", "visits", *files).code == 1
        assert place.shp("ingest", "plain", files[1]).code == 0
        yield Shown(place, dsn)


def test_partitions_is_the_document_that_programs_rely_on(shown: Shown) -> None:
    """A dashboard that reads it would break."""
    answer = shown.place.shp("partitions", "visits", "--json")
    assert answer.code == 1
    good, mixed, refused = answer.json["partitions"]
    assert answer.json["feed"] == "visits"
    assert all(set(record) == PARTITION for record in (good, mixed, refused))
    assert [record["state"] for record in (good, mixed, refused)] == ["published", "published_with_rejects", "quarantined"]
    assert (good["attempts"], good["code"], good["rows"]["loaded"]) == (1, None, 3)
    assert set(good["sinks"]["warehouse"]) == {"state", "delivery", "rows", "hash", "at"}
    assert good["sinks"]["warehouse"] | {"at": 0} == {
        "state": "held",
        "delivery": good["delivery"],
        "rows": 3,
        "hash": good["sinks"]["warehouse"]["hash"],
        "at": 0,
    }
    assert good["updated_at"].endswith("Z")
    assert (refused["code"], refused["sinks"], refused["rows"]["rejected"]) == ("too_many_rejects", {}, 2)


def test_partitions_is_0_when_all_are_published(shown: Shown) -> None:
    """A monitor would raise an alarm for a healthy feed."""
    answer = shown.place.shp("partitions", "plain")
    assert (answer.code, answer.out) == (0, "")
    header, line = (line.split() for line in answer.err.splitlines())
    assert header == ["partition", "read", "rejected", "loaded", "state", "updated", "(UTC)"]
    assert line[:5] == ["mixed", "3", "1", "2", "published_with_rejects"]


def test_partitions_fit_a_narrow_terminal(shown: Shown) -> None:
    """Words would be torn apart in the middle of a table."""
    wide, narrow = shown.place.shp("partitions", "visits"), shown.place.on_terminal("partitions", "visits", columns=50)
    assert "mixed      " in wide.err
    lines = narrow.out.replace("\r", "").splitlines()
    place = lines.index("mixed")
    assert lines[place + 1].startswith("  read 3, ") and "published_with_rejects" in lines[place + 1]


def test_history_tells_everything_in_order(shown: Shown) -> None:
    """Nobody could find out why a partition is as it is."""
    events = shown.place.shp("history", "visits", "good", "--json").json["events"]
    kinds = [event["what"] for event in events]
    assert kinds[0] == "arrival" and set(kinds) == {"arrival", "delivery", "transition", "attempt", "attempt_end", "publication"}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert [event["new"] for event in events if event["what"] == "transition"] == ["arrived", "running", "published"]


def test_history_for_people_is_short_lines_with_the_reason(shown: Shown) -> None:
    """The one line that matters would drown in hashes and process numbers."""
    answer = shown.place.shp("history", "visits", "refused")
    assert answer.code == 0
    lines = answer.err.splitlines()
    assert all(len(line) <= 80 for line in lines if not line.startswith(" "))
    assert any(line.strip().startswith("2 of 3 rows are rejected") for line in lines)
    assert any("quarantined (too_many_rejects)" in line for line in lines)


def test_history_of_nothing_is_an_error(shown: Shown) -> None:
    """A mistyped partition would look like one to which nothing happened."""
    for words in (["history", "visits", "god"], ["quarantine", "show", "visits", "god"]):
        answer = shown.place.shp(*words, "--json")
        assert (answer.code, answer.error["code"]) == (2, "usage")
        assert answer.error["next"].endswith("shp partitions visits")


def test_an_event_of_a_kind_nobody_knows_yet_is_told_all_the_same() -> None:
    """An older program would crash on what a newer one wrote."""
    event = {"at": datetime(2026, 11, 20, 8, tzinfo=UTC), "what": "verdict", "why": "sink_down", "message": "Away."}
    assert list(event_lines(event)) == ["2026-11-20 08:00:00  verdict      why sink_down", f"{'':21}Away."]


def test_quarantine_lists_partitions_and_rows_with_reasons_and_masks_people(shown: Shown) -> None:
    """The person who must mend a file would not know which rows, or personal data would leak into terminals and tickets."""
    answer = shown.place.shp("quarantine", "list", "--json")
    assert answer.code == 1
    (held,) = answer.json["partitions"]
    assert (held["feed"], held["partition"], held["code"]) == ("visits", "refused", "too_many_rejects")
    assert held["next"] == Code.TOO_MANY_REJECTS.info.sender
    found = {(row["feed"], row["partition"], row["row"]): row for row in answer.json["rows"]}
    assert set(found) == {("visits", "mixed", 4), ("visits", "refused", 3), ("visits", "refused", 4), ("plain", "mixed", 4)}
    masked, plain = found["visits", "mixed", 4], found["plain", "mixed", 4]
    assert all(set(row) >= {"feed", "partition", "row", "codes", "text"} for row in found.values())
    assert masked["codes"] == plain["codes"] == ["invalid_date"]
    assert SECRET not in json.dumps(masked) and "31.02.2026" not in json.dumps(masked)
    assert plain["text"] == ["5", SECRET, "31.02.2026", "12.5"]


def test_quarantine_for_people_says_row_column_and_what_to_do(shown: Shown) -> None:
    """The sender would have to know our codes."""
    answer = shown.place.shp("quarantine", "show", "visits", "mixed")
    assert answer.code == 0
    assert answer.err == "visits/mixed row 4: day: invalid_date. Write a date that exists, in the agreed form.\n"


def test_quarantine_of_one_feed_and_of_a_partition_without_rejects(shown: Shown) -> None:
    """A filter would be ignored, or emptiness look like an error."""
    one = shown.place.shp("quarantine", "list", "--feed", "plain", "--limit", "1", "--json")
    assert (one.code, [row["feed"] for row in one.json["rows"]]) == (0, ["plain"])
    nothing = shown.place.shp("quarantine", "show", "visits", "good")
    assert (nothing.code, nothing.err) == (0, "Nothing is held back.\n")
    assert shown.place.shp("quarantine", "list", "--feed", "nowhere").code == 2


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_where_nothing_is_makes_nothing(words: list[str], tmp_path: Path) -> None:
    """A mistyped --home would quietly make a new, empty installation and answer for it."""
    place = Place.make(tmp_path / "p", feeds={"visits": VISITS})
    answer = place.shp(*words, "--json")
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert str(place.home) in answer.error["message"]
    assert "shp ingest" in answer.error["next"]
    assert place.tree() == set()


def test_looking_at_an_empty_database_makes_no_tables(shown: Shown, database_dsn: str) -> None:
    """A wrong SHP_PG_DSN would put our tables into somebody else's database."""
    answer = shown.place.shp("partitions", "visits", "--json", SHP_PG_DSN=database_dsn)
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert "SHP_PG_DSN" in answer.error["message"]
    assert rows(database_dsn, "select count(*) from pg_namespace where nspname like 'shp%%'") == [(0,)]


def test_looking_at_a_home_whose_server_is_down_starts_it_and_lets_it_go(tmp_path: Path) -> None:
    """One would have to start a platform to look at a state, or a server would be left behind."""
    place = Place.make(tmp_path / "p", feeds={"visits": VISITS})
    assert place.shp("ingest", "visits", visits(tmp_path / "good.xlsx")).code == 0
    before = {name for name in place.tree() if not name.startswith("var/postgres/data")}
    answer = place.shp("partitions", "visits", "--json")
    assert (answer.code, answer.json["partitions"][0]["state"]) == (0, "published")
    server = EmbeddedServer(place.home)
    assert not server.dsn_file.exists() and server.postmaster is None
    assert {name for name in place.tree() if not name.startswith("var/postgres/data")} == before


def test_a_database_that_is_down_is_told_to_those_who_look(shown: Shown) -> None:
    """The user would read a traceback of a library."""
    answer = shown.place.shp("partitions", "visits", "--json", SHP_PG_DSN="postgresql://u:hidden@127.0.0.1:1/d")
    assert (answer.code, answer.error["code"]) == (2, "ledger_unreachable")
    assert "hidden" not in answer.out + answer.err


def test_looking_needs_no_dagster(shown: Shown) -> None:
    """Every look would take three seconds longer."""
    check = "import sys, shp_ops.cli.main as m; code = m.run(sys.argv[1:]); print(code, 'dagster' in sys.modules, 'pandas' in sys.modules)"
    for words in (["partitions", "plain"], ["history", "visits", "good"]):
        assert shown.place.call([sys.executable, "-c", check, *words]).out.split() == ["0", "False", "False"]


# feeds


def test_feeds_check_tells_every_error_and_what_is_sound(tmp_path: Path) -> None:
    """The user would mend one error after the other, and not know whether the other feeds still work."""
    broken = "feed: broken\nowner: team:x\ncolumns:\n  A: {type: txt}\n  B: {typ: text}\n"
    place = Place.make(tmp_path / "p", feeds={"visits": VISITS, "broken": broken})
    answer = place.shp("feeds", "check", "--json")
    assert answer.code == 1
    document = answer.json
    assert (document["ok"], [feed["feed"] for feed in document["feeds"]], document["marts"]) == (False, ["visits"], [])
    assert set(document["feeds"][0]) == {"feed", "table", "contract"}
    assert document["feeds"][0]["table"] == "warehouse.visits"
    assert len(document["errors"]) >= 2 and all("feeds/broken.yaml" in error for error in document["errors"])
    assert place.tree() == set()


def test_feeds_check_is_0_for_sound_files_and_looks_at_the_platform_file(tmp_path: Path) -> None:
    """CI could not use it; and an error in shp.yaml would be found when the first file comes."""
    place = Place.make(tmp_path / "p", feeds={"visits": VISITS, "counts": COUNTS})
    answer = place.shp("feeds", "check")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.count("ok  ") == 2
    (place.base / "shp.yaml").write_text("limit: {}\n")
    answer = place.shp("feeds", "check", "--json")
    assert answer.code == 1 and any("shp.yaml" in error for error in answer.json["errors"])


def test_feeds_check_where_there_are_none_checks_the_examples_and_says_so(tmp_path: Path) -> None:
    """A newcomer would get an error and no example; a user in the wrong folder would be told that all is well."""
    tmp_path.joinpath("p").mkdir()
    place = Place(tmp_path / "p")
    answer = place.shp("feeds", "check", "--json")
    assert answer.code == 0
    assert [feed["feed"] for feed in answer.json["feeds"]] == ["sales", "stock"]
    assert answer.json["folder"] == str(REPOSITORY / "feeds")
    assert answer.err.startswith(f"{place.base / 'feeds'} is missing; these are the examples")
    named = place.shp("feeds", "check", SHP_FEEDS="elsewhere")
    assert named.code == 1
    assert "missing" in named.err and f"No feed of {place.base / 'elsewhere'} is in force." in named.err
    assert place.tree() == set()


def test_feeds_schema_is_a_schema(tmp_path: Path) -> None:
    """An editor could not complete or check feed files."""
    answer = Place.make(tmp_path / "p").shp("feeds", "schema")
    assert answer.code == 0
    assert {"feed", "owner", "columns"} <= set(answer.json["properties"])


def test_explain_says_what_would_happen_and_keeps_nothing(tmp_path: Path) -> None:
    """The writer of a feed file could only try it on real data."""
    place = Place.make(tmp_path / "p", feeds={"visits": VISITS})
    book = visits(tmp_path / "mixed.xlsx", range(10), visit(40, SECRET, day="31.02.2026"), visit(5))
    answer = place.shp("feeds", "explain", "visits", book, "--json")
    assert answer.code == 0
    found = answer.json
    assert (found["verdict"], found["partition"], found["refusals"]) == ("ok", "mixed", [])
    assert found["rows"] == {"read": 12, "clean": 9, "rejected": 2, "duplicate": 1, "blank": 0, "after_end": 0}
    assert found["rejects"] == [
        {"row": 2, "reasons": [{"column": "visit", "code": "below_min"}]},
        {"row": 12, "reasons": [{"column": "day", "code": "invalid_date"}]},
    ]
    assert SECRET not in answer.out + answer.err
    assert place.tree() == set()


def test_explain_of_a_refused_file_is_1_and_says_why(tmp_path: Path) -> None:
    """It would say ok to what the platform refuses."""
    place = Place.make(tmp_path / "p", feeds={"visits": VISITS, "counts": COUNTS})
    other = written(tmp_path / "other.xlsx", [("Visit", "Nome", "Day", "Fee"), visit(1)])
    answer = place.shp("feeds", "explain", "visits", other)
    assert answer.code == 1
    assert "column_missing" in answer.err and "Name" in answer.err and "Nome" in answer.err
    (tmp_path / "text.xlsx").write_text("text")
    assert place.shp("feeds", "explain", "visits", tmp_path / "text.xlsx", "--json").json["refusals"][0]["code"] == "not_a_workbook"
    assert place.shp("feeds", "explain", "counts", other, "--json").json["refusals"][0]["code"] == "no_partition"


def test_explain_of_a_missing_file_is_a_wrong_call(tmp_path: Path) -> None:
    """It would look as if the sender's file were refused."""
    answer = Place.make(tmp_path / "p", feeds={"visits": VISITS}).shp("feeds", "explain", "visits", "nowhere.xlsx", "--json")
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert "nowhere.xlsx" in answer.error["message"]


# help


def _commands() -> Iterator[list[str]]:
    for name in front.COMMANDS:
        command = front.cli.get_command(None, name)  # type: ignore[arg-type]
        yield from ([name, sub] for sub in getattr(command, "commands", {})) if hasattr(command, "commands") else [[name]]


@pytest.mark.parametrize(
    "words",
    [
        words
        for words in _commands()
        if words[0] in ("ingest", "feeds", "partitions", "history", "quarantine", "demo", "waive", "backfill", "slo")
    ],
    ids=" ".join,
)
def test_help_teaches(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """A new user would have to read the source to learn what an exit code means or how a command is called."""
    assert front.run([*words, "--help"]) == 0
    said = capfd.readouterr().out
    assert "Exit code 0" in said or "Example:" in said
    assert all(len(line) <= 100 for line in said.splitlines())


def test_a_group_without_a_command_says_what_to_type(capfd: pytest.CaptureFixture[str]) -> None:
    """The user would get an error without a way on."""
    assert front.run(["feeds"]) == 2
    assert "next: Run: shp feeds --help" in capfd.readouterr().err


def test_counts_that_say_nothing_are_left_out() -> None:
    """A table would be too wide for what it says."""
    assert shown_counts([{"read": 3, "clean": 3, "loaded": 3, "rejected": 0}]) == ["read", "loaded"]
    assert shown_counts([{"read": 3, "clean": 2, "loaded": 1, "displaced": 1, "rejected": 1}]) == [
        "read",
        "clean",
        "rejected",
        "displaced",
        "loaded",
    ]
    assert shown_counts([]) == ["read", "loaded"]
