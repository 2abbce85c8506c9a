"""CSV files, read strictly: every field is the text it says, and what nobody can be sure of has a code."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shp_core.limits import Limits
from shp_core.reading.csvtext import ENCODINGS
from shp_core.reading.textrow import CsvForm, SheetSpec
from tests.support.csvs import cells_of, csv_file, read_csv, refused_csv
from tests.support.fuzzing import examples


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file lies."""
    return tmp_path / "a.csv"


def test_fields_are_the_texts_that_they_say(path: Path) -> None:
    """Leading zeros, blanks, decimal commas or quoted line breaks would be lost."""
    header, rows, stats = read_csv(csv_file(path, 'Nr;Name;Betrag\r\n00123; x ;1.234,50\r\n2;"a;b\r\n""c""";"5"\r\n'))
    assert header == ("Nr", "Name", "Betrag")
    assert cells_of(rows) == [(2, "sss", ("00123", " x ", "1.234,50")), (3, "sss", ("2", 'a;b\r\n"c"', "5"))]
    assert (stats.sheet, stats.rows, stats.cells, stats.blank) == ("csv", 2, 6, 0)


def test_empty_fields_are_absent(path: Path) -> None:
    """A blank could not be told from a text."""
    _, rows, stats = read_csv(csv_file(path, 'a;b;c\n;"";x\n'))
    assert cells_of(rows) == [(2, "--s", (None, None, "x"))]
    assert stats.cells == 1


def test_rows_are_numbered_as_a_spreadsheet_shows_them(path: Path) -> None:
    """Nobody would find the row that a reject names."""
    _, rows, stats = read_csv(csv_file(path, 'a;b\n\n"x\ny";1\n;\n2;3\n\n\n'))
    assert [row.row for row in rows] == [3, 5]
    assert (stats.blank, stats.rows) == (2, 2)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending(path: Path, ending: str) -> None:
    """Files of one of three worlds could not be read."""
    _, rows, _ = read_csv(csv_file(path, ending.join(["a;b", "1;2", "3;4"])))
    assert [row.texts for row in rows] == [("1", "2"), ("3", "4")]


def test_title_rows_and_the_end_of_the_table(path: Path) -> None:
    """`header` and `until` would work in workbooks only."""
    csv_file(path, "Stock of 2026;;;\n\nItem;Count\npen;3\nTotal;3\nmade by hand\n")
    header, rows, stats = read_csv(path, header=3, until="Total")
    assert (header, [row.texts for row in rows]) == (("Item", "Count"), [("pen", "3")])
    assert (stats.before_header, stats.ended_at, stats.after_end) == (1, 5, 1)


def test_headers_that_end_in_blanks(path: Path) -> None:
    """Excel writes a delimiter for every column that was ever touched; all rows would be ragged."""
    header, rows, _ = read_csv(csv_file(path, "a;b;;\n1;2;;\n3;4;;5\n"))
    assert header == ("a", "b")
    assert [(row.kinds, row.texts, row.extra) for row in rows] == [("ss", ("1", "2"), None), ("ss", ("3", "4"), '[[4, "s", "5"]]')]


def test_rows_out_of_step_are_marked_and_kept(path: Path) -> None:
    """A delimiter inside a text would shift amounts into other columns without a word."""
    _, rows, stats = read_csv(csv_file(path, "a;b;c\n1;2;3\n1;2\n1;2;3;4\n1;2;3;\n;;;;\n"))
    assert cells_of(rows) == [
        (2, "sss", ("1", "2", "3")),
        (3, "rrr", ("1", "2", None)),
        (4, "rrr", ("1", "2", "3")),
        (5, "rrr", ("1", "2", "3")),
    ]
    assert [row.extra for row in rows] == [None, None, '[[4, "r", "4"]]', None]
    assert (stats.rows, stats.extra_cells) == (4, 1)


def test_short_rows_may_be_blank_at_their_end(path: Path) -> None:
    """Excel leaves out the last fields of a row if sixteen rows have none; such files could not be loaded."""
    _, rows, _ = read_csv(csv_file(path, "a;b;c\n1;2\n1;2;3;4\n"), short_rows="blank")
    assert [(row.kinds, row.texts) for row in rows] == [("ss-", ("1", "2", None)), ("rrr", ("1", "2", "3"))]


def test_a_text_that_no_cell_can_hold(path: Path) -> None:
    """One long text would cost the whole file, or all of it would be carried around."""
    limits = Limits(text_chars=10)
    _, rows, _ = read_csv(csv_file(path, f"a;b\n{'x' * 11};1\n{'y' * 10};2\n"), limits)
    assert cells_of(rows) == [(2, "xs", ("x" * 10, "1")), (3, "ss", ("y" * 10, "2"))]
    assert refused_csv(csv_file(path, f"{'x' * 11};b\n1;2\n"), limits).details["limit"] == "text_chars"


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "empty_file", "0 bytes"),
        (b"\n\n", "header_missing", "row 1"),
        (b"\xef\xbb\xbf", "header_missing", "row 1"),
        (b"a;b\n1;\xe4\n", "undecodable_text", "byte 7 of the file (0xe40a), near row 2, is not utf-8"),
        (b"a;b\n1;2\n3;\xc3", "undecodable_text", "row 3"),
        (b"\xff\xfea\x00", "undecodable_text", "utf-16"),
        (b"a;b\n1;\x00\n", "nul_character", "row 2"),
        (b"a\x00;\x00b\x00\n\x00", "nul_character", "UTF-16"),
        (b"a,b\n1,2\n", "wrong_delimiter", "','"),
        (b'"a","b"\n1,2\n', "wrong_delimiter", "','"),
        (b"a\tb\n", "wrong_delimiter", "'\\t'"),
        (b'a;b\n1;"2\n3;4\n', "unclosed_quote", "row 2"),
        (b'a;b\n1;2\n3;"5" nail"\n', "misplaced_quote", "row 3"),
        (b"PK\x03\x04" + b"x" * 100, "not_a_csv_file", "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "not_a_csv_file", "workbook"),
    ],
)
def test_what_nobody_can_be_sure_of(path: Path, content: bytes, code: str, says: str) -> None:
    """A file would be read wrong, or refused without saying where."""
    problem = refused_csv(csv_file(path, content))
    assert problem.code == code
    assert says in problem.message


def test_a_lone_column_may_hold_another_delimiter_in_quotes(path: Path) -> None:
    """A file with one column could not be loaded if its header has a comma in it."""
    header, rows, _ = read_csv(csv_file(path, '"Name, first"\nAnn\n'))
    assert (header, rows[0].texts) == (("Name, first",), ("Ann",))


def test_a_quote_in_the_midst_of_a_plain_field_is_a_character(path: Path) -> None:
    """Inches would be refused."""
    _, rows, _ = read_csv(csv_file(path, 'a;b\n5" nail;3\n'))
    assert rows[0].texts == ('5" nail', "3")


def test_files_without_quotes(path: Path) -> None:
    """A file whose program knows no quotes could not be read."""
    _, rows, _ = read_csv(csv_file(path, 'a;b\n"x;y"\n'), quote="")
    assert rows[0].texts == ('"x', 'y"')
    _, rows, _ = read_csv(csv_file(path, "a;b\n'x;1';y\n"), quote="'")
    assert rows[0].texts == ("x;1", "y")


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        *[("utf-8", "utf-8"), ("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8"), ("utf-8-sig", "utf-8-sig")],
        *[("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("utf-16-le", "utf-16")],
        *[("cp1252", "cp1252"), ("iso-8859-15", "iso-8859-15"), ("gb18030", "gb18030"), ("cp850", "cp850")],
    ],
)
def test_encodings_and_their_marks(path: Path, declared: str, written: str) -> None:
    """The first header would begin with a character that nobody sees, or umlauts would be garbled."""
    header, rows, _ = read_csv(csv_file(path, "Größe;ü\nä;ß\n", written), encoding=declared)
    assert (header, rows[0].texts) == (("Größe", "ü"), ("ä", "ß"))


@pytest.mark.parametrize(
    ("declared", "written"),
    [("cp1252", "utf-8-sig"), ("utf-8", "utf-16"), ("utf-16-be", "utf-16"), ("utf-16", "utf-16-le"), ("utf-8", "cp1252")],
)
def test_a_file_in_another_encoding_than_agreed(path: Path, declared: str, written: str) -> None:
    """Text would be loaded garbled."""
    assert refused_csv(csv_file(path, "Größe;b\nä;ß\n", written), encoding=declared).code == "undecodable_text"


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_every_encoding_that_a_feed_may_name_is_there(path: Path, encoding: str) -> None:
    """A feed file would be sound, and every file of the feed would crash the reader."""
    text = ("\ufeff" if encoding == "utf-16" else "") + "a;b\n1;2\n"
    content = text.encode("utf-16-le" if encoding == "utf-16" else encoding)
    assert read_csv(csv_file(path, content), encoding=encoding)[0] == ("a", "b")


def test_bad_bytes_far_down_are_told_with_their_place(path: Path) -> None:
    """Nobody would find the one wrong character among a million."""
    good = b"1;2\n" * 20_000
    problem = refused_csv(csv_file(path, b"a;b\n" + good + b"\xff;3\n" + good))
    assert problem.details == {"byte": 4 + len(good) + 1, "row": 20_002}


def test_limits_are_told(path: Path) -> None:
    """A file beyond a limit would be read, or refused without saying which one."""
    csv_file(path, "a;b\n" + "1;2\n" * 50)
    assert refused_csv(path, Limits(csv_rows=20)).details == {"limit": "csv_rows", "value": 20}
    assert refused_csv(path, Limits(columns=1)).details["limit"] == "columns"
    assert refused_csv(path, Limits(table_cells=60)).details["limit"] == "table_cells"
    assert refused_csv(path, Limits(source_bytes=60)).details["limit"] == "source_bytes"
    assert refused_csv(csv_file(path, "a;b\n" + "x" * 60), Limits(record_chars=50)).details["limit"] == "record_chars"
    assert refused_csv(csv_file(path, 'a;b\n"x\n' + "y\n" * 60), Limits(record_chars=50)).code == "unclosed_quote"
    assert len(read_csv(csv_file(path, "a;b\n" + "x" * 48 + ";y"), Limits(record_chars=50))[1]) == 1


def test_a_spec_survives_its_way_to_the_reading_process() -> None:
    """The child would read with another delimiter than the feed says."""
    spec = SheetSpec(header=3, until="blank", csv=CsvForm(";", "cp1252", "'", "blank"))
    told = {"sheet": 1, "header": 3, "until": "blank", "csv": {"delimiter": ";", "encoding": "cp1252", "quote": "'", "short_rows": "blank"}}
    assert SheetSpec.of(told) == spec
    assert SheetSpec.of({"sheet": "A", "header": 1, "until": None}) == SheetSpec("A")


TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\ufeff"), max_size=8)


@settings(deadline=None, max_examples=examples(150))
@given(
    rows=st.lists(st.lists(TEXTS, min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from(";,\t|^"),
    ending=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "gb18030"]),
)
@example(rows=[["", "", ""], ["a", "\r", "\n"]], delimiter=";", ending="\r\n", encoding="utf-8")
def test_whatever_a_csv_writer_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str, ending: str, encoding: str
) -> None:
    """Some text or other would not arrive as it was written."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows([["A", "B", "C"], *rows])
    path = csv_file(tmp_path_factory.getbasetemp() / "any.csv", out.getvalue().encode(encoding))
    _, found, stats = read_csv(path, delimiter=delimiter, encoding=encoding)
    spoken = [(number, row) for number, row in enumerate(rows, 2) if any(text.strip() for text in row)]
    assert [(row.row, [text or "" for text in row.texts]) for row in found] == spoken
    assert stats.rows == len(spoken)


@settings(deadline=None, max_examples=examples(200))
@given(content=st.binary(max_size=200) | st.text('ab;,"\n\r\t', max_size=60).map(str.encode), header=st.integers(1, 3))
def test_whatever_bytes_come_get_an_answer(tmp_path_factory: pytest.TempPathFactory, content: bytes, header: int) -> None:
    """A file that nobody thought of would end in a traceback instead of a code."""
    path = csv_file(tmp_path_factory.getbasetemp() / "bytes.csv", content)
    answers = []
    for _ in range(2):
        try:
            answers.append(str(refused_csv(path, header=header).code))
        except AssertionError:
            answers.append(repr(read_csv(path, header=header)[1]))
    assert answers[0] == answers[1]
