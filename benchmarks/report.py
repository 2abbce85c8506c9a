"""From single runs to medians, ratios, a small table and the files that are kept.

Must not live here: running anything.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Run = Mapping[str, Any]
"""One verified run: contender, round, files, rows, wall, cpu, peak_pss, max_rss."""


def summary(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Medians by contender.

    Returns:
        contender -> files, rows, runs, rows_per_second, wall, cpu (seconds), peak_pss, max_rss (MiB).
    """
    return {name: _medians([run for run in runs if run["contender"] == name]) for name in _names(runs)}


def ratios(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """How many times as fast one contender is as another, by rows per second, pair by pair within a round.

    Returns:
        "A / B" -> {"pairs": one number per round, "median"}.
    """
    pairs = {f"{a} / {b}": _pairs(runs, a, b) for a, b in itertools.combinations(_names(runs), 2)}
    return {name: {"pairs": values, "median": round(statistics.median(values), 2)} for name, values in pairs.items() if values}


def markdown(result: Mapping[str, Any]) -> str:
    """A result as a small table for people."""
    lines = [
        f"# {result['name']}: {result['workbooks']}",
        "",
        _machine(result["machine"]),
        "",
        "| contender | files | rows/s | wall s | CPU s | peak PSS MiB | max RSS MiB | runs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(name, row) for name, row in result["contenders"].items()]
    lines += ["", "| times as fast | median | round by round |", "|---|---|---|"]
    lines += [f"| {name} | {row['median']} | {', '.join(map(str, row['pairs']))} |" for name, row in result["ratios"].items()]
    return "\n".join([*lines, "", *(f"* {note}" for note in result["notes"]), ""])


def keep(outcome: Mapping[str, Any], folder: Path, name: str, text: str) -> None:
    """Write a result for programs and for people.

    Args:
        outcome: the numbers.
        folder: where results lie; made when it is missing.
        name: of both files, without an ending.
        text: the same as Markdown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(outcome, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def _names(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run["contender"] for run in runs))


def _speed(run: Run) -> float:
    return float(run["rows"] / run["wall"])


def _medians(runs: Sequence[Run]) -> dict[str, Any]:
    def median(key: str) -> float:
        return round(float(statistics.median(run[key] for run in runs)), 2)

    fixed = {"files": runs[0]["files"], "rows": runs[0]["rows"], "runs": len(runs)}
    measured = {key: median(key) for key in ("wall", "cpu", "peak_pss", "max_rss")}
    return fixed | {"rows_per_second": round(statistics.median(map(_speed, runs)))} | measured


def _pairs(runs: Sequence[Run], a: str, b: str) -> list[float]:
    by_round = {(run["contender"], run["round"]): _speed(run) for run in runs}
    both = [number for name, number in by_round if name == a and (b, number) in by_round]
    return [round(by_round[a, number] / by_round[b, number], 2) for number in both]


def _machine(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['cores']} cores, {machine['memory_gib']} GiB memory, Python {machine['python']}, "
        f"PostgreSQL {machine['postgresql']} (fsync on). Medians."
    )


def _line(name: str, row: Mapping[str, Any]) -> str:
    cells = [row[key] for key in ("files", "rows_per_second", "wall", "cpu", "peak_pss", "max_rss", "runs")]
    return f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} |"
