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
Exit code 0: all are sound, and with --sources every address answers.
          1: some have errors; the others are in force.
Example:  shp feeds check --sources
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

_MIGRATE_HELP = """
A column of another type is converted where PostgreSQL can, a column that the feed has no more is
dropped, another key replaces the old one. All of it happens in one transaction, or nothing. Rows
stay until their partition is published anew from its artefacts.

Exit code 0: the tables fit, or were changed (--apply).
          1: they would have to be changed.
          2: PostgreSQL refuses; nothing was changed.
Example:  shp feeds migrate sales
          shp feeds migrate sales --apply
"""

_ACCEPT_HELP = """
The feed file keeps its comments and its order; it is written when the new text is sound and says
what was meant, all at once. A started platform takes it up by itself: partitions that were held
for the old shape run again. `shp quarantine show` tells what would be taken up.

Exit code 0: the feed file takes it up (--dry-run: it would).
          1: some of it; the rest needs a person.
          2: there is nothing to accept.
Example:  shp feeds accept sales sales_records_n7 --dry-run
"""


@feeds.command(cls=Taught, epilog=_CHECK_HELP)
@click.option("--sources", is_flag=True, help="Also ask every address that a feed names (source.uri, fallbacks) what is there.")
@with_output
def check(desk: Desk, *, sources: bool) -> int:
    """Check all feed and mart files, and shp.yaml: every error of every file at once.

    Where there is no folder `feeds`, the examples that come with the package are checked, and it says so.
    """
    from shp_core.contract.compile import compile_contract
    from shp_ops.installation import catalogue_of, or_examples
    from shp_ops.sources import ask

    settings = or_examples(desk.settings)
    catalogue = catalogue_of(settings)
    errors = catalogue.errors
    sound = [
        {"feed": name, "table": f"warehouse.{feed.table}", "contract": compile_contract(feed).version}
        for name, feed in catalogue.feeds.items()
    ]
    asked = ask(settings, catalogue.feeds) if sources else []
    silent = [one for one in asked if not one["ok"]]
    found = {"feeds": sound, "marts": list(catalogue.marts), "errors": errors, **({"sources": asked} if sources else {})}
    desk.answer({"ok": not errors and not silent, "folder": settings.feeds, **found})
    if settings.feeds != desk.settings.feeds:
        desk.say(f"{desk.settings.feeds} is missing; these are the examples that come with the package ({settings.feeds}):")
    if not desk.json:
        _tell_check(desk, sound, list(catalogue.marts), errors)
        _tell_sources(desk, asked)
    return 1 if errors or silent else 0


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


@feeds.command(cls=Taught, epilog=_ACCEPT_HELP)
@click.argument("feed")
@click.argument("partition")
@click.option("--dry-run", is_flag=True, help="Show the patch and write nothing.")
@click.option("--ignore-new", is_flag=True, help="Pass over new columns instead of taking them up.")
@with_output
def accept(desk: Desk, feed: str, partition: str, dry_run: bool, ignore_new: bool) -> int:
    """Take up in the feed file what changed its shape in a held PARTITION.

    A renamed column gets an alias, a new one is taken up, a missing one becomes optional, a moved
    header or a renamed sheet is found at its new place.
    """
    from shp_ops.accept import accept as prepare
    from shp_ops.accept import needs_migration

    made = prepare(desk.settings, feed, partition, ignore_new=ignore_new)
    if not dry_run:
        made.write()
    desk.answer({"feed": feed, "partition": partition, "written": not dry_run, **made.as_dict()})
    if not desk.json:
        desk.say(made.diff.rstrip())
        _tell_accepted(desk, made.as_dict(), feed, written=not dry_run)
        if needs_migration(made.findings):
            desk.say(f"The table may have to change, too: shp feeds migrate {feed}")
    return 1 if made.left else 0


@feeds.command(cls=Taught, epilog=_MIGRATE_HELP)
@click.argument("feed")
@click.option("--apply", is_flag=True, help="Change the tables; without it the SQL is only shown.")
@with_output
def migrate(desk: Desk, feed: str, apply: bool) -> int:
    """Show, or apply, what FEED's tables need to fit its feed file.

    New columns and wider types need nothing: they are made with the next publication.
    """
    from shp_ops.migrate import migrate as run

    found = run(desk.settings, feed, apply=apply)
    desk.answer(found)
    if not desk.json:
        for step in found["sql"]:
            desk.say(f"{step};")
        words = (
            "The tables fit." if not found["sql"] else "Done; what was published is published anew." if apply else "Nothing was changed."
        )
        desk.say(words)
    return 1 if found["sql"] and not apply else 0


def _tell_accepted(desk: Desk, made: dict[str, Any], feed: str, *, written: bool) -> None:
    for finding in made["taken_up"]:
        desk.say(f"  {finding['remedy']}")
    for finding in made["left"]:
        desk.say(f"  not taken up, a person must decide: {finding['change']} {finding.get('column', '')}")
    desk.say(f"feeds/{feed}.yaml takes it up." if written else "Nothing was written (--dry-run).")


def _tell_check(desk: Desk, sound: list[dict[str, str]], marts: list[str], errors: list[str]) -> None:
    for feed in sound:
        desk.say(f"ok  {feed['feed']}: {feed['table']}, contract {feed['contract']}")
    for mart in marts:
        desk.say(f"ok  mart {mart}")
    for error in errors:
        desk.say(f"--  {error}")
    if not sound:
        desk.say(f"No feed of {desk.settings.feeds} is in force.")


def _tell_sources(desk: Desk, asked: list[dict[str, Any]]) -> None:
    for one in asked:
        what = f"{one['files']} files" if one["ok"] else f"{one['code']}: {one['message']}"
        desk.say(f"{'ok' if one['ok'] else '--'}  {one['feed']}: {'fallback ' if one['fallback'] else ''}{one['uri']}: {what}")


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
