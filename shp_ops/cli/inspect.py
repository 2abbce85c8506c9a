"""`shp inspect`: what the gate and the reader say of files, without any feed and without a database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from shp_core.errors import UsageError
from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
With --json, standard output holds one line of JSON for each file.
Exit code 0: every file is a sound workbook or CSV file.
          1: at least one is refused; its line says why.
          2: the command itself failed.
Example:  shp inspect ~/Downloads/november.xlsx
          shp inspect inbox --json --cells cells.jsonl
          shp inspect https://files.example.com/prices.xlsx
"""


@click.command(cls=Taught, epilog=_HELP)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.option("--cells", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write every cell to FILE, as JSON Lines.")
@with_output
def inspect(desk: Desk, paths: tuple[str, ...], cells: Path | None) -> int:
    """Look into workbooks and CSV files: are they whole and harmless, and what do their sheets hold?

    Every sheet of every file is read, hidden ones too. Files called .csv or .tsv are read as such; how they are spelled
    is found out from what they hold. Of a folder, all files in it and below it are looked at. A file
    elsewhere (https://, s3://, sftp://, hdfs://) is fetched first. No feed is needed, nothing is
    loaded or kept.
    """
    from shp_core.feeds.platform import load_platform
    from shp_ops import inspect as looking
    from shp_ops.sources import brought_here, is_remote, require_names

    require_names(paths)
    limits = load_platform(desk.settings.platform_file).intake_limits()
    refused, fault = 0, None
    if cells is not None and any(map(is_remote, paths)):
        raise UsageError("--cells is for files of this machine.", "Fetch the file, then name it here.")
    with brought_here(desk.settings, paths, limits) as here, looking.cells_file(cells, files := looking.files_of(here)) as out:
        named = {looking.shown_path(path): word for path, word in zip(here, paths, strict=True) if is_remote(word)}
        for inspected in looking.inspect(files, limits, cells=cells is not None):
            looking.keep_cells(inspected, out)
            _tell(desk, {**inspected.document, "path": named.get(inspected.document["path"], inspected.document["path"])})
            refused += inspected.document["verdict"] != "ok"
            fault = fault or inspected.fault
    if fault is not None:
        raise fault
    if not desk.json:
        desk.say(f"{len(files)} files, {refused} refused")
    return 1 if refused else 0


def _tell(desk: Desk, document: dict[str, Any]) -> None:
    if desk.json:
        click.echo(json.dumps(document))
        return
    path = _printable(document["path"])
    if document["verdict"] != "ok":
        desk.say(f"--  {path}: {document['code']}: {document['message']}")
        return
    desk.say(f"ok  {path}")
    for sheet in document["sheets"]:
        hidden = " (hidden)" if sheet["hidden"] else ""
        counts = f"{sheet['rows']:,} rows, {sheet['cells']:,} cells, {sheet['error_cells']:,} error cells"
        form = f" (delimiter {sheet['csv']['delimiter']!r}, {sheet['csv']['encoding']})" if "csv" in sheet else ""
        desk.say(f"    {_printable(sheet['name'])}{hidden}{form}: {counts}")


def _printable(name: str) -> str:
    """A name on one line, harmless to a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)
