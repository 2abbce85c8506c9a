"""The feed file's new text: a drift taken up with the fewest changes, everything else - comments, order, blanks - as it was.

The text is changed at the marks of a YAML parser, never written anew; whether it then says what was meant is checked by
whoever writes it (`expected` has the same change as data).
Must not live here: files.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from shp_core.drift.diagnose import Change, Drift, Finding
from shp_core.feeds.column import NUMERIC, ONLY_FOR
from shp_core.feeds.names import clean_header
from shp_core.proposing.text import flow, quoted, scalar

_KEPT = ("name", "optional", "pii", "description", "aliases")
"""What a column keeps when its type changes."""

_RULES = ("min", "max", "in")
"""What it keeps besides when its cells are numbers before and after: the owner's rules are about the same values."""


class CannotPatch(Exception):
    """The file is written in a way in which the change has no place; a person must make it."""


def taken_up(drift: Drift, *, ignore_new: bool = False) -> list[Finding]:
    """The findings as they would be accepted; those that nothing can be proposed for are left out.

    Args:
        drift: what changed.
        ignore_new: new columns are passed over, not taken up.
    """
    ignored = {"ignore": True}
    wanted = [
        Finding(finding.change, finding.column, finding.found, ignored) if ignore_new and finding.change is Change.ADDED else finding
        for finding in drift.blocking
    ]
    return [finding for finding in wanted if finding.keys is not None or not finding.column]


def expected(data: dict[str, Any], findings: list[Finding]) -> dict[str, Any]:
    """The feed file's data with the findings taken up.

    Args:
        data: what the file says.
        findings: of `taken_up`.
    """
    new = deepcopy(data)
    for finding in findings:
        if not finding.column:
            new.setdefault("source", {})[_source_key(finding)] = finding.found
            continue
        header = _spelled(new["columns"], finding.column)
        new["columns"][header] = _column(new["columns"].get(header, {}), finding)
    return new


def patched(text: str, findings: list[Finding]) -> str:
    """The feed file's text with the findings taken up.

    Args:
        text: the file's text, which is sound.
        findings: of `taken_up`.

    Raises:
        CannotPatch: it is written in a way in which a change has no place.
    """
    for finding in findings:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise CannotPatch
        edit = _of_source(text, root, finding) if not finding.column else _of_column(text, root, finding)
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


@dataclass(frozen=True)
class _Edit:
    """Characters from `start` up to `end` give way to a text."""

    start: int
    end: int
    text: str


def _source_key(finding: Finding) -> str:
    return "sheet" if finding.change is Change.SHEET_RENAMED else "header"


def _column(column: dict[str, Any], finding: Finding) -> dict[str, Any]:
    keys = finding.keys or {}
    if finding.change is Change.RENAMED:
        return {**column, "aliases": [*column.get("aliases", []), *keys["aliases"]]}
    if finding.change is Change.RETYPED:
        return {**keys, **{key: column[key] for key in _kept(column.get("type"), keys["type"]) if key in column}}
    return {**column, **keys}


def _kept(before: str | None, after: str) -> tuple[str, ...]:
    numbers = before in NUMERIC and after in NUMERIC
    return (*_KEPT, *(key for key in _RULES if numbers and after in ONLY_FOR[key]))


def _spelled(columns: Any, header: str) -> str:
    """A header as the file spells it; blanks in it do not count."""
    return next((title for title in columns if clean_header(title) == header), header)


def _of_source(text: str, root: yaml.MappingNode, finding: Finding) -> _Edit:
    key, value = _source_key(finding), _value(finding.found)
    source = _under(root, "source")
    if source is None:
        start = next((name.start_mark.index for name, _ in root.value if name.value == "columns"), 0)
        return _Edit(start, start, f"source: {{{key}: {value}}}\n")
    if not isinstance(source, yaml.MappingNode):
        raise CannotPatch
    present = _under(source, key)
    return _added(text, source, key, value) if present is None else _Edit(present.start_mark.index, _end(text, present), value)


def _of_column(text: str, root: yaml.MappingNode, finding: Finding) -> _Edit:
    columns = _under(root, "columns")
    if not isinstance(columns, yaml.MappingNode):
        raise CannotPatch
    keys = finding.keys or {}
    titles = {clean_header(name.value): (name, value) for name, value in columns.value}
    if finding.column not in titles:
        return _added(text, columns, scalar(finding.column), flow(keys))
    name, value = titles[finding.column]
    if not isinstance(value, yaml.MappingNode) or value.start_mark.index < name.end_mark.index:
        raise CannotPatch  # an alias of another node: what it says is said elsewhere, too
    if finding.change is Change.RENAMED:
        return _with_alias(text, value, keys["aliases"][0])
    if finding.change is Change.RETYPED:
        return _Edit(value.start_mark.index, _end(text, value), flow(_column(_plain(value), finding)))
    return _with_key(text, value, keys)


def _with_alias(text: str, column: yaml.MappingNode, alias: str) -> _Edit:
    known = _under(column, "aliases")
    if known is None:
        return _added(text, column, "aliases", f"[{quoted(alias)}]")
    if not isinstance(known, yaml.SequenceNode) or not known.value:
        raise CannotPatch
    if known.flow_style:
        end = _end(text, known.value[-1])
        return _Edit(end, end, f", {quoted(alias)}")
    return _line_after(text, known.value[-1], known.start_mark.column, f"- {quoted(alias)}")


def _with_key(text: str, column: yaml.MappingNode, keys: dict[str, Any]) -> _Edit:
    """One key set to one value: `optional: true`."""
    ((key, value),) = keys.items()
    present = _under(column, key)
    spelled = flow({key: value}).strip("{}").partition(": ")[2]
    return _added(text, column, key, spelled) if present is None else _Edit(present.start_mark.index, _end(text, present), spelled)


def _added(text: str, mapping: yaml.MappingNode, key: str, value: str) -> _Edit:
    """One pair more in a mapping, after its last."""
    if not mapping.value:
        raise CannotPatch
    name, last = mapping.value[-1]
    if mapping.flow_style:
        end = _end(text, last)
        return _Edit(end, end, f", {key}: {value}")
    return _line_after(text, last, name.start_mark.column, f"{key}: {value}")


def _line_after(text: str, node: yaml.Node, indent: int, line: str) -> _Edit:
    """A line of its own after the one in which a node ends; the comment behind that stays behind it."""
    end = _end(text, node)
    at = end if text[end - 1 : end] == "\n" else text.find("\n", end) + 1
    if at <= 0:
        return _Edit(len(text), len(text), f"\n{' ' * indent}{line}\n")
    return _Edit(at, at, f"{' ' * indent}{line}\n")


def _end(text: str, node: yaml.Node) -> int:
    """Where a node ends; the parser takes the comments and blank lines behind a block for a part of it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _under(mapping: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in mapping.value if name.value == key), None)


def _plain(mapping: yaml.MappingNode) -> dict[str, Any]:
    """What a column says."""
    said: dict[str, Any] = yaml.SafeLoader("").construct_document(mapping)
    return said


def _value(found: object) -> str:
    return str(found) if isinstance(found, int) else quoted(str(found))
