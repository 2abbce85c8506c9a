"""What commands say: listings that fit, next steps for every code, one line per event, errors that name the place."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from rich.console import Console

from shp_core.codes import Code, Scope
from shp_core.errors import UsageError
from shp_ops.advice import advice, remedy
from shp_ops.cli.events import event_lines
from shp_ops.cli.tables import Listing, partition_listing, result_listing
from shp_ops.cli.teach import Taught
from shp_ops.ingest.results import FileResult
from shp_ops.installation import catalogue_of, opened, require_feed
from shp_resources.settings import Settings
from shp_resources.warehouse.counts import displaced_now, present
from tests.support.commands import VISITS
from tests.support.warehouse import ITEMS, LINES, Desk, delivery, target_of

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
WIDE = Listing(["file", "read", "state"], [["a_rather_long_name_of_a_file.xlsx", "1,234", "published"], ["b.xlsx", "0", "-"]])


def shown(listing: Listing, width: int) -> list[str]:
    """The lines of a listing on a terminal of that width."""
    out = io.StringIO()
    listing.show(Console(file=out, width=width, soft_wrap=True, highlight=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_listing_is_a_table_where_it_fits() -> None:
    """Numbers could not be compared by looking down a column."""
    assert shown(WIDE, 80) == [
        "file                                read  state",
        "a_rather_long_name_of_a_file.xlsx  1,234  published",
        "b.xlsx                                 0  -",
    ]


def test_a_listing_that_does_not_fit_is_told_in_words() -> None:
    """A narrow terminal would tear words apart or hide them behind dots."""
    assert shown(WIDE, 40) == ["a_rather_long_name_of_a_file.xlsx", "  read 1,234, published", "b.xlsx"]


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    """A file called [red].xlsx would lose its name, or break the table."""
    for width in (80, 10):
        assert any("[red]a[/].xlsx" in line for line in shown(Listing(["file", "read"], [["[red]a[/].xlsx", "12,345,678"]]), width))


def test_a_listing_without_rows_has_a_header() -> None:
    """A command would crash where there is nothing to show."""
    assert shown(Listing(["file", "read"], []), 80) == ["file  read"]


def test_results_say_what_was_left_as_it_was() -> None:
    """The user could not see whether anything was done."""
    rows = {"read": 3, "clean": 2, "rejected": 1, "loaded": 2}
    results = [
        FileResult("x/a.xlsx", "a", "ab", "published", True, rows=rows, seconds=1.25),
        FileResult("b.xlsx", "b", "cd", "published", False, rows=rows),
        FileResult("c.xlsx", code="source_missing"),
    ]
    assert shown(result_listing(results), 120) == [
        "file    read  rejected  loaded  state                  seconds",
        "a.xlsx     3         1       2  published                  1.2",
        "b.xlsx     3         1       2  published (unchanged)      0.0",
        "c.xlsx     0         0       0  -                          0.0",
    ]


def test_partitions_are_listed_with_their_time() -> None:
    """Nobody could see whether a state is of today."""
    record = {"partition": "a", "state": "published", "rows": {"read": 2, "clean": 2, "loaded": 1, "displaced": 1}, "updated_at": AT}
    assert shown(partition_listing([record]), 100) == [
        "partition  read  clean  displaced  loaded  state      updated (UTC)",
        "a             2      2          1       1  published  2026-11-20 08:00",
    ]


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_next_step(code: Code) -> None:
    """The user would be told what is wrong, and left alone with it."""
    said = advice(str(code))
    assert said.endswith(".") and said != "-" and len(said) > 10
    if code.info.scope in (Scope.ROW, Scope.FILE):
        assert said == code.info.sender or "again" in said


@pytest.mark.parametrize("code", list(Code))
def test_every_incident_has_a_next_step_that_can_be_typed(code: Code) -> None:
    """Whoever is told of an incident would read once more what is wrong, or a command with holes in it."""
    said = remedy(code, "hdfs", [("sales", "n1"), ("sales", "n2")])
    assert "FEED PARTITION" not in said and "`" not in said
    assert said.endswith((".", "shp quarantine list"))
    assert said != code.info.operator


def test_what_has_no_code_is_called_a_bug() -> None:
    """A command would crash while it explains a failure."""
    assert "report" in advice(None)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            {"what": "arrival", "number": 7, "name": "a.xlsx", "size": 1234, "via": "sensor"},
            "arrival      #7 a.xlsx, 1,234 bytes via sensor",
        ),
        ({"what": "arrival", "number": 8, "via": "rewind"}, "arrival      #8 (made by hand) via rewind"),
        ({"what": "delivery", "delivery": "ab" * 32, "size": 5, "arrival": 7}, "delivery     abababababab, 5 bytes, of arrival #7"),
        (
            {"what": "attempt", "number": 2, "arrival": 7, "via": "ui", "run_id": "c" * 36},
            "attempt      2 on arrival #7 via ui, run cccccccc",
        ),
        ({"what": "transition", "new": "arrived"}, "transition   - -> arrived"),
        (
            {"what": "transition", "old": "running", "new": "parked"},
            "transition   running -> parked (the warehouse holds it, the lake follows)",
        ),
        ({"what": "transition", "old": "running", "new": "parked", "code": "transient"}, "transition   running -> parked (transient)"),
        (
            {"what": "attempt_end", "number": 2, "outcome": "parked", "code": "sink_unreachable", "step": "warehouse"},
            "attempt end  2: parked (sink_unreachable) in warehouse",
        ),
        (
            {"what": "attempt_end", "number": 3, "outcome": "waiting", "code": "transient", "step": "warehouse", "due_at": AT},
            f"attempt end  3: waiting (transient) in warehouse, due again at {AT:%H:%M:%S}",
        ),
        (
            {"what": "publication", "number": 3, "sink": "warehouse", "rows": 2000, "delivery": "cd" * 32},
            "publication  #3 warehouse holds 2,000 rows of delivery cdcdcdcdcdcd",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value["what"],
)
def test_an_event_is_one_line(event: dict[str, object], line: str) -> None:
    """A partition's story could not be read at a glance."""
    assert list(event_lines({"at": AT, **event})) == [f"2026-11-20 08:00:00  {line}"]


def test_a_reason_is_told_once() -> None:
    """Every failure would be told twice, by the attempt and by the state."""
    why = {"code": "no_rows", "message": "No row was read."}
    end = list(event_lines({"at": AT, "what": "attempt_end", "number": 1, "outcome": "quarantined", **why}))
    move = list(event_lines({"at": AT, "what": "transition", "old": "running", "new": "quarantined", **why}))
    assert (end[1].strip(), len(move)) == ("No row was read.", 1)


def test_examples_keep_their_lines() -> None:
    """Commands in the help could not be copied."""
    command = Taught("sample", epilog="\n    Exit code 0: fine.\n              1: not.\n\n    Example: sample --all\n    ")
    said = command.get_help(click.Context(command))
    assert said.endswith("\n  Exit code 0: fine.\n            1: not.\n\n  Example: sample --all")


# the installation


def settings(folder: Path, **more: str) -> Settings:
    """Settings of a folder with one feed."""
    (folder / "feeds").mkdir(parents=True, exist_ok=True)
    (folder / "feeds" / "visits.yaml").write_text(VISITS)
    return Settings.load({"SHP_FEEDS": str(folder / "feeds"), **more}, home=folder / "home")


def test_a_feed_that_is_not_there_says_where_and_which_there_are(tmp_path: Path) -> None:
    """A user in the wrong folder, or with a typing error, would not find out which of the two it is."""
    made = settings(tmp_path)
    assert require_feed(made, catalogue_of(made), "visits").feed == "visits"
    with pytest.raises(UsageError, match=rf"{tmp_path}/feeds; there is: visits"):
        require_feed(made, catalogue_of(made), "visit")
    elsewhere = Settings.load({"SHP_FEEDS": str(tmp_path / "nowhere")}, home=tmp_path / "home")
    with pytest.raises(UsageError, match="nowhere is missing"):
        require_feed(elsewhere, catalogue_of(elsewhere), "visits")


@pytest.mark.parametrize("name", ["broken.yaml", "broken.yml"])
def test_a_feed_with_errors_tells_them_instead_of_being_unknown(name: str, tmp_path: Path) -> None:
    """A typing error in a feed file would look as if the file were not found."""
    made = settings(tmp_path)
    (tmp_path / "feeds" / name).write_text("feed: broken\n")
    with pytest.raises(UsageError) as caught:
        require_feed(made, catalogue_of(made), "broken")
    assert caught.value.code is Code.FEED_INVALID and name in caught.value.message


def test_the_environment_is_this_installations_while_it_is_open_and_as_before_afterwards(
    database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster would write into another home; or a program that calls us would be left with our variables."""
    monkeypatch.setenv("DAGSTER_HOME", "/before")
    monkeypatch.delenv("SHP_DB_POOL", raising=False)
    with opened(settings(tmp_path, SHP_PG_DSN=database_dsn)) as outside:
        assert os.environ["DAGSTER_HOME"] == str(tmp_path / "home" / "dagster")
        assert (os.environ["SHP_PG_DSN"], os.environ["SHP_DB_POOL"]) == (database_dsn, "1")
        assert outside.ledger.partitions.list("visits") == []
        outside.ledger.close()
    assert (os.environ["DAGSTER_HOME"], "SHP_DB_POOL" in os.environ) == ("/before", False)
    assert (tmp_path / "home" / "dagster" / "dagster.yaml").exists()


def test_the_limits_of_the_platform_file_are_in_force(database_dsn: str, tmp_path: Path) -> None:
    """A limit that an operator sets would be ignored by the command he uses."""
    (tmp_path / "shp.yaml").write_text("limits: {source_bytes: 1234}\n")
    with opened(settings(tmp_path, SHP_PG_DSN=database_dsn)) as outside:
        assert outside.limits.source_bytes == 1234


# counts


def test_counts_follow_rows_that_stand_aside(database_dsn: str) -> None:
    """The sum of what is called loaded would not be the number of rows in the table."""
    target = target_of(ITEMS)
    desk = Desk(database_dsn, target)
    with desk.warehouse.transaction(readonly=True) as cur:
        assert displaced_now(cur, target) == {}
    first, second = (
        delivery(target.contract, [[str(number), text] for number in keys]) for keys, text in ((range(5), "a"), (range(3, 9), "b"))
    )
    desk.publish("b", second)
    with desk.warehouse.transaction(readonly=True) as cur:
        assert displaced_now(cur, target) == {}
    desk.publish("a", first)  # sorts first: takes two keys over
    with desk.warehouse.transaction(readonly=True) as cur:
        assert displaced_now(cur, target) == {"b": 2}
    assert desk.rows("select _partition, count(*) from warehouse.items group by 1 order by 1") == [("a", 5), ("b", 4)]
    assert present({"clean": 6, "loaded": 6, "displaced": 0, "read": 6}, 2) == {"clean": 6, "loaded": 4, "displaced": 2, "read": 6}
    assert present({"clean": 6, "read": 9}, 2) == {"clean": 6, "read": 9}
    desk.connection.close()


def test_a_feed_without_a_key_displaces_nothing(database_dsn: str) -> None:
    """A table that does not exist would be asked."""
    target = target_of(LINES)
    desk = Desk(database_dsn, target)
    desk.publish("a", delivery(target.contract, [["1", "a"], ["1", "a"]]))
    with desk.warehouse.transaction(readonly=True) as cur:
        assert displaced_now(cur, target) == {}
    desk.connection.close()
