"""The text of `docs/runbook.md`: for every code what it means, what the platform does, and what a person does.

Lives here: the words around what the tables say. Must not live here: any code's own sentence (`shp_core.codes`,
`runbook_words`) and any decision (`shp_core.healing.decide`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shp_core.code_table import TABLE
from shp_core.codes import Code, Scope
from shp_core.healing.decide import DEATHS, REDRIVES_A_DAY, Action, Arming, Telling, Treatment, treatment_of
from shp_core.runbook_words import PERSON, PLATFORM
from shp_ops.advice import advice

_HEAD = f"""\
<!-- Written by `python -m shp_ops.pages` from shp_ops/runbook.py; edits here are lost. -->
# Runbook

Somebody was told a code, by a message, `shp incidents` or a red check in the UI. Look it up here. What is the same for all:

* `shp status` says what runs and what is not asked for now, `shp doctor` what is wrong with the installation.
* `shp history FEED PARTITION` tells every arrival, run and verdict of a partition; `shp quarantine show FEED PARTITION` what is
  held and why.
* Nothing is ever half loaded: readers keep the last good partition until a new one replaces it in one transaction.
* The mended file under the same name is all that a held partition needs; `shp quarantine release FEED PARTITION` lets it run
  once more as it is.
* An incident closes by itself, when the rows were read again from the sink and agree.

A cause may cost a partition {REDRIVES_A_DAY} runs a day, then it is silent until the next one. How verdicts are found is told in
[healing](healing.md); all codes in a table are in [codes](codes.md).
"""

_PARTS = {
    Scope.ROW: "## Rows that were rejected",
    Scope.FILE: "## Files that are held or waited for",
    Scope.PLATFORM: "## The platform and the systems around it",
    Scope.FEED: "## Feed files, settings and commands",
}

_DOES = {
    Action.AT_ONCE: f"It takes the partition up again at the next look; after {DEATHS} deaths in one step on the same bytes it holds it.",
    Action.REDRIVE: "It runs the partition again from the step that failed, after a pause that grows each time.",
    Action.WAIT: "It waits for the source, and takes the file as soon as it is there and stands still.",
    Action.PARK: "It asks nothing more of that system but a small call now and then; what arrives is kept and validated, and when the "
    "system answers the partitions follow one after the other, oldest first.",
    Action.QUARANTINE: "It holds the delivery with its bytes and its rejects; other partitions and feeds go on.",
    Action.EXHAUSTED: "It stops: no further run is started for this partition.",
}

_ARMS = {
    Arming.BREAKER: "the system answering again",
    Arming.SOURCE: "the source being there",
    Arming.DAY: "the next day",
    Arming.CONTRACT: "an edited feed file",
    Arming.CONVERTER: "a new version of the converters",
    Arming.LIMITS: "changed limits",
}

_TOLD = {
    Telling.NEVER: "Nobody is told.",
    Telling.AT_ONCE: "People are told at once ({severity}).",
    Telling.AT_LAST: "People are told when that does not help ({severity}).",
}


def runbook_page() -> str:
    """The text of `docs/runbook.md`."""
    return "\n".join([_HEAD, *(line for scope in Scope for line in _part(scope))])


def _part(scope: Scope) -> Iterator[str]:
    yield f"{_PARTS[scope]}\n"
    for code in Code:
        if TABLE[code].scope is scope:
            yield from _entry(code)


def _entry(code: Code) -> Iterator[str]:
    info = TABLE[code]
    yield f"### {code}\n"
    yield f"{info.operator}\n"
    yield f"* **The platform:** {_what_it_does(code)}"
    yield f"* **You:** {_what_you_do(code)}"
    if _is_the_senders(code):
        yield f"* **The sender:** {info.sender}"
    yield ""


def _what_it_does(code: Code) -> str:
    if code in PLATFORM:
        return PLATFORM[code]
    scope = TABLE[code].scope
    if scope is Scope.ROW:
        return "It keeps the row with its place, its text and this reason in the schema `quarantine`, and loads the others."
    if scope is Scope.FEED:
        return "It goes on with what is sound, and with the last good version of a feed file."
    return _of_treatment(treatment_of(code))


def _what_you_do(code: Code) -> str:
    if code in PERSON:
        return PERSON[code]
    if TABLE[code].scope is Scope.ROW:
        return "Tell the sender; `shp quarantine show FEED PARTITION` names the rows. Or change the rule in the feed file."
    return "Tell the sender." if _is_the_senders(code) else advice(str(code))


def _is_the_senders(code: Code) -> bool:
    return TABLE[code].scope in (Scope.ROW, Scope.FILE)


def _of_treatment(treatment: Treatment) -> str:
    told = _TOLD[treatment.telling].format(severity=treatment.severity)
    arms = [words for arming, words in _ARMS.items() if arming in treatment.armed_by]
    again = f" What lets it run again: {', '.join(['a new arrival', *arms])}." if treatment.action is not Action.AT_ONCE else ""
    return f"{_DOES[treatment.action]} {told}{again}"
