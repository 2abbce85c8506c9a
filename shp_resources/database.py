"""PostgreSQL: engines, and the translation of its exceptions into evidence; ledger and warehouse share it.

Lives here: connection settings, SQLSTATE of a foreign exception, text without secrets and values.
Must not live here: statements (the ledger's and the warehouse's own) and what a failure means (`shp_core`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence

CONNECT_SECONDS = 10
SESSION_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "lock_timeout": "120s",  # publishing waits for its feed's lock; longer means that something hangs
    "statement_timeout": "30min",
    "idle_in_transaction_session_timeout": "10min",  # a frozen worker must not keep locks for ever
}
_DRIVER_ARGS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "shp",
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
TEXT_LIMIT = 300
_LONGEST_CHAIN = 10

# What libpq says without an SQLSTATE while it connects, told by words; anything else is 08001.
_CONNECT_WORDS = (
    ("28000", re.compile(r"authentication failed|no pg_hba\.conf entry|role .* does not exist|not permitted to log in|no password")),
    ("42501", re.compile(r"permission denied")),
    ("3D000", re.compile(r"database .* does not exist")),
    ("57P03", re.compile(r"is (starting up|shutting down|in recovery mode|not (yet )?accepting connections)")),
    ("53300", re.compile(r"too many (clients|connections)|remaining connection slots")),
)
_LOST_WORDS = re.compile(
    r"closed the connection|connection (already|has been|was) closed|connection reset|terminating connection|SSL SYSCALL"
)
_SECRET = re.compile(r"(password\s*=\s*)('[^']*'|\S+)|(://[^:/@\s]+:)[^@\s]*@", re.IGNORECASE)


def address(dsn: str) -> URL:
    """The address in the driver's scheme.

    Args:
        dsn: `postgresql://user:password@host:port/database`.

    Raises:
        UsageError: this is no such address; the message does not repeat it, for it may hold a password.
    """
    try:
        url = make_url(dsn)
    except (exc.ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise UsageError(
            "The database's address cannot be read.",
            "Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE (SHP_PG_DSN, SHP_WAREHOUSE_DSN).",
            Code.SETTINGS_INVALID,
        ) from None
    return url.set(drivername="postgresql+psycopg2")


def make_engine(dsn: str, *, pooled: bool) -> sa.Engine:
    """An engine that has not connected yet.

    Args:
        dsn: `postgresql://…`; what its query part sets wins over the defaults here.
        pooled: keep connections and test each before use; only for short-lived processes, made after a fork.
            Otherwise each use connects anew, which survives every restart of the server.

    Raises:
        UsageError: `dsn` is not an address.
    """
    url = address(dsn)
    pool: dict[str, Any] = {"pool_pre_ping": True, "pool_recycle": 1800} if pooled else {"poolclass": NullPool}
    return sa.create_engine(url, connect_args=_connect_args(url), hide_parameters=True, **pool)


def _connect_args(url: URL) -> dict[str, Any]:
    settings = " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items())
    theirs = url.query.get("options", "")
    args = {name: value for name, value in _DRIVER_ARGS.items() if name not in url.query}
    return {**args, "options": f"{settings} {theirs}".strip()}


@contextmanager
def translate(system: str) -> Iterator[None]:
    """Turn a database's exceptions into faults.

    Args:
        system: the outside system as evidence names it (`ledger`, `warehouse`).

    Raises:
        Fault: with the code that `classify` gives the evidence, from the foreign exception with a bounded message.
    """
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, psycopg2.Error) as error:
        evidence = evidence_of(error, system)
        _shorten(error, evidence.text)
        raise Fault(classify(evidence), f"{system}: {evidence.text}", evidence) from error


def fault_behind(error: BaseException, system: str) -> Fault | None:
    """The database's failure that an exception of somebody else's code came from, None when there is none that is named.

    Args:
        error: raised outside `translate`, as by Dagster's own storage.
        system: the outside system whose database that code uses.
    """
    for found in _chain(error):
        evidence = _seen_of(found, system)
        code = classify(evidence) if evidence else Code.CODE_BUG
        if evidence is not None and code is not Code.CODE_BUG:
            return Fault(code, f"{system}: {evidence.text}", evidence)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _seen_of(error: BaseException, system: str) -> Evidence | None:
    if isinstance(error, exc.PendingRollbackError):  # what follows where a transaction died with its connection
        return Evidence(system, sqlstate="08006", text=type(error).__name__)
    if isinstance(error, exc.DBAPIError | exc.TimeoutError | psycopg2.Error):
        return evidence_of(error, system)
    return None


def _shorten(error: Exception, text: str) -> None:
    # The server's whole message quotes rows (DETAIL, CONTEXT) and parameters (LINE 1), and the cause ends up in logs.
    error.args = (text,)
    if isinstance(error, exc.DBAPIError) and error.orig is not None:
        error.orig.args = (text,)


def evidence_of(error: Exception, system: str) -> Evidence:
    """What a database's exception says, bounded, without secrets and without values.

    Args:
        error: of SQLAlchemy or psycopg2.
        system: the outside system as evidence names it.
    """
    driver = error.orig if isinstance(error, exc.DBAPIError) and isinstance(error.orig, Exception) else error
    sqlstate = _sqlstate(driver)
    return Evidence(system=system, sqlstate=sqlstate, text=_text(driver, sqlstate))


def _sqlstate(error: Exception) -> str | None:
    if isinstance(error, exc.TimeoutError):  # every connection of our own pool is in use
        return "53300"
    if isinstance(error, psycopg2.Error) and error.pgcode:
        return error.pgcode
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return _sqlstate_by_words(str(error))
    return None


def _sqlstate_by_words(message: str) -> str:
    for sqlstate, words in _CONNECT_WORDS:
        if words.search(message):
            return sqlstate
    return "08006" if _LOST_WORDS.search(message) else "08001"


def _text(error: Exception, sqlstate: str | None) -> str:
    primary = error.diag.message_primary if isinstance(error, psycopg2.Error) else None
    words = " ".join((primary or str(error)).split())
    words = _SECRET.sub(lambda found: (found[1] or found[3]) + ("***@" if found[3] else "***"), words)
    if (sqlstate or "").startswith("22"):  # the only class whose first words quote a value
        words = re.sub(r'".*"', '"…"', words)
    return f"{type(error).__name__}: {words}"[:TEXT_LIMIT]
