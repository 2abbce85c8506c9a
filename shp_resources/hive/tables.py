"""A feed's external table: its partitions follow the manifests, so a publication is one switch for SQL readers too."""

from __future__ import annotations

from typing import Any

from shp_core.contract.contract import Contract
from shp_core.lake import sql_table
from shp_core.lake.manifest import Manifest
from shp_resources.hdfs.client import Hdfs
from shp_resources.hive.server import SECONDS, HiveServer, Session
from shp_resources.lake.manifests import standing

_CURATED, _FOLDER = "curated", "partition="


class HiveTables:
    """The tables over one lake.

    Args:
        server: the HiveServer2.
        place: the lake in HDFS.
        seconds: how long each answer may take.
    """

    def __init__(self, server: HiveServer, place: Hdfs, seconds: float = SECONDS) -> None:
        self._server, self._place, self._seconds = server, place, seconds

    def follow(self, contract: Contract, path: str, manifest: Manifest) -> str:
        """Let SQL readers see a publication; the same again changes nothing.

        Where a contract with other columns comes, the table is made anew, and follows every partition that has them.

        Args:
            contract: the contract that the clean rows were made with.
            path: the feed's folder in the lake (`sinks.lake.path`).
            manifest: what stands.

        Returns:
            The name by which people ask: a view over the table.

        Raises:
            Fault: Hive or HDFS failed.
        """
        table = sql_table.table_name(self._server.database, contract.feed)
        with self._server.session(self._seconds) as session:
            followed = [manifest, *self._prepare(session, table, contract, path)]
            for one in followed:
                location = self._place.absolute(f"{_CURATED}/{path}/{_FOLDER}{one.partition}/{one.directory}")
                for statement in sql_table.follow_partition(table, one.partition, location):
                    session.run(statement)
        return sql_table.view_name(self._server.database, contract.feed).replace("`", "")

    def leave(self, contract: Contract, partition: str) -> None:
        """Let SQL readers see nothing of a partition any more.

        Raises:
            Fault: Hive failed.
        """
        with self._server.session(self._seconds) as session:
            if self._columns(session, contract.feed):
                session.run(sql_table.leave_partition(sql_table.table_name(self._server.database, contract.feed), partition))

    def _prepare(self, session: Session, table: str, contract: Contract, path: str) -> list[Manifest]:
        """Make sure that the table is there with these columns; which other partitions a new one must follow."""
        wanted = sql_table.columns(contract)
        session.run(sql_table.create_database(self._server.database))
        known = self._columns(session, contract.feed)
        if known == wanted:
            return []
        if known:
            session.run(sql_table.drop_table(table))
        session.run(sql_table.create_table(table, contract, self._place.absolute(f"{_CURATED}/{path}")))
        session.run(sql_table.create_view(sql_table.view_name(self._server.database, contract.feed), table, contract))
        return [manifest for manifest in self._standing(path) if manifest.columns == (*contract.names, "_row")]

    def _columns(self, session: Session, feed: str) -> list[tuple[str, str]]:
        """The columns of a feed's table; empty when there is no such table."""
        database, files = self._server.database, sql_table.files_of(feed)
        if (files,) not in session.rows(f"SHOW TABLES IN `{database}` '{files}'"):
            return []
        described = session.rows(f"DESCRIBE {sql_table.table_name(database, feed)}")
        names = [(str(name).strip(), str(kind).strip()) for name, kind, *_ in described]
        return names[: names.index((sql_table.PARTITION, "string"))]

    def _standing(self, path: str) -> list[Manifest]:
        folder = f"{_CURATED}/{path}"
        keys = [entry.name for entry in self._place.entries(folder) if entry.is_folder and entry.name.startswith(_FOLDER)]
        found = (standing(self._place, f"{folder}/{key}") for key in keys)
        return [manifest for manifest in found if manifest is not None]


def query(server: HiveServer, statement: str, seconds: float = 600.0) -> list[tuple[Any, ...]]:
    """Ask Hive, for instance `SELECT count(*) FROM curated.sales`; its rows.

    Args:
        server: the HiveServer2.
        statement: one statement.
        seconds: how long each answer may take.

    Raises:
        Fault: Hive failed, or refused the statement.
    """
    with server.session(seconds) as session:
        return session.rows(statement)
