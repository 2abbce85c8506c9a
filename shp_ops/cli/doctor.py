"""`shp doctor`: what is wrong, and the command that mends it."""

from __future__ import annotations

import click

from shp_ops.cli.output import Desk, with_output
from shp_ops.cli.teach import Taught

_HELP = """
Changes nothing and can be called at any time; an embedded database that is down is up while it is asked.
What runs now and whether it is healthy is also in: shp status

Exit code 0: all is well.
          1: something is to be mended; each line says how.
"""


_WIDTH = len("service_resourcemanager") + 1


@click.command(cls=Taught, epilog=_HELP)
@with_output
def doctor(desk: Desk) -> int:
    """Look at everything the platform needs, and say what is wrong with it."""
    from shp_ops.doctor import examine

    found = []
    for check in examine(desk.settings):
        found.append(check)
        if not desk.json:
            desk.say(f"{'ok   ' if check.ok else 'WRONG'}  {check.name:<{_WIDTH}}{check.message}")
            if check.next:
                desk.say(f"{'':<7}{'next:':<{_WIDTH}}{check.next}")
    healthy = all(check.ok for check in found)
    desk.answer({"ok": healthy, "checks": [check.as_dict() for check in found]})
    if not desk.json:
        desk.say("All is well." if healthy else f"{sum(not check.ok for check in found)} to mend.")
    return 0 if healthy else 1
