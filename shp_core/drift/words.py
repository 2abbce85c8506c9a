"""What changed its shape, in sentences.

Must not live here: values of cells; headers and names of sheets are told, cut to a length.
"""

from __future__ import annotations

from shp_core.drift.diagnose import Change, Drift, Finding

_SHOWN = 8
_LONGEST = 60


def told(drift: Drift) -> str:
    """One sentence about all findings; "" where there are none."""
    parts = [sentence(finding) for finding in drift.findings[:_SHOWN]]
    more = len(drift.findings) - _SHOWN
    return "; ".join([*parts, *([f"and {more} changes more"] if more > 0 else [])])


def sentence(finding: Finding) -> str:
    """One finding, without full stop."""
    column, found = _quoted(finding.column), _quoted(finding.found)
    match finding.change:
        case Change.SHEET_RENAMED:
            return f"the table seems to stand in the sheet {found} now"
        case Change.HEADER_MOVED:
            return f"the header seems to stand in row {finding.found} now"
        case Change.RENAMED:
            return f"{column} seems to be called {found} now"
        case Change.MISSING:
            return f"{column} is missing"
        case Change.ADDED:
            return f"{column} is new"
        case Change.RETYPED:
            return f"{column} seems to hold {finding.found} now"
        case Change.REORDERED:
            return "the columns stand in another order, which does no harm"


def remedy(finding: Finding) -> str:
    """What accepting a finding would change in the feed file, without full stop."""
    column, found = _quoted(finding.column), _quoted(finding.found)
    match finding.change:
        case Change.SHEET_RENAMED:
            return f"source: sheet becomes {found}"
        case Change.HEADER_MOVED:
            return f"source: header becomes {finding.found}"
        case Change.RENAMED:
            return f"column {column}: {found} is taken for it, too"
        case Change.REORDERED:
            return "nothing need change"
    if finding.keys is None:
        return f"column {column}: cannot be proposed; ask the sender, or edit the feed file"
    if finding.change is Change.MISSING:
        return f"column {column}: becomes optional"
    kind = finding.keys["type"]
    return f"column {column}: is taken up as {kind}" if finding.change is Change.ADDED else f"column {column}: its type becomes {kind}"


def _quoted(text: object) -> str:
    return f"'{str(text)[:_LONGEST]}'"
