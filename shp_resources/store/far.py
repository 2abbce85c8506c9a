"""Where deliveries' bytes are kept beside the store's own disk, so that they outlive the machine; only bytes, for all else is made of them.

A file there is named by its SHA-256 and put there before the store says that it has it; what comes back is judged by that name.
Must not live here: how such a place is spoken to (`shp_resources.sources`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.feeds.origin import Origin
from shp_core.healing.faults import Evidence
from shp_resources.settings import Settings
from shp_resources.sources.opening import open_keeper
from shp_resources.sources.protocol import Keeper
from shp_resources.sources.settings import SourceSettings
from shp_resources.store.disk import disk
from shp_resources.store.store import Store

_PASSING = (Code.TRANSIENT, Code.STILL_MOVING)
_TRIED_OUT = "try_out"


class Far:
    """A folder elsewhere.

    Args:
        origin: its address.
        settings: credentials and deadlines.
    """

    def __init__(self, origin: Origin, settings: SourceSettings) -> None:
        self._origin, self._settings = origin, settings

    def keep(self, path: Path, delivery: str) -> None:
        """Keep a delivery's bytes, unless they are there.

        Raises:
            Fault: of the store; the place failed or refuses.
        """
        with self._told():
            if self._size(delivery) != path.stat().st_size:
                self._place.keep(delivery, path)

    def has(self, delivery: str) -> bool:
        """Whether a delivery's bytes are there."""
        with self._told():
            return self._size(delivery) is not None

    def fetch(self, delivery: str, into: Path) -> bool:
        """Bring a delivery's bytes here; False when they are not there."""
        with self._told():
            if self._size(delivery) is None:
                return False
            with self._place.open(self._origin.below(delivery).uri) as stream, disk(), into.open("wb") as file:
                for piece in stream.pieces:
                    file.write(piece)
            return True

    def sizes(self) -> dict[str, int]:
        """What is there: bytes by delivery."""
        with self._told():
            return {seen.source.name: seen.source.size for seen in self._place.look()}

    def remove(self, delivery: str) -> None:
        """Keep a delivery's bytes no longer."""
        with self._told():
            self._place.remove(delivery)

    def try_out(self, path: Path) -> None:
        """Find out whether it takes a file; nothing stays."""
        with self._told():
            self._place.keep(_TRIED_OUT, path)
            self._place.remove(_TRIED_OUT)

    def _size(self, delivery: str) -> int | None:
        try:
            return self._place.size(delivery)
        except Fault as fault:
            if fault.code is not Code.SOURCE_MISSING:
                raise
            return None

    @cached_property
    def _place(self) -> Keeper:
        return open_keeper(self._origin, self._settings)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell its failures as those of the store: partitions wait for that, and it is tried out as one."""
        try:
            yield
        except Fault as fault:
            seen = fault.evidence
            if seen is not None and seen.system == "store":
                raise
            text = seen.text if seen is not None else fault.message
            evidence = Evidence("store", errno=seen.errno if seen else None, http_status=seen.http_status if seen else None, text=text)
            code = Code.TRANSIENT if fault.code in _PASSING else Code.STORE_REFUSED
            raise Fault(code, f"The artefact store's place {self._origin.uri} failed: {fault.message}", evidence) from fault


def store_of(settings: Settings) -> Store:
    """The artefact store of an installation."""
    far = Far(Origin(settings.store_uri), settings.sources) if settings.store_uri is not None else None
    return Store(settings.store, far)
