"""The feed model: what a feed file may say, and the sentence for everything it may not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from shp_core.feeds.load import parse_file
from shp_core.feeds.model import Feed
from tests.support.contracts import contract_of, feed_of

HEAD = "feed: things\nowner: team:tests\n"
A = "columns: {A: {type: text}}\n"


def problems(text: str, tmp_path: Path, name: str = "things") -> list[str]:
    """The errors of a feed file with this text, without the file's name."""
    path = tmp_path / "feeds" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    errors: list[str] = []
    item = parse_file(path, Feed, "feed", errors)
    assert (item is None) == bool(errors)
    assert all(error.startswith(f"feeds/{name}.yaml: ") for error in errors)
    return [error.removeprefix(f"feeds/{name}.yaml: ") for error in errors]


DESIGN = r"""
feed: sales
owner: sales-ops@example.com
source: {match: "*.xlsx", sheet: 1, header: 1}
partition: {by: day, from: '(?P<date>\d{4}-\d{2}-\d{2})', start: 2026-01-01, due: "07:00", timezone: Asia/Kolkata}
columns:
  "":         {ignore: true}                   # the unnamed index column
  Order ID:   {type: integer, name: order_id}
  Region:     {type: text, transform: [upper]}
  Country:    {type: text, max_length: 60}
  Order Date: {type: date, formats: ["%m/%d/%Y"]}
  Units Sold: {type: integer, min: 0}
  Unit Price: {type: money, scale: 2, currency: USD, min: 0}
  Remark:     {type: text, optional: true, pii: true}
numbers: {decimal: ".", group: ","}
key: [Order ID]
rules: {max_rejected_share: 0.05, null_share_below: 0.01, volume_within: 0.2, unknown_columns: quarantine}
sinks: {warehouse: {table: sales_records}, lake: {path: sales}}
"""


def test_the_feed_of_the_documentation(tmp_path: Path) -> None:
    """The example that everyone copies is valid and means what it says."""
    assert problems(DESIGN, tmp_path, "sales") == []
    feed = Feed.model_validate(yaml.safe_load(DESIGN))
    assert feed.partition.start == date(2026, 1, 1)
    assert feed.columns["Unit Price"].min == Decimal(0)
    assert (feed.table, feed.preferred) == ("sales_records", "last")


def test_the_smallest_feed() -> None:
    """A feed is about eight lines; everything else has a default."""
    feed = feed_of("feed: tiny\nowner: team:data\ncolumns:\n  Name: {type: text}\n  Amount: {type: decimal}\n")
    assert (feed.table, feed.preferred, feed.partition.by, feed.source.match, feed.source.sheet) == ("tiny", "first", "file", "*.xlsx", 1)
    assert (feed.columns["Amount"].scale, feed.columns["Amount"].precision) == (2, 18)
    assert feed.rules.max_rejected_share == 0.05


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["must be a mapping such as `feed: things`."]),
        ("- a\n", ["must be a mapping such as `feed: things`."]),
        (
            "feed: things\n",
            [
                "owner: is missing; add it (E-mail address or team (`team:data`) that answers for the feed).",
                'columns: is missing; add it (Columns by header; "" is a column without a header).',
            ],
        ),
        ("feed: other\nowner: team:a\n" + A, ["feed: is 'other', but the file is called 'things'; make them the same."]),
        ("feed: 5\nowner: team:a\n" + A, ["feed: must be text, not 5."]),
        ("feed: things\nowner: nobody\n" + A, ["owner: must be an e-mail address or team:name."]),
        (HEAD + A + "colums: {}\n", ["colums: is not a known key here; did you mean `columns`?"]),
        (
            HEAD + A + "rules: {zzz: 1}\n",
            [
                "rules.zzz: is not a known key here; remove it, or write one of max_rejected_share, null_share_below, volume_within, "
                "volume, unknown_columns, allow_empty."
            ],
        ),
        (HEAD + "columns: {}\n", ["columns: must not be empty, not {}."]),
        (HEAD + "columns: [A]\n", ["columns: must be a mapping of keys to values, not ['A']."]),
        (HEAD + "columns: {A: }\n", ["columns.A: must be a mapping of keys to values, not nothing."]),
        (HEAD + "columns: {A: text}\n", ["columns.A: must be a mapping of keys to values, not 'text'."]),
        (
            HEAD + "columns: {A: {}}\n",
            ["columns.A: needs `type`: text, integer, bigint, decimal, money, date, timestamp or boolean (or `ignore: true`)."],
        ),
        (
            HEAD + "columns: {A: {type: number}}\n",
            ["columns.A.type: must be 'text', 'integer', 'bigint', 'decimal', 'money', 'date', 'timestamp' or 'boolean', not 'number'."],
        ),
        (HEAD + "columns: {A: {ignore: true}}\n", ["`columns` needs at least one column that is not ignored."]),
        (
            HEAD + "columns: {A: {type: text}, B: {ignore: true, type: text, min: 3}}\n",
            ["columns.B: an ignored column has no `min` and no `type`; remove `ignore: true` or the rest."],
        ),
        (HEAD + 'columns: {"": {type: text}}\n', ['a column without a header ("") can only be ignored; ask for a header.']),
        (
            HEAD + "columns: {A: {type: text, in_: [a]}}\n",
            ["columns.A.in_: is not a known key here; did you mean `in`?"],
        ),
        (
            HEAD + "columns: {A: {type: text, scale: 2, formats: ['%d.%m.%Y'], currency: USD}}\n",
            [
                "columns.A: `currency` is for money columns, this one is text.",
                "columns.A: `formats` is for date and timestamp columns, this one is text.",
                "columns.A: `scale` is for decimal and money columns, this one is text.",
            ],
        ),
        (
            HEAD + "columns: {A: {type: timestamp, min: 2026-01-01}}\n",
            ["columns.A: `min` is for integer and bigint and decimal and money and date columns, this one is timestamp."],
        ),
        (HEAD + "columns: {A: {type: integer, min: 5, max: 4}}\n", ["columns.A: `min` is above `max`."]),
        (HEAD + "columns: {A: {type: integer, min: 2026-01-01}}\n", ["columns.A: `min` must be a number."]),
        (HEAD + "columns: {A: {type: date, max: 20260101}}\n", ["columns.A: `max` must be a date such as 2026-01-31."]),
        (
            HEAD + "columns: {A: {type: date, max: 2026-02-30}}\n",
            ["columns.A.max: must be a number or a date such as 2026-01-31, not '2026-02-30'."],
        ),
        (
            HEAD + "columns: {A: {type: integer, min: true}}\n",
            ["columns.A.min: must be a number or a date such as 2026-01-31, not True."],
        ),
        (HEAD + "columns: {A: {type: decimal, min: .inf}}\n", ["columns.A.min: must be a number that some column can hold."]),
        (HEAD + "columns: {A: {type: decimal, min: '1e99'}}\n", ["columns.A.min: must be a number that some column can hold."]),
        (HEAD + "columns: {A: {type: decimal, scale: 5, precision: 4}}\n", ["columns.A: `scale` is above `precision`."]),
        (HEAD + "columns: {A: {type: decimal, scale: 16}}\n", ["columns.A.scale: must be less than or equal to 15, not 16."]),
        (HEAD + "columns: {A: {type: decimal, scale: two}}\n", ["columns.A.scale: must be a whole number, not 'two'."]),
        (HEAD + "columns: {A: {type: text, max_length: 0}}\n", ["columns.A.max_length: must be greater than or equal to 1, not 0."]),
        (HEAD + "columns: {A: {type: money, currency: usd}}\n", ["columns.A.currency: must match pattern '^[A-Z]{3}$', not 'usd'."]),
        (HEAD + "columns: {A: {type: text, optional: perhaps}}\n", ["columns.A.optional: must be true or false, not 'perhaps'."]),
        (HEAD + "columns: {A: {type: text, transform: upper}}\n", ["columns.A.transform: must be a list, such as [A, B], not 'upper'."]),
        (
            HEAD + "columns: {A: {type: text, transform: [shout]}}\n",
            ["columns.A.transform.0: must be 'strip', 'collapse', 'upper', 'lower' or 'title', not 'shout'."],
        ),
        (HEAD + "columns: {A: {type: text, in: []}}\n", ["columns.A.in: must not be empty, not []."]),
        (
            HEAD + "columns: {A: {type: text, in: [a, 1, true, 1.5]}}\n",
            [
                'columns.A.in: must list texts or whole numbers; put quotes around True ("True").',
                'columns.A.in: must list texts or whole numbers; put quotes around 1.5 ("1.5").',
            ],
        ),
        (HEAD + "columns: {A: {type: text, in: [a, 1]}}\n", ['columns.A: `in` must list texts; put quotes around 1 ("1").']),
        (HEAD + "columns: {A: {type: integer, in: [1, b]}}\n", ["columns.A: `in` must list whole numbers for this type, not 'b'."]),
        (
            HEAD + "columns: {A: {type: text, transform: [strip, upper], in: [a, B]}}\n",
            ["columns.A: `in` lists 'a', which no cell can be after `transform: [strip, upper]`."],
        ),
        (
            HEAD + "columns: {A: {type: text, pattern: '['}}\n",
            ["columns.A.pattern: is not a valid regular expression: unterminated character set at position 0."],
        ),
        (
            HEAD + "columns: {A: {type: text, pattern: 'a++'}}\n",
            ["columns.A.pattern: has a possessive or atomic part, which Python 3.8 on Hadoop nodes does not know; write it without."],
        ),
        (
            HEAD + "columns: {A: {type: date, formats: ['%m/%Y', '%x']}}\n",
            [
                "columns.A.formats: '%m/%Y' names no day; write directives such as %m/%d/%Y.",
                "columns.A.formats: '%x' %x is not a directive; there are %Y %y %m %b %B %d %H %I %M %S %f %p.",
            ],
        ),
        (
            HEAD + "columns: {A: {type: date, formats: ['%m/%d/%Y', '%d/%m/%Y']}}\n",
            ["columns.A.formats: '%m/%d/%Y' and '%d/%m/%Y' read '02/03/2001' as two different days; keep one of them."],
        ),
        (
            HEAD + "columns: {A: {type: date, formats: ['%d.%m.%y', '%d.%m.%y']}}\n",
            ["columns.A.formats: '%d.%m.%y' stands twice."],
        ),
        (
            HEAD + "columns: {A: {type: text, name: Größe}}\n",
            [
                "columns.A.name: must be a lower-case identifier (a letter, then letters, digits and underscores), such as grosse.",
            ],
        ),
        (
            HEAD + "columns: {A: {type: text, name: xmin}}\n",
            ["columns.A.name: must not be xmin, a name that PostgreSQL keeps for itself; write another, such as xmin_."],
        ),
        (
            HEAD + "columns: {CTID: {type: text}}\n",
            [
                "column 'CTID' would be called 'ctid' in tables, which must not be ctid, a name that PostgreSQL keeps for itself; "
                "write another, such as ctid_; give it a `name`."
            ],
        ),
        (
            HEAD + "columns: {合計: {type: integer}}\n",
            [
                "column '合計' would be called '' in tables, which must be a lower-case identifier (a letter, then letters, digits and "
                "underscores); give it a `name`."
            ],
        ),
        (
            HEAD + "columns: {Order ID: {type: text}, OrderID: {type: text}}\n",
            ["columns 'Order ID' and 'OrderID' would both be called 'order_id' in tables; give one a `name`."],
        ),
        (
            HEAD + "columns: {Order ID: {type: text}, 'Order  ID': {type: text, name: other}}\n",
            ["the headers 'Order ID' and 'Order  ID' differ in blanks only; keep one."],
        ),
        (HEAD + A + "key: [B]\n", ["`key` names 'B', which is not among the columns (A)."]),
        (HEAD + A + "key: [A, A]\n", ["`key` names 'A' twice."]),
        (HEAD + A + "key: A\n", ["key: must be a list, such as [A, B], not 'A'."]),
        (HEAD + "columns: {A: {type: text, optional: true}}\nkey: [A]\n", ["`key` names 'A', which is optional; a key is never blank."]),
        (HEAD + A + "source: {match: sub/*.xlsx}\n", ["source.match: must be a file name pattern without folders, such as *.xlsx."]),
        (HEAD + A + "source: {sheet: 0}\n", ["source.sheet: sheets are numbered from 1."]),
        (HEAD + A + "source: {sheet: true}\n", ['source.sheet: must be a number from 1, or a name in quotes ("True").']),
        (HEAD + A + "source: {header: 0}\n", ["source.header: must be greater than or equal to 1, not 0."]),
        (HEAD + A + "partition: {by: year}\n", ["partition.by: must be 'file', 'day', 'week', 'month' or 'hour', not 'year'."]),
        (HEAD + A + "partition: {by: week}\n", ["partition: `by: week` needs `start`, the first expected day, such as 2026-01-01."]),
        (HEAD + A + "partition: {by: day}\n", ["partition: `by: day` needs `start`, the first expected day, such as 2026-01-01."]),
        (
            HEAD + A + "partition: {start: 2026-01-01, due: '07:00'}\n",
            [
                "partition: `due` is for `by: day`, `week`, `month` or `hour`, or for `by: file` with `expects`; "
                "write one of them or remove it.",
                "partition: `start` is for `by: day`, `week`, `month` or `hour`, or for `by: file` with `expects`; "
                "write one of them or remove it.",
            ],
        ),
        (
            HEAD + A + "partition: {many: newest}\n",
            ["partition: `many` is for `by: day`, `week`, `month` or `hour`; write one of them or remove it."],
        ),
        (
            HEAD + A + "partition: {expects: n1}\n",
            ["partition.expects: must be a list of names, such as [A, B], or how many files come in a day, 1 to 100,000, not 'n1'."],
        ),
        (
            HEAD + A + "partition: {expects: 0}\n",
            ["partition.expects: must be a list of names, such as [A, B], or how many files come in a day, 1 to 100,000, not 0."],
        ),
        (
            HEAD + A + "partition: {expects: 5, due: '18:00'}\n",
            [
                "partition: `expects` of a number needs `start`, the first day, and `due`, the time of day by which that many "
                "files have come."
            ],
        ),
        (
            HEAD + A + "partition: {expects: [n1, a b.xlsx, n1]}\n",
            [
                "partition: `expects` names 'a b.xlsx', which is no partition; write a file's name without its ending, such as shop_1.",
                "partition: `expects` names 'n1' twice.",
            ],
        ),
        (
            HEAD + A + "partition: {expects: [n1], due: '07:00'}\n",
            ["partition: `expects` is due at `start` (the day) and `due` (the time of day); write both or none."],
        ),
        (
            HEAD + A + "partition: {by: day, start: 2026-01-01, expects: [n1]}\n",
            ["partition: `expects` is for `by: file`; by day the periods themselves are expected: write `due`."],
        ),
        (
            HEAD + A + "partition: {by: week, start: 2026-01-05, calendar: {days: [mon]}}\n",
            ["partition: `calendar` is for `by: day` and `by: hour`; remove it from this feed by week."],
        ),
        (
            HEAD + A + "partition: {by: day, start: 2026-01-05, calendar: {days: [monday], holidays: [x]}}\n",
            [
                "partition.calendar.days.0: must be 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun', not 'monday'.",
                "partition.calendar.holidays: must be a day such as 2026-01-31, not 'x'.",
            ],
        ),
        (
            HEAD + A + "partition: {by: day, start: 2026-01-05, calendar: {days: []}}\n",
            ["partition.calendar.days: must not be empty, not []."],
        ),
        (
            HEAD + A + "partition: {by: hour, start: 2026-01-05, due_days: 1, due: '00:10', format: '%Y-%m-%d'}\n",
            [
                "partition: `due_days` is for `by: day`, `week` or `month` with a `due`; write `due` or remove it.",
                "partition: `format` names no hour; write directives such as %Y-%m-%dT%H.",
            ],
        ),
        (
            HEAD + A + "partition: {by: day, start: 2026-02-30}\n",
            ["partition.start: must be a day such as 2026-01-31, not '2026-02-30'."],
        ),
        (HEAD + A + "partition: {by: day, start: 20260101}\n", ["partition.start: must be a day such as 2026-01-31, not 20260101."]),
        (
            HEAD + A + "partition: {by: day, start: 2026-01-01, due: 7:00}\n",
            ["partition.due: must match pattern '^([01]\\d|2[0-3]):[0-5]\\d$', not '7:00'."],
        ),
        (
            HEAD + A + "partition: {by: day, start: 2026-01-01, timezone: Berlin}\n",
            ["partition.timezone: not a known time zone; write an IANA name such as Europe/Berlin."],
        ),
        (
            HEAD + A + "partition: {by: day, start: 2026-01-01, from: '\\d+', format: '%Y'}\n",
            [
                "partition: `from` needs a group named date, such as '(?P<date>\\d{4}-\\d{2}-\\d{2})'.",
                "partition: `format` names no day; write directives such as %m/%d/%Y.",
            ],
        ),
        (HEAD + A + "numbers: {decimal: ',', group: ','}\n", ["numbers: `decimal` and `group` must differ."]),
        (HEAD + A + "rules: {max_rejected_share: 5%}\n", ["rules.max_rejected_share: must be a number, not '5%'."]),
        (HEAD + A + "rules: {max_rejected_share: 5}\n", ["rules.max_rejected_share: must be less than or equal to 1, not 5."]),
        (HEAD + A + "rules: {volume_within: .inf}\n", ["rules.volume_within: must be a finite number, not inf."]),
        (HEAD + A + "rules: {volume: quarantine}\n", ["rules: `volume: quarantine` needs `volume_within`, such as 0.2."]),
        (
            HEAD + A + "sinks: {}\n",
            ["sinks: needs at least one sink, such as `warehouse: {table: sales}`; leave `sinks` out for the default."],
        ),
        (
            HEAD + A + "sinks: {warehouse: {table: Sales Records}}\n",
            [
                "sinks.warehouse.table: must be a lower-case identifier (a letter, then letters, digits and underscores), such as "
                "sales_records."
            ],
        ),
        (
            HEAD + A + "sinks: {warehouse: {table: " + "t" * 52 + "}}\n",
            ["sinks.warehouse.table: must be at most 51 characters long (names of views and indexes are made from it)."],
        ),
        (HEAD + A + "sinks: {lake: {path: ../up}}\n", ["sinks.lake.path: must match pattern '^[a-z0-9_]+$', not '../up'."]),
        (HEAD + A + "prefer: best\n", ["prefer: must be 'first' or 'last', not 'best'."]),
    ],
)
def test_every_error_says_where_and_what_to_write_instead(text: str, expected: list[str], tmp_path: Path) -> None:
    """Whoever writes a feed file is told the place and the remedy, for every kind of mistake."""
    assert problems(text, tmp_path) == expected


def test_a_long_feed_name_needs_a_table_name(tmp_path: Path) -> None:
    """The default table name is held to the same length as a given one."""
    name = "f" * 60
    (problem,) = problems(f"feed: {name}\nowner: team:tests\n{A}", tmp_path, name)
    assert problem.startswith(f"the table would be called '{name}', which must be at most 51 characters long")
    assert problems(f"feed: {name}\nowner: team:tests\n{A}sinks: {{warehouse: {{table: short}}}}\n", tmp_path, name) == []


def test_all_errors_of_a_file_at_once(tmp_path: Path) -> None:
    """One look at the list and one edit mend the file: no error hides behind another."""
    text = """
feed: Things
ownr: team:tests
columns:
  A: {type: txt, max: 3}
  B: {type: text, scale: 3, pattern: "["}
  C: {type: decimal, min: x}
  D: {type: integer, in: [a], wrong: 1}
  D: {type: integer}
  2024: {type: integer}
key: [A, Z]
numbers: {decimal: ";"}
rules: {volume: quarantine}
partition: {by: day}
"""
    assert problems(text, tmp_path) == [
        "the key 'D' stands twice; remove one (line 9, column 3).",
        'the key 2024 is not text for YAML; put quotes around it ("2024") (line 10, column 3).',
        "feed: is 'Things', but the file is called 'things'; make them the same.",
        "feed: must be a lower-case identifier (a letter, then letters, digits and underscores), such as things.",
        "owner: is missing; add it (E-mail address or team (`team:data`) that answers for the feed).",
        "partition: `by: day` needs `start`, the first expected day, such as 2026-01-01.",
        "columns.A.type: must be 'text', 'integer', 'bigint', 'decimal', 'money', 'date', 'timestamp' or 'boolean', not 'txt'.",
        "columns.B.pattern: is not a valid regular expression: unterminated character set at position 0.",
        "columns.C.min: must be a number or a date such as 2026-01-31, not 'x'.",
        "numbers.decimal: must be '.' or ',', not ';'.",
        "rules: `volume: quarantine` needs `volume_within`, such as 0.2.",
        "ownr: is not a known key here; did you mean `owner`?",
        "columns.B: `scale` is for decimal and money columns, this one is text.",
        "`key` names 'Z', which is not among the columns (A, B, C, D, 2024).",
    ]


def test_bounds_are_what_the_file_spells() -> None:
    """A limit of 0.1 is a tenth, not the double next to it."""
    columns = feed_of("columns: {A: {type: decimal, min: 0.1, max: '1e3'}, B: {type: date, min: '2014-01-01'}}").columns
    assert (columns["A"].min, columns["A"].max, columns["B"].min) == (Decimal("0.1"), Decimal("1e3"), date(2014, 1, 1))
    assert contract_of("columns: {A: {type: decimal, min: 0.10, max: '1e3'}}").columns[0].bounds == ("0.1", "1000")


def test_patterns_that_only_look_young() -> None:
    """Plain characters and classes that resemble new syntax stay allowed."""
    for pattern in (r"[*+]+", r"\++", r"a\*+", r"[]+*+]", r"(?:a+)+b"):
        assert feed_of(f"columns: {{A: {{type: text, pattern: '{pattern}'}}}}").columns["A"].pattern == pattern


def test_country_codes_may_be_listed(tmp_path: Path) -> None:
    """Norway is a country, not false."""
    assert problems(HEAD + "columns: {A: {type: text, in: [NO, SE, ON, Y]}}\n", tmp_path) == []
