"""Hive: SQL over the lake's clean rows.

    server  which HiveServer2 there is; a statement and its answer, behind our errors
    tables  a feed's external table, whose partitions follow the manifests
    missed  which partitions it could not follow yet

It is no sink: what it shows are the lake's own files. Must not live here: the statements (`shp_core.lake.sql_table`).
"""

from shp_resources.hive.missed import Missed
from shp_resources.hive.server import HiveServer, hive_of
from shp_resources.hive.tables import HiveTables, query

__all__ = ["HiveServer", "HiveTables", "Missed", "hive_of", "query"]
