"""A Hadoop for a benchmark: the daemons of `shp up --hadoop` without the rest of the platform.

Must not live here: what is measured on it (`lake`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shp_ops.hadoop.machine import HadoopMachine
from shp_ops.supervisor.parts import ServiceProcess
from shp_ops.supervisor.scribe import Scribe
from shp_resources.hdfs import Cluster
from shp_resources.processes import MARK, free_port, sweep, wait_until
from shp_resources.settings import Settings

_READY_SECONDS = 120.0


@contextmanager
def hadoop(home: Path) -> Iterator[Cluster]:
    """HDFS and YARN through a block, ready for work.

    Args:
        home: where they keep everything; `SHP_HADOOP_CACHE` may name a cache of jars.

    Raises:
        TimeoutError: a daemon does not become ready.
    """
    machine = HadoopMachine(Settings.load({name: value for name, value in os.environ.items() if name == "SHP_HADOOP_CACHE"}, home=home))
    ports: dict[str, int] = {}
    for name in machine.port_names:
        ports[name] = free_port(taken=ports.values())
    machine.prepare(ports, lambda line: None)
    mark = f"bench-{os.getpid()}"
    parts = [
        ServiceProcess(one, Scribe.over(home / f"{one.name}.log"), lambda: machine.environment({MARK: mark}), home)
        for one in machine.services(ports)
    ]
    try:
        for part in parts:
            part.start()
        for part in parts:
            if not wait_until(lambda part=part: part.why_not_ready(0.0) is None, _READY_SECONDS, 0.1):  # type: ignore[misc]
                raise TimeoutError(f"{part.name}: {part.why_not_ready(0.0)}")
        yield machine.cluster(ports)
    finally:
        for part in reversed(parts):
            part.stop()
        sweep(mark)
