"""Whatever people drop gets an answer of its own, the files beside it go on, and nothing is lost: delivered by hand and by drop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shp_core.codes import Code
from shp_ops.ingest.results import FileResult
from shp_resources import landing
from tests.support import platforms
from tests.support.platforms import HEADER, ORDERS, Platform, order
from tests.support.postgres import fresh_database
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, part_bytes, patched, text_row, written

SHEETED = ORDERS.replace("feed: orders", "feed: sheeted").replace('match: "*.xls[xm]"', 'match: "*.xls[xm]", sheet: Orders')
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504


def _rows(path: Path, *lines: tuple[Any, ...], header: tuple[Any, ...] = HEADER) -> None:
    written(path, [header, *lines])


def _cut_off(path: Path) -> None:
    _rows(path, *[order(number) for number in range(1, 200)])
    path.write_bytes(path.read_bytes()[:-200])


def _wrong_checksum(path: Path) -> None:
    RawWorkbook([RawSheet(header_row(*HEADER) + text_row(2, "1", "AT", "2026-01-01", "1", None))], stored=True).write(path)
    start, size = part_bytes(path, "xl/worksheets/sheet1.xml")
    patched(path, start + size // 2, b"!")


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _doctype(path: Path) -> None:
    markup = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + RawWorkbook().sheet_markup(RawSheet(header_row(*HEADER)))
    RawWorkbook(parts={"xl/worksheets/sheet1.xml": markup.replace('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n', "")}).write(
        path
    )


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "zero bytes": (lambda path: path.write_bytes(b""), "empty_file"),
    "text": (lambda path: path.write_text("Order,Country\n1,AT\n"), "not_a_workbook"),
    "password": (lambda path: path.write_bytes(_OLE2 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 512), "encrypted_workbook"),
    "old format": (lambda path: path.write_bytes(_OLE2 + "Workbook".encode("utf-16-le") + b"\0" * 512), "legacy_workbook"),
    "cut off": (_cut_off, "damaged_workbook"),
    "checksum": (_wrong_checksum, "crc_mismatch"),
    "doctype": (_doctype, "unsafe_workbook"),
    "no header": (lambda path: RawWorkbook([RawSheet(text_row(3, "1", "AT"))]).write(path), "header_missing"),
    "missing column": (lambda path: _rows(path, (1, "AT", "2026-01-01"), header=HEADER[:3]), "column_missing"),
    "renamed column": (lambda path: _rows(path, order(1), header=("Order", "Land", "Day", "Amount", "Contact")), "column_missing"),
    "extra column": (lambda path: _rows(path, (*order(1), "x"), header=(*HEADER, "Extra")), "column_unknown"),
    "column twice": (lambda path: _rows(path, (*order(1), 2), header=(*HEADER, "Order")), "column_twice"),
    "all rows bad": (lambda path: _rows(path, order("x"), order(2, "??"), order(3, day="31.02.2026")), "too_many_rejects"),
    "header only": (lambda path: _rows(path), "no_rows"),
    "folder": (lambda path: path.mkdir(), "not_a_regular_file"),
    "link": (_link, "not_a_regular_file"),
    "dangling link": (_dangling, "not_a_regular_file"),
    "pipe": (os.mkfifo, "not_a_regular_file"),
}

NAMES = {
    "space": "two words.xlsx",
    "quotes": "quo'te\".xlsx",
    "newline": "new\nline.xlsx",
    "command": "$(id) `id`;id.xlsx",
    "right to left": "\u200f\u202exslx.xlsx",
    "no UTF-8": os.fsdecode(b"latin-\xe4\xff.xlsx"),
    "255 bytes": "x" * 250 + ".xlsx",
    "percent": "100%s {0} %(x)s.xlsx",
    "dots": "a...b.xlsx",
    "dash": "-rf.xlsx",
}


@dataclass
class Delivered:
    """What came of many files, one after the other, in one process."""

    platform: Platform
    results: dict[str, FileResult] = field(default_factory=dict)


@pytest.fixture(scope="module")
def delivered(postgres_server: str, platform_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    """All bad files, all odd names, and a good file at the very end, delivered as `shp ingest` does."""
    folder = tmp_path_factory.mktemp("delivered")
    with fresh_database(postgres_server, platform_template) as dsn, platforms.opened(folder, dsn) as platform:
        made = Delivered(platform)
        for name, (make, _) in BAD.items():
            path = platform.landing() / f"{name.replace(' ', '_')}.xlsx"
            make(path)
            made.results[name] = platform.ingest(path)
        for number, (name, file) in enumerate(NAMES.items(), 1000):
            made.results[name] = platform.ingest(platform.drop(file, [order(number)]))
        made.results["missing"] = platform.ingest(platform.landing() / "never_there.xlsx")
        made.results["good"] = platform.ingest(platform.drop("good.xlsx", [order(1)]))
        yield made


@pytest.mark.parametrize("name", BAD)
def test_every_bad_file_has_its_code(delivered: Delivered, name: str) -> None:
    """The sender would not know what to mend."""
    result = delivered.results[name]
    assert (result.state, result.code) == ("quarantined", BAD[name][1])
    assert result.message
    assert not result.changed
    assert not result.published
    assert Code(result.code).info.sender != "-", "there is a sentence for the sender"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_kept_where_it_is_and_in_the_store(delivered: Delivered, name: str) -> None:
    """What was wrong with it could not be looked at any more."""
    path = delivered.platform.landing() / f"{name.replace(' ', '_')}.xlsx"
    assert path.is_symlink() or path.exists()
    result = delivered.results[name]
    if result.code == "not_a_regular_file":
        assert result.delivery is None, "what is no file is never opened"
    else:
        kept = delivered.platform.outside.store.raw(result.delivery or "")
        assert kept is not None
        assert kept.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_loaded(delivered: Delivered, name: str) -> None:
    """A file would be refused, or do harm, because of what it is called."""
    result, number = delivered.results[name], list(NAMES).index(name) + 1000
    assert (result.state, result.code) == ("published", None)
    assert result.path.isprintable()
    assert delivered.platform.loaded(result.partition or "") == [number]
    (arrival,) = [
        event for event in delivered.platform.outside.ledger.history("orders", result.partition or "") if event["what"] == "arrival"
    ]
    assert arrival["name"].isprintable()
    assert landing.path_of(arrival["uri"]).name == NAMES[name]


def test_the_files_beside_them_go_on(delivered: Delivered) -> None:
    """One bad file would stop all that come after it."""
    assert delivered.results["good"].state == "published"
    assert delivered.platform.loaded("good") == [1]
    assert delivered.platform.sql("select count(*) from warehouse.orders") == [(1 + len(NAMES),)]


def test_a_file_that_is_not_there_is_told(delivered: Delivered) -> None:
    """A mistyped path would look like a file that was loaded."""
    result = delivered.results["missing"]
    assert (result.state, result.partition, result.code) == (None, None, "source_missing")


def test_no_two_files_share_a_partition(delivered: Delivered) -> None:
    """One of them would overwrite the other."""
    keys = [result.partition for name, result in delivered.results.items() if name != "missing"]
    assert len(set(keys)) == len(keys) == len(BAD) + len(NAMES) + 1


def test_nothing_is_left_running(delivered: Delivered) -> None:
    """A bad file would leave leases, attempts or scratch files behind, and the next delivery would wait for them."""
    ledger = delivered.platform.outside.ledger
    assert ledger.attempts.under_way() == []
    assert delivered.platform.sql("select count(*) from shp.leases") == [(0,)]
    assert list((delivered.platform.settings.store / "tmp").iterdir()) == []
    assert {str(record.state) for record in ledger.partitions.list("orders")} == {"published", "quarantined"}


def test_rejects_of_refused_files_are_shown(delivered: Delivered) -> None:
    """A file that is all wrong could not be mended row by row."""
    shown = delivered.platform.sql("select _row, codes from quarantine.orders where _partition = 'all_rows_bad' order by 1")
    assert shown == [(2, ["invalid_integer"]), (3, ["not_allowed"]), (4, ["invalid_date"])]
    assert delivered.results["all rows bad"].rows["rejected"] == 3


def test_every_refusal_can_be_repeated_and_mended(delivered: Delivered) -> None:
    """A file that was refused once would be refused for ever, or a second try would say something else."""
    platform = delivered.platform
    path = platform.landing() / "header_only.xlsx"
    again = platform.ingest(path)
    assert (again.state, again.code, again.delivery) == ("quarantined", "no_rows", delivered.results["header only"].delivery)
    mended = platform.ingest(platform.drop("header_only.xlsx", [order(77)]))
    assert (mended.state, mended.code, mended.rows["loaded"]) == ("published", None, 1)


def test_a_sheet_of_another_name_is_refused_with_those_that_are_there(platform: Platform) -> None:
    """Nobody could see that the sheet was only renamed."""
    platform.feed_file("sheeted", SHEETED)
    path = platform.landing("sheeted") / "a.xlsx"
    written(path, [HEADER, order(1)], sheet="Bestellungen")
    result = platform.ingest(path, "sheeted")
    assert (result.state, result.code) == ("quarantined", "sheet_missing")
    assert "Bestellungen" in (result.message or "")
    written(path, [HEADER, order(1)], sheet="Orders")
    assert platform.ingest(path, "sheeted").state == "published"


def test_bad_files_in_the_landing_folder_end_the_same_way(platform: Platform) -> None:
    """The platform would do with a dropped file what the command does not."""
    chosen = ("zero bytes", "password", "missing column", "all rows bad", "pipe")
    for name in chosen:
        BAD[name][0](platform.landing() / f"{name.replace(' ', '_')}.xlsx")
    platform.drop("good.xlsx", [order(1)])
    tick = platform.tick()
    assert len(tick.requests) == len(chosen) + 1
    platform.fulfil(tick)
    states = {name: platform.state(name.replace(" ", "_")) for name in chosen}
    assert states == {name: ("quarantined", BAD[name][1]) for name in chosen}
    assert platform.state("good") == ("published", None)
    assert platform.tick().requests == [], "and none is tried again"


def test_a_file_that_changes_while_it_is_copied_is_left_for_the_next_look(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the old and half of the new file would be loaded as one."""
    path = platform.drop("a.xlsx", [order(1)])
    tick = platform.tick()
    plain = os.read

    def growing(descriptor: int, size: int) -> bytes:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == path:
            monkeypatch.setattr(os, "read", plain)
            with path.open("ab") as file:
                file.write(b"more")
        return plain(descriptor, size)

    monkeypatch.setattr(os, "read", growing)
    (result,) = platform.fulfil(tick)
    assert platform.failure(result)["shp/code"] == "still_moving"
    assert platform.state("a") == ("waiting", "still_moving")
    platform.drop("a.xlsx", [order(1), order(2)])
    assert platform.fulfil(platform.tick())[0].success
    assert platform.loaded("a") == [1, 2]
