"""Looking into workbooks, many of them one after the other, without any feed: what `shp inspect` stands on.

Lives here: a process that forks a fresh, limited process for each file (`process`), and its parent's side
(`inspector`). Must not live here: which files are looked at, and how the answer is told (`shp_ops.inspect`).
"""

from shp_resources.inspection.inspector import Inspector

__all__ = ["Inspector"]
