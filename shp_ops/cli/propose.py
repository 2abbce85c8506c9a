"""`shp feeds new`: a feed file proposed from a sample; what the sample leaves open is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shp_core.errors import UsageError
from shp_core.proposing.decide import Answers, Question
from shp_core.proposing.forms import COMMA, DAY_FIRST, MONTH_FIRST, POINT
from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

if TYPE_CHECKING:
    from shp_ops.propose import Looked, Proposed

_HELP = """
What the sample does not decide is asked: whether 03.04.2026 is a day of March or of April,
where no day is above 12.
Exit code 0: there is a proposal, and it was tried on the sample.
          2: there is none; or something is to be asked and nobody is there (no terminal, or
             --json): then the message says which option answers.
Example:  shp feeds new sales --from november.xlsx
          shp feeds new tills --from kasse.csv --dates day-first --write
then      shp feeds check
          shp ingest sales november.xlsx
"""


@click.command(cls=Taught, epilog=_HELP)
@click.argument("name")
@click.option("--from", "sample", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The sample: .xlsx, .csv or .tsv.")
@click.option("--sheet", metavar="NAME", help="The sheet; the visible one that holds most by default.")
@click.option("--header", type=click.IntRange(1), metavar="ROW", help="The header's row; found by default.")
@click.option("--dates", type=click.Choice([DAY_FIRST, MONTH_FIRST]), help="What comes first where the sample does not tell.")
@click.option("--numbers", type=click.Choice([POINT, COMMA]), help="The decimal sign where the sample does not tell.")
@click.option("--owner", help="Who answers for the feed: an e-mail address, or team:name.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to FILE, which must not exist.")
@click.option("--write", is_flag=True, help="Write it into the folder of feed files.")
@with_output
def new(
    desk: Desk,
    name: str,
    sample: Path,
    sheet: str | None,
    header: int | None,
    dates: str | None,
    numbers: str | None,
    owner: str | None,
    out: Path | None,
    write: bool,
) -> None:
    """Propose a feed file NAME from a sample, with comments that say why.

    Every cell of the sample is looked at, and the proposal is tried on it. It is printed, unless --out or --write says where
    it goes; a file that exists is never written over.
    """
    from shp_ops import propose

    place = _place(desk, name, out, write)
    looked = propose.look(desk.settings, sample, sheet, header)
    answers = _answered(desk, looked, Answers(dates, numbers))
    proposed = propose.propose(desk.settings, looked, name, owner or f"team:{name}", answers)
    if place is not None:
        _keep(place, proposed.proposal.text)
    _tell(desk, looked, proposed, place)


def _place(desk: Desk, name: str, out: Path | None, write: bool) -> Path | None:
    """Where the file goes, if anywhere; known to be free before any work is done."""
    from shp_core.feeds.names import identifier_problem

    if problem := identifier_problem(name):
        raise UsageError(f"A feed cannot be called {name!r}: it {problem}.", "Choose another name.")
    if out is not None and write:
        raise UsageError("--out and --write both say where the file goes.", "Use one of them.")
    place = desk.settings.feeds / f"{name}.yaml" if write else out
    if place is not None and place.exists():
        raise _taken(place)
    return place


def _taken(place: Path) -> UsageError:
    return UsageError(f"{place} exists; nothing was written.", "Choose another name or place, or look at the proposal without --write.")


def _answered(desk: Desk, looked: Looked, answers: Answers) -> Answers:
    """The answers, with those that people give to what is open."""
    asked = looked.questions(answers)
    if asked and (desk.json or not sys.stdin.isatty()):
        options = " and ".join(f"--{question.about} {' or '.join(question.choices)}" for question in asked)
        raise UsageError("\n".join(question.text for question in asked), f"Say it with {options}.")
    given = {question.about: _ask(question) for question in asked}
    return Answers(given.get("dates", answers.dates), given.get("numbers", answers.numbers))


def _ask(question: Question) -> str:
    return str(click.prompt(question.text, type=click.Choice(question.choices), err=True))


def _keep(place: Path, text: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _taken(place) from None
    except OSError as error:
        raise UsageError(f"{place} cannot be written ({error.strerror}).", "Name another place with --out.") from error


def _tell(desk: Desk, looked: Looked, proposed: Proposed, place: Path | None) -> None:
    desk.answer(_document(looked, proposed, place))
    if place is None and not desk.json:
        click.echo(proposed.proposal.text, nl=False)
    rows = proposed.trial["rows"]
    counts = ", ".join(f"{word} {rows[word]:,}" for word in ("read", "clean", "rejected", "duplicate") if word in rows)
    desk.say(f"tried on the sample: {proposed.trial['verdict']}{', ' if counts else ''}{counts}")
    for refusal in proposed.trial["refusals"]:
        desk.say(f"  {refusal['code']}: {refusal['message']}")
    if place is not None:
        desk.say(f"written: {place}; next: shp feeds check")


def _document(looked: Looked, proposed: Proposed, place: Path | None) -> dict[str, Any]:
    proposal = proposed.proposal
    return {
        "feed": proposal.name,
        "path": place,
        "yaml": proposal.text,
        "sheet": looked.sheet.name,
        "header": looked.sheet.header,
        "columns": [{"header": column.header, **column.keys, "remark": column.remark} for column in proposal.decision.columns],
        "key": list(proposal.key),
        "key_candidates": [list(key) for key in proposal.decision.keys],
        "trial": {key: proposed.trial[key] for key in ("verdict", "refusals", "rows", "failures")},
    }
