"""A partition's run from a workbook to trusted rows: what stands in the tables, the store, the ledger and the UI afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from shp_core.contract.summary import CheckName
from tests.support import platforms
from tests.support.holders import REPOSITORY
from tests.support.platforms import DAYS, Platform, order
from tests.support.postgres import fresh_database

EXPECTED = json.loads((REPOSITORY / "samples" / "expected.json").read_text(encoding="utf-8"))
DEFECTS = "sales_records_n6_defects"
LAYERS = ["raw", "text", "validated", "quarantine", "warehouse"]
SECRET = "wilhelmina.plant@secret.example"


@dataclass
class Ran:
    """A run that several tests look at."""

    platform: Platform
    result: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def clean(postgres_server: str, platform_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A run of a file without a defect."""
    with fresh_database(postgres_server, platform_template) as dsn, platforms.opened(tmp_path_factory.mktemp("clean"), dsn) as platform:
        path = platform.drop("a.xlsx", [order(1), order(2, "de"), order(3, "FR", contact=None)])
        yield Ran(platform, platform.process(path))


@pytest.fixture(scope="module")
def defects(postgres_server: str, platform_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A run of the sample with honest defects."""
    folder = tmp_path_factory.mktemp("defects")
    with fresh_database(postgres_server, platform_template) as dsn, platforms.opened(folder, dsn, repository_feeds=True) as platform:
        path = REPOSITORY / "samples" / "sales" / f"{DEFECTS}.xlsx"
        result = platform.process(path, "sales")
        assert platform.run(DEFECTS, ["lake", "curated"], feed="sales").success
        yield Ran(platform, result)


def test_a_clean_file_reaches_the_tables(clean: Ran) -> None:
    """The rows would not be there, or not say where they come from."""
    assert clean.result.success
    (delivery,) = clean.platform.sql("select distinct _delivery from warehouse.orders")
    assert clean.platform.sql(
        'select "order", country, day::text, amount::text, contact, _partition, _row from warehouse.orders order by 1'
    ) == [
        (1, "AT", "2026-03-01", "10.50", "a@b.example", "a", 2),
        (2, "DE", "2026-03-01", "10.50", "a@b.example", "a", 3),
        (3, "FR", "2026-03-01", "10.50", None, "a", 4),
    ]
    assert clean.platform.record("a").delivery == delivery[0]


def test_the_ledger_knows_how_it_ended(clean: Ran) -> None:
    """`shp partitions` would show a partition that still runs, or whose lease blocks the next delivery."""
    platform = clean.platform
    assert platform.state("a") == ("published", None)
    assert platform.record("a").rows == {
        "read": 3, "clean": 3, "rejected": 0, "duplicate": 0, "blank": 0, "after_end": 0, "displaced": 0, "loaded": 3,
    }  # fmt: skip
    (attempt,) = platform.attempts("a")
    assert (attempt.outcome, attempt.step, attempt.code, attempt.run_id) == ("published", "warehouse", None, clean.result.run_id)
    assert attempt.ended_at is not None
    assert platform.outside.ledger.leases.holder("orders", "a") is None
    assert platform.outside.ledger.attempts.under_way() == []
    assert platform.outside.ledger.publications.sinks("orders", "a")["warehouse"].agrees


def test_the_artefacts_are_kept(clean: Ran) -> None:
    """Nothing could be published again without the sender."""
    platform, delivery = clean.platform, clean.platform.record("a").delivery
    assert delivery is not None
    store = platform.outside.store
    assert (store.require_raw(delivery)).read_bytes() == (platform.landing() / "a.xlsx").read_bytes()
    kept = store.validated(delivery, platform.kits["orders"].contract)
    assert kept is not None
    assert kept.summary.clean == 3
    assert [row["c1"] for batch in kept.text() for row in batch.to_pylist()] == ["1", "2", "3"]
    assert list((platform.settings.store / "tmp").iterdir()) == []


def test_the_ui_shows_every_layer_of_the_partition(clean: Ran) -> None:
    """The partition would look missing in the UI, or its numbers could not be seen there."""
    result, platform = clean.result, clean.platform
    assert platform.reached(result) == LAYERS
    assert {event.partition for event in result.get_asset_materialization_events()} == {"a"}
    counts = {layer: platform.metadata(result, layer).get("dagster/row_count") for layer in LAYERS}
    assert counts == {"raw": None, "text": 3, "validated": 3, "quarantine": 0, "warehouse": 3}
    raw = platform.metadata(result, "raw")
    assert (raw["source"], raw["bytes"]) == ("a.xlsx", (platform.landing() / "a.xlsx").stat().st_size)
    assert platform.metadata(result, "warehouse")["displaced"] == 0
    statuses = platform.instance.get_materialized_partitions(platform.kits["orders"].key("warehouse"))
    assert statuses == {"a"}


def test_every_check_has_a_result_with_numbers_zeros_too(clean: Ran) -> None:
    """A rule that nothing broke could not be told from a rule that was not looked at."""
    checks = clean.platform.checks(clean.result)
    assert set(checks) == {str(name) for name in CheckName}
    assert all(check.passed for check in checks.values())
    conserved = {name: value.value for name, value in checks["rows_conserved"].metadata.items()}
    assert conserved == {"read": 3, "clean": 3, "rejected": 0, "duplicate": 0}
    rules = {record.data["rule"]: record.data["rows"] for record in checks["ranges"].metadata["failures"].records}
    assert rules == {"order: below_min": 0, "country: not_allowed": 0, "amount: below_min": 0, "contact: pattern_mismatch": 0}
    assert checks["rejects"].metadata["allowed"].value == 0.5
    shown = clean.platform.sql("select distinct partition from asset_check_executions where check_name = 'rows_conserved'")
    assert shown == [("a",)]


def test_the_validated_layer_has_a_preview_with_personal_data_masked(clean: Ran) -> None:
    """People could not see what was read, or would see what they must not."""
    preview = clean.platform.metadata(clean.result, "validated")["preview"]
    assert preview.splitlines()[0] == "| order (integer) | country (text) | day (date) | amount (numeric(18,2)) | contact (text) |"
    assert preview.splitlines()[2].endswith("| AT | 2026-03-01 | 10.50 | ••• |")
    assert "a@b.example" not in preview


def test_running_again_changes_nothing(clean: Ran) -> None:
    """A materialization by hand would rewrite the tables and make every reader's cache stale."""
    before = clean.platform.sql("select xmin::text, ctid::text from warehouse.orders order by 1, 2")
    made = sorted(path.stat().st_mtime_ns for path in (clean.platform.settings.store / "validated").rglob("*.parquet"))
    again = clean.platform.run("a")
    assert again.success
    assert clean.platform.metadata(again, "warehouse")["changed"] is False
    assert clean.platform.sql("select xmin::text, ctid::text from warehouse.orders order by 1, 2") == before
    assert sorted(path.stat().st_mtime_ns for path in (clean.platform.settings.store / "validated").rglob("*.parquet")) == made
    assert clean.platform.state("a") == ("published", None)
    assert len(clean.platform.attempts("a")) >= 2


def test_the_sample_with_defects_loads_what_is_clean(defects: Ran) -> None:
    """The demo would lose good rows, or load bad ones."""
    facts = EXPECTED["sales"]["files"][f"{DEFECTS}.xlsx"]
    assert defects.result.success
    assert defects.platform.state(DEFECTS, "sales") == ("published_with_rejects", None)
    rows = defects.platform.record(DEFECTS, "sales").rows
    counts = ("read", "clean", "rejected", "duplicate")
    assert {name: rows[name] for name in counts} == {name: facts[name] for name in counts}
    assert rows["loaded"] == facts["clean"]
    ((count, revenue),) = defects.platform.sql("select count(*), sum(total_revenue)::text from warehouse.sales_records")
    assert (count, revenue) == (facts["clean"], facts["sums"]["Total Revenue"])


def test_every_defect_is_a_reject_with_its_reason(defects: Ran) -> None:
    """The sender could not be told which rows are wrong, and why."""
    facts = EXPECTED["sales"]["files"][f"{DEFECTS}.xlsx"]["rejects"]
    shown = defects.platform.sql("select _row, codes from quarantine.sales_records where _partition = %s", DEFECTS)
    assert {str(row): sorted(codes) for row, codes in shown} == {row: sorted(set(reject["codes"])) for row, reject in facts.items()}
    table = defects.platform.metadata(defects.result, "quarantine")["rejects"]
    assert len(table.records) == min(20, len(facts))
    assert {str(record.data["row"]) for record in table.records} <= set(facts)
    assert all(record.data["reasons"] and record.data["cells"] for record in table.records)


def test_single_rejects_warn_and_do_not_turn_red(defects: Ran) -> None:
    """One typing error would stop two thousand good rows."""
    checks = defects.platform.checks(defects.result)
    failed = {name: check.severity for name, check in checks.items() if not check.passed}
    assert failed
    assert set(failed.values()) == {dg.AssetCheckSeverity.WARN}
    assert checks["rows_conserved"].passed
    assert checks["rejects"].passed


@pytest.mark.parametrize("refused", [False, True], ids=["loaded", "refused"])
def test_personal_data_stays_in_the_table_and_the_artefacts(platform: Platform, capfd: pytest.CaptureFixture[str], refused: bool) -> None:
    """A customer's address would be found in event logs that everybody can read, and that nobody deletes."""
    bad = [order(2, "XX", contact=SECRET), order(3, contact=f"not an address {SECRET.replace('@', ' at ')}")]
    lines = [*bad, order(4, "YY", contact=SECRET)] if refused else [order(1, contact=SECRET), *bad, order(5), order(6)]
    result = platform.process(platform.drop("a.xlsx", lines))
    assert result.success is not refused
    platform.mart()
    found = list(platform.everywhere())
    assert len(found) > 60
    assert [place for place, text in found if "wilhelmina" in text] == []
    out, err = capfd.readouterr()
    assert "wilhelmina" not in out + err
    assert platform.metadata(result, "quarantine")["rejects"].records[0].data["cells"].count("'") == 2, "other cells are shown"
    ((kept,),) = platform.sql("select count(*) from quarantine.orders where texts::text like '%%wilhelmina%%'")
    assert kept == len(bad) + refused


def test_a_sheet_without_a_header_repeats_no_row(platform: Platform) -> None:
    """The first customer of a list that was sent without its header would stand in every log."""
    result = platform.process(platform.drop("a.xlsx", [order(2)], header=("1", "AT", "2026-01-01", "10", SECRET)))
    assert platform.state("a") == ("quarantined", "column_missing")
    assert "'Order'" in platform.checks(result)["schema"].metadata["message"].value
    assert [place for place, text in platform.everywhere() if "wilhelmina" in text] == []


def test_too_many_rejects_refuse_the_whole_delivery(platform: Platform) -> None:
    """A file that is mostly wrong would replace good data, or vanish without a word."""
    result = platform.process(platform.drop("a.xlsx", [order(1), order("x"), order(3, "??"), order(4, day="2026-02-30")]))
    assert not result.success
    assert platform.reached(result) == ["raw", "text", "quarantine"]
    checks = platform.checks(result)
    assert set(checks) == {str(name) for name in CheckName}
    assert (checks["rejects"].passed, checks["rejects"].severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert checks["rejects"].metadata["share"].value == 0.75
    assert checks["rows_conserved"].passed
    assert platform.state("a") == ("quarantined", "too_many_rejects")
    assert platform.record("a").rows == {"read": 4, "clean": 1, "rejected": 3, "duplicate": 0, "blank": 0, "after_end": 0}
    assert [row for (row,) in platform.sql("select _row from quarantine.orders order by 1")] == [3, 4, 5]
    assert platform.sql("select count(*) from warehouse.orders") == [(0,)]
    failure = platform.failure(result)
    assert (failure["shp/code"], failure["shp/kind"]) == ("too_many_rejects", "data_breach")
    assert failure["shp/next"]


def test_a_refused_delivery_leaves_the_older_publication_and_a_mended_one_replaces_both(platform: Platform) -> None:
    """Readers would lose yesterday's rows to today's broken file, or rejects that were mended would be shown for ever."""
    platform.process(platform.drop("a.xlsx", [order(1), order(2), order("x")]))
    good = platform.record("a").delivery
    platform.process(platform.drop("a.xlsx", [order("x"), order("y"), order(9)]))
    assert platform.state("a") == ("quarantined", "too_many_rejects")
    assert platform.record("a").delivery != good, "the state is about the new delivery"
    assert platform.loaded("a") == [1, 2]
    assert platform.sql("select distinct _delivery from warehouse.orders") == [(good,)]
    assert [row for (row,) in platform.sql("select _row from quarantine.orders order by 1")] == [2, 3]
    platform.process(platform.drop("a.xlsx", [order(1), order(2), order(9), order(10)]))
    assert platform.state("a") == ("published", None)
    assert platform.loaded("a") == [1, 2, 9, 10]
    assert platform.sql("select count(*) from quarantine.orders") == [(0,)]


def test_the_good_delivery_again_after_a_refused_one_shows_its_own_rejects(platform: Platform) -> None:
    """The quarantine would show a refused file's rows as if they were those of the file that is served."""
    good = [order(1), order(2), order("x")]
    platform.ingest(platform.drop("a.xlsx", good))
    first = platform.outside.store.raw(platform.record("a").delivery or "")
    assert first is not None
    content = first.read_bytes()
    platform.ingest(platform.drop("a.xlsx", [order("x"), order("y"), order(9)]))
    again = platform.ingest(platform.drop_bytes("a.xlsx", content))
    assert (again.state, again.rows["rejected"], again.rows["read"]) == ("published_with_rejects", 1, 3)
    assert [row for (row,) in platform.sql("select _row from quarantine.orders order by 1")] == [4]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (("Order", "Country", "Day", "Contact"), "column_missing"),
        (("Order", "Land", "Day", "Amount", "Contact"), "column_missing"),
        (("Order", "Country", "Day", "Amount", "Contact", "New"), "column_unknown"),
        (("Order", "Country", "Day", "Amount", "Contact", "Order"), "column_twice"),
    ],
)
def test_another_header_is_red_with_its_columns_named(platform: Platform, header: tuple[str, ...], code: str) -> None:
    """Data would land in the wrong column, or the sender would not know which column is meant."""
    result = platform.process(platform.drop("a.xlsx", [tuple(range(len(header)))], header=header))
    assert platform.reached(result) == ["raw", "quarantine"]
    check = platform.checks(result)["schema"]
    assert (check.passed, check.metadata["code"].value) == (False, code)
    assert {"column_missing": "'Amount'" if "Land" not in header else "'Land'", "column_unknown": "'New'", "column_twice": "'Order'"}[
        code
    ] in check.metadata["message"].value
    assert platform.state("a") == ("quarantined", code)
    assert platform.record("a").rows == {}
    assert platform.outside.store.raw(platform.record("a").delivery or "") is not None, "the bytes are kept"


def test_what_the_gate_refuses_is_red_from_validated_on(platform: Platform) -> None:
    """A file that is no workbook would look like one that was never delivered."""
    result = platform.process(platform.drop_bytes("a.xlsx", b"no workbook at all"))
    assert platform.reached(result) == ["raw", "quarantine"]
    assert platform.metadata(result, "quarantine") == {"code": "not_a_workbook", "dagster/row_count": 0}
    assert platform.state("a") == ("quarantined", "not_a_workbook")


def test_a_day_feed_runs_in_its_time_partition(platform: Platform) -> None:
    """Daily files would land in no partition of Dagster's calendar."""
    result = platform.process(platform.drop_count("counts_2026-02-03.xlsx", [("a", 1), ("b", 2)]), DAYS)
    assert result.success
    assert platform.state("2026-02-03", DAYS) == ("published", None)
    assert platform.loaded("2026-02-03", DAYS) == ["a", "b"]
    assert {event.partition for event in result.get_asset_materialization_events()} == {"2026-02-03"}


def test_volume_warns_or_refuses_as_the_feed_says(platform: Platform) -> None:
    """Half a file would be taken for a whole one, or a small shop's file would never be accepted."""
    rules = "rules: {max_rejected_share: 0.5, volume_within: 0.5%s}"
    text = platforms.ORDERS.replace("rules: {max_rejected_share: 0.5}", rules % "")
    platform.feed_file("orders", text)
    for number, name in enumerate("abc"):
        platform.process(platform.drop(f"{name}.xlsx", [order(number * 10 + row + 1) for row in range(4)]))
    result = platform.process(platform.drop("small.xlsx", [order(90)]))
    check = platform.checks(result)["volume"]
    assert (check.passed, check.severity, check.metadata["usual"].value) == (False, dg.AssetCheckSeverity.WARN, 4)
    assert platform.state("small") == ("published", None)
    platform.feed_file("orders", text.replace("volume_within: 0.5", "volume_within: 0.5, volume: quarantine"))
    result = platform.process(platform.drop("tiny.xlsx", [order(91)]))
    assert platform.state("tiny") == ("quarantined", "volume_out_of_range")
    assert platform.checks(result)["volume"].severity is dg.AssetCheckSeverity.ERROR


def test_rows_that_do_not_add_up_are_never_published(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the platform would lose rows, and the tables would look complete."""
    from shp_core.contract.summary import Summary

    monkeypatch.setattr(Summary, "conserved", property(lambda self: False))
    result = platform.process(platform.drop("a.xlsx", [order(1)]))
    assert platform.reached(result) == ["raw", "text", "quarantine"]
    assert not platform.checks(result)["rows_conserved"].passed
    assert platform.state("a") == ("exhausted", "code_bug")
    by_hand = platform.run("a", ["warehouse"])
    assert not by_hand.success
    assert platform.loaded("a") == []


def test_a_table_of_many_rejects_is_bounded(platform: Platform) -> None:
    """A file with a hundred thousand wrong rows would fill the event log."""
    lines: list[tuple[Any, ...]] = [order(number) for number in range(1, 61)] + [order(number, "?" * 300) for number in range(61, 121)]
    result = platform.process(platform.drop("a.xlsx", lines))
    table = platform.metadata(result, "quarantine")["rejects"]
    assert len(table.records) == 20
    assert max(len(record.data["cells"]) for record in table.records) < 100
    assert platform.sql("select count(*) from quarantine.orders") == [(60,)]


def test_files_in_the_landing_folder_are_never_touched(platform: Platform, tmp_path: Path) -> None:
    """People would miss what they dropped, or find it changed."""
    path = platform.drop("a.xlsx", [order(1)])
    path.chmod(0o440)
    before = (path.read_bytes(), path.stat())
    platform.process(path)
    assert (path.read_bytes(), path.stat()) == before
