"""From a sheet to a table: header, end, blank rows, cells beside the table, and what is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shp_core.reading.problem import Unreadable
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, read, text_row


def table(tmp_path: Path, *rows: str, **spec: object) -> tuple[tuple[str, ...], list[int], dict[str, object]]:
    """Header, numbers of the rows that were read, and the counts that are not zero."""
    header, found, stats = read(raw(tmp_path / "w.xlsx", "".join(rows)), **spec)
    return header, [row.row for row in found], {name: count for name, count in stats.as_dict().items() if count and name != "sheet"}


AB = header_row("a", "b")


def test_blank_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    """Everything below the first gap would be lost, or gaps would become rows of nothing."""
    _, rows, counts = table(tmp_path, AB, text_row(2, "x"), text_row(5, "y"), '<row r="6"><c r="A6" s="0"/></row>', text_row(7, "z"))
    assert rows == [2, 5, 7]
    assert counts == {"rows": 3, "blank": 3, "cells": 3}


def test_white_space_alone_is_blank(tmp_path: Path) -> None:
    """A forgotten space would be a row that misses every value."""
    _, rows, counts = table(tmp_path, AB, text_row(2, "x"), text_row(3, " ", "\t\n"), text_row(4, "", None), text_row(5, None, "y"))
    assert rows == [2, 5]
    assert counts == {"rows": 2, "blank": 2, "cells": 2}


def test_white_space_beside_a_value_is_kept(tmp_path: Path) -> None:
    """A text would arrive shortened."""
    _, rows, _ = read(raw(tmp_path / "w.xlsx", AB + text_row(2, "  x ", " ")))
    assert (rows[0].kinds, rows[0].texts) == ("ss", ("  x ", " "))


@pytest.mark.parametrize("cell", ["<v>0</v>", "<f>A1</f>", "", ' t="e"'])
def test_a_row_of_zero_or_error_or_formula_is_a_row(tmp_path: Path, cell: str) -> None:
    """A row whose only value is 0 or #REF! would vanish without a reject."""
    markup = {"": ' t="b"><v>0</v></c>', ' t="e"': ' t="e"><v>#N/A</v></c>'}.get(cell, f">{cell}</c>")
    assert table(tmp_path, AB, f'<row r="2"><c r="A2"{markup}</row>')[1] == [2]


def test_rows_that_hold_nothing_at_the_end_are_not_counted(tmp_path: Path) -> None:
    """A column formatted to the end of the sheet would count as a million blank rows."""
    styled = "".join(f'<row r="{number}"><c r="A{number}" s="0"/></row>' for number in (3, 4, 1048576))
    assert table(tmp_path, AB, text_row(2, "x"), styled)[2] == {"rows": 1, "cells": 1}


def test_a_blank_text_at_the_end_counts_as_blank(tmp_path: Path) -> None:
    """The counts would not add up to the rows that the sender typed something into."""
    assert table(tmp_path, AB, text_row(2, "x"), text_row(4, " "))[2] == {"rows": 1, "cells": 1, "blank": 2}


def test_the_header_is_where_the_feed_says(tmp_path: Path) -> None:
    """A title above the table would be taken for its header."""
    header, rows, counts = table(tmp_path, text_row(1, "Report of May"), text_row(4, "a", "b"), text_row(5, "x"), header=4)
    assert (header, rows) == (("a", "b"), [5])
    assert counts == {"rows": 1, "cells": 1, "before_header": 1}


@pytest.mark.parametrize("rows", ["", AB, text_row(2, " "), '<row r="2"/>', AB + text_row(3, "x"), '<row r="2"><c r="A2" s="0"/></row>'])
def test_a_header_that_is_not_there_is_refused(tmp_path: Path, rows: str) -> None:
    """Some other row would name the columns."""
    with pytest.raises(Unreadable) as caught:
        table(tmp_path, rows, header=2)
    assert caught.value.code == "header_missing"


def test_columns_without_a_header_are_unnamed(tmp_path: Path) -> None:
    """The index column that many exports have would shift all other columns."""
    header, rows, _ = read(raw(tmp_path / "w.xlsx", text_row(1, None, "a", None, "b", " ", "") + text_row(2, "0", "x", "1", "y")))
    assert header == ("", "a", "", "b")
    assert rows[0].texts == ("0", "x", "1", "y")


def test_header_texts_are_kept_as_they_are(tmp_path: Path) -> None:
    """A header with a trailing blank could not be told from one without, by whoever has to map it."""
    row = '<row r="1"><c r="A1"><v>2024</v></c><c r="B1" t="b"><v>1</v></c></row>'
    assert table(tmp_path, row + text_row(2, "x"))[0] == ("2024", "TRUE")
    assert table(tmp_path, header_row(" a ", "A"))[0] == (" a ", "A")


def test_cells_right_of_the_header_are_kept_aside(tmp_path: Path) -> None:
    """A remark beside the table would be lost without anybody knowing."""
    rows = (
        text_row(2, "x", "y", "beside", None, "more")
        + '<row r="3"><c r="A3"><v>1</v></c><c r="D3" s="0"/></row>'
        + text_row(4, None, None, "only")
    )
    _, found, stats = read(raw(tmp_path / "w.xlsx", AB + rows))
    assert [row.extra and json.loads(row.extra) for row in found] == [[[3, "s", "beside"], [5, "s", "more"]], None, [[3, "s", "only"]]]
    assert [row.kinds for row in found] == ["ss", "n-", "--"]
    assert (stats.cells, stats.extra_cells) == (6, 3)


def test_until_blank_ends_the_table(tmp_path: Path) -> None:
    """The notes below a table would be loaded as its rows."""
    rows = (AB, text_row(2, "x"), text_row(3, "y"), text_row(5, "note"), text_row(9, "note"))
    _, found, counts = table(tmp_path, *rows, until="blank")
    assert found == [2, 3]
    assert counts == {"rows": 2, "cells": 2, "after_end": 2, "ended_at": 4}


def test_a_row_of_blanks_ends_the_table_too(tmp_path: Path) -> None:
    """Whether a table ends would depend on an invisible space."""
    _, found, counts = table(tmp_path, AB, text_row(2, "x"), text_row(3, " "), text_row(4, "note"), until="blank")
    assert (found, counts["ended_at"], counts["after_end"]) == ([2], 3, 1)


def test_a_gap_right_after_the_header_ends_the_table(tmp_path: Path) -> None:
    """`until: blank` would mean something else in the first row than in the others."""
    _, found, counts = table(tmp_path, AB, text_row(3, "x"), until="blank")
    assert (found, counts) == ([], {"after_end": 1, "ended_at": 2})


@pytest.mark.parametrize("total", [text_row(4, " Total ", "9"), text_row(4, None, "Total"), text_row(4, " ", "Total")])
def test_until_a_text_ends_the_table(tmp_path: Path, total: str) -> None:
    """The row of totals would be loaded as a sale."""
    _, found, counts = table(tmp_path, AB, text_row(2, "x", "Total"), text_row(3, "Total of x"), total, text_row(7, "note"), until="Total")
    assert (found, counts["ended_at"], counts["after_end"]) == ([2, 3], 4, 1)
    assert "blank" not in counts


def test_a_table_that_never_ends_is_read_whole(tmp_path: Path) -> None:
    """A missing row of totals would cost the rows."""
    _, found, counts = table(tmp_path, AB, text_row(2, "x"), text_row(4, "y"), until="Total")
    assert (found, counts) == ([2, 4], {"rows": 2, "cells": 2, "blank": 1})


def test_hidden_rows_are_read_and_counted(tmp_path: Path) -> None:
    """A filter that somebody left on would delete rows from the warehouse."""
    hidden = '<row r="3" hidden="1"><c r="A3"><v>1</v></c></row><row r="4" hidden="true"><c r="A4"><v>1</v></c></row>'
    _, found, counts = table(tmp_path, AB, text_row(2, "x"), hidden)
    assert (found, counts["hidden_rows"]) == ([2, 3, 4], 2)


def test_error_cells_are_counted(tmp_path: Path) -> None:
    """Nobody would see how broken a sheet is before its rows are rejected."""
    errors = '<row r="2"><c r="A2" t="e"><v>#REF!</v></c><c r="B2" t="e"><v>#N/A</v></c><c r="D2" t="e"><v>#N/A</v></c></row>'
    assert table(tmp_path, AB, errors)[2] == {"rows": 1, "cells": 3, "error_cells": 3, "extra_cells": 1}


def test_merged_cells_say_their_text_once(tmp_path: Path) -> None:
    """A merged title would be repeated, or its row lost."""
    book = RawWorkbook(
        [RawSheet(AB + text_row(2, "both") + text_row(3, "x", "y"), after='<mergeCells><mergeCell ref="A2:B2"/></mergeCells>')]
    )
    _, rows, _ = read(book.write(tmp_path / "w.xlsx"))
    assert [row.texts for row in rows] == [("both", None), ("x", "y")]


def test_a_header_at_the_widest_is_read(tmp_path: Path) -> None:
    """A sheet as wide as the format allows would be refused or cut off."""
    wide = "".join(f'<c t="str"><v>h{number}</v></c>' for number in range(16384))
    header, rows, _ = read(raw(tmp_path / "w.xlsx", f'<row r="1">{wide}</row>' + '<row r="2"><c r="XFD2"><v>7</v></c></row>'))
    assert (len(header), header[-1]) == (16384, "h16383")
    assert rows[0].kinds == "-" * 16383 + "n"
