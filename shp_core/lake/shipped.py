"""A contract on its way to a node: as JSON, and back. Standard library only, Python 3.8 syntax."""

# ruff: noqa: UP006, UP035, UP045 (Python 3.8 does not know the younger spellings of types)

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Optional, Sequence, Tuple

from shp_core.contract.contract import Contract, ContractColumn


@dataclass(frozen=True)
class Shipment:
    """What a mapper must know of a delivery beside its lines.

    Args:
        contract: the contract.
        positions: for each contract column its 0-based place among the sheet's columns, None where it is missing.
        width: number of the sheet's columns.
        dropped: sheet rows that convert but are left out: rules about the whole file (keys) said so.
    """

    contract: Contract
    positions: Tuple[Optional[int], ...]
    width: int
    dropped: Tuple[int, ...] = ()

    def to_json(self) -> str:
        """The form in which it travels; how files are spelled stays behind, the lines of the lake are read already."""
        return json.dumps(asdict(replace(self, contract=replace(self.contract, csv=None))), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Shipment:
        """Read the form that `to_json` writes."""
        found = json.loads(text)
        return cls(_contract(found["contract"]), tuple(found["positions"]), found["width"], tuple(found["dropped"]))


def to_cargo(inputs: Sequence[Tuple[str, Shipment]]) -> str:
    """What travels with a job: for each file of the lake what the mapper must know of it.

    Args:
        inputs: paths of the lake, and their shipments.
    """
    return json.dumps([[path, shipment.to_json()] for path, shipment in inputs])


def from_cargo(text: str, path: str) -> Shipment:
    """What the mapper must know of the file that it reads.

    Args:
        text: as `to_cargo` wrote it.
        path: the file as Hadoop calls it, which ends as the path of the lake does; with one file it need not be known.

    Raises:
        LookupError: the file is none of the job's.
    """
    inputs = json.loads(text)
    mine = inputs if len(inputs) == 1 else [one for one in inputs if path == one[0] or path.endswith("/" + one[0])]
    if len(mine) != 1:
        raise LookupError(f"{path or 'a file without a name'} is none of this job's files")
    return Shipment.from_json(mine[0][1])


def _contract(found: Any) -> Contract:
    columns = tuple(ContractColumn(**_with_tuples(column)) for column in found["columns"])
    return Contract(**{**_with_tuples(found), "columns": columns})


def _with_tuples(found: Any) -> Any:
    """JSON knows no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
