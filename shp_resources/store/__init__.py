"""The artefact store: bytes, text rows, typed rows and rejects of deliveries, named by what they were made from.

Lives here: files under `SHP_STORE`, written aside and renamed into place when they are whole; bytes kept afar, where it is an address.
Must not live here: what the rows mean, and which artefact is current.
"""

from shp_resources.store.bench import StoreBench, read_batches
from shp_resources.store.store import Store
from shp_resources.store.validated import Validated

__all__ = ["Store", "StoreBench", "Validated", "read_batches"]
