"""Where artefacts lie, and how they come into place: whole or not at all.

raw/ab/abcd…                         the bytes of a delivery, named by their SHA-256; kept afar too where `SHP_STORE` is an address
validated/ab/abcd…/<version>/        text.parquet, clean.parquet, rejects.parquet, summary.json; seal.json with their SHA-256
tmp/                                 being made, or damaged and set aside; swept after a day
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from shp_core.contract.contract import CONVERTER_VERSION, Contract
from shp_core.contract.summary import Summary
from shp_resources.durable import sync
from shp_resources.store.afar import Afar
from shp_resources.store.bench import StoreBench
from shp_resources.store.disk import damaged, disk
from shp_resources.store.validated import NotWhole, Validated, hash_of, opened, seal

_STRAY_SECONDS = 24 * 3600
_TRY_OUT_BYTES = 1 << 20


class Store:
    """The artefact store under one folder.

    Args:
        root: the folder (`SHP_STORE`, or that of the home); made when something is kept.
        afar: where deliveries' bytes are kept beside it; None: nowhere.
    """

    def __init__(self, root: Path, afar: Afar | None = None) -> None:
        self._root, self._afar = root, afar

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of one's own on the store's file system, gone afterwards unless it was renamed away."""
        folder = self._aside()
        with disk():
            self.sweep()
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def try_out(self) -> None:
        """Find out whether the store can be written; nothing stays.

        Raises:
            Fault: it cannot.
        """
        with self.scratch() as folder:
            path = folder / "try_out"
            with disk(), path.open("wb") as file:
                file.write(bytes(_TRY_OUT_BYTES))
                file.flush()
                os.fsync(file.fileno())
            if self._afar is not None:
                self._afar.try_out(path)

    def raw(self, delivery: str) -> Path | None:
        """Where a delivery's bytes lie on this disk, None when they do not."""
        path = self._raw_path(delivery)
        return path if path.is_file() else None

    def keeps(self, delivery: str) -> bool:
        """Whether a delivery's bytes are kept, here or afar."""
        return self.raw(delivery) is not None or (self._afar is not None and self._afar.has(delivery))

    def whole_raw(self, delivery: str) -> Path | None:
        """Where a delivery's bytes lie, after reading them again; None when they are not kept any more.

        Other bytes under its name are set aside, so that the right ones can take their place; those that are kept afar come back.
        """
        path = self._raw_path(delivery)
        with disk():
            if path.is_file():
                if hash_of(path) == delivery:
                    return path
                self._set_aside(path)
        return self._brought_back(delivery) if self._afar is not None else None

    def _brought_back(self, delivery: str) -> Path | None:
        assert self._afar is not None, "asked only where there is such a place"
        with self.scratch() as folder:
            copy = folder / delivery
            if not self._afar.fetch(delivery, copy):
                return None
            with disk():
                if hash_of(copy) != delivery:
                    return None
                sync(copy)
            return self._put(copy, delivery)

    def keep_raw(self, copy: Path, delivery: str) -> Path:
        """Move a private copy into its place, over one that is there already; afar first, so that what is here is there too."""
        if self._afar is not None:
            self._afar.keep(copy, delivery)
        return self._put(copy, delivery)

    def _put(self, copy: Path, delivery: str) -> Path:
        path = self._raw_path(delivery)
        with disk():
            path.parent.mkdir(parents=True, exist_ok=True)
            copy.rename(path)
            sync(path.parent)
        return path

    def require_raw(self, delivery: str) -> Path:
        """Where a delivery's bytes lie, after reading them again.

        Raises:
            Fault: `artefact_damaged`: they are gone, or are other bytes.
        """
        path = self.whole_raw(delivery)
        if path is None:
            raise damaged(f"the bytes of delivery {delivery[:12]} are missing or not what was delivered")
        return path

    def validated(self, delivery: str, contract: Contract) -> Validated | None:
        """A delivery's artefacts under a contract, None when they are not there or not whole."""
        folder = self._validated_path(delivery, contract)
        try:
            with disk():
                return opened(folder)
        except NotWhole:
            return None

    @contextmanager
    def bench(self, contract: Contract, text_schema: pa.Schema) -> Iterator[tuple[StoreBench, Path]]:
        """A workbench in a scratch folder, to be handed to `keep_validated` when its work is done."""
        with self.scratch() as folder:
            yield StoreBench(folder, contract, text_schema), folder

    def keep_validated(self, bench: StoreBench, folder: Path, delivery: str, contract: Contract, summary: Summary) -> Validated:
        """Move finished artefacts into their place, all at once; equal ones that another process put there stay."""
        place = self._validated_path(delivery, contract)
        bench.close()
        with disk():
            seal(folder, summary)
            place.parent.mkdir(parents=True, exist_ok=True)
            while not _renamed(folder, place):
                standing = self.validated(delivery, contract)
                if standing is not None:
                    return standing
                self._set_aside(place)
            sync(place.parent)
        return Validated(place, summary)

    def size_of(self, delivery: str, *, raw: bool) -> int:
        """Bytes on the disk of a delivery's artefacts; with or without the bytes that came."""
        files = [path for path in self._validated_folder(delivery).rglob("*") if path.is_file()]
        files += [self._raw_path(delivery)] if raw and self._raw_path(delivery).is_file() else []
        return sum(path.stat().st_size for path in files)

    def take_away(self, delivery: str, *, raw: bool) -> dict[Path, Path]:
        """Take a delivery's artefacts out of their places; they stay aside for a day, then they are swept.

        Args:
            delivery: SHA-256 of the bytes.
            raw: the bytes that came, too.

        Returns:
            By place, where each is now; for `put_back`.
        """
        moved = {}
        with disk():
            for place in (self._validated_folder(delivery), *([self._raw_path(delivery)] if raw else [])):
                if place.exists():
                    moved[place] = self._set_aside(place)
        return moved

    def match_afar(self, wanted: Collection[str], gone: Collection[str]) -> tuple[int, int] | None:
        """Keep afar what is kept here and wanted, and nothing that went; None where nothing is kept afar.

        Returns:
            How many deliveries were brought there, and how many taken away.
        """
        if self._afar is None:
            return None
        there = self._afar.sizes()
        lacking = {name: path for name in wanted if name not in there and (path := self.raw(name)) is not None}
        for name, path in lacking.items():
            self._afar.keep(path, name)
        left = [name for name in gone if name in there]
        for name in left:
            self._afar.remove(name)
        return len(lacking), len(left)

    def count_afar(self) -> int:
        """How many deliveries are kept afar, after trying that place out.

        Raises:
            Fault: it cannot be used.
        """
        if self._afar is None:
            return 0
        self.try_out()
        return len(self._afar.sizes())

    def put_back(self, moved: dict[Path, Path]) -> None:
        """Undo `take_away`; what took the place meanwhile stays."""
        with disk():
            for place, aside in moved.items():
                if not place.exists():
                    aside.rename(place)

    def _validated_folder(self, delivery: str) -> Path:
        return self._root / "validated" / delivery[:2] / delivery

    def sweep(self) -> int:
        """Remove what killed processes left behind more than a day ago; returns the number of folders."""
        before = time.time() - _STRAY_SECONDS
        strays = [path for path in (self._root / "tmp").glob("*") if _changed_at(path) < before]
        for path in strays:
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):  # a single file that was set aside
                path.unlink(missing_ok=True)
        return len(strays)

    def without_bytes(self, before: float) -> set[str]:
        """Deliveries of which artefacts lie here, untouched since then, but no bytes: they are gone, or no run came to keep them.

        Args:
            before: seconds since 1970.
        """
        folders = [folder for folder in (self._root / "validated").glob("*/*") if _changed_at(folder) < before]
        return {folder.name for folder in folders if not self._raw_path(folder.name).is_file()}

    def _set_aside(self, path: Path) -> Path:
        """Take an artefact out of its place; it stays for a day, for whoever wants to know why."""
        aside = self._aside()
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another process was faster
            path.rename(aside)
            os.utime(aside)
        return aside

    def _aside(self) -> Path:
        return self._root / "tmp" / uuid4().hex

    def _raw_path(self, delivery: str) -> Path:
        return self._root / "raw" / delivery[:2] / delivery

    def _validated_path(self, delivery: str, contract: Contract) -> Path:
        return self._root / "validated" / delivery[:2] / delivery / f"{contract.version}-{CONVERTER_VERSION}"


def _renamed(folder: Path, place: Path) -> bool:
    """Rename a folder into a free place; whether the place was free."""
    try:
        folder.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        return False
    return True


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process swept it
        return time.time()
