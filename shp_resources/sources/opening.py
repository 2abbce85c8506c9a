"""From an address to its source; what a kind needs is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_core.feeds.origin import Origin
from shp_resources.sources.folder import FolderSource
from shp_resources.sources.protocol import Keeper, RemoteSource
from shp_resources.sources.settings import SourceSettings

_EXTRAS = {"s3": ("s3fs", "s3"), "sftp": ("paramiko", "sftp"), "hdfs": ("hdfs", "hadoop")}


def open_source(origin: Origin, settings: SourceSettings, match: str = "*") -> RemoteSource:
    """The source at an address; nothing connects yet.

    Args:
        origin: the address.
        settings: credentials and deadlines.
        match: which of a folder's files count.

    Raises:
        UsageError: this kind of source needs a package that is not installed.
    """
    if origin.scheme in _EXTRAS:
        _require(origin.scheme)
    if origin.scheme == "file":
        return FolderSource(origin, match)
    if origin.scheme == "s3":
        from shp_resources.sources.s3 import S3Source

        return S3Source(origin, settings, match)
    if origin.scheme == "sftp":
        from shp_resources.sources.sftp import SftpSource

        return SftpSource(origin, settings, match)
    if origin.scheme == "hdfs":
        from shp_resources.sources.webhdfs import HdfsSource

        return HdfsSource(origin, settings, match)
    from shp_resources.sources.http import HttpSource

    return HttpSource(origin, settings)


def open_keeper(origin: Origin, settings: SourceSettings) -> Keeper:
    """The folder at an address that files are put into; nothing connects yet.

    Args:
        origin: the address of a folder, not by HTTP, which is read-only (the settings let none through).
        settings: credentials and deadlines.

    Raises:
        UsageError: this kind needs a package that is not installed.
    """
    return cast(Keeper, open_source(origin, settings))


def _require(scheme: str) -> None:
    package, extra = _EXTRAS[scheme]
    try:
        import_module(package)
    except ImportError as error:
        next_step = f"Install it: pip install 'shp[{extra}]'"
        raise UsageError(f"Sources {scheme}:// need the package {package}.", next_step, Code.SETTINGS_INVALID) from error
