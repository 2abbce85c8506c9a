"""Hadoop's jars: fetched once with Maven, whole or not at all, into a cache that homes may share.

The folder in the cache is named by the hash of `pom.xml`, so another version is another folder.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import ShpError, UsageError

POM = Path(__file__).with_name("pom.xml")
_SECONDS = 900.0
Tell = Callable[[str], None]
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def jar_folder(cache: Path, pom: Path = POM) -> Path:
    """Where the jars of this version's `pom.xml` lie in a cache, fetched or not."""
    return cache / f"jars-{sha256(pom.read_bytes()).hexdigest()[:12]}"


def fetch_jars(cache: Path, tell: Tell = lambda line: None, pom: Path = POM, what: str = "Hadoop (100 MB, once)") -> Path:
    """The folder of all jars; what is not there yet is fetched, by one process at a time.

    Args:
        cache: folder that keeps them.
        tell: told what happens, in one line.
        pom: names them.
        what: what they are called.

    Raises:
        UsageError: Maven is needed and not there.
        ShpError: the jars could not be fetched; nothing half-fetched stays.
    """
    folder = jar_folder(cache, pom)
    if folder.is_dir():
        return folder
    maven = _maven()
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / "fetch.lock"):
        if not folder.is_dir():
            tell(f"fetching {what}")
            _fetch(maven, folder, pom)
    return folder


def _maven() -> str:
    found = shutil.which("mvn")
    if found is None:
        raise UsageError(
            "Maven is needed once, to fetch Hadoop's jars; mvn was not found.",
            "Install it (Debian, Ubuntu: apt-get install maven), or let SHP_HADOOP_CACHE name a cache that has them.",
            Code.SETTINGS_INVALID,
        )
    return found


def _fetch(maven: str, folder: Path, pom: Path) -> None:
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    shutil.copy(pom, draft / "pom.xml")
    try:
        _run(maven, draft)
        (draft / "lib").rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _run(maven: str, draft: Path) -> None:
    """Let Maven work in the draft folder alone: its repository lies there too, and a wrong checksum is an error."""
    quiet = ["--batch-mode", "--quiet", "--strict-checksums", f"-Dmaven.repo.local={draft / 'repository'}"]
    try:
        done = subprocess.run(
            [maven, *quiet, "--file", str(draft / "pom.xml"), "package"],
            cwd=draft,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(f"after {_SECONDS:g} s") from error
    if done.returncode != 0:
        raise _failed(_first_error(done.stdout))


def _first_error(said: str) -> str:
    plain = [_COLOURS.sub("", line).replace("[ERROR]", "").strip() for line in said.splitlines() if "[ERROR]" in line or "[FATAL]" in line]
    return next((line for line in plain if line and "problems were encountered" not in line), said[-300:] or "Maven said nothing")[:400]


def _failed(why: str) -> ShpError:
    return ShpError(
        Code.SERVICE_FAILED,
        f"Hadoop's jars could not be fetched: {why}",
        "See whether this machine reaches the Maven repository (proxies and mirrors: ~/.m2/settings.xml), then give the command again.",
    )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
