"""The commands up, down, status and env: the platform's processes."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shp_core.errors import UsageError
from shp_core.progress import Progress
from shp_ops.cli.output import Desk, with_output, with_settings

if TYPE_CHECKING:
    from shp_ops.hadoop.machine import HadoopMachine


@click.command()
@click.option("--detach", is_flag=True, help="Return when the platform is ready; it runs on in the background.")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Port of the UI; a free one by default, the same each time.")
@click.option(
    "--hadoop", is_flag=True, help="Run HDFS and YARN for this machine too (needs Java 17, and HADOOP_HOME or, once, Maven: 100 MB)."
)
@click.option("--hive", is_flag=True, help="With --hadoop: SQL over the lake too, by HiveServer2 (Maven once, to fetch 280 MB).")
@click.option(
    "--viewers",
    type=click.IntRange(0, 65535),
    is_flag=False,
    flag_value=0,
    default=None,
    metavar="[PORT]",
    help="A second UI for those who may only look, on this port or a free one.",
)
@with_output
def up(desk: Desk, detach: bool, port: int | None, hadoop: bool, hive: bool, viewers: int | None) -> int:
    """Start the platform: PostgreSQL, code server, webserver, daemon and watchdog.

    In the foreground it runs until Ctrl-C, which stops everything in order.
    With --viewers a second UI runs in which nothing can be started or changed; its process can only read the database.
    With --hadoop a NameNode, a DataNode, a ResourceManager and a NodeManager run beside it, on this machine alone;
    where SHP_HDFS_URL names a cluster, that one is used and none is started. They are those of the Hadoop that HADOOP_HOME
    names; without it Maven fetches one, once.
    With --hive a HiveServer2 runs over it, in whose database `curated` each feed of the lake is a table.
    """
    if hive and not hadoop:
        raise UsageError("--hive belongs to --hadoop.", "Run: shp up --hadoop --hive; a HiveServer2 of yours is named by SHP_HIVE_URL.")
    machine = _hadoop_machine(desk, hive) if hadoop else None
    if machine is None:
        _tell_of_rest(desk)
    if detach:
        return _up_detached(desk, port, machine, viewers)
    return _up_here(desk, port, machine, viewers)


@click.command()
@with_output
def down(desk: Desk) -> int:
    """Stop the platform, in order; runs that are under way are interrupted and come back at the next start."""
    from shp_ops.supervisor.control import stop

    stopped = stop(desk.settings)
    desk.say("stopped." if stopped else "nothing runs here.")
    desk.answer({"stopped": stopped})
    return 0


@click.command()
@with_output
def status(desk: Desk) -> int:
    """Ask every service of the platform how it is; exit code 1 when one is not ready.

    Also shows which outside systems are not asked for now, the incidents that are open, and how far
    what had lain in the landing folders is caught up.
    """
    from shp_ops.healing import health_view
    from shp_ops.supervisor.state import status as look

    document = {**look(desk.settings), **health_view(desk.settings)}
    desk.answer(document)
    if not desk.json:
        _show(desk, document)
    return 0 if document["ready"] else 1


@click.command()
@with_settings
def env(desk: Desk) -> None:
    """Print exports for a shell; starts nothing."""
    from shp_ops.supervisor.layout import Layout, environment

    Layout(desk.settings.home).write_dagster_home()
    dsn = desk.settings.ledger_dsn()
    for name, value in environment(desk.settings, dsn).items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if shutil.which("dagster") is None:
        click.echo(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
    if dsn is None:
        desk.say("# No PostgreSQL runs yet: start it with shp up, then call this again.")


def _hadoop_machine(desk: Desk, hive: bool) -> HadoopMachine | None:
    """A Hadoop for this machine; None when the settings name a cluster."""
    if desk.settings.hdfs_urls:
        desk.say(f"HDFS is that of SHP_HDFS_URL ({', '.join(desk.settings.hdfs_urls)}); none is started here.")
        return None
    from shp_ops.hadoop.machine import HadoopMachine

    machine = HadoopMachine(desk.settings, with_hive=hive)
    if machine.installed is not None:
        desk.say(f"Hadoop is {machine.installed.version} of HADOOP_HOME ({machine.installed.home}).")
    return machine


def _tell_of_rest(desk: Desk) -> None:
    """Who leaves --hadoop out by mistake is told what waits for it."""
    from shp_resources.hdfs import cluster_of

    cluster = cluster_of(desk.settings)
    if cluster is not None and cluster.rests:
        desk.say("The lake is in this home's HDFS, which is not started; what goes there waits. To start it: shp up --hadoop")


def _up_here(desk: Desk, port: int | None, hadoop: HadoopMachine | None, viewers: int | None) -> int:
    from shp_ops.supervisor.platform import Platform

    started = time.monotonic()
    platform = Platform(desk.settings, port, desk.say, hadoop, viewers)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: platform.ask_to_stop())
    platform.run(lambda: _announce(desk, platform.ui_url, started, "Ctrl-C stops it."))
    return 0


def _up_detached(desk: Desk, port: int | None, hadoop: HadoopMachine | None, viewers: int | None) -> int:
    from shp_ops.supervisor.control import start_detached

    started = time.monotonic()
    with desk.console.status("starting the platform"):
        with_hive = hadoop is not None and hadoop.with_hive
        state = start_detached(desk.settings, port, hadoop=hadoop is not None, hive=with_hive, viewers=viewers)
    _announce(desk, state.ui, started, "shp status shows it, shp down stops it.")
    return 0


def _announce(desk: Desk, ui: str, started: float, stopping: str) -> None:
    desk.say(f"ready after {time.monotonic() - started:.1f} s: {ui}\n{stopping}")
    if desk.json:
        from shp_ops.supervisor.state import status as look

        desk.answer(look(desk.settings))


def _show(desk: Desk, document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        place = service["url"] or (f"pid {service['pid']}" if service["pid"] else "")
        desk.say(f"{name:<17}{'ready' if service['ready'] else 'NOT READY':<11}{place:<34}{service['why'] or ''}".rstrip())
    desk.say(f"{'ui':<17}{document['ui'] or '-'}" if document["ready"] else "the platform is not ready")
    for breaker in document["breakers"]:
        probe = f", asked again at {breaker['probe_at']:%H:%M:%S} UTC" if breaker["probe_at"] else ", being asked"
        desk.say(f"{breaker['name']} is not used{probe}: {breaker['message'] or breaker['code']}")
    for feed in document["catch_up"]:
        desk.say(f"{feed['feed']} catches up: {Progress(feed['done'], feed['total'])}")
    for incident in document["incidents"]:
        held = f" holds {len(incident['members'])} partitions" if incident["members"] else ""
        desk.say(f"incident {incident['id']} ({incident['severity']}): {incident['cause']}{held}")
