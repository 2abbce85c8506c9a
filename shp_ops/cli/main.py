"""The front door: the table of commands, and the one place where a failure becomes an exit code.

Commands are imported when they are called, so that `shp --help` and `shp status` do not wait for Dagster.
A new command is one line in `COMMANDS` and one module with one click command.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NamedTuple, NoReturn

import click

from shp_core.errors import ShpError, UsageError
from shp_ops.cli import output


class Entry(NamedTuple):
    """Where a command is, and what `shp --help` says about it without importing it."""

    module: str
    attribute: str
    help: str


COMMANDS: dict[str, Entry] = {
    "up": Entry("shp_ops.cli.platform", "up", "Start the platform and keep it running (--detach: in the background)."),
    "down": Entry("shp_ops.cli.platform", "down", "Stop the platform."),
    "status": Entry("shp_ops.cli.platform", "status", "Show whether the platform is up and healthy."),
    "logs": Entry("shp_ops.cli.logs", "logs", "Show what the platform's processes have logged (-f: as it happens)."),
    "demo": Entry("shp_ops.cli.demo", "demo", "Load sample workbooks through a platform of its own, and prove what was loaded."),
    "ingest": Entry("shp_ops.cli.ingest", "ingest", "Deliver files to a feed and process them now."),
    "inspect": Entry("shp_ops.cli.inspect", "inspect", "Look into workbooks: sound or refused, what their sheets hold."),
    "feeds": Entry("shp_ops.cli.feeds", "feeds", "Check feed files, try a workbook against one, print their schema."),
    "partitions": Entry("shp_ops.cli.partitions", "partitions", "Show the state of every partition of a feed."),
    "history": Entry("shp_ops.cli.partitions", "history", "Show everything that happened to one partition."),
    "rewind": Entry("shp_ops.cli.rewind", "rewind", "Publish an earlier delivery again."),
    "quarantine": Entry("shp_ops.cli.quarantine", "quarantine", "Show what is held back, and why; let it run once more."),
    "backfill": Entry("shp_ops.cli.backfill", "backfill", "Fill what the sinks do not hold, as one Dagster backfill."),
    "waive": Entry("shp_ops.cli.waive", "waive", "Say that a partition will never come; nobody waits for it any more."),
    "incidents": Entry("shp_ops.cli.incidents", "incidents", "Show what is wrong now, and what was, by cause."),
    "retention": Entry("shp_ops.cli.retention", "retention", "Take away what is old and needed by nothing."),
    "backup": Entry("shp_ops.cli.backup", "backup", "Copy ledger, tables and store into a folder, with checksums."),
    "restore": Entry("shp_ops.cli.backup", "restore", "Put a backup where no ledger is."),
    "doctor": Entry("shp_ops.cli.doctor", "doctor", "Look at everything the platform needs; say what is wrong and how to mend it."),
    "slo": Entry("shp_ops.cli.slo", "slo", "Show each feed's service levels over the last 30 days."),
    "env": Entry("shp_ops.cli.platform", "env", 'Print exports: eval "$(shp env)" makes dagster and dg work beside it.'),
}

_COLLECT_AFTER = 50_000
"""Importing Dagster makes a million objects and no garbage; Python's own 700 spend a fifth of the start on looking for it."""

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


class LazyGroup(click.Group):
    """A group that knows its commands by the table and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        entry = COMMANDS.get(cmd_name)
        return getattr(import_module(entry.module), entry.attribute) if entry else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=lambda ctx, _, asked: _show_version(ctx, asked))
def cli() -> None:
    """SHP: spreadsheets that people drop become tables that people can trust."""


def main() -> NoReturn:
    """Run the command line and end the process with DESIGN's exit code."""
    signal.signal(signal.SIGTERM, _raise_terminated)
    gc.set_threshold(_COLLECT_AFTER)
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run one command.

    Args:
        words: the command line without the program's name.

    Returns:
        0 done, 1 something is unhealthy or was not published, 2 the command or the platform failed, 130 and 143
        when it was interrupted or terminated.
    """
    try:
        answer = cli.main(args=list(words), prog_name="shp", standalone_mode=False)
        return answer if isinstance(answer, int) else 0
    except ShpError as error:
        return output.failure(error, words)
    except click.ClickException as error:
        return output.failure(_as_usage(error), words)
    except (click.Abort, KeyboardInterrupt):
        return output.interrupted(INTERRUPTED)
    except Terminated:
        return output.interrupted(TERMINATED)
    except BrokenPipeError:
        return output.reader_has_gone()
    except Exception as error:  # noqa: BLE001 - the outermost boundary: whatever nobody named becomes code_bug
        return output.failure(output.unexpected(error, words), words)


class Terminated(BaseException):
    """SIGTERM, as an exception: open `with` blocks let go of what they hold."""


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _as_usage(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return UsageError(error.format_message(), f"Run: {context.command_path if context else 'shp'} --help")


def _show_version(context: click.Context, asked: bool) -> None:
    if asked:
        click.echo(f"shp {_installed_version()}")
        context.exit()


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # costs 20 ms, which only this option needs

    try:
        return version("shp")
    except PackageNotFoundError:
        return "(not installed, run from its source)"


if __name__ == "__main__":
    main()
