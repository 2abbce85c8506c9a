"""The words of `docs/feeds.md` that no model knows; the tables between them are generated (`schema`)."""

from __future__ import annotations

HEAD = """\
# Feed files

<!-- Generated from the models in shp_core/feeds; `python -m tests.support.generated` writes it anew. -->

A feed is one kind of spreadsheet with one contract, and one file `feeds/<name>.yaml`. A new feed needs no code: write the
file, make the drop folder `landing/<name>/`, and the platform reads, checks and publishes what people put there.

The smallest feed:

```yaml
feed: visits
owner: team:front-desk
columns:
  Visitor: {type: text}
  Day:     {type: date, formats: ["%m/%d/%Y"]}
  Persons: {type: integer}
```

One that uses most of what there is:

```yaml
feed: stock
owner: logistics@example.com
description: Stock counts of all warehouses, one workbook per day.
source: {match: "stock_*.xlsx", sheet: Count, header: 3}
partition: {by: day, start: 2026-11-01, due: "07:00", timezone: Europe/Berlin}
columns:
  "":         {ignore: true}                    # a column without a header
  Warehouse:  {type: text, transform: [strip, upper], pattern: "[A-Z]{3}"}
  SKU:        {type: text, max_length: 20}
  Counted At: {type: date, formats: ["%d.%m.%Y"]}
  On Hand:    {type: integer, min: 0}
  Unit Value: {type: money, currency: EUR, scale: 2, min: 0}
  Remark:     {type: text, optional: true, pii: true}
numbers: {decimal: ",", group: "."}
key: [Warehouse, SKU]
rules: {max_rejected_share: 0.1, null_share_below: 0.01, volume_within: 0.5}
sinks: {warehouse: {table: stock_levels}}
```

* `shp feeds new NAME --from FILE` proposes a feed file from a workbook or CSV file: header row, types from every cell of each
  column, what may be blank, notation, key. A comment tells why where it is worth telling, and how often a cell does not fit; no
  value of a cell is in it. What no cell decides is asked: whether the day or the month comes first where no day is above 12,
  what the decimal sign is where `1.234` may be either (`--dates`, `--numbers` where nobody can be asked). The proposal is tried
  on the sample; `--write` puts it into the folder of feed files, where nothing is ever written over.
* `shp feeds check` names every error of every file at once, with what to write instead. A file with errors never takes
  the others down.
* `shp feeds explain FEED FILE` tries a workbook without keeping anything: what would be read, rejected and why.
* `shp feeds schema > feed.schema.json` writes the schema with which editors complete and check feed files; a file names
  it in a first line `# yaml-language-server: $schema=../feed.schema.json`.

Unknown keys are errors. Values are names from closed sets, numbers, texts and patterns, never Python or SQL. Only
`true` and `false` are booleans (`NO` is a country), and a header that looks like a number needs quotes (`"2024":`).
"""

COLUMNS = """\
What a cell may be, by type of column. A blank cell is a reject (`missing_value`) unless the column is `optional`; an error
cell and a formula without a value are rejects everywhere (docs/codes.md lists all reasons).

| type | in PostgreSQL | text cells | number cells | date cells | booleans |
|---|---|---|---|---|---|
| `text` | `text` | as they are, `00123` stays | their digits | ISO text | `TRUE`, `FALSE` |
| `integer` | `integer` | whole numbers in the feed's notation | whole numbers | no | no |
| `bigint` | `bigint` | the same | the same | no | no |
| `decimal` | `numeric(precision, scale)` | numbers in the feed's notation | numbers | no | no |
| `money` | `numeric(precision, scale)` | the same, with or without the currency's sign or code | numbers | no | no |
| `date` | `date` | in one of `formats` | no | dates without a time of day | no |
| `timestamp` | `timestamp` | in one of `formats` | no | dates with or without a time of day | no |
| `boolean` | `boolean` | `true`, `false` | no | no | yes |

**Numbers.** A number cell is a binary double, and often reads like `8625.389999999999`. Columns take the nearest value of
their scale if it lies within 10^-(scale+4) or one unit in the double's last place; anything else is `too_precise`. A text
may not spell more decimals than the scale, not even zeros: `1.000` may have been meant as a thousand. Groups are of three
digits and never follow a leading zero. What does not fit the type is `out_of_range`. Another currency than the column's
is `wrong_currency`.

**Dates.** Text cells are read by `formats` only, with English names; a form that could be read in two ways, or two forms
that disagree about a text, are errors of the feed file. Days and months may be unpadded where something separates them.
A time of day in a date column is `time_in_date`; it is never cut off.

**Names.** `Order ID`, `OrderID` and `order id` become `order_id`; `Größe (cm)` becomes `grosse_cm`. Headers are compared
with blanks and line breaks folded, and exactly otherwise.
"""

CSV = """\
## CSV files

A feed of CSV files has the same contract, codes and tables as one of workbooks; only its `source` says how the files are
spelled. What a German Excel saves as CSV:

```yaml
feed: tills
owner: team:shops
source: {format: csv, delimiter: ";", encoding: cp1252}     # "CSV UTF-8" in the dialogue: encoding: utf-8
columns:
  Bon:    {type: integer}
  Tag:    {type: date, formats: ["%d.%m.%Y"]}
  Betrag: {type: money, currency: EUR}
numbers: {decimal: ",", group: "."}
key: [Bon]
```

* **Cells.** Every cell is a text and is converted as text cells of workbooks are: numbers by `numbers`, dates by `formats`
  (which dates need, therefore). An empty field is a blank cell. `WAHR` and `FALSCH` are no booleans; read them as text with
  `in: [WAHR, FALSCH]`.
* **Rows** are numbered as a spreadsheet program shows them: a row with line breaks in it is one, and blank lines count.
* **Ragged rows.** A row with more or fewer fields than the header is a reject (`ragged_row`), because nobody knows which
  field belongs to which column. Excel leaves out the last fields of rows where many rows in succession have none; a feed that
  gets such files says `short_rows: blank`. A row of too many fields is always a reject.
* **Quotes.** A field that begins with a quote ends with one, and quotes inside it are doubled. A quote that is never closed, or
  closes in the midst of a field, refuses the file: behind it no field is certain. Inside a plain field a quote is a character.
* **Encoding.** Bytes that are no text in the feed's encoding refuse the file (`undecodable_text`, with the place), and so does a
  NUL character. A byte order mark is no part of the text; `utf-8` and `utf-8-sig` read files with and without it, `utf-16` needs
  it. A file whose mark names another encoding than the feed is refused.
* **Delimiter.** A header without the feed's delimiter, but with another usual one, is refused (`wrong_delimiter`). A header of
  one column that holds a comma needs quotes. A line `sep=;` above the header is not read: `header: 2`.
"""

TIME = """\
## Partitions: files and periods

A feed by file takes any file; its name without the ending is the partition. A feed by period has a partition for each day,
week, month or hour from `start` on, named in the file's name:

```
partition: {by: day, start: 2026-11-02, due: "07:00", calendar: {days: [mon, tue, wed, thu, fri], holidays: [2026-12-25]}}
partition: {by: week, start: 2026-11-02, due: "12:00", due_days: 1}       # on the Tuesday after the week
partition: {by: month, start: 2026-01-01, due: "09:00", due_days: 4}      # on the fifth of the next month
partition: {by: hour, start: 2026-11-02, due: "00:20"}                    # twenty minutes after the hour
partition: {by: file, expects: [shop_1, shop_2], start: 2026-11-30, due: "18:00"}
partition: {by: file, expects: 5, start: 2026-11-30, due: "18:00", calendar: {days: [mon, tue, wed, thu, fri]}}   # five files a day
```

* **Keys.** A day is `2026-11-02`; a week is its Monday, a month its first day; an hour is in UTC (`2026-11-02T08Z`), because in
  autumn a local hour comes twice. A file name's hour is in the feed's time zone; where that hour comes twice or never the file
  is held (`no_partition`) unless its name spells the offset (`%z`).
* **Expected** is each period that has begun, if the feed says when it is `due`; by file, what `expects` names. Days outside the
  `calendar` are not expected. A file for a day that nobody expects is taken all the same.
* **A number of files a day** (`expects: 5`) is for files whose names nobody knows before they come. A file counts for the day, in
  the feed's time zone, on which it first came; corrections of it do not count again. Files beyond the number, and those of a day off,
  make up for earlier days that lack some, the oldest first. A day that lacks files at its due time is late: people are told once, and
  again when the rest came; `shp partitions` lists the last 31 days, `shp waive FEED 2026-11-30 --why closed` settles one, marts say
  `missing_files`, and `shp slo` counts each file of the number. A day that was due is judged by the number that held then.
* **Due** is a time of day in the feed's time zone. Where clocks are turned and it does not exist, or exists twice, the later
  reading counts: 02:30 in a night without it is 03:30.
* **Placeholders.** With `placeholder_days: 2` the newest good partition before a late one stands in for it, if it is at most two
  days older. No row is stored for that: the view `warehouse.<table>_filled` shows its rows under the late key, marked
  `_is_placeholder`, and marts with `placeholders: true` read the view. The real delivery ends it in the transaction that
  publishes it; `reconciled_at` is set, and the run tells the differences in rows and sums.
"""

WHOLE = """\
## What counts when

* **Header.** All required columns must be there, in any order. Missing and unknown columns are told together, so that a
  renamed column is seen as one. A column without a header must hold no data unless the feed ignores it: `"": {ignore: true}`.
* **Row rules.** A row that breaks one is a reject, kept with its place, its text and every reason; the other rows go on.
* **Key.** Rows equal in all columns collapse and are counted as duplicates. Different rows with one key are all rejects.
  Without a key every row stays.
* **Rules about the whole.** A delivery that breaks one is refused: its bytes are kept, the table keeps what it had.
* **Contract version.** A hash of everything that can change a clean row: sheet, header, columns, types, transforms, key,
  rules, and how CSV files are spelled. Owner, descriptions, `source.match`, the partition, sinks, `pii` and the order of columns
  do not count.
"""

MARTS = """\
A mart is a roll-up of one feed, one file `marts/<name>.yaml`; it becomes the table `mart.<name>` and knows which partitions
it was made from.

```yaml
mart: stock_by_warehouse
from: stock
group_by: [Warehouse, {month: Counted At}]
sum: [On Hand]
```
"""

PLATFORM = """\
What is not about a feed stands in `shp.yaml` beside the folder of feeds, under the same rules. It may be empty or missing.

```yaml
limits: {source_bytes: 256 MiB, child_cpu_seconds: 300}
profile: dev
profiles:
  dev: {limits: {source_bytes: 64 MiB}}
```
"""
