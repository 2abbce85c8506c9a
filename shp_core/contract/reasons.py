"""The row reasons as plain strings, for the modules that also run on Hadoop nodes (no enumeration with mixins there).

A test holds this list and `shp_core.codes` together.
"""

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

TYPE_REASONS = (
    INVALID_INTEGER,
    INVALID_NUMBER,
    INVALID_DATE,
    INVALID_TIMESTAMP,
    INVALID_BOOLEAN,
    INVALID_TEXT,
    TOO_PRECISE,
    OUT_OF_RANGE,
    WRONG_CURRENCY,
    TIME_IN_DATE,
    RAGGED_ROW,
    TEXT_CUT_OFF,
    ERROR_CELL,
    FORMULA_WITHOUT_VALUE,
)
"""A cell that could not become a value of its column's type."""

RULE_REASONS = (NOT_ALLOWED, PATTERN_MISMATCH, BELOW_MIN, ABOVE_MAX, TOO_LONG)
"""A value of the right type that breaks one of the column's rules."""
