"""What is known of a validated delivery: counts, hash, failures per rule; and the rules about whole deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from shp_core.codes import Code
from shp_core.contract import reasons
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.errors import Refusal

_ROWS_THAT_TELL = 10
"""With fewer rows nothing is said about a column's type."""


class CheckName(StrEnum):
    """The checks of a partition, as the UI shows them."""

    ROWS_CONSERVED = "rows_conserved"
    SCHEMA = "schema"
    TYPES = "types"
    RANGES = "ranges"
    KEY = "key"
    NULLS = "nulls"
    REJECTS = "rejects"
    VOLUME = "volume"


@dataclass(frozen=True)
class Summary:
    """A validated delivery in numbers.

    Args:
        read: text rows (rows with a non-blank cell, within the table).
        clean: rows that go to the sinks.
        rejected: rows set aside with reasons.
        duplicate: rows equal to an earlier one.
        blank: skipped rows without a non-blank cell.
        after_end: rows after the table's declared end.
        hash: partition hash of the clean rows, 32 hexadecimal digits.
        failures: rejected rows per rule, `column:code` → count.
        nulls: blanks per column, over all rows read.
    """

    read: int
    clean: int
    rejected: int
    duplicate: int
    blank: int
    after_end: int
    hash: str
    failures: dict[str, int] = field(default_factory=dict)
    nulls: dict[str, int] = field(default_factory=dict)

    @property
    def conserved(self) -> bool:
        """Whether no row was lost or invented: read = clean + rejected + duplicate."""
        return self.read == self.clean + self.rejected + self.duplicate

    @property
    def rejected_share(self) -> float:
        """Share of rejected rows among those read."""
        return self.rejected / self.read if self.read else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The form in which it is stored."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Summary:
        """The inverse of `as_dict`."""
        return cls(**data)


def rule_counts(contract: Contract, summary: Summary) -> dict[CheckName, dict[str, int]]:
    """Rejected rows per rule and check, zeros too, `column: code` → count."""
    counts: dict[CheckName, dict[str, int]] = {CheckName.TYPES: {}, CheckName.RANGES: {}, CheckName.KEY: {}, CheckName.NULLS: {}}
    for column in contract.columns:
        for check, code in _rules_of(column):
            counts[check][f"{column.name}: {code}"] = summary.failures.get(f"{column.name}:{code}", 0)
    if contract.key:
        name = "+".join(contract.key)
        counts[CheckName.KEY][f"{name}: {reasons.DUPLICATE_KEY}"] = summary.failures.get(f"{name}:{reasons.DUPLICATE_KEY}", 0)
    if contract.csv is not None:
        counts[CheckName.TYPES][f"*: {reasons.RAGGED_ROW}"] = summary.failures.get(f"*:{reasons.RAGGED_ROW}", 0)
    for rule, count in summary.failures.items():
        _add_unforeseen(counts, rule, count)
    return counts


def delivery_refusals(contract: Contract, summary: Summary, usual_rows: float | None) -> Iterator[Refusal]:
    """The rules about whole deliveries that this one breaks.

    Args:
        contract: the contract.
        summary: the delivery in numbers.
        usual_rows: rows usually read for a partition of this feed; None when nothing is known yet.
    """
    if summary.read == 0 and not contract.allow_empty:
        yield Refusal(Code.NO_ROWS, "The sheet has a header but no rows below it.")
    retyped = retyped_columns(contract, summary)
    if summary.rejected_share > contract.max_rejected_share and retyped:
        listed = ", ".join(f"{name} ({count})" for name, count in retyped.items())
        message = f"Most of the {summary.read} rows have no value of the agreed type in: {listed}."
        yield Refusal(Code.COLUMN_RETYPED, message, {"columns": retyped})
    elif summary.rejected_share > contract.max_rejected_share:
        yield Refusal(
            Code.TOO_MANY_REJECTS,
            f"{summary.rejected} of {summary.read} rows are rejected ({summary.rejected_share:.1%}); "
            f"the feed allows {contract.max_rejected_share:.1%}. Most frequent: {_most_frequent(summary)}.",
            {"failures": dict(Counter(summary.failures).most_common(20))},
        )
    for name, share in null_shares(contract, summary).items():
        if contract.null_share_below is not None and share >= contract.null_share_below:
            yield Refusal(
                Code.TOO_MANY_NULLS,
                f"Column {name} is blank in {share:.1%} of the rows; the feed allows less than {contract.null_share_below:.1%}.",
                {"column": name},
            )
    if contract.volume == "quarantine" and not volume_usual(contract, summary, usual_rows):
        yield Refusal(
            Code.VOLUME_OUT_OF_RANGE,
            f"{summary.read} rows were read; usual are {usual_rows:.0f}, and the feed allows a difference of {contract.volume_within:.0%}.",
        )


def retyped_columns(contract: Contract, summary: Summary) -> dict[str, int]:
    """Columns in which more than half of the cells are no values of their type, with how many; none in short deliveries."""
    if summary.read < _ROWS_THAT_TELL:
        return {}
    counts = {
        column.name: sum(summary.failures.get(f"{column.name}:{code}", 0) for code in _TYPE_RULES[column.type])
        for column in contract.columns
    }
    return {name: count for name, count in counts.items() if 2 * count > summary.read}


def null_shares(contract: Contract, summary: Summary) -> dict[str, float]:
    """Share of blanks in each required column, over all rows read."""
    if not summary.read:
        return {}
    return {column.name: summary.nulls.get(column.name, 0) / summary.read for column in contract.columns if not column.optional}


def volume_usual(contract: Contract, summary: Summary, usual_rows: float | None) -> bool:
    """Whether the row count lies within the feed's `volume_within` of the usual one."""
    if contract.volume_within is None or not usual_rows:
        return True
    return abs(summary.read - usual_rows) <= contract.volume_within * usual_rows


def _rules_of(column: ContractColumn) -> Iterator[tuple[CheckName, str]]:
    """The rules a column has: every way in which one of its cells can make the row a reject."""
    yield CheckName.TYPES, reasons.ERROR_CELL
    yield CheckName.TYPES, reasons.FORMULA_WITHOUT_VALUE
    yield CheckName.TYPES, reasons.TEXT_CUT_OFF
    for code in _TYPE_RULES[column.type]:
        yield CheckName.TYPES, code
    if not column.optional:
        yield CheckName.NULLS, reasons.MISSING_VALUE
    declared = {
        reasons.NOT_ALLOWED: column.allowed,
        reasons.PATTERN_MISMATCH: column.pattern,
        reasons.BELOW_MIN: column.bounds[0],
        reasons.ABOVE_MAX: column.bounds[1],
        reasons.TOO_LONG: column.max_length,
    }
    for code, bound in declared.items():
        if bound is not None:
            yield CheckName.RANGES, code


_SCALED = (reasons.INVALID_NUMBER, reasons.TOO_PRECISE, reasons.OUT_OF_RANGE)
_WHOLE = (reasons.INVALID_INTEGER, reasons.TOO_PRECISE, reasons.OUT_OF_RANGE)
_TYPE_RULES = {
    "text": (reasons.INVALID_TEXT,),
    "integer": _WHOLE,
    "bigint": _WHOLE,
    "decimal": _SCALED,
    "money": (*_SCALED, reasons.WRONG_CURRENCY),
    "date": (reasons.INVALID_DATE, reasons.TIME_IN_DATE),
    "timestamp": (reasons.INVALID_TIMESTAMP,),
    "boolean": (reasons.INVALID_BOOLEAN,),
}


def _add_unforeseen(counts: dict[CheckName, dict[str, int]], rule: str, count: int) -> None:
    """A failure that no rule of the catalogue foresees still shows, under `types`."""
    label = rule.replace(":", ": ", 1)
    if not any(label in table for table in counts.values()):
        counts[CheckName.TYPES][label] = count


def _most_frequent(summary: Summary) -> str:
    most = Counter(summary.failures).most_common(3)
    return ", ".join(f"{rule.replace(':', ' ')} ({count})" for rule, count in most)


def row_counts(summary: Summary) -> dict[str, int]:
    """The counts that programs rely on, but for what only the sink knows."""
    return {
        "read": summary.read,
        "clean": summary.clean,
        "rejected": summary.rejected,
        "duplicate": summary.duplicate,
        "blank": summary.blank,
        "after_end": summary.after_end,
    }
