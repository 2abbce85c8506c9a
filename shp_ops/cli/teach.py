"""Help that teaches: exit codes and examples at the end of `--help`, line by line as they were written."""

from __future__ import annotations

from inspect import cleandoc

import click


class Taught(click.Command):
    """A command whose epilog is not wrapped: exit codes and examples keep their lines."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog as it is."""
        if self.epilog:
            formatter.write_paragraph()
            with formatter.indentation():
                for line in cleandoc(self.epilog).splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n" if line else "\n")
