"""What failures of HDFS and YARN are called; the table that decides whether a partition waits, parks or asks a person."""

from __future__ import annotations

import errno

import pytest

from shp_core.codes import Code
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH])
@pytest.mark.parametrize("system", ["hdfs", "yarn"])
def test_a_cluster_that_is_away_is_called_so(system: str, number: int) -> None:
    """A stopped NameNode would look like a bug, and partitions would not wait for it."""
    assert classify(Evidence(system, errno=number)) is Code.SINK_UNREACHABLE


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence("hdfs", http_status=503),
        Evidence("hdfs", http_status=429),
        Evidence("hdfs", http_status=403, errno=errno.EAGAIN),  # safe mode, standby
        Evidence("hdfs", errno=errno.ECONNRESET),
        Evidence("hdfs", errno=errno.EPIPE),
        Evidence("yarn", errno=errno.ETIMEDOUT),
        Evidence("hdfs", http_status=404, errno=errno.ENOENT),  # somebody removed a file that was there
    ],
)
def test_what_passes_by_itself_is_transient(evidence: Evidence) -> None:
    """A NameNode in safe mode would be reported to a person although it is back in seconds."""
    assert classify(evidence) is Code.TRANSIENT


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence("hdfs", http_status=403),
        Evidence("hdfs", http_status=403, errno=errno.EACCES),
        Evidence("hdfs", http_status=403, errno=errno.EDQUOT),
        Evidence("hdfs", http_status=401),
        Evidence("lake", errno=errno.ENOSPC),
        Evidence("hdfs", http_status=404),  # an address that is no WebHDFS's
    ],
)
def test_a_refusal_is_told_from_silence(evidence: Evidence) -> None:
    """A missing right or a full quota would be waited for although only a person can mend it."""
    assert classify(evidence) is Code.SINK_REFUSED


@pytest.mark.parametrize("evidence", [Evidence("hdfs", http_status=400), Evidence("warehouse", http_status=503), Evidence("hdfs")])
def test_what_nobody_named_is_a_bug(evidence: Evidence) -> None:
    """Our own malformed requests would be sent for ever."""
    assert classify(evidence) is Code.CODE_BUG
