"""Options that the benchmarks share, each said once.

Must not live here: what a benchmark measures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

RESULTS = Path(__file__).parent / "results"

with_server = click.option("--dsn", envvar="BENCH_SERVER_DSN", help="An own server (superuser or createdb); default: an embedded one.")
with_results = click.option(
    "--results", default=RESULTS, type=click.Path(file_okay=False, path_type=Path), help="Where the result is kept."
)


def with_work(what: str) -> Callable[[Any], Any]:
    """The option for a folder of the benchmark's own.

    Args:
        what: what lies in it.
    """
    return click.option("--work", default="var/bench", show_default=True, type=click.Path(file_okay=False, path_type=Path), help=what)
