"""What follows from the evidence: types and forms of columns; and what it does not decide, as questions.

Must not live here: collecting evidence (`sample`), and the file's text (`text`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from shp_core.contract.numbers import currencies_of
from shp_core.feeds.names import column_name_problem, snake_case
from shp_core.proposing.evidence import Evidence, Numbers
from shp_core.proposing.forms import COMMA, DATE_FORMS, DAY_FIRST, MONTH_FIRST, NOTATIONS, POINT
from shp_core.proposing.sample import SheetSample
from shp_core.reading.textrow import BOOLEAN, DATE, NUMBER, TEXT

Notation = tuple[str, str]

_TOLERATED, _ONE_OF = 100, 25
"""One cell of a hundred may be a slip, and a single one of twenty-five or more; it is told, and becomes a reject."""

_PRECISION, _MOST_DIGITS = 18, 38
_PERSONAL = re.compile(r"e-?mail|phone|telefon|mobile|birth|geburt|address|adresse|iban|passport|first.?name|last.?name|vorname", re.I)


@dataclass(frozen=True)
class Answers:
    """What a person said.

    Args:
        dates: `day-first` or `month-first`; None: nothing.
        numbers: `point` or `comma` as the decimal sign; None: nothing.
    """

    dates: str | None = None
    numbers: str | None = None


@dataclass(frozen=True)
class Question:
    """What the sample leaves open.

    Args:
        about: `dates` or `numbers`.
        columns: headers of the columns that it is about.
        choices: the answers.
    """

    about: str
    columns: tuple[str, ...]
    choices: tuple[str, ...]

    @property
    def text(self) -> str:
        """The question, for a person."""
        named = ", ".join(f"'{header[:60]}'" for header in self.columns[:5])
        if self.about == "dates":
            return f"No date in {named} has a day above 12: does the day come first, or the month?"
        return f"The numbers in {named} can be read in two ways: is the decimal sign a point or a comma?"


@dataclass(frozen=True)
class ProposedColumn:
    """One column of a proposed feed.

    Args:
        header: its header.
        keys: what the feed file says of it.
        remark: why, for the comment behind it.
    """

    header: str
    keys: dict[str, Any]
    remark: str = ""


@dataclass(frozen=True)
class Decision:
    """What the evidence decides about a sheet.

    Args:
        columns: in the order of the sheet.
        notation: decimal and group sign, None if no text is a number.
        keys: candidates for the key, as headers, the likeliest first.
    """

    columns: list[ProposedColumn]
    notation: Notation | None = None
    keys: list[tuple[str, ...]] = field(default_factory=list)


def questions(sheet: SheetSample, answers: Answers) -> list[Question]:
    """What must be asked before anything can be decided."""
    asked = []
    dates = [header for header, seen in _named(sheet) if len(_orders(seen)) > 1]
    if dates and answers.dates is None:
        asked.append(Question("dates", tuple(dates), (DAY_FIRST, MONTH_FIRST)))
    notations = _notations(sheet)
    if len({decimal for decimal, _ in notations}) > 1 and answers.numbers is None:
        asked.append(Question("numbers", tuple(_marked(sheet, notations)), (POINT, COMMA)))
    return asked


def decide(sheet: SheetSample, answers: Answers) -> Decision:
    """Types, names, what may be blank, keys.

    Args:
        sheet: a sheet that has ended.
        answers: to all `questions`.
    """
    notation = _chosen(sheet, answers)
    columns = list(_columns(sheet, notation, answers))
    typed = {column.header: column.keys.get("type") for column in columns}
    has_texts = any(seen.kinds[TEXT] and typed.get(header) in ("integer", "bigint", "decimal", "money") for header, seen in _named(sheet))
    return Decision(columns, notation if has_texts else None, _keys(sheet, typed))


def _named(sheet: SheetSample) -> Iterator[tuple[str, Evidence]]:
    """Columns with a header of their own, and something in them."""
    headers = list(sheet.headers.values())
    for column, header in sheet.headers.items():
        if headers.count(header) == 1 and column in sheet.columns:
            yield header, sheet.columns[column]


def _fits(misfits: int, seen: Evidence) -> bool:
    return seen.values > 0 and misfits <= max(seen.values // _TOLERATED, seen.values >= _ONE_OF)


def _forms(seen: Evidence) -> list[str]:
    """The forms in which the texts of a column are dates, with the fewest slips."""
    if not seen.kinds[TEXT]:
        return []
    fewest = min(seen.dates.values())
    return [form for form, misfits in seen.dates.items() if misfits == fewest] if _fits(fewest, seen) else []


def _orders(seen: Evidence) -> set[str]:
    """The orders of day and month in which a column's texts can be read."""
    return {order for form in _forms(seen) if (order := DATE_FORMS[form])}


def _is_number(seen: Evidence, numbers: Numbers) -> bool:
    if _forms(seen) or not seen.kinds[NUMBER] + seen.kinds[TEXT] or numbers.largest >= 10**_MOST_DIGITS:
        return False
    return _fits(numbers.misfits + _odd_marks(seen), seen)


def _odd_marks(seen: Evidence) -> int:
    """Numbers with another currency than most."""
    return seen.marks.total() - max(seen.marks.values(), default=0)


def _notations(sheet: SheetSample) -> list[Notation]:
    """The notations in which most columns are numbers, one for each meaning that the sheet may have."""
    columns = [(header, seen) for header, seen in _named(sheet) if seen.kinds[TEXT]]
    found: dict[Any, Notation] = {}
    scores = {notation: _score(columns, notation) for notation in NOTATIONS}
    for notation, (score, meaning) in scores.items():
        if score == max(best for best, _ in scores.values()):
            found.setdefault(meaning, notation)
    return list(found.values())


def _score(columns: Iterable[tuple[str, Evidence]], notation: Notation) -> tuple[tuple[int, int], tuple[Any, ...]]:
    fitting = [(header, seen.numbers[notation]) for header, seen in columns if _is_number(seen, seen.numbers[notation])]
    misfits = sum(numbers.misfits for _, numbers in fitting)
    return (len(fitting), -misfits), tuple((header, numbers.meaning) for header, numbers in fitting)


def _marked(sheet: SheetSample, notations: list[Notation]) -> Iterator[str]:
    """The columns about which notations differ."""
    for header, seen in _named(sheet):
        fitting = [seen.numbers[notation] for notation in notations if _is_number(seen, seen.numbers[notation])]
        if len({numbers.meaning for numbers in fitting}) > 1:
            yield header


def _chosen(sheet: SheetSample, answers: Answers) -> Notation:
    sign = {POINT: ".", COMMA: ","}.get(answers.numbers or "", "")
    notations = _notations(sheet)
    return next((notation for notation in notations if notation[0] == sign), notations[0])


def _columns(sheet: SheetSample, notation: Notation, answers: Answers) -> Iterator[ProposedColumn]:
    headers = list(sheet.headers.values())
    if "" in headers or any(column not in sheet.headers for column in sheet.columns):
        yield ProposedColumn("", {"ignore": True}, "columns without a header")
    names: set[str] = set()
    for column, header in sheet.headers.items():
        if headers.count(header) == 1:
            yield _column(sheet, column, header, notation, answers, names)
        elif header and headers.index(header) == list(sheet.headers).index(column):
            yield ProposedColumn(header, {"ignore": True}, f"stands {headers.count(header)} times in the header; ask for one of each")


def _column(
    sheet: SheetSample, column: int, header: str, notation: Notation, answers: Answers, names: set[str]
) -> ProposedColumn:  # fmt: skip
    seen = sheet.columns.get(column, Evidence())
    keys, remarks = _typed(seen, notation, answers)
    blank = sheet.rows - sum(seen.kinds.values())
    if blank:
        keys["optional"] = True
        remarks.append(f"blank in {blank:,} of {sheet.rows:,} rows")
    name = _name(header, column, names)
    if _PERSONAL.search(header):
        remarks.append("personal data? then pii: true")
    return ProposedColumn(header, {**keys, **({"name": name} if name else {})}, "; ".join(remarks))


def _name(header: str, column: int, names: set[str]) -> str | None:
    """A name of its own, if the header gives none that can be used."""
    usual = snake_case(header)
    name = usual if column_name_problem(usual) is None and usual not in names else f"column_{column}"
    names.add(name)
    return name if name != usual else None


def _typed(seen: Evidence, notation: Notation, answers: Answers) -> tuple[dict[str, Any], list[str]]:
    """The keys of a column, and remarks about it."""
    if not seen.values:
        return {"type": "text"}, []
    numbers = seen.numbers[notation]
    if _fits(seen.booleans, seen) and seen.kinds[BOOLEAN] + seen.kinds[TEXT]:
        return {"type": "boolean"}, _slips(seen.booleans)
    if (seen.kinds[TEXT] and _forms(seen)) or (seen.kinds[DATE] and _fits(min(seen.dates.values()), seen)):
        return _moment(seen, answers)
    if _is_number(seen, numbers):
        return _number(seen, numbers)
    return {"type": "text"}, [f"up to {seen.longest:,} characters"]


def _moment(seen: Evidence, answers: Answers) -> tuple[dict[str, Any], list[str]]:
    forms = [form for form in _forms(seen) if DATE_FORMS[form] in (None, answers.dates) or len(_orders(seen)) == 1]
    timed = not _fits(seen.timed + seen.clocks.total() - seen.clocks[""], seen)
    clocks = sorted(seen.clocks) if timed else [""]
    formats = [form + clock for form in forms for clock in clocks or [""]]
    keys = {"type": "timestamp" if timed else "date", **({"formats": formats} if formats else {})}
    asked = ["as you said"] if len(_orders(seen)) > 1 else []
    return keys, [*asked, *_slips(min(seen.dates.values()))]


def _number(seen: Evidence, numbers: Numbers) -> tuple[dict[str, Any], list[str]]:
    remarks = _slips(numbers.misfits + _odd_marks(seen))
    if seen.marks:
        currency, *others = currencies_of(max(seen.marks, key=lambda mark: seen.marks[mark]))
        told = [f"its sign may also mean {', '.join(others[:3])}"] if others else []
        return {"type": "money", "currency": currency, **_digits(numbers, 2)}, [*remarks, *told]
    if not numbers.scale and numbers.largest < 1 << 63:
        return {"type": "integer" if numbers.largest < 1 << 31 else "bigint"}, remarks
    return {"type": "decimal", **_digits(numbers, 0)}, remarks


def _digits(numbers: Numbers, least: int) -> dict[str, int]:
    """Scale and precision, as far as they are not the usual ones."""
    scale = max(numbers.scale, least)
    whole = max(numbers.largest.adjusted() + 1, 1)
    precision = _PRECISION if whole + scale <= _PRECISION else min(whole + scale + 3, _MOST_DIGITS)
    return {**({"scale": scale} if scale != 2 else {}), **({"precision": precision} if precision != _PRECISION else {})}


def _slips(misfits: int) -> list[str]:
    return [f"does not fit {misfits:,} cell{'s' * (misfits > 1)} of the sample"] if misfits else []


_IDENTIFIES = re.compile(r"\b(id|no|nr|nummer|number|code|key|sku|ean|isbn)\b|id$", re.I)


def _keys(sheet: SheetSample, typed: dict[str, Any]) -> list[tuple[str, ...]]:
    """Candidates of text or whole numbers; those that are called like one come first."""
    named = [tuple(sheet.headers[column] for column in columns) for columns in sheet.key_candidates()]
    fit = [key for key in named if all(typed.get(header) in ("text", "integer", "bigint") for header in key)]
    return sorted(fit, key=lambda key: not any(looks_like_a_key(header) for header in key)) if sheet.rows > 1 else []


def looks_like_a_key(header: str) -> bool:
    """Whether a column is called like what identifies a row."""
    return _IDENTIFIES.search(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", header)) is not None
