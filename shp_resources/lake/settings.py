"""Which lake an installation has: HDFS where there is one, else a folder below its home."""

from __future__ import annotations

from shp_core.lake.place import Place
from shp_resources.hdfs.client import Hdfs
from shp_resources.hdfs.cluster import cluster_of
from shp_resources.lake.local import LocalFolder
from shp_resources.settings import Settings


def lake_of(settings: Settings) -> Place:
    """The lake's place; nothing connects until it is used."""
    cluster = cluster_of(settings)
    return LocalFolder(settings.home / "lake") if cluster is None else Hdfs(cluster)
