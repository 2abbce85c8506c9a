"""Objects in S3, or in any service that speaks its language, by fsspec and s3fs (the extra `s3`).

Each read names the version that it wants (If-Match), so bytes of two versions never meet.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from shp_core.feeds.origin import Origin
from shp_core.healing.faults import Evidence
from shp_resources.landing import printable
from shp_resources.sources.listed import ListedSource, Status
from shp_resources.sources.protocol import fault, missing, moving, number_behind, told, words

READ = 4 << 20
"""Bytes asked for at a time."""

_REFUSED = (errno.EACCES, errno.EPERM)


class S3Source(ListedSource):
    """A bucket's objects below a prefix, or one of them."""

    def keep(self, name: str, path: Path) -> None:
        """Put an object below the prefix; it is there when it is whole."""
        key, size = _key(self._origin.below(name)), path.stat().st_size
        with self._connected("keeping") as client:
            client.put_file(str(path), key)
            if client.info(key, refresh=True)["size"] != size:
                raise moving(self.system, printable(name))

    def remove(self, name: str) -> None:
        """Take an object away."""
        with self._connected("removing") as client:
            client.rm_file(_key(self._origin.below(name)))

    def _status(self, client: Any, origin: Origin) -> Status:
        return _status(client.info(_key(origin)))

    def _listed(self, client: Any) -> dict[str, Status]:
        found = client.ls(_key(self._origin).rstrip("/"), detail=True, refresh=True)
        return {str(info["name"]).rpartition("/")[2]: _status(info) for info in found if info["type"] == "file"}

    @contextmanager
    def _reading(self, client: Any, origin: Origin, status: Status, begin: int) -> Iterator[Iterator[bytes]]:
        with client.open(_key(origin), "rb", block_size=READ, cache_type="none") as file:
            if str(file.details.get("ETag", "")) != status.etag:
                raise moving(self.system, printable(origin.name))
            yield self._pieces(file, begin, status.size, printable(origin.name))

    def _pieces(self, file: Any, begin: int, size: int, name: str) -> Iterator[bytes]:
        for place in range(begin, size, READ):
            try:
                piece = file._fetch_range(place, min(place + READ, size))
            except OSError as error:
                if type(error).__name__ == "FileExpired":
                    raise moving(self.system, name) from None
                raise
            yield piece

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
    def _connected(self, doing: str) -> Iterator[Any]:
        import aiohttp
        import botocore.exceptions as foreign

        refused = (foreign.NoCredentialsError, foreign.PartialCredentialsError, foreign.ClientError)
        with told(self.system, doing, (foreign.BotoCoreError, aiohttp.ClientError)):
            try:
                yield self._files
            except FileNotFoundError:
                raise missing(self.system, printable(self._origin.name or self._origin.path)) from None
            except (*refused, PermissionError) as error:
                number = number_behind(error) if isinstance(error, OSError) else errno.EACCES
                found = Evidence(self.system, errno=number, http_status=_http_status(error), text=words(error))
                raise fault(found, doing) from None


def _status(info: dict[str, Any]) -> Status:
    changed, etag = info.get("LastModified"), str(info.get("ETag", ""))
    return Status(int(info["size"]), int(changed.timestamp()) * 1_000_000_000 if changed else 0, etag, etag)


def _http_status(error: Exception) -> int | None:
    status = (getattr(error, "response", None) or {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def _key(origin: Origin) -> str:
    return f"{origin.place}{origin.path}"
