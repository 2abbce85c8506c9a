"""The benchmark harness: what it measures, that it believes nobody, and that its contenders do the same work."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from click.testing import CliRunner

from benchmarks import ingest, report, table
from benchmarks.contenders import CONTENDERS, PANDAS, SHP, YARDSTICK, Contender
from benchmarks.database import fresh_database, server, setting
from benchmarks.ingest import Course, WrongResultError, measure, workbooks
from benchmarks.make_workbooks import Plan, expected
from benchmarks.measure import run

PLAN = Plan(rows=40, files=3)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three small workbooks."""
    return workbooks(PLAN, tmp_path_factory.mktemp("books"))


def fake(name: str, code: str, *, slow: bool = False) -> Contender:
    """A contender that runs this Python code with the workbooks as arguments."""
    return Contender(
        name, "-", table.TABLE, lambda found: [sys.executable, "-c", code, *map(str, found)], lambda dsn, _: {"BENCH_DSN": dsn}, slow
    )


def databases(dsn: str) -> list[str]:
    """Names of the databases that a benchmark made and left behind."""
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute("select datname from pg_database where datname = 'shp_bench'")
        names = [name for (name,) in cursor.fetchall()]
    connection.close()
    return names


def test_contenders_are_measured_in_turn_and_verified(paths: list[Path], postgres_server: str) -> None:
    """Ratios would compare different work, or different moments of the machine."""
    runs = measure(Course(PLAN, rounds=2, slow_files=1, contenders=(YARDSTICK, PANDAS)), paths, postgres_server)
    assert [(run["contender"], run["round"], run["files"], run["rows"]) for run in runs] == [
        ("yardstick", 1, 3, 120),
        ("pandas", 1, 1, 40),
        ("yardstick", 2, 3, 120),
        ("pandas", 2, 1, 40),
    ]
    assert all(run["wall"] > 0 and run["cpu"] > 0 and run["max_rss"] > 20 and run["peak_pss"] > 5 for run in runs)
    assert databases(postgres_server) == []


@pytest.mark.parametrize("contender", [YARDSTICK, PANDAS], ids=lambda contender: contender.name)
def test_contenders_store_what_the_workbooks_say(contender: Contender, paths: list[Path], database_dsn: str, tmp_path: Path) -> None:
    """A contender that skips work would look fast."""
    usage = run(contender.command(paths), contender.environment(database_dsn, tmp_path), tmp_path)
    assert usage.exit_code == 0, (tmp_path / "stderr").read_text()
    connection = psycopg2.connect(database_dsn)
    with connection.cursor() as cursor:
        cursor.execute(f"select {', '.join(table.NAMES)} from {contender.table} order by order_id")
        stored = cursor.fetchall()
    connection.close()
    records = sorted((record for number in (1, 2, 3) for record in PLAN.records(number)), key=lambda record: record.order_id)
    for row, record in zip(stored, records, strict=True):
        assert row[:9] == record[:9]
        assert tuple(int(amount * 100) for amount in row[9:]) == record.money()


def test_yardstick_upserts(paths: list[Path], database_dsn: str, tmp_path: Path) -> None:
    """The yardstick would do less than an upsert, and every ratio would be too harsh."""
    usage = run(YARDSTICK.command([*paths, paths[0]]), YARDSTICK.environment(database_dsn, tmp_path), tmp_path)
    assert usage.exit_code == 0
    assert table.facts(database_dsn, table.TABLE, ["Units Sold"], [])["rows"] == PLAN.rows * 3


WRONG = {
    "rows": "delete from sales_records where order_id = (select max(order_id) from sales_records)",
    "sums": "update sales_records set total_cost = total_cost + 0.01 where order_id = (select max(order_id) from sales_records)",
    "days": "update sales_records set ship_date = ship_date + 1 where order_id = (select max(order_id) from sales_records)",
    "distinct keys": (
        "alter table sales_records drop constraint sales_records_pkey; "
        "update sales_records set order_id = 1000000000 where order_id = (select max(order_id) from sales_records)"
    ),
}


@pytest.mark.parametrize("what", list(WRONG))
def test_a_wrong_table_is_refused(what: str, paths: list[Path], postgres_server: str) -> None:
    """A number would be published for a contender that lost, doubled or changed data."""
    code = (
        "import os, sys, psycopg2; from benchmarks.yardstick import load; load(os.environ['BENCH_DSN'], sys.argv[1:]);"
        f"c = psycopg2.connect(os.environ['BENCH_DSN']); c.cursor().execute({WRONG[what]!r}); c.commit()"
    )
    with pytest.raises(WrongResultError, match=f"liar: .*{what}"):
        measure(Course(PLAN, rounds=1, contenders=(fake("liar", code),)), paths, postgres_server)
    assert databases(postgres_server) == []


def test_a_failing_contender_is_refused_with_its_words(paths: list[Path], postgres_server: str) -> None:
    """A contender that crashed early would win."""
    failing = fake("crasher", "import sys; print('half done'); sys.exit('no room left')")
    with pytest.raises(WrongResultError, match=r"exit code 1[\s\S]*half done[\s\S]*no room left"):
        measure(Course(PLAN, rounds=1, contenders=(failing,)), paths, postgres_server)


def test_usage_is_that_of_the_whole_tree(tmp_path: Path) -> None:
    """A contender could hide memory and CPU time in child processes."""
    busy = "while time.process_time() < 0.2: pass"
    child = f"import time; block = bytearray(60 << 20)\n{busy}\nprint(1, flush=True); input()"
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys, time\n"
        f"word = [sys.executable, '-c', {child!r}]\n"
        "both = [subprocess.Popen(word, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in '12']\n"
        "for one in both: one.stdout.readline()\n"
        "time.sleep(1)\n"
        "for one in both: one.communicate(b'\\n')\n"
    )
    usage = run([sys.executable, str(tmp_path / "parent.py")], os.environ, tmp_path, weigh=True)
    assert usage.exit_code == 0
    assert usage.peak_pss is not None
    assert usage.peak_pss > 110
    assert 60 < usage.max_rss < 110
    assert usage.wall > 1
    assert usage.cpu > 0.4
    assert usage.peaks == {"all": usage.peak_pss}


def test_usage_is_not_that_of_the_harness(tmp_path: Path) -> None:
    """A contender would be charged for the memory of the process that measures it."""
    ballast = bytearray(os.urandom(1) * (150 << 20))
    usage = run([sys.executable, "-I", "-S", "-c", "import time; time.sleep(1)"], os.environ, tmp_path, weigh=True)
    assert len(ballast) > 50 << 20
    assert 3 < usage.max_rss < 50
    assert usage.peak_pss is not None
    assert 1 < usage.peak_pss < 50


def test_usage_keeps_output_and_exit_code(tmp_path: Path) -> None:
    """Nobody could see why a contender failed."""
    usage = run([sys.executable, "-c", "import sys; print('out'); sys.stderr.write('err'); sys.exit(3)"], os.environ, tmp_path)
    assert (usage.exit_code, usage.output, usage.peak_pss) == (3, "out\n", None)
    assert (tmp_path / "stderr").read_text() == "err"


def test_workbooks_are_made_once(tmp_path: Path) -> None:
    """Every benchmark would begin with a minute of writing, or use half-written workbooks."""
    first = workbooks(PLAN, tmp_path)
    changed = [path.stat().st_mtime_ns for path in first]
    assert workbooks(PLAN, tmp_path) == first
    assert [path.stat().st_mtime_ns for path in first] == changed
    assert workbooks(replace(PLAN, seed=8), tmp_path) != first
    named = workbooks(replace(PLAN, prefix="other"), tmp_path)
    assert [(path.name, path.exists()) for path in named] == [(f"other{number}.xlsx", True) for number in range(1, PLAN.files + 1)]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_shp_is_called_as_the_front_door_says(tmp_path: Path) -> None:
    """The platform would be measured on another installation's state."""
    command = SHP.command([Path("a.xlsx"), Path("b.xlsx")])
    assert command[-5:] == ["ingest", "sales", "a.xlsx", "b.xlsx", "--json"]
    inherited = {"PATH": "/bin", "SHP_STORE": "/elsewhere", "DAGSTER_HOME": "/elsewhere", "PGPASSWORD": "x"}
    environment = SHP.environment("postgresql://db", tmp_path, inherited)
    assert environment.keys() == {"PATH", "PYTHONPATH", "SHP_HOME", "SHP_FEEDS", "SHP_PG_DSN"}
    assert Path(environment["SHP_HOME"]).parent == tmp_path
    feed = yaml.safe_load((Path(environment["SHP_FEEDS"]) / "sales.yaml").read_text())
    assert list(feed["sinks"]) == ["warehouse"], "the others load no lake"
    assert environment["SHP_PG_DSN"] == "postgresql://db"


def test_addresses_stay_off_the_command_line(paths: list[Path]) -> None:
    """A database password could be read from the process list."""
    assert not any("postgresql://" in word for contender in CONTENDERS.values() for word in contender.command(paths))


def test_fresh_database_is_empty_and_goes_away(postgres_server: str) -> None:
    """One run's rows would help or hinder the next."""
    with fresh_database(postgres_server) as dsn:
        connection = psycopg2.connect(dsn)
        connection.cursor().execute("create table left_over (n integer)")
        connection.commit()  # and stays connected, as a crashed contender would
    assert databases(postgres_server) == []
    connection.close()
    with fresh_database(postgres_server) as dsn, psycopg2.connect(dsn) as again, again.cursor() as cursor:
        cursor.execute("select to_regclass('left_over')")
        assert cursor.fetchone() == (None,)
    again.close()


def test_a_server_without_fsync_is_refused(postgres_server: str, tmp_path: Path) -> None:
    """Numbers from a server that confirms what it has not written would be published."""
    assert setting(postgres_server, "fsync") == "off", "the tests' own server is the bad example"
    with pytest.raises(ValueError, match="fsync"), server(tmp_path, postgres_server):
        pytest.fail("accepted")


def a_run(contender: str, number: int, wall: float, rows: int = 1000) -> dict[str, Any]:
    """One run with round numbers."""
    return {"contender": contender, "round": number, "files": 1, "rows": rows, "wall": wall, "cpu": 1.0, "peak_pss": 100.0, "max_rss": 90.0}


RUNS = [a_run("a", 1, 1.0), a_run("b", 1, 4.0), a_run("a", 2, 2.0), a_run("b", 2, 4.0), a_run("a", 3, 4.0), a_run("b", 3, 40.0)]


def test_ratios_are_taken_within_a_round() -> None:
    """A busy moment of the machine would decide who is faster."""
    assert report.ratios(RUNS) == {"a / b": {"pairs": [4.0, 2.0, 10.0], "median": 4.0}}


def test_ratios_compare_rows_per_second() -> None:
    """A contender that was given fewer files would look faster."""
    runs = [a_run("all", 1, 2.0, rows=5000), a_run("few", 1, 2.0, rows=1000)]
    assert report.ratios(runs)["all / few"]["median"] == 5.0


def test_a_round_without_a_partner_counts_for_nothing() -> None:
    """A ratio would be made of runs that never met."""
    assert report.ratios([a_run("a", 1, 1.0), a_run("b", 2, 1.0)]) == {}


def test_summary_takes_medians() -> None:
    """One slow run would decide the table."""
    assert report.summary(RUNS)["b"]["wall"] == 4.0
    assert report.summary(RUNS)["a"] == {
        "files": 1,
        "rows": 1000,
        "runs": 3,
        "rows_per_second": 500,
        "wall": 2.0,
        "cpu": 1.0,
        "peak_pss": 100.0,
        "max_rss": 90.0,
    }


def test_result_says_what_and_where_but_not_whose(postgres_server: str) -> None:
    """A published result would give away host names or paths, or leave out that a contender got fewer files."""
    course = Course(PLAN, rounds=1, slow_files=1, contenders=(YARDSTICK, PANDAS))
    runs = [a_run("yardstick", 1, 0.5), a_run("pandas", 1, 2.0)]
    outcome = json.loads(json.dumps(ingest.result(course, runs, postgres_server)))
    assert outcome["machine"].keys() == {"cores", "memory_gib", "python", "postgresql"}
    assert "pandas was given only 1 of the 3 workbooks" in outcome["notes"][0]
    text = report.markdown(outcome)
    assert "| yardstick | 1 | 2,000 | 0.5 |" in text
    assert "| yardstick / pandas | 4.0 | 4.0 |" in text
    for secret in (os.uname().nodename, str(Path.cwd()), postgres_server):
        assert secret not in text + json.dumps(outcome)


def test_one_command_measures_and_keeps_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make bench` would end without a result to look at."""
    monkeypatch.chdir(tmp_path)
    arguments = ["--rows", "50", "--files", "1", "--rounds", "1", "--only", "yardstick", "--results", "kept", "--name", "small"]
    outcome = CliRunner().invoke(ingest.main, arguments)
    assert outcome.exit_code == 0, outcome.output
    kept = json.loads((tmp_path / "kept" / "small.json").read_text())
    assert kept["contenders"]["yardstick"]["rows"] == 50
    assert (tmp_path / "kept" / "small.md").read_text().startswith("# ingest: 1 x 50 rows")
    assert not list((tmp_path / "var" / "bench").rglob("postmaster.pid"))


def test_expected_of_fewer_files() -> None:
    """A contender that got one workbook would be judged by the sums of all."""
    whole, first = expected(PLAN), expected(PLAN, 1)
    assert first["files"] == whole["files"][:1]
    assert first["days"] == whole["files"][0]["days"]
    assert whole["days"]["Order Date"] == sum(file["days"]["Order Date"] for file in whole["files"])
