"""The command that submits a Hadoop Streaming job, and what its client says of the job's end."""

from __future__ import annotations

import re
from pathlib import Path

from shp_core.lake.mapper import GROUP, STANDARD
from shp_resources.hdfs.cluster import Cluster
from shp_resources.lake.engine import ARCHIVE, SHIPMENT, MapJob

_COUNTERS = re.compile(rf"^\t{GROUP}\n((?:\t\t[^\n]+\n?)+)", re.MULTILINE)


def command(cluster: Cluster, job: MapJob, scratch: Path, seconds: float, python: str, engine: str = STANDARD) -> list[str]:
    """The command.

    Args:
        cluster: where.
        job: what.
        scratch: where the mapper and what it must know lie.
        seconds: how long a task may say nothing.
        python: what runs the mapper on the nodes.
        engine: `standard`, or `arrow` where that python has it.
    """
    properties = {
        "mapreduce.job.name": job.target,  # who finds the job knows where it writes
        "mapreduce.job.tags": ",".join(job.tags),
        "mapreduce.job.reduces": 0,
        "mapreduce.job.maps": 1,  # a hint; with the next line each file is one split, and makes one part
        "mapreduce.input.fileinputformat.split.minsize": 1 << 60,
        "mapreduce.map.maxattempts": 2,
        "mapreduce.map.speculative": "false",  # twins of a task would only slow a small cluster
        "mapreduce.task.timeout": int(seconds * 1000),
        # A small job runs inside its application master: one Java less to start for each task.
        "mapreduce.job.ubertask.enable": "true",
        "stream.map.output": "keyonlytext",  # else every line ends with a TAB
        "mapreduce.client.progressmonitor.pollinterval": 200,  # a client that asks once a second may miss the end
        "mapreduce.jobhistory.jhist.format": "json",  # which we read when it missed it all the same
        "fs.permissions.umask-mode": "027",  # whatever the cluster's own is: clean rows are for the same people as text rows
        "yarn.app.mapreduce.am.scheduler.heartbeat.interval-ms": 200,
    }
    options = [word for name, value in properties.items() for word in ("-D", f"{name}={value}")]
    cargo = ",".join((scratch / name).absolute().as_uri() for name in (ARCHIVE, SHIPMENT))
    inputs = [word for source, _ in job.inputs for word in ("-input", f"{cluster.root}/{source}")]
    places = [*inputs, "-output", f"{cluster.root}/{job.target}"]
    return [*cluster.streaming, *options, "-files", cargo, *places, "-mapper", f"{python} {ARCHIVE} {SHIPMENT} {job.mode} {engine}"]


def counters_in(said: str) -> dict[str, int]:
    """The mapper's counters in what the client said at the end of a job; empty when it did not get there."""
    found = _COUNTERS.search(said)
    pairs = (line.strip().rpartition("=") for line in found[1].splitlines()) if found else ()
    return {name: int(count) for name, _, count in pairs}
