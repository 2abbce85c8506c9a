"""A sheet changed its shape and a person agrees: what changed is looked up in the kept bytes, and the feed file takes it up.

Lives here: the way of `shp feeds accept`, and what `shp quarantine show` proposes.
Must not live here: what changed and how the text changes (`shp_core.drift`); running the partition again (`redrives`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path
from typing import Any

from shp_core.codes import Code
from shp_core.contract.compile import compile_contract
from shp_core.drift.diagnose import Change, Drift, Finding, diagnose
from shp_core.drift.patch import CannotPatch, expected, patched, taken_up
from shp_core.drift.words import remedy, sentence
from shp_core.errors import FeedFilesError, Refusal, UsageError
from shp_core.feeds.load import Catalogue
from shp_core.feeds.model import Feed
from shp_core.feeds.parse import validated
from shp_core.feeds.platform import load_platform
from shp_core.feeds.yamltext import read_yaml
from shp_core.healing.faults import FaultKind
from shp_core.states import HELD_STATES
from shp_ops.installation import catalogue_of, looked_at, require_feed
from shp_resources.durable import sync
from shp_resources.earlier import earlier_values
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.store.far import store_of
from shp_resources.tops import tops_of

_BY_HAND = "Edit the feed file by hand, or ask the sender."


@dataclass(frozen=True)
class Acceptance:
    """What accepting changes.

    Args:
        path: the feed file.
        findings: what is taken up.
        left: what nothing could be proposed for.
        before: the file's text.
        after: its new text.
    """

    path: Path
    findings: list[Finding]
    left: list[Finding]
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The change as a patch."""
        lines = unified_diff(self.before.splitlines(True), self.after.splitlines(True), self.path.name, self.path.name, n=1)
        return "".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The form that `--json` prints."""
        taken = [{**finding.as_dict(), "remedy": remedy(finding)} for finding in self.findings]
        return {"file": self.path, "taken_up": taken, "left": [finding.as_dict() for finding in self.left], "patch": self.diff}

    def write(self) -> None:
        """Put the new text in the file's place, all at once.

        Raises:
            UsageError: somebody changed the file meanwhile, or it cannot be written.
        """
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.draft")
        try:
            if _text(self.path) != self.before:
                raise UsageError(f"{self.path.name} was changed meanwhile.", "Look at it, then give the command again.")
            draft.write_bytes(self.after.encode("utf-8"))
            draft.chmod(self.path.stat().st_mode & 0o7777)
            sync(draft)
            draft.replace(self.path)
            sync(self.path.parent)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise UsageError(f"{self.path} cannot be written ({error.strerror}).", "Make it writable, or copy the patch.") from error


def drift_of(settings: Settings, feed: str, partition: str) -> Drift:
    """What changed its shape in the newest delivery of a held partition; nothing where it is held for another reason.

    Args:
        settings: the installation.
        feed: feed.
        partition: partition key.

    Raises:
        UsageError: there is no such feed or partition.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    with looked_at(settings):
        delivery = _held_for_its_shape(settings, feed, partition)
    kept = store_of(settings).whole_raw(delivery) if delivery is not None else None
    return _diagnosed(settings, model, kept) if kept is not None else Drift()


def proposal(settings: Settings, feed: str, partition: str) -> tuple[list[dict[str, Any]], bool]:
    """What changed its shape in a held partition, for `shp quarantine show`; and whether any of it can be accepted.

    Returns:
        Per finding its fields, `words` and `remedy`.
    """
    drift = drift_of(settings, feed, partition)
    told = [{**finding.as_dict(), "words": sentence(finding), "remedy": remedy(finding)} for finding in drift.findings]
    return told, bool(taken_up(drift))


def accept(settings: Settings, feed: str, partition: str, *, ignore_new: bool = False) -> Acceptance:
    """What the feed file would say if the drift of a held partition were accepted; nothing is written yet.

    Args:
        settings: the installation.
        feed: feed.
        partition: partition key.
        ignore_new: new columns are passed over, not taken up.

    Raises:
        UsageError: there is nothing to accept, or nothing that the platform could write by itself.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    drift = drift_of(settings, feed, partition)
    findings = taken_up(drift, ignore_new=ignore_new)
    if not findings:
        told = "; ".join(sentence(finding) for finding in drift.blocking) or "its sheet has the shape that the feed says"
        raise UsageError(f"There is nothing to accept for {feed}/{partition}: {told}.", _BY_HAND)
    left = [finding for finding in drift.blocking if (finding.change, finding.column) not in {(one.change, one.column) for one in findings}]
    path = settings.feeds / f"{feed}.yaml"
    before = _text(path)
    made = Acceptance(path, findings, left, before, _patched(before, findings))
    _require_sound(settings, model, made)
    return made


def _held_for_its_shape(settings: Settings, feed: str, partition: str) -> str | None:
    """The delivery of a partition that is held for the shape of its sheet."""
    ledger = Ledger(settings.ledger_dsn)
    record = ledger.partitions.get(feed, partition)
    if record is None:
        raise UsageError(f"Nothing is known of {feed}/{partition}.", f"See which partitions there are: shp partitions {feed}")
    shape = record.code is not None and Code(record.code).info.kind is FaultKind.SCHEMA_DRIFT
    return record.delivery if record.state in HELD_STATES and shape else None


def _diagnosed(settings: Settings, model: Feed, kept: Path) -> Drift:
    contract = compile_contract(model)
    limits = load_platform(settings.platform_file).intake_limits()
    try:
        known = earlier_values(Ledger(settings.ledger_dsn), store_of(settings), contract)
        return diagnose(contract, tops_of(kept, limits, csv=contract.csv is not None), known)
    except Refusal:
        return Drift()


def _patched(text: str, findings: list[Finding]) -> str:
    try:
        return patched(text, findings)
    except CannotPatch as error:
        raise UsageError("The feed file is written in a way that cannot be changed by itself.", _BY_HAND) from error


def _require_sound(settings: Settings, model: Feed, made: Acceptance) -> None:
    """The new text must be sound, say exactly what was meant, and break no other feed and no mart.

    Raises:
        FeedFilesError: it is not sound.
        UsageError: it says something else.
    """
    data, _ = read_yaml(made.before)
    found: list[str] = []
    meant = validated(expected(data, made.findings), Feed, found)
    written, problems = read_yaml(made.after)
    said = validated(written, Feed, found) if isinstance(written, dict) else None
    if found or problems or meant is None:
        raise FeedFilesError([f"{made.path.name}: {sentence_}" for sentence_ in (*found, *problems)])
    if said != meant:
        raise UsageError("The feed file is written in a way that cannot be changed by itself.", _BY_HAND)
    errors = _errors_of(replace_feed(catalogue_of(settings), model.feed, meant))
    if errors:
        raise FeedFilesError(errors)


def replace_feed(catalogue: Catalogue, name: str, feed: Feed) -> Catalogue:
    """A catalogue in which a feed says something else."""
    return replace(catalogue, feeds={**catalogue.feeds, name: feed})


def _errors_of(catalogue: Catalogue) -> list[str]:
    """What marts would say to the feeds."""
    return [f"marts/{name}.yaml: {problem}" for name, mart in catalogue.marts.items() for problem in mart.problems(catalogue.feeds)]


def _text(path: Path) -> str:
    """A file's text with the line ends that it has."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).", _BY_HAND) from error


def needs_migration(findings: list[Finding]) -> bool:
    """Whether the table may have to change in a way that is not done by itself."""
    return any(finding.change is Change.RETYPED for finding in findings)
