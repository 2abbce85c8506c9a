"""The lake's clean rows read by DuckDB, by the very words of docs/hadoop.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from shp_resources.lake.curated import Curator
from shp_resources.lake.engine import LocalEngine
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.publish import publish_text
from tests.support.contracts import Cell, contract_of, number, text
from tests.support.lake import artefacts, partition

ROOT = Path(__file__).parent.parent
WORDS = [
    "plain",
    "a,b",
    '"q"',
    "'",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\\",
    "\\N",
    "\\\\N",
    "a\\nb",
    "\\\t",
    "a\b\f\v",
    "😀",
    " lead ",
    "#x",
    "NULL",
    "é",
]
CONTRACT = """
columns:
  Number: {type: integer}
  Word:   {type: text, optional: true}
  Amount: {type: money, scale: 2, currency: EUR}
rules: {max_rejected_share: 1.0}
"""


def documented() -> str:
    """The code of docs/hadoop.md that reads the lake by DuckDB."""
    found = re.findall(r"```python\n(import duckdb.*?)```", (ROOT / "docs" / "hadoop.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def publish(folder: Path, rows: list[list[Cell]], key: str, arrival: int) -> None:
    """Make a delivery's clean rows current in a lake in a local folder."""
    place, contract = LocalFolder(folder / "lake"), contract_of(CONTRACT)
    made, mine = artefacts(folder / "store", contract, rows), partition(rows, (arrival, 1), key)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    publish_text(place, mine, made.header, made.text(), scratch)
    Curator(place, LocalEngine(place)).publish(mine, contract, made, scratch)


def read(folder: Path) -> Any:
    """What the documented code finds."""
    known: dict[str, Any] = {}
    exec(documented().replace('"var/lake"', repr(str(folder / "lake"))), known)
    return known["rows"]


def test_duckdb_reads_what_the_manifests_name(tmp_path: Path) -> None:
    """An analyst would see superseded rows beside the current ones, or other words than the sheet holds."""
    rows = [[number(str(place)), text(word), number("12.5")] for place, word in enumerate(WORDS)]
    publish(tmp_path, [*rows, [number("99"), text("superseded"), number("1")]], "n1", 1)
    publish(tmp_path, [*rows, [number("100"), ("-", None), number("7")]], "n1", 2)
    publish(tmp_path, [[number("200"), text("other partition"), number("0.25")]], "n2", 3)
    found = read(tmp_path)
    wanted = {**dict(enumerate(WORDS)), 100: None, 200: "other partition"}
    assert {int(row[0]): row[1] for row in found.project("number, word").fetchall()} == wanted
    assert str(found.aggregate("sum(amount::decimal(18, 2))").fetchall()[0][0]) == f"{len(WORDS) * 12.5 + 7.25:.2f}"
