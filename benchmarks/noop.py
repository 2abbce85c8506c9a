"""A code location of three assets that do nothing: what remains is the cost of a run."""

from __future__ import annotations

import dagster as dg

JOB = "noop"


@dg.asset
def first() -> None:
    """Nothing."""


@dg.asset(deps=[first])
def second() -> None:
    """Nothing."""


@dg.asset(deps=[second])
def third() -> None:
    """Nothing."""


defs = dg.Definitions(assets=[first, second, third], jobs=[dg.define_asset_job(JOB)], executor=dg.in_process_executor)
