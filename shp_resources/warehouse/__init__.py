"""The warehouse: tables in PostgreSQL that hold whole partitions, published once.

Lives here: tables made from contracts, the publishing transaction, reading back, marts.
Must not live here: what is published (the ledger's intention) and what a failure leads to.
"""

from shp_resources.warehouse.marts import MartOutcome
from shp_resources.warehouse.publish import Outcome, Publication
from shp_resources.warehouse.readback import Held
from shp_resources.warehouse.target import Target
from shp_resources.warehouse.warehouse import Warehouse

__all__ = ["Held", "MartOutcome", "Outcome", "Publication", "Target", "Warehouse"]
