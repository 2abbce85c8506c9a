"""`shp feeds`: check feed files, dry-run a workbook, the schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from shp_core.feeds.schema import json_schema

from shp_core.contract.compile import compile_contract
from shp_ops.cli.output import Desk, with_output, with_settings


@click.group()
def feeds() -> None:
    """Check feed files, try a workbook against one, print their schema."""


@feeds.command()
@with_output
def check(desk: Desk) -> int:
    """Check all feed and mart files: every error of every file at once.

    Exit code 0: all are sound. 1: some have errors; the others are in force.
    """
    from shp_ops.installation import catalogue_of

    catalogue = catalogue_of(desk.settings)
    sound = [
        {"feed": name, "table": f"warehouse.{feed.table}", "contract": compile_contract(feed).version}
        for name, feed in catalogue.feeds.items()
    ]
    desk.answer({"ok": not catalogue.errors, "feeds": sound, "marts": list(catalogue.marts), "errors": catalogue.errors})
    if not desk.json:
        for feed in sound:
            desk.say(f"ok  {feed['feed']}: {feed['table']}, contract {feed['contract']}")
        for mart in catalogue.marts:
            desk.say(f"ok  mart {mart}")
        for error in catalogue.errors:
            desk.say(f"--  {error}")
    return 1 if catalogue.errors else 0


@feeds.command()
@with_settings
def schema(desk: Desk) -> None:
    """Print the JSON schema of feed files, for editors."""
    import json

    click.echo(json.dumps(json_schema(), indent=2))


@feeds.command()
@click.argument("feed")
@click.argument("file", type=click.Path(path_type=Path))
@with_output
def explain(desk: Desk, feed: str, file: Path) -> int:
    """Try FILE against FEED without keeping anything: what would be read, rejected and why.

    Exit code 0: it would be published. 1: it would be refused.
    """
    from shp_ops.explain import explain as run

    found = run(desk.settings, feed, file)
    desk.answer(found)
    if not desk.json:
        _tell(desk, found)
    return 0 if found["verdict"] == "ok" else 1


def _tell(desk: Desk, found: dict[str, Any]) -> None:
    desk.say(f"{found['path']} as {found['feed']}, partition {found['partition'] or '-'}: {found['verdict']}")
    for refusal in found["refusals"]:
        desk.say(f"  {refusal['code']}: {refusal['message']}\n    next: {refusal['next']}")
    if found["rows"]:
        desk.say("  " + ", ".join(f"{name} {count:,}" for name, count in found["rows"].items()))
    for reject in found["rejects"]:
        reasons = ", ".join(f"{reason['column']} {reason['code']}" for reason in reject["reasons"])
        desk.say(f"  row {reject['row']}: {reasons}")
