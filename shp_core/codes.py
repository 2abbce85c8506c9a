"""Reason codes: the one enumeration of everything the platform can say is wrong.

A code is public and stable: it may be added, never renamed, never given another meaning. Each has a scope (what it
is said about), a fault kind (what the platform does about it) and two sentences.
Must not live here: those sentences (`code_table`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shp_core.healing.faults import FaultKind


class Scope(StrEnum):
    """What a code is said about."""

    ROW = "row"
    FILE = "file"
    PLATFORM = "platform"
    FEED = "feed"


@dataclass(frozen=True)
class CodeInfo:
    """What a code means: scope, fault kind, and one sentence each for sender and operator."""

    scope: Scope
    kind: FaultKind
    sender: str
    operator: str


class Code(StrEnum):
    """Every stable reason code."""

    # rows
    MISSING_VALUE = "missing_value"
    INVALID_INTEGER = "invalid_integer"
    INVALID_NUMBER = "invalid_number"
    INVALID_DATE = "invalid_date"
    INVALID_TIMESTAMP = "invalid_timestamp"
    INVALID_BOOLEAN = "invalid_boolean"
    INVALID_TEXT = "invalid_text"
    TOO_PRECISE = "too_precise"
    OUT_OF_RANGE = "out_of_range"
    WRONG_CURRENCY = "wrong_currency"
    TIME_IN_DATE = "time_in_date"
    RAGGED_ROW = "ragged_row"
    TEXT_CUT_OFF = "text_cut_off"
    ERROR_CELL = "error_cell"
    FORMULA_WITHOUT_VALUE = "formula_without_value"
    NOT_ALLOWED = "not_allowed"
    PATTERN_MISMATCH = "pattern_mismatch"
    BELOW_MIN = "below_min"
    ABOVE_MAX = "above_max"
    TOO_LONG = "too_long"
    DUPLICATE_KEY = "duplicate_key"
    # files: what the gate and the readers refuse
    EMPTY_FILE = "empty_file"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    NOT_A_WORKBOOK = "not_a_workbook"
    ENCRYPTED_WORKBOOK = "encrypted_workbook"
    LEGACY_WORKBOOK = "legacy_workbook"
    DAMAGED_WORKBOOK = "damaged_workbook"
    CRC_MISMATCH = "crc_mismatch"
    UNSAFE_WORKBOOK = "unsafe_workbook"
    LIMIT_REACHED = "limit_reached"
    INVALID_MARKUP = "invalid_markup"
    TWIN_ADDRESS = "twin_address"
    NOT_A_CSV_FILE = "not_a_csv_file"
    UNDECODABLE_TEXT = "undecodable_text"
    NUL_CHARACTER = "nul_character"
    UNCLOSED_QUOTE = "unclosed_quote"
    MISPLACED_QUOTE = "misplaced_quote"
    WRONG_DELIMITER = "wrong_delimiter"
    READER_CRASHED = "reader_crashed"
    READER_TIMEOUT = "reader_timeout"
    READER_OUT_OF_MEMORY = "reader_out_of_memory"
    READER_DISAGREES = "reader_disagrees"
    # files: what the contract refuses
    SHEET_MISSING = "sheet_missing"
    HEADER_MISSING = "header_missing"
    COLUMN_MISSING = "column_missing"
    COLUMN_UNKNOWN = "column_unknown"
    COLUMN_TWICE = "column_twice"
    COLUMN_RETYPED = "column_retyped"
    NO_ROWS = "no_rows"
    TOO_MANY_REJECTS = "too_many_rejects"
    TOO_MANY_NULLS = "too_many_nulls"
    VOLUME_OUT_OF_RANGE = "volume_out_of_range"
    # deliveries
    SOURCE_MISSING = "source_missing"
    SOURCE_UNREACHABLE = "source_unreachable"
    SOURCE_REFUSED = "source_refused"
    LATE = "late"
    UNUSUALLY_LATE = "unusually_late"
    STILL_MOVING = "still_moving"
    NO_PARTITION = "no_partition"
    AMBIGUOUS_PARTITION = "ambiguous_partition"
    DUPLICATE_DELIVERY = "duplicate_delivery"
    # platform
    TABLE_MISMATCH = "table_mismatch"
    SINK_UNREACHABLE = "sink_unreachable"
    SINK_REFUSED = "sink_refused"
    SINK_DISAGREES = "sink_disagrees"
    SINKS_DIFFER = "sinks_differ"
    SINK_GAP = "sink_gap"
    BREAKER_OPEN = "breaker_open"
    LEDGER_UNREACHABLE = "ledger_unreachable"
    LEDGER_REFUSED = "ledger_refused"
    STORE_REFUSED = "store_refused"
    ARTEFACT_DAMAGED = "artefact_damaged"
    TRANSIENT = "transient"
    PARTITION_BUSY = "partition_busy"
    SUPERSEDED = "superseded"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"
    WORKER_LOST = "worker_lost"
    SERVICE_FAILED = "service_failed"
    PLATFORM_STRAINED = "platform_strained"
    CODE_BUG = "code_bug"
    # what people are told beside verdicts
    STILL_HELD = "still_held"
    HEALED_OFTEN = "healed_often"
    # feeds and commands
    FEED_INVALID = "feed_invalid"
    FEED_UNKNOWN = "feed_unknown"
    SETTINGS_INVALID = "settings_invalid"
    USAGE = "usage"

    @property
    def info(self) -> CodeInfo:
        """The code's entry in the table."""
        from shp_core.code_table import TABLE  # it is made of these names

        return TABLE[self]
