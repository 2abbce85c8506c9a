"""`shp feeds`: check feed files, propose one, dry-run a workbook, the schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from shp_ops.cli.output import Desk, with_output, with_settings
from shp_ops.cli.propose import new
from shp_ops.cli.teach import Taught


@click.group(no_args_is_help=False)
def feeds() -> None:
    """Check feed files, propose one, try a workbook against one, print their schema."""


feeds.add_command(new)


_CHECK_HELP = """
Exit code 0: all are sound.
          1: some have errors; the others are in force.
"""

_SCHEMA_HELP = """
Example:  shp feeds schema > feed.schema.json
and as the first line of a feed file:
          # yaml-language-server: $schema=../feed.schema.json
"""

_EXPLAIN_HELP = """
Exit code 0: it would be published.
          1: it would be refused.
Example:  shp feeds explain sales ~/Downloads/november.xlsx
"""


@feeds.command(cls=Taught, epilog=_CHECK_HELP)
@with_output
def check(desk: Desk) -> int:
    """Check all feed and mart files, and shp.yaml: every error of every file at once.

    Where there is no folder `feeds`, the examples that come with the package are checked, and it says so.
    """
    from shp_core.contract.compile import compile_contract
    from shp_ops.installation import catalogue_of, or_examples

    settings = or_examples(desk.settings)
    catalogue = catalogue_of(settings)
    errors = catalogue.errors
    sound = [
        {"feed": name, "table": f"warehouse.{feed.table}", "contract": compile_contract(feed).version}
        for name, feed in catalogue.feeds.items()
    ]
    desk.answer({"ok": not errors, "folder": settings.feeds, "feeds": sound, "marts": list(catalogue.marts), "errors": errors})
    if settings.feeds != desk.settings.feeds:
        desk.say(f"{desk.settings.feeds} is missing; these are the examples that come with the package ({settings.feeds}):")
    if not desk.json:
        _tell_check(desk, sound, list(catalogue.marts), errors)
    return 1 if errors else 0


@feeds.command(cls=Taught, epilog=_SCHEMA_HELP)
@with_settings
def schema(desk: Desk) -> None:
    """Print the JSON schema of feed files, for editors."""
    import json

    from shp_core.feeds.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@feeds.command(cls=Taught, epilog=_EXPLAIN_HELP)
@click.argument("feed")
@click.argument("file", type=click.Path(path_type=Path))
@with_output
def explain(desk: Desk, feed: str, file: Path) -> int:
    """Try FILE against FEED without keeping anything: what would be read, rejected and why.

    What needs the rows of other files is left out: displaced rows, and whether the row count is usual.
    """
    from shp_ops.explain import explain as run

    found = run(desk.settings, feed, file)
    desk.answer(found)
    if not desk.json:
        _tell_explanation(desk, found)
    return 0 if found["verdict"] == "ok" else 1


def _tell_check(desk: Desk, sound: list[dict[str, str]], marts: list[str], errors: list[str]) -> None:
    for feed in sound:
        desk.say(f"ok  {feed['feed']}: {feed['table']}, contract {feed['contract']}")
    for mart in marts:
        desk.say(f"ok  mart {mart}")
    for error in errors:
        desk.say(f"--  {error}")
    if not sound:
        desk.say(f"No feed of {desk.settings.feeds} is in force.")


def _tell_explanation(desk: Desk, found: dict[str, Any]) -> None:
    desk.say(f"{found['path']} as {found['feed']}, partition {found['partition'] or '-'}: {found['verdict']}")
    for refusal in found["refusals"]:
        desk.say(f"  {refusal['code']}: {refusal['message']}\n    next: {refusal['next']}")
    if found["rows"]:
        desk.say("  " + ", ".join(f"{name} {count:,}" for name, count in found["rows"].items()))
    for reject in found["rejects"]:
        reasons = ", ".join(f"{reason['column']} {reason['code']}" for reason in reject["reasons"])
        desk.say(f"  row {reject['row']}: {reasons}")
    if (more := found["rows"].get("rejected", 0) - len(found["rejects"])) > 0:
        desk.say(f"  … and {more:,} rejected rows more")
