"""What the graph says of previews: their type, and where they go. Loading it brings no pandas, which costs 30 MB.

Must not live here: the frames themselves, and the dagster-pandas type that checks them (`preview`).
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from shp_core.contract.contract import Contract, ContractColumn

PREVIEW_ROWS = 100
PREVIEW_IO = "preview_io"


class NowhereIOManager(dg.IOManager):
    """Keeps nothing: a preview is for the type check and the UI, the store holds the rows."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Let the preview go."""

    def load_input(self, context: dg.InputContext) -> Any:
        """Nothing was kept, and no asset of the graph asks for it."""
        raise NotImplementedError("Clean rows are read from the store, not from an IO manager.")


def preview_type(contract: Contract) -> dg.DagsterType:
    """The type of a preview, in the words of its dagster-pandas type, which is made when the first preview is checked."""

    def check(context: dg.TypeCheckContext, value: object) -> dg.TypeCheck:
        from shp_assets.preview import frame_type

        return frame_type(contract).type_check(context, value)

    columns = "".join(map(_shown, contract.columns))
    return dg.DagsterType(check, name=type_name(contract), description=f"{type_description(contract)}\n### Columns\n{columns}")


def type_name(contract: Contract) -> str:
    """The type's name in the UI."""
    return f"CleanRows_{contract.feed}"


def type_description(contract: Contract) -> str:
    """The type in a sentence."""
    return f"Clean rows of feed {contract.feed}: a preview of at most {PREVIEW_ROWS}."


def _shown(column: ContractColumn) -> str:
    return f"**{column.name}**\n{'' if column.optional else '+ No Null values allowed.' + chr(10)}\n"
