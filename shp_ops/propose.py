"""A feed file from a sample: the sample looked into, the proposal made, and tried on the sample before anybody sees it.

Lives here: the way of `shp feeds new`. Must not live here: what follows from a sample (`shp_core.proposing`), and asking
people (`shp_ops.cli.propose`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shp_core.errors import UsageError
from shp_core.feeds.model import Feed
from shp_core.feeds.names import snake_case, table_name_problem
from shp_core.feeds.parse import validated
from shp_core.feeds.platform import load_platform
from shp_core.feeds.yamltext import read_yaml
from shp_core.limits import Limits
from shp_core.proposing.decide import Answers, ProposedColumn, Question, decide, questions
from shp_core.proposing.sample import Sample, SheetSample
from shp_core.proposing.text import Proposal
from shp_core.reading.textrow import ABSENT, RAGGED, TEXT, CsvForm, SheetSpec
from shp_ops.explain import dry_run
from shp_ops.inspect import is_csv
from shp_resources.inspection import Inspector
from shp_resources.intake import private_copy
from shp_resources.landing import printable
from shp_resources.reader import WorkbookReader
from shp_resources.settings import Settings

_TRIES = 20
_MOST_COLUMNS = 1_500


@dataclass(frozen=True)
class Looked:
    """What was seen of a sample.

    Args:
        path: the sample.
        sheet: the sheet that is meant.
        source: what a feed file would say of its source.
        others: names of other visible sheets that hold something.
    """

    path: Path
    sheet: SheetSample
    source: dict[str, Any]
    others: tuple[str, ...] = ()

    def questions(self, answers: Answers) -> list[Question]:
        """What must be answered before anything is proposed."""
        return questions(self.sheet, answers)


@dataclass(frozen=True)
class Proposed:
    """A proposal that was tried.

    Args:
        proposal: the proposal.
        trial: what became of the sample by it (`shp_ops.explain.dry_run`).
    """

    proposal: Proposal
    trial: dict[str, Any]


def look(settings: Settings, path: Path, sheet: str | None = None, header: int | None = None) -> Looked:
    """Look into a sample, every cell of it.

    Args:
        settings: the installation; only its limits are read.
        path: a workbook, or a CSV file by its name.
        sheet: the sheet's name; by default the visible sheet that holds most.
        header: row of the header; found by default.

    Raises:
        UsageError: there is no such file, no such sheet, or nothing in it.
        Refusal: the sample is refused.
    """
    if not path.exists():
        raise UsageError(f"There is no file {printable(str(path))}.", "Check the path.")
    limits = load_platform(settings.platform_file).intake_limits()
    sample = Sample(header)
    with TemporaryDirectory(prefix="shp-new-") as scratch, Inspector(limits) as inspector:
        copied = private_copy(path, Path(scratch), limits)
        told = inspector.look(copied.path, sample.hear, csv=is_csv(path))
        sample.end()
        looked = _looked(path, sample, told, sheet)
        return replace(looked, sheet=_in_step(copied.path, looked, limits)) if is_csv(path) else looked


def _in_step(copy: Path, looked: Looked, limits: Limits) -> SheetSample:
    """A CSV file again, now that its header is known: rows that are out of step with it are no evidence."""
    spec = SheetSpec(header=looked.source["header"], csv=CsvForm(looked.source["delimiter"], looked.source["encoding"]))
    sheet = SheetSample(looked.sheet.name, spec.header)
    with WorkbookReader(limits).open(copy, spec) as batches:
        for column, text in enumerate(batches.header, 1):
            sheet.hear(spec.header, column, TEXT, text)
        for row in (row for batch in batches for row in batch.to_pylist() if RAGGED not in row["kinds"]):
            for column, kind in enumerate(row["kinds"], 1):
                if kind != ABSENT:
                    sheet.hear(row["row"], column, kind, row[f"c{column}"])
    sheet.end()
    return sheet


def _looked(path: Path, sample: Sample, told: list[dict[str, Any]], wanted: str | None) -> Looked:
    visible = [found["name"] for found in told if not found["hidden"]]
    names = [name for name in ([wanted] if wanted is not None else visible) if name in sample.sheets]
    if not names:
        which = f"The sheet {wanted!r} is not there or blank" if wanted is not None else "No visible sheet holds anything"
        raise UsageError(f"{which}.", f"Name one with --sheet: {', '.join(map(repr, sample.sheets)) or 'there is none'}.")
    sheet = max((sample.sheets[name] for name in names), key=lambda found: found.cells)
    headers = [header for header in sheet.headers.values() if header]
    if all(headers.count(header) > 1 for header in headers) or len(headers) > _MOST_COLUMNS:
        raise UsageError(f"Row {sheet.header} of the sheet {sheet.name!r} is no header.", "Name the header's row with --header.")
    others = tuple(name for name in visible if name in sample.sheets and name != sheet.name)
    return Looked(path, sheet, _source(path, sheet, told, others), others)


def _source(path: Path, sheet: SheetSample, told: list[dict[str, Any]], others: tuple[str, ...]) -> dict[str, Any]:
    form = told[0].get("csv")
    if form is not None:
        return {
            "format": "csv",
            **({"match": f"*{path.suffix.lower()}"} if path.suffix.lower() != ".csv" else {}),
            **{key: form[key] for key in ("delimiter", "encoding")},
            "header": sheet.header,
        }
    suffix = path.suffix.lower() if path.suffix.lower() in (".xlsx", ".xlsm") else ".xlsx"
    return {"match": f"*{suffix}", "sheet": sheet.name if others else 1, "header": sheet.header}


def propose(settings: Settings, looked: Looked, name: str, owner: str, answers: Answers) -> Proposed:
    """Propose a feed and try it; what the sample itself does not keep is proposed as text.

    Args:
        settings: the installation; only its limits are read.
        looked: the sample.
        name: name of the feed.
        owner: who answers for it.
        answers: to all of the sample's questions.

    Raises:
        UsageError: the name or the owner cannot be used.
    """
    sheet = looked.sheet
    notes = [f"Other sheets hold something, too: {', '.join(map(ascii, looked.others[:5]))}."] if looked.others else []
    decision = decide(sheet, answers)
    proposal = Proposal(name, owner, ascii(looked.path.name)[1:-1], sheet.rows, looked.source, decision, notes)
    for _ in range(_TRIES):
        trial = dry_run(settings, feed_of(proposal), looked.path)
        weakest = _weakest(proposal, trial)
        if weakest is None:
            break
        proposal = _without(proposal, weakest)
    return Proposed(proposal, trial)


def feed_of(proposal: Proposal) -> Feed:
    """The feed that a proposal's text describes.

    Raises:
        UsageError: it describes none; the name or the owner cannot be used.
    """
    data, problems = read_yaml(proposal.text)
    feed = validated(data, Feed, problems) if data else None
    if feed is None or problems or table_name_problem(proposal.name):
        raise UsageError("\n".join(problems) or f"{proposal.name!r} cannot be a feed's name.", "Choose another name or owner.")
    return feed


def _weakest(proposal: Proposal, trial: dict[str, Any]) -> str | None:
    """What a refused trial fails for most: a column's name in tables, or `key`; None if there is nothing to give up."""
    if not any(refusal["code"] == "too_many_rejects" for refusal in trial["refusals"]):
        return None
    names = {_name(column): column for column in proposal.decision.columns}
    counts: dict[str, int] = {}
    for rule, count in trial["failures"].items():
        column, _, code = rule.rpartition(":")
        if code == "duplicate_key" or (column in names and names[column].keys["type"] != "text"):
            counts["key" if code == "duplicate_key" else column] = count
    return max(counts, key=lambda what: counts[what], default=None)


def _name(column: ProposedColumn) -> str:
    return str(column.keys.get("name") or snake_case(column.header))


def _without(proposal: Proposal, weakest: str) -> Proposal:
    decision = proposal.decision
    if weakest == "key":
        return replace(proposal, decision=replace(decision, keys=[]))
    columns = [_as_text(column) if _name(column) == weakest else column for column in decision.columns]
    return replace(proposal, decision=replace(decision, columns=columns))


def _as_text(column: ProposedColumn) -> ProposedColumn:
    kept: dict[str, Any] = {key: column.keys[key] for key in ("optional", "name") if key in column.keys}
    return ProposedColumn(column.header, {"type": "text", **kept}, "too many cells of the sample are of another type")
