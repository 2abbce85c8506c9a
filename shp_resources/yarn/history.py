"""A job's counters from the history file that its application master leaves in HDFS: for whoever heard no client tell them.

The file is there before the job is told as ended, without any history server; one that there is takes it away within minutes.
Where it lies is the submitter's configuration: an application master has that, and no other. Must not live here: what a
client says (`streaming`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from shp_core.errors import Fault
from shp_core.lake.mapper import GROUP
from shp_resources.hdfs.client import Hdfs
from shp_resources.hdfs.cluster import Cluster

_STAGING, _DONE = "yarn.app.mapreduce.am.staging-dir", "mapreduce.jobhistory.intermediate-done-dir"
_DEFAULTS = {_STAGING: "/tmp/hadoop-yarn/staging", _DONE: f"${{{_STAGING}}}/history/done_intermediate"}
_FINISHED = '"type":"JOB_FINISHED"'


def counters_of(cluster: Cluster, application: str) -> dict[str, int]:
    """The mapper's counters of a job that ended well; empty where its history is not to be had: they are a help, not a condition.

    Args:
        cluster: where it ran.
        application: its id.
    """
    folder = f"{history_folder(cluster.environ)}/{cluster.user}"
    job = application.replace("application_", "job_", 1)
    try:
        history = Hdfs(cluster).read_elsewhere(folder, f"{job}-", ".jhist")
    except Fault:
        return {}
    return counters_in(history or b"")


def counters_in(history: bytes) -> dict[str, int]:
    """The mapper's counters in a history of the format `json`; empty when it tells of no end, or is of another format."""
    last = next((line for line in reversed(history.decode("utf-8", "replace").splitlines()) if _FINISHED in line), None)
    if last is None:
        return {}
    try:
        [finished] = json.loads(last)["event"].values()
        groups = finished["totalCounters"]["groups"]
        return {count["name"]: count["value"] for group in groups if group["name"] == GROUP for count in group["counts"]}
    except (ValueError, LookupError, TypeError, AttributeError):  # another version's words
        return {}


def history_folder(environ: Mapping[str, str]) -> str:
    """Where application masters leave their histories, one folder for each user.

    Args:
        environ: a client's environment.
    """
    conf = environ.get("HADOOP_CONF_DIR")
    known = {**_DEFAULTS, **(_properties(Path(conf) / "mapred-site.xml") if conf else {})}
    return urlsplit(known[_DONE].replace(f"${{{_STAGING}}}", known[_STAGING])).path.rstrip("/")


def _properties(path: Path) -> dict[str, str]:
    """The properties in one of Hadoop's files that say where; none when it cannot be read."""
    try:
        found = ElementTree.parse(path).iter("property")
    except (OSError, ElementTree.ParseError):
        return {}
    pairs = ((one.findtext("name", "").strip(), one.findtext("value", "").strip()) for one in found)
    return {name: value for name, value in pairs if name in _DEFAULTS and value}
