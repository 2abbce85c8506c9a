"""What is wrong with an installation, and the command that mends it.

Lives here: one question each, asked of the thing itself. A question changes nothing; an embedded server that is down is up
while it is asked. Must not live here: mending, and services' own health (`shp_ops.supervisor.probes`).
"""

from shp_ops.doctor.check import Check
from shp_ops.doctor.examine import examine

__all__ = ["Check", "examine"]
