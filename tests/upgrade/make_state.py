"""Make the state of a small installation: `python -m tests.upgrade.make_state OUT`.

Run once for a version that is released; the result is committed and never made anew. The installation is made under a
neutral path, so that nothing of the machine that made it is in the files.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from shp_resources.embedded import EmbeddedServer
from shp_resources.embedded.binaries import Binaries

HOME = Path("/srv/shp/var")
"""Where the installation is made."""

FEED = "stock"
SAMPLES = Path(__file__).parents[2] / "samples" / FEED


def main(out: Path) -> None:
    """Ingest the samples of one feed and keep database and store."""
    shutil.rmtree(HOME, ignore_errors=True)
    landing = HOME / "landing" / FEED
    landing.mkdir(parents=True)
    for sample in sorted(SAMPLES.glob("*.xlsx")):
        shutil.copyfile(sample, landing / sample.name)
    subprocess.run([sys.executable, "-m", "shp_ops.cli.main", "ingest", FEED, str(landing), "--home", str(HOME)], check=True)
    out.mkdir(parents=True, exist_ok=True)
    _keep_database(out / "database.sql.gz")
    _keep_files(out / "files.tar.gz", ["landing", "store"])
    shutil.rmtree(HOME)


def _keep_database(path: Path) -> None:
    with EmbeddedServer(HOME).held() as dsn:
        command = [str(Binaries.find().folder / "pg_dump"), "--no-owner", "--no-privileges", "--rows-per-insert=200", "--dbname", dsn]
        dump = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Without psql's own commands any client can restore it; the machine that made it has no name in it.
    lines = (line for line in dump.splitlines() if not line.startswith("\\"))
    text = "\n".join(lines).replace(f"'{os.uname().nodename}'", "'localhost'") + "\n"
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(text.encode())


def _keep_files(path: Path, folders: list[str]) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for folder in folders:
            for item in sorted((HOME / folder).rglob("*")):
                if item.is_file():
                    entry = tarfile.TarInfo(str(item.relative_to(HOME)))
                    data = item.read_bytes()
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
