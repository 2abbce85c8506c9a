"""Where this installation lives: environment variables, `.env` and secret files.

The only place that reads the environment. Resolution order: the environment, then `.env` (looked for in the working
directory and above), then the default. A secret may also be named by file: `SHP_PG_DSN_FILE=/run/secrets/dsn`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values, find_dotenv

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_core.feeds.origin import Origin, uri_problem
from shp_resources.alerts.settings import AlertSettings, alert_settings, is_alert_variable
from shp_resources.sources.settings import SourceSettings, source_variables

_HADOOPS_OWN = ("HADOOP_HOME", "HADOOP_CONF_DIR")
_HADOOP_AUTH = ("simple", "kerberos")
_WEBHDFS = "the NameNodes' web addresses, like http://namenode1:9870,http://namenode2:9870"
_YARN = "the ResourceManager's web address, like http://resourcemanager:8088"


@dataclass(frozen=True)
class Settings:
    """Resolved settings of one installation; all paths absolute.

    Args:
        base: the folder that relative paths are relative to (the folder of `.env`, else the working directory).
        home: state of this installation (`SHP_HOME`); nothing is written outside it.
        feeds: folder of the feed files (`SHP_FEEDS`); `marts/` and `shp.yaml` lie beside it.
        landing: drop folders, one per feed (`SHP_LANDING`).
        store: artefact store (`SHP_STORE`); the working copy, where that is an address.
        store_uri: the address of a folder that keeps deliveries' bytes, too (`SHP_STORE`); None: the store is a folder of this machine.
        pg_dsn: the PostgreSQL of ledger and Dagster (`SHP_PG_DSN`); None: the embedded server.
        warehouse_dsn: the PostgreSQL that gets the tables (`SHP_WAREHOUSE_DSN`); None: the ledger's.
        faults: what is to fail on purpose, to rehearse it (`SHP_FAULTS`); empty: nothing.
        hdfs_urls: WebHDFS addresses of an external cluster's NameNodes (`SHP_HDFS_URL`, comma-separated).
        hdfs_user: who we are in HDFS (`SHP_HDFS_USER`); None: the operating system's user.
        hadoop_auth: how that cluster is shown who we are (`SHP_HADOOP_AUTH`): `simple`, by name, or `kerberos`, by ticket.
        hdfs_root: the folder in HDFS below which everything of ours lies (`SHP_HDFS_ROOT`).
        yarn_url: an external ResourceManager (`SHP_YARN_URL`).
        mapper_python: a python on the nodes that has Arrow (`SHP_MAPPER_PYTHON`); None: their python3 without any package.
        hive_url: an external HiveServer2 (`SHP_HIVE_URL`, `hive://user@host:port/database`).
        hadoop_home: an installed Hadoop: its client submits jobs, `shp up --hadoop` runs its daemons (`HADOOP_HOME`).
        hadoop_conf: its configuration (`HADOOP_CONF_DIR`).
        hadoop_cache: the jars of `shp up --hadoop` (`SHP_HADOOP_CACHE`); homes may share it.
        sources: credentials of remote sources (`SHP_SOURCE_…`).
        alerts: the mail server and the webhooks (`SMTP_SERVER` and its companions, `SHP_WEBHOOK_<NAME>`).
    """

    base: Path
    home: Path
    feeds: Path
    landing: Path
    store: Path
    store_uri: str | None = None
    pg_dsn: str | None = field(default=None, repr=False)
    warehouse_dsn: str | None = field(default=None, repr=False)
    faults: str = ""
    hdfs_urls: tuple[str, ...] = ()
    hdfs_user: str | None = None
    hdfs_root: str = "/shp"
    hadoop_auth: str = "simple"
    yarn_url: str | None = None
    mapper_python: str | None = None
    hive_url: str | None = None
    hadoop_home: Path | None = None
    hadoop_conf: Path | None = None
    hadoop_cache: Path = field(default=Path("cache/hadoop"))
    sources: SourceSettings = field(default_factory=SourceSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
        """Read the settings.

        Args:
            environ: the environment (the process's by default).
            home: overrides `SHP_HOME` (the `--home` option).

        Raises:
            UsageError: a named secret file cannot be read, or an address is given for a folder.
        """
        process = os.environ if environ is None else environ
        dotenv = find_dotenv(usecwd=True)
        base = Path(dotenv).parent if dotenv else Path.cwd()
        values = {**_known(dotenv_values(dotenv) if dotenv else {}), **_known(process)}

        def path(name: str, default: Path) -> Path:
            if "://" in values.get(name, ""):
                raise UsageError(f"{name} is an address.", "Name a folder of this machine (or of a mount).", Code.SETTINGS_INVALID)
            return (base / values.get(name, default)).absolute()

        place = home.absolute() if home is not None else path("SHP_HOME", Path("var"))
        far = _store_address(values.get("SHP_STORE", ""))
        return cls(
            base=base,
            home=place,
            feeds=path("SHP_FEEDS", base / "feeds"),
            landing=path("SHP_LANDING", place / "landing"),
            store=place / "store" if far is not None else path("SHP_STORE", place / "store"),
            store_uri=far,
            pg_dsn=_secret(values, "SHP_PG_DSN"),
            warehouse_dsn=_secret(values, "SHP_WAREHOUSE_DSN"),
            faults=values.get("SHP_FAULTS", ""),
            hdfs_urls=_addresses(values.get("SHP_HDFS_URL", ""), "SHP_HDFS_URL", _WEBHDFS),
            hdfs_user=values.get("SHP_HDFS_USER"),
            hdfs_root=_hdfs_root(values.get("SHP_HDFS_ROOT", "/shp")),
            hadoop_auth=_hadoop_auth(values.get("SHP_HADOOP_AUTH", "simple")),
            yarn_url=next(iter(_addresses(values.get("SHP_YARN_URL", ""), "SHP_YARN_URL", _YARN)), None),
            mapper_python=values.get("SHP_MAPPER_PYTHON"),
            hive_url=values.get("SHP_HIVE_URL"),
            hadoop_home=Path(values["HADOOP_HOME"]) if "HADOOP_HOME" in values else None,
            hadoop_conf=Path(values["HADOOP_CONF_DIR"]) if "HADOOP_CONF_DIR" in values else None,
            hadoop_cache=path("SHP_HADOOP_CACHE", place / "cache" / "hadoop"),
            sources=SourceSettings(source_variables(values, lambda name: _secret(values, name))),
            alerts=alert_settings(values, lambda name: _secret(values, name)),
        )

    @property
    def marts(self) -> Path:
        """Folder of the mart files."""
        return self.feeds.parent / "marts"

    @property
    def platform_file(self) -> Path:
        """What is not about a feed: profiles and limits."""
        return self.feeds.parent / "shp.yaml"

    @property
    def last_good(self) -> Path:
        """Copies of feed and mart files as they last were sound, kept by a running platform."""
        return self.home / "run" / "last_good"

    @property
    def dsn_file(self) -> Path:
        """Where a running embedded server writes its address (readable by its owner only)."""
        return self.home / "postgres" / "dsn"

    @property
    def embedded(self) -> bool:
        """Whether the ledger lives in the embedded server."""
        return self.pg_dsn is None

    def ledger_dsn(self) -> str | None:
        """Address of the ledger's database, None when the embedded server is not up."""
        if self.pg_dsn is not None:
            return self.pg_dsn
        try:
            return self.dsn_file.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def sink_dsn(self) -> str | None:
        """Address of the warehouse's database, None when the embedded server is not up."""
        return self.warehouse_dsn or self.ledger_dsn()

    def as_environment(self) -> dict[str, str]:
        """The variables with which another process finds the same installation."""
        variables = {
            "SHP_HOME": str(self.home),
            "SHP_FEEDS": str(self.feeds),
            "SHP_LANDING": str(self.landing),
            "SHP_STORE": self.store_uri or str(self.store),
            "SHP_PG_DSN": self.pg_dsn,
            "SHP_WAREHOUSE_DSN": self.warehouse_dsn,
            "SHP_FAULTS": self.faults or None,
            "SHP_HDFS_URL": ",".join(self.hdfs_urls) or None,
            "SHP_HDFS_USER": self.hdfs_user,
            "SHP_HDFS_ROOT": self.hdfs_root if self.hdfs_urls else None,
            "SHP_HADOOP_AUTH": None if self.hadoop_auth == "simple" else self.hadoop_auth,
            "SHP_YARN_URL": self.yarn_url,
            "SHP_MAPPER_PYTHON": self.mapper_python,
            "SHP_HIVE_URL": self.hive_url,
            "HADOOP_HOME": str(self.hadoop_home) if self.hadoop_home else None,
            "HADOOP_CONF_DIR": str(self.hadoop_conf) if self.hadoop_conf else None,
        }
        return {name: value for name, value in variables.items() if value is not None}


def _known(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value and _is_ours(name)}


def _is_ours(name: str) -> bool:
    return name.startswith("SHP_") or name in _HADOOPS_OWN or is_alert_variable(name)


def _store_address(text: str) -> str | None:
    """The address that `SHP_STORE` is, None where it is a folder of this machine."""
    if "://" not in text:
        return None
    problem = uri_problem(text)
    if text.startswith(("http://", "https://")):
        problem = "cannot be written to; name a folder at s3://, sftp://, hdfs:// or file://, or a folder of this machine"
    if problem is None and not Origin(text).is_folder:
        problem = "is no folder; write a `/` at its end"
    if problem is not None:
        raise UsageError(f"SHP_STORE {problem}.", "Write it like s3://bucket/shp/, or /srv/shp/store", Code.SETTINGS_INVALID)
    return text


def _addresses(text: str, name: str, example: str) -> tuple[str, ...]:
    found = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    wrong = [part for part in found if not part.startswith(("http://", "https://"))]
    if wrong:
        raise UsageError(
            f"{name} holds {wrong[0]!r}, which is no web address.",
            f"Write {example}",
            Code.SETTINGS_INVALID,
        )
    return found


def _hdfs_root(text: str) -> str:
    parts = text.strip("/").split("/")
    if not text.startswith("/") or not all(parts) or {".", ".."} & set(parts):
        raise UsageError(f"SHP_HDFS_ROOT is {text!r}.", "Write an absolute folder of HDFS, like /shp", Code.SETTINGS_INVALID)
    return f"/{'/'.join(parts)}"


def _hadoop_auth(text: str) -> str:
    if text not in _HADOOP_AUTH:
        raise UsageError(f"SHP_HADOOP_AUTH is {text!r}.", f"Write one of: {', '.join(_HADOOP_AUTH)}", Code.SETTINGS_INVALID)
    return text


def _secret(values: Mapping[str, str], name: str) -> str | None:
    if name in values:
        return values[name]
    if f"{name}_FILE" not in values:
        return None
    try:
        return Path(values[f"{name}_FILE"]).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(
            f"{name}_FILE names a file that cannot be read ({error.strerror}).",
            f"Write the address into that file, or set {name}.",
            Code.SETTINGS_INVALID,
        ) from error
