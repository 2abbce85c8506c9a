"""Every limit of the intake, with its unit and its default; `shp.yaml` may set any of them.

Lives here: numbers. Must not live here: what happens when one is reached; whoever counts also refuses, always with
`limit_reached`, naming the field and its value. Standard library only: the reader's process imports this module.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limits:
    """What the intake accepts before it fails closed.

    Args:
        source_bytes: size of a delivered file, in bytes.
        entries: entries in the zip directory.
        directory_bytes: size of the zip directory, in bytes.
        part_bytes: inflated size of one part, in bytes.
        total_bytes: inflated size of all parts together, in bytes.
        aux_part_bytes: inflated size of a part that describes others (workbook, relationships, styles), in bytes.
        sheets: sheets of a workbook.
        ratio: inflated bytes per stored byte over the whole file, counted only beyond `ratio_from_bytes`.
        ratio_from_bytes: inflated bytes up to which the ratio is of no interest.
        token_bytes: one token of markup (a tag, a comment, a processing instruction), in bytes.
        depth: nesting of elements the reader does not know.
        text_chars: one cell's text, in characters; the format's own limit. A longer one is cut off and rejects its row.
        format_chars: one number format code, in characters; the format's own limit.
        cell_formats: entries in the style table, and number formats; the format's own limit.
        shared_string_chars: all shared strings together, in characters.
        rows: highest row number; the format's own limit.
        columns: highest column number; the format's own limit.
        table_cells: rows read times the width of the header.
        record_chars: one row of a CSV file, line breaks inside quotes included, in characters.
        csv_rows: highest row number of a CSV file.
        disorder_cells: cells of a sheet whose rows are out of order; they are held in memory to be sorted.
        batch_rows: rows in one Arrow batch.
        batch_chars: characters of text in one Arrow batch; a batch ends after the row that reaches it.
        child_memory_bytes: address space of the reading process, in bytes.
        child_cpu_seconds: processor time of the reading process, in seconds.
        child_wait_seconds: time the reader may keep its reader waiting, all waits of one file together, in seconds.
    """

    source_bytes: int = 512 * MIB
    entries: int = 20_000
    directory_bytes: int = 16 * MIB
    part_bytes: int = 4 * GIB
    total_bytes: int = 8 * GIB
    aux_part_bytes: int = 32 * MIB
    sheets: int = 20_000
    ratio: int = 150
    ratio_from_bytes: int = 256 * MIB
    token_bytes: int = MIB
    depth: int = 256
    text_chars: int = 32_767
    format_chars: int = 255
    cell_formats: int = 65_490
    shared_string_chars: int = 256 * MIB
    rows: int = 1_048_576
    columns: int = 16_384
    table_cells: int = 200_000_000
    record_chars: int = MIB
    csv_rows: int = 10_000_000
    disorder_cells: int = 1_000_000
    batch_rows: int = 4_096
    batch_chars: int = 4 * MIB
    child_memory_bytes: int = GIB
    child_cpu_seconds: int = 600
    child_wait_seconds: float = 900.0

    def __post_init__(self) -> None:
        for item in fields(self):
            if not getattr(self, item.name) > 0:
                raise ValueError(f"limit {item.name} must be above zero")

    def as_dict(self) -> dict[str, Any]:
        """The form in which the limits travel to the reading process."""
        return asdict(self)

    @property
    def version(self) -> str:
        """Hash of all of them: a file that others refused may be judged again."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]
