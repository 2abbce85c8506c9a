"""Objects in S3, or in any service that speaks its language, by fsspec and s3fs (the extra `s3`).

Each read names the version that it wants (If-Match), so bytes of two versions never meet.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from shp_core.feeds.origin import Origin
from shp_core.healing.faults import Evidence
from shp_resources.landing import Seen, is_delivery, printable
from shp_resources.ledger import Source
from shp_resources.sources.protocol import Stream, fault, missing, moving, number_behind, told, words
from shp_resources.sources.settings import SourceSettings

READ = 4 << 20
"""Bytes asked for at a time."""

_REFUSED = (errno.EACCES, errno.EPERM)


class S3Source:
    """A bucket's objects below a prefix, or one of them.

    Args:
        origin: their address.
        settings: credentials and deadlines.
        match: which of a prefix's objects count.
    """

    def __init__(self, origin: Origin, settings: SourceSettings, match: str) -> None:
        self.system = origin.system
        self._origin, self._settings, self._match = origin, settings, match

    def look(self) -> list[Seen]:
        """The objects, without their bytes."""
        with self._told("looking"):
            if not self._origin.is_folder:
                return [self._seen(self._origin, self._files.info(_key(self._origin)))]
            found = self._files.ls(_key(self._origin).rstrip("/"), detail=True, refresh=True)
        named = {str(info["name"]).rpartition("/")[2]: info for info in found if info["type"] == "file"}
        return [self._seen(self._origin.below(name), named[name]) for name in sorted(named) if is_delivery(name, self._match)]

    @contextmanager
    def open(self, uri: str, version: str = "", start: int = 0) -> Iterator[Stream]:
        """The bytes, from `start` on if the object is of that version."""
        with self._told("fetching"), self._files.open(_key(Origin(uri)), "rb", block_size=READ, cache_type="none") as file:
            now = str(file.details.get("ETag", ""))
            begin = start if version and version == now else 0
            yield Stream(now, begin, int(file.details["size"]), self._pieces(file, begin, printable(Origin(uri).name)))

    def _pieces(self, file: Any, begin: int, name: str) -> Iterator[bytes]:
        size = int(file.details["size"])
        for place in range(begin, size, READ):
            try:
                piece = file._fetch_range(place, min(place + READ, size))
            except OSError as error:
                if type(error).__name__ == "FileExpired":
                    raise moving(self.system, name) from None
                raise
            yield piece

    def _seen(self, origin: Origin, info: dict[str, Any]) -> Seen:
        changed = info.get("LastModified")
        nanoseconds = int(changed.timestamp()) * 1_000_000_000 if changed else 0
        etag = str(info.get("ETag", ""))
        return Seen(Source(origin.uri, printable(origin.name), int(info["size"]), nanoseconds, 0, etag), quiet=True, regular=True)

    @cached_property
    def _files(self) -> Any:
        import s3fs

        access, settings = self._settings.access(self._origin.place), self._settings
        files = s3fs.S3FileSystem(
            key=access.user,
            secret=access.password,
            token=access.token,
            endpoint_url=access.endpoint,
            config_kwargs={
                "connect_timeout": settings.connect_seconds,
                "read_timeout": settings.read_seconds,
                "retries": {"total_max_attempts": 1},
            },
            skip_instance_cache=True,
            use_listings_cache=False,
        )
        files.retries = 1  # tries are counted in one place
        return files

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        import aiohttp
        import botocore.exceptions as foreign

        refused = (foreign.NoCredentialsError, foreign.PartialCredentialsError, foreign.ClientError)
        with told(self.system, doing, (foreign.BotoCoreError, aiohttp.ClientError)):
            try:
                yield
            except FileNotFoundError:
                raise missing(self.system, printable(self._origin.name or self._origin.path)) from None
            except (*refused, PermissionError) as error:
                number = number_behind(error) if isinstance(error, OSError) else errno.EACCES
                found = Evidence(self.system, errno=number, http_status=_status(error), text=words(error))
                raise fault(found, doing) from None


def _status(error: Exception) -> int | None:
    status = (getattr(error, "response", None) or {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def _key(origin: Origin) -> str:
    return f"{origin.place}{origin.path}"
