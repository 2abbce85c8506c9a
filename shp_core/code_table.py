"""What each code means: scope, fault kind, one sentence for the person who sent the file and one for the operator.

`docs/codes.md` is generated from this table. Must not live here: the names (`codes`).
"""

from __future__ import annotations

from shp_core.codes import Code, CodeInfo, Scope
from shp_core.healing.faults import FaultKind


def _row(sender: str, operator: str) -> CodeInfo:
    return CodeInfo(Scope.ROW, FaultKind.DATA_BREACH, sender, operator)


def _file(kind: FaultKind, sender: str, operator: str) -> CodeInfo:
    return CodeInfo(Scope.FILE, kind, sender, operator)


def _platform(kind: FaultKind, operator: str) -> CodeInfo:
    return CodeInfo(Scope.PLATFORM, kind, "Nothing is wrong with your file; it is kept and will be loaded.", operator)


_CORRUPT, _DRIFT, _BREACH = FaultKind.CORRUPT_INPUT, FaultKind.SCHEMA_DRIFT, FaultKind.DATA_BREACH

TABLE: dict[Code, CodeInfo] = {
    Code.MISSING_VALUE: _row("Fill in the cell.", "A required column is blank in this row."),
    Code.INVALID_INTEGER: _row("Write a whole number.", "The cell is not a whole number."),
    Code.INVALID_NUMBER: _row("Write a number in the agreed notation.", "The cell is not a number in the feed's notation."),
    Code.INVALID_DATE: _row(
        "Write a date that exists, in the agreed form.", "The cell is neither a date cell nor a text in one of the column's formats."
    ),
    Code.INVALID_TIMESTAMP: _row(
        "Write a date and time that exist, in the agreed form.",
        "The cell is neither a date cell nor a text in one of the column's formats.",
    ),
    Code.INVALID_BOOLEAN: _row("Write TRUE or FALSE.", "The cell is not a boolean."),
    Code.INVALID_TEXT: _row(
        "Remove control characters from the text.", "The text holds a character that no sink can keep (NUL or a lone surrogate)."
    ),
    Code.TOO_PRECISE: _row("Round to the agreed number of decimals.", "The number has more decimals than the column's scale."),
    Code.OUT_OF_RANGE: _row(
        "Check the number, it is far too large.",
        "The number does not fit the column's type; `bigint` or a larger `precision` would hold it.",
    ),
    Code.WRONG_CURRENCY: _row("Send the amount in the agreed currency.", "The cell carries another currency than the column declares."),
    Code.TIME_IN_DATE: _row("Remove the time of day.", "A date column holds a date with a time of day."),
    Code.RAGGED_ROW: _row(
        "The row has more or fewer fields than the header; put quotes around fields that hold a delimiter.",
        "A row of a CSV file has not as many fields as the header, so nobody knows which field belongs to which column "
        "(`short_rows: blank` accepts rows whose last fields are left out).",
    ),
    Code.TEXT_CUT_OFF: _row(
        "Shorten the text.", "The text is longer than a cell can hold (the limit `text_chars`); only its beginning is kept."
    ),
    Code.ERROR_CELL: _row(
        "Mend the formula that shows an error.", "The cell holds a spreadsheet error such as #REF!; errors are never read as blanks."
    ),
    Code.FORMULA_WITHOUT_VALUE: _row(
        "Open the workbook, let it calculate, save and send it again.", "A formula was saved without its value."
    ),
    Code.NOT_ALLOWED: _row("Use one of the agreed values.", "The value is not in the column's `in` list."),
    Code.PATTERN_MISMATCH: _row("Write the value in the agreed form.", "The value does not match the column's `pattern`."),
    Code.BELOW_MIN: _row("Check the number, it is too small.", "The value is below the column's `min`."),
    Code.ABOVE_MAX: _row("Check the number, it is too large.", "The value is above the column's `max`."),
    Code.TOO_LONG: _row("Shorten the text.", "The text is longer than the column's `max_length`."),
    Code.DUPLICATE_KEY: _row(
        "One key stands on several different rows; send the right one only.",
        "Rows of one file share a key and differ; all of them are rejects, nobody chooses silently.",
    ),
    Code.EMPTY_FILE: _file(_CORRUPT, "The file is empty; send it again.", "The file has 0 bytes."),
    Code.NOT_A_REGULAR_FILE: _file(
        _CORRUPT, "Send a file, not a folder or a link.", "The source is a folder, link, pipe, socket or device; it was not opened."
    ),
    Code.NOT_A_WORKBOOK: _file(
        _CORRUPT, "Save the file as an Excel workbook (.xlsx).", "The content is not a workbook, whatever the name says."
    ),
    Code.ENCRYPTED_WORKBOOK: _file(
        _CORRUPT, "Remove the password and send the workbook again.", "The workbook is protected by a password; it cannot be read."
    ),
    Code.LEGACY_WORKBOOK: _file(_CORRUPT, "Save the workbook as .xlsx.", "The file is of the old binary format (.xls)."),
    Code.DAMAGED_WORKBOOK: _file(
        _CORRUPT,
        "The file arrived damaged; send it again.",
        "The zip container is cut off or broken, or a part a workbook needs is missing.",
    ),
    Code.CRC_MISMATCH: _file(_CORRUPT, "The file arrived damaged; send it again.", "A part's content does not match its checksum."),
    Code.UNSAFE_WORKBOOK: _file(
        _CORRUPT,
        "Save the workbook anew with a spreadsheet program.",
        "The container holds what no spreadsheet program writes (twin names, overlapping entries, a DOCTYPE).",
    ),
    Code.LIMIT_REACHED: _file(
        _CORRUPT,
        "The workbook is larger than agreed; split it.",
        "A limit of the intake was reached; the message names it and the value. Limits are settings in shp.yaml.",
    ),
    Code.INVALID_MARKUP: _file(
        _CORRUPT,
        "The file is damaged; save it anew and send it again.",
        "A part is not well-formed XML, or says what the format does not allow.",
    ),
    Code.TWIN_ADDRESS: _file(
        _CORRUPT,
        "Save the workbook anew with a spreadsheet program.",
        "Two cells of the sheet carry one address; nobody can say which is right.",
    ),
    Code.NOT_A_CSV_FILE: _file(
        _CORRUPT,
        "Save the file as CSV.",
        "The content is a workbook or another container; the feed is of CSV files.",
    ),
    Code.UNDECODABLE_TEXT: _file(
        _DRIFT,
        "Save the file in the agreed encoding.",
        "The bytes are not text in the feed's `encoding`; the message names the place, or the encoding that the file declares.",
    ),
    Code.NUL_CHARACTER: _file(
        _DRIFT,
        "The file is damaged or in another encoding than agreed; save it anew.",
        "The text holds a NUL character: a file that was cut off by a crash, or UTF-16 where the feed's `encoding` says something else.",
    ),
    Code.UNCLOSED_QUOTE: _file(
        _DRIFT,
        "A quote is opened and not closed; double the quotes inside a text.",
        "A field that begins with a quote does not end with one, so everything behind it would be one field.",
    ),
    Code.MISPLACED_QUOTE: _file(
        _DRIFT,
        "A text in quotes has a quote inside it; double the quotes inside a text.",
        "A quote closes in the midst of a field, so nobody knows where the field ends; the message names the row.",
    ),
    Code.WRONG_DELIMITER: _file(
        _DRIFT,
        "Save the file with the agreed delimiter.",
        "The feed's `delimiter` does not occur in the header, but another one does; the message names it.",
    ),
    Code.READER_CRASHED: _file(
        _CORRUPT, "Save the workbook anew with a spreadsheet program.", "The reading process died on this file; the platform went on."
    ),
    Code.READER_TIMEOUT: _file(
        _CORRUPT, "The workbook is too large to be read in time; split it.", "The reading process kept its reader waiting for too long."
    ),
    Code.READER_OUT_OF_MEMORY: _file(
        _CORRUPT, "The workbook is too large to be read; split it.", "The reading process used up its memory."
    ),
    Code.READER_DISAGREES: _file(
        _CORRUPT,
        "Nothing need be wrong with your file; it waits until somebody has looked at the reader.",
        "The fast reader and its reference read a row differently (the message names it), so neither is believed: compile anew.",
    ),
    Code.SHEET_MISSING: _file(
        _DRIFT, "The agreed sheet is not in the workbook.", "The sheet that the feed names is not there; the message lists those that are."
    ),
    Code.HEADER_MISSING: _file(
        _DRIFT, "The header row is not where it was agreed.", "The header row is blank or beyond the end of the sheet."
    ),
    Code.COLUMN_MISSING: _file(
        _DRIFT,
        "A column is missing or was renamed.",
        "Required columns are not in the header; the message lists missing and unknown columns together.",
    ),
    Code.COLUMN_UNKNOWN: _file(
        _DRIFT,
        "There is a column that was not agreed.",
        "The header has columns the feed does not know (`unknown_columns: ignore` would pass over them).",
    ),
    Code.COLUMN_TWICE: _file(_DRIFT, "A column stands twice in the header.", "Two columns of the sheet have one header the feed knows."),
    Code.COLUMN_RETYPED: _file(
        _DRIFT,
        "The cells of a column are of another kind than was agreed.",
        "Most cells of a column are no values of the type that the feed says; `shp quarantine show` proposes another one.",
    ),
    Code.NO_ROWS: _file(
        _BREACH,
        "The sheet has a header but no rows.",
        "No row was read; an empty delivery never replaces data (`rules: {allow_empty: true}` would let it).",
    ),
    Code.TOO_MANY_REJECTS: _file(
        _BREACH,
        "Too many rows are wrong; correct them and send the file again.",
        "The share of rejected rows is above the feed's `max_rejected_share`.",
    ),
    Code.TOO_MANY_NULLS: _file(
        _BREACH, "A column is blank in too many rows.", "The share of blanks in a column is above the feed's `null_share_below`."
    ),
    Code.VOLUME_OUT_OF_RANGE: _file(
        _BREACH, "The file has far more or fewer rows than usual.", "The row count is outside the feed's `volume_within` of the usual one."
    ),
    Code.SOURCE_MISSING: _file(
        FaultKind.SOURCE_MISSING, "The file is not there; send it (again).", "The file went away before it was copied."
    ),
    Code.SOURCE_UNREACHABLE: _file(
        FaultKind.SOURCE_DOWN,
        "The place your files come from does not answer; bring it back.",
        "The system that a feed's `source.uri` or a fallback names does not answer; what was published stays.",
    ),
    Code.SOURCE_REFUSED: _file(
        FaultKind.SOURCE_DOWN,
        "The place your files come from lets nobody in; give the agreed reader its rights back.",
        "The source answers and refuses (login, rights, certificate, host key, or an answer without a length); "
        "credentials are SHP_SOURCE_… in the environment.",
    ),
    Code.LATE: _file(
        FaultKind.SOURCE_MISSING,
        "The file is late; send it, or say that it will never come.",
        "The due time passed and no file came; `shp waive` says that none will.",
    ),
    Code.UNUSUALLY_LATE: _file(
        FaultKind.SOURCE_MISSING,
        "The file is usually there by now; nothing is wrong yet.",
        "Most files of the feed came earlier than this, counted from their due time; the due time has not passed.",
    ),
    Code.STILL_MOVING: _file(
        FaultKind.TRANSIENT,
        "Nothing to do; the file is still being written.",
        "The file changed while it was copied; it is left for the next look.",
    ),
    Code.NO_PARTITION: _file(
        _DRIFT,
        "Name the file as agreed.",
        "The file's name does not hold the date the feed's `from` pattern looks for, or it lies outside the feed's dates.",
    ),
    Code.AMBIGUOUS_PARTITION: _file(
        _DRIFT, "Two files claim the same period; remove one.", "Two sources stand for one period (`many: newest` would take the newest)."
    ),
    Code.DUPLICATE_DELIVERY: _file(
        _BREACH,
        "This file was already delivered under another name.",
        "The same bytes are published as another partition of a feed without a key.",
    ),
    Code.TABLE_MISMATCH: _platform(FaultKind.CODE_BUG, "The table in the warehouse does not fit the feed and cannot be widened by itself."),
    Code.SINK_UNREACHABLE: _platform(
        FaultKind.SINK_DOWN, "A sink (the warehouse's database, HDFS or YARN) does not answer or is read-only; artefacts are kept."
    ),
    Code.SINK_REFUSED: _platform(
        FaultKind.SINK_REFUSED,
        "A sink (the warehouse's database, HDFS, YARN or the lake's folder) refuses (rights, disk or quota full); artefacts are kept.",
    ),
    Code.SINK_DISAGREES: _platform(
        FaultKind.CODE_BUG, "What was read back from a sink is not what was to be published; what stood there before stands."
    ),
    Code.SINKS_DIFFER: _platform(
        FaultKind.CODE_BUG,
        "Warehouse and lake both claim a delivery and hold different rows, which are named; both are made to hold it again.",
    ),
    Code.SINK_GAP: _platform(
        FaultKind.SINK_DOWN,
        "A sink does not hold what was published there (rows deleted or changed by hand); it is filled from the artefacts.",
    ),
    Code.BREAKER_OPEN: _platform(
        FaultKind.SINK_DOWN, "An outside system is away or refuses; nothing is asked of it until a probe gets through."
    ),
    Code.LEDGER_UNREACHABLE: _platform(FaultKind.SINK_DOWN, "The ledger's database does not answer."),
    Code.LEDGER_REFUSED: _platform(FaultKind.SINK_REFUSED, "The ledger's database refuses (rights, disk full, no such database)."),
    Code.STORE_REFUSED: _platform(FaultKind.SINK_REFUSED, "The artefact store cannot be written (disk full, rights)."),
    Code.ARTEFACT_DAMAGED: _platform(FaultKind.TRANSIENT, "A stored artefact is missing or damaged; it is made again from the bytes."),
    Code.TRANSIENT: _platform(FaultKind.TRANSIENT, "A passing failure (timeout, deadlock, reset)."),
    Code.PARTITION_BUSY: _platform(FaultKind.TRANSIENT, "Another worker holds the partition's lease."),
    Code.SUPERSEDED: _platform(FaultKind.INTERRUPTED, "A newer arrival of the partition was published meanwhile; this run gave way."),
    Code.INTERRUPTED: _platform(FaultKind.INTERRUPTED, "The work was stopped from outside and can be taken up again."),
    Code.TERMINATED: _platform(
        FaultKind.INTERRUPTED, "A person terminated the run; the partition stays as it is until somebody asks for it again."
    ),
    Code.WORKER_LOST: _platform(FaultKind.WORKER_LOST, "The process that did the work died without a word."),
    Code.SERVICE_FAILED: _platform(
        FaultKind.INTERRUPTED, "One of the platform's own processes does not start or does not answer; the end of its log says why."
    ),
    Code.PLATFORM_STRAINED: _platform(
        FaultKind.INTERRUPTED, "The platform lags, or runs out of something: disk, memory, connections; the message says which."
    ),
    Code.CODE_BUG: _platform(FaultKind.CODE_BUG, "Something nobody named went wrong; please report it with the run's log."),
    Code.STILL_HELD: CodeInfo(
        Scope.FEED,
        FaultKind.CODE_BUG,
        "-",
        "Partitions are held for more than a day and nobody was told; `shp partitions` says why, `shp quarantine release` runs them once.",
    ),
    Code.HEALED_OFTEN: CodeInfo(
        Scope.FEED, FaultKind.CODE_BUG, "-", "A cause keeps coming back although each of its runs heals; look for what is behind it."
    ),
    Code.FEED_INVALID: CodeInfo(Scope.FEED, FaultKind.CODE_BUG, "-", "A feed file has errors; `shp feeds check` lists them all."),
    Code.FEED_UNKNOWN: CodeInfo(Scope.FEED, FaultKind.CODE_BUG, "-", "There is no feed of that name; `shp feeds check` lists them."),
    Code.SETTINGS_INVALID: CodeInfo(Scope.FEED, FaultKind.CODE_BUG, "-", "shp.yaml or an environment variable is wrong."),
    Code.USAGE: CodeInfo(Scope.FEED, FaultKind.CODE_BUG, "-", "The command was called wrongly."),
}
