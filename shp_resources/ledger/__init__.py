"""The ledger: the record, in PostgreSQL's schema `shp`, of what came, where it stands, who tried what, what sinks hold.

    arrivals      sources as last seen, arrivals, deliveries
    partitions    states, moved with compare-and-set
    expected      what is expected and late, many at once
    attempts      runs of a partition, first verdict wins
    leases        one worker per partition
    publications  what sinks are to hold, what they were made to hold, how far marts have read
    waiting       held partitions that are to run again
    lake          what keeps the lake from holding what it is to hold, and when its run is due
    breakers      switches before outside systems, shared by all processes
    incidents     what people are told, one for each cause
    outbox        letters to people until they are delivered, and what they told
    gauges        counts for monitoring
    kept          deliveries that came, and those that something still needs
    history       all of it for one partition, in order of time

Lives here: statements on schema `shp`, its migrations. Times come in as arguments or from the database's clock, in UTC.
Must not live here: decisions (which verdict, which state), anything about rows, the sinks themselves.
"""

from shp_resources.ledger.arrivals import Arrival, SeenSource, Source
from shp_resources.ledger.attempts import ELT, ETL, REDRIVE, Attempt
from shp_resources.ledger.breakers import Kept
from shp_resources.ledger.errors import KeyTaken, LeaseLost, StaleState, Superseded
from shp_resources.ledger.holder import Holder, process_alive
from shp_resources.ledger.incidents import Incident, Member
from shp_resources.ledger.lake import LAKE, Behind
from shp_resources.ledger.ledger import Ledger
from shp_resources.ledger.migrate import migrate
from shp_resources.ledger.partitions import PartitionRecord
from shp_resources.ledger.publications import NOTHING, Publication, SinkRecord
from shp_resources.ledger.waiting import STALE

__all__ = [
    "ELT",
    "ETL",
    "LAKE",
    "NOTHING",
    "REDRIVE",
    "STALE",
    "Arrival",
    "Attempt",
    "Behind",
    "Holder",
    "Incident",
    "Kept",
    "KeyTaken",
    "LeaseLost",
    "Ledger",
    "Member",
    "PartitionRecord",
    "Publication",
    "SeenSource",
    "SinkRecord",
    "Source",
    "StaleState",
    "Superseded",
    "migrate",
    "process_alive",
]
