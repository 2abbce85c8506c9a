"""`python -m shp_ops.watchdog --port PORT`: the watchdog's process, started by the supervisor."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Collection
from functools import partial

from shp_ops.supervisor.layout import feed_names
from shp_ops.supervisor.state import cluster_probes, probes_of
from shp_ops.watchdog.emergency import Emergency
from shp_ops.watchdog.gauges import PERIOD
from shp_ops.watchdog.readings import read_database, read_ledger, read_machine
from shp_ops.watchdog.server import Answers, server
from shp_ops.watchdog.telling import Telling, teller_of
from shp_ops.watchdog.troubles import Troubles, see
from shp_ops.watchdog.watch import Watch
from shp_resources.ledger import Ledger
from shp_resources.logs import log_to_stderr
from shp_resources.settings import Settings

_LOOK_SECONDS = 0.5
_log = logging.getLogger("shp.watchdog")


def main(port: int) -> int:
    """Watch, tell and answer until told to end.

    Args:
        port: where monitoring asks.

    Returns:
        The exit code: 1 when a part of it died, so that the supervisor starts all of it again.
    """
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    settings = Settings.load()
    ledger = Ledger(settings.ledger_dsn)
    watch = Watch(probes_of(settings))
    teller = teller_of(settings, ledger)
    cluster = frozenset(cluster_probes(settings))
    troubles = Troubles(ledger, partial(see, settings, partial(watch.away, cluster)), teller.clock)
    telling = Telling(teller, Emergency(partial(_ours, watch, cluster), teller, settings.home / "run" / "told.json").look, troubles.look)
    scrape = partial(_scrape, settings, ledger, watch)
    answering = server(port, Answers(lambda: watch.alive and telling.alive, watch.why_not_ready, scrape))
    for part in (watch, telling):
        part.start()
    threading.Thread(target=answering.serve_forever, name="answering", daemon=True).start()
    _log.info("watching %s, answering at port %d", ", ".join(watch.names), answering.server_port)
    while not ending.wait(_LOOK_SECONDS):
        if not (watch.alive and telling.alive):
            return 1
    answering.shutdown()
    return 0


def _ours(watch: Watch, cluster: Collection[str]) -> dict[str, str | None]:
    """The platform's own services: that a cluster of somebody else's is away is told as an incident, for the ledger answers."""
    return {name: why for name, why in watch.why_not_ready().items() if name not in cluster}


def _scrape(settings: Settings, ledger: Ledger, watch: Watch) -> bytes:
    from shp_ops.watchdog.metrics import Sources, render  # who scrapes nothing does not carry Prometheus' library

    feeds, machine = partial(feed_names, settings), partial(read_machine, settings)
    known = partial(read_ledger, ledger, feeds(), PERIOD)
    return render(Sources(watch.why_not_ready, known, partial(read_database, settings), machine, feeds))


if __name__ == "__main__":
    log_to_stderr()
    options = argparse.ArgumentParser(prog="python -m shp_ops.watchdog")
    options.add_argument("--port", type=int, required=True)
    sys.exit(main(options.parse_args().port))
