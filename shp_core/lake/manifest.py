"""What a folder of the lake holds: the only thing that readers follow, and what makes a publication current.

Nothing beside the named directory counts, whatever lies there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

MANIFEST = "_manifest.json"


@dataclass(frozen=True)
class DataFile:
    """One file of a publication.

    Args:
        name: its name in the publication's directory.
        bytes: its size.
        sha256: of its bytes, in hexadecimal digits.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """One publication of a partition in the lake.

    Args:
        feed: name of the feed.
        partition: partition key.
        delivery: SHA-256 of the delivery's bytes.
        directory: the publication's directory, beside the manifest.
        rows: lines in all files.
        bytes: bytes in all files.
        files: the files.
        columns: what a line holds, in order.
        fence: (arrival, attempt) of the run that published it.
        contract_version: for curated rows, the contract they were made with.
        converter_version: for curated rows, the version of the converters.
        hash: for curated rows, the partition hash, 32 hexadecimal digits.
        rejects: for curated rows, rows that were left out, by code.
        made_by: for curated rows, what made them: a YARN application's id, or `local process`.
    """

    feed: str
    partition: str
    delivery: str
    directory: str
    rows: int
    bytes: int
    files: tuple[DataFile, ...]
    columns: tuple[str, ...]
    fence: tuple[int, int]
    contract_version: str | None = None
    converter_version: int | None = None
    hash: str | None = None
    rejects: dict[str, int] = field(default_factory=dict)
    made_by: str | None = None

    def to_json(self) -> str:
        """The form in which it lies in the lake."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read the form that `to_json` writes; fields of later versions are passed over.

        Raises:
            ValueError: it is no manifest.
        """
        found = json.loads(text)
        try:
            known = {each.name: found[each.name] for each in fields(cls) if each.name in found}
            return cls(**known | _tuples(known))
        except (TypeError, KeyError, LookupError, AttributeError) as error:
            raise ValueError(f"no manifest: {type(error).__name__}: {error}") from error


def _tuples(known: dict[str, Any]) -> dict[str, Any]:
    arrival, attempt = known["fence"]
    return {"files": tuple(DataFile(**one) for one in known["files"]), "columns": tuple(known["columns"]), "fence": (arrival, attempt)}
