"""The code location: everything assembled in one place."""

from __future__ import annotations

import dagster as dg

defs = dg.Definitions()
