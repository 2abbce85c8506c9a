"""From evidence to the stable code that names a failure: one table, first match wins.

Lives here: what an SQLSTATE or an errno of an outside system means to the platform.
Must not live here: foreign exceptions (`shp_resources` turns them into `Evidence`) and what is done about a code.
Everything that no row names is `code_bug`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass

from shp_core.codes import Code
from shp_core.healing.cause import SOURCES, kind_of
from shp_core.healing.faults import Evidence


@dataclass(frozen=True)
class Rule:
    """A row of the table: it matches when the system and one of SQLSTATE, errno or HTTP status do.

    Args:
        code: what the failure is called.
        systems: the outside systems it is about; of remote sources, their kinds.
        sqlstates: whole SQLSTATEs, or two-character classes of them.
        errnos: operating system error numbers.
        http: HTTP status codes.
    """

    code: Code
    systems: frozenset[str]
    sqlstates: frozenset[str] = frozenset()
    errnos: frozenset[int] = frozenset()
    http: frozenset[int] = frozenset()

    def matches(self, evidence: Evidence) -> bool:
        """Whether this row names the failure."""
        named = evidence.errno in self.errnos or evidence.http_status in self.http
        return kind_of(evidence.system) in self.systems and (named or self._sqlstate(evidence.sqlstate))

    def _sqlstate(self, sqlstate: str | None) -> bool:
        return sqlstate is not None and (sqlstate in self.sqlstates or sqlstate[:2] in self.sqlstates)


# Names of SQLSTATEs: PostgreSQL's documentation, appendix A.
_UNREACHABLE = {"08001", "08004", "57P03", "25006"}  # no connection, starting up or shutting down, read-only
# Reset, deadlock, too busy, timeout. A server that stops says 57P01 or just hangs up (08006), as it happens, so both are one.
_PASSING = {"08", "40", "25P03", "53200", "53300", "55P03", "57014", "57P01", "57P02", "57P05"}
_REFUSING = {"28", "42501", "3D000", "3F000", "53100", "53400", "58", "XX001", "XX002"}  # rights, disk, damage
_OTHER_TABLE = {"42703", "42704", "42804", "42P01"}  # somebody changed or dropped the table
_SHORT_ERRNOS = {errno.ENOMEM, errno.EMFILE, errno.EAGAIN}  # the machine has no more of it at the moment
_PASSING_ERRNOS = {*_SHORT_ERRNOS, errno.EINTR, errno.EIO, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET}
_REFUSING_ERRNOS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}


# What WebHDFS calls an exception comes as an errno (`shp_resources.hdfs.errors`); a status alone may be a proxy's.
_AWAY_ERRNOS = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}
_BREAKING_ERRNOS = _PASSING_ERRNOS | {errno.EPIPE, errno.ECONNABORTED}
_PASSING_HTTP = {408, 429, 500, 502, 503, 504}
_REFUSING_HTTP = {401, 403, 407, 507}
_REMOTE = " ".join(sorted(SOURCES))


def _rule(code: Code, systems: str, *, sqlstates: Iterable[str] = (), errnos: Iterable[int] = (), http: Iterable[int] = ()) -> Rule:
    return Rule(code, frozenset(systems.split()), frozenset(sqlstates), frozenset(errnos), frozenset(http))


TABLE: tuple[Rule, ...] = (
    _rule(Code.SINK_UNREACHABLE, "warehouse", sqlstates=_UNREACHABLE),
    _rule(Code.LEDGER_UNREACHABLE, "ledger", sqlstates=_UNREACHABLE),
    _rule(Code.SINK_REFUSED, "warehouse", sqlstates=_REFUSING),
    _rule(Code.LEDGER_REFUSED, "ledger", sqlstates=_REFUSING),
    _rule(Code.TRANSIENT, "warehouse ledger", sqlstates=_PASSING),
    _rule(Code.TABLE_MISMATCH, "warehouse", sqlstates=_OTHER_TABLE),
    _rule(Code.SOURCE_MISSING, "landing", errnos={errno.ENOENT, errno.ENOTDIR, errno.ENOTCONN}),
    _rule(Code.STORE_REFUSED, "store", errnos=_REFUSING_ERRNOS),
    _rule(Code.TRANSIENT, "landing store reader", errnos=_PASSING_ERRNOS),
    _rule(Code.TRANSIENT, "worker", errnos=_SHORT_ERRNOS),
    _rule(Code.SINK_UNREACHABLE, "hdfs yarn hive", errnos=_AWAY_ERRNOS),
    _rule(Code.SINK_REFUSED, "hdfs yarn lake", errnos=_REFUSING_ERRNOS),
    _rule(Code.TRANSIENT, "hdfs yarn hive lake", errnos=_BREAKING_ERRNOS, http=_PASSING_HTTP),
    _rule(Code.TRANSIENT, "hdfs lake", errnos={errno.ENOENT}),  # somebody removed it; the next attempt sees that, and makes it again
    _rule(Code.SINK_REFUSED, "hdfs yarn", http=_REFUSING_HTTP),
    _rule(Code.SINK_REFUSED, "hdfs", http={404, 405}),  # who answers is no WebHDFS
    _rule(Code.SOURCE_MISSING, _REMOTE, errnos={errno.ENOENT}, http={404, 410}),
    _rule(Code.SOURCE_UNREACHABLE, _REMOTE, errnos=_AWAY_ERRNOS),
    _rule(Code.SOURCE_REFUSED, _REMOTE, errnos=_REFUSING_ERRNOS, http={400, 401, 403, 405, 406, 407, 451}),
    _rule(Code.TRANSIENT, _REMOTE, errnos=_BREAKING_ERRNOS, http=_PASSING_HTTP | {409, 412, 416, 423, 425}),
)


def classify(evidence: Evidence) -> Code:
    """Name a failure.

    Args:
        evidence: what was seen.

    Returns:
        The code of the first row that matches, `code_bug` when none does.
    """
    return next((rule.code for rule in TABLE if rule.matches(evidence)), Code.CODE_BUG)
