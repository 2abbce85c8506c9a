"""Workbooks in S3, on a real S3 server: broken answers, objects that change between ranges, down to the rows in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shp_core.errors import Fault
from shp_core.feeds.origin import Origin
from shp_core.limits import Limits
from shp_resources.rehearsal import parse
from shp_resources.sources import s3 as module
from shp_resources.sources.download import Download, download
from shp_resources.sources.s3 import S3Source
from shp_resources.sources.settings import SourceSettings
from tests.support.healing import Ward
from tests.support.platforms import ORDERS, Platform, book_of, order
from tests.support.remote_s3 import BUCKET, Failure, RemoteS3, remote_s3

FIRST, SECOND = bytes(range(256)) * 40, bytes(reversed(range(256))) * 42
KEY = "orders/a b.xlsx"


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteS3]:
    """The module's server."""
    with remote_s3() as s3:
        yield s3


@pytest.fixture
def s3(server: RemoteS3, monkeypatch: pytest.MonkeyPatch) -> RemoteS3:
    """The server with an empty bucket, which is read in small pieces."""
    monkeypatch.setattr(module, "READ", 4096)
    server.failures, server.ranges = [], []
    for found in server.client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        server.remove(found["Key"])
    return server


def settings(s3: RemoteS3) -> SourceSettings:
    """Credentials and deadlines."""
    known = {"INBOX_ENDPOINT": s3.url, "INBOX_USER": "reader", "INBOX_PASSWORD": "s3cr3t"}
    return SourceSettings(known, connect_seconds=2, read_seconds=2)


def source(s3: RemoteS3, uri: str = f"s3://{BUCKET}/orders/", match: str = "*.xlsx") -> S3Source:
    """A source in the bucket."""
    return S3Source(Origin(uri), settings(s3), match)


def test_what_lies_below_a_prefix_is_seen(s3: RemoteS3) -> None:
    """An object would be missed, or one of another folder be taken for a delivery."""
    for key in (KEY, "orders/B.XLSX", "orders/notes.txt", "orders/.hidden.xlsx", "orders/old/c.xlsx", "other/d.xlsx"):
        s3.put(key, FIRST)
    seen = source(s3).look()
    assert [(one.source.name, one.source.size, one.quiet) for one in seen] == [("B.XLSX", len(FIRST), True), ("a b.xlsx", len(FIRST), True)]
    assert seen[1].source.uri == f"s3://{BUCKET}/orders/a%20b.xlsx"
    s3.put(KEY, SECOND)
    again = source(s3).look()
    assert (again[0], again[1] != seen[1]) == (seen[0], True)
    assert source(s3, seen[1].source.uri).look() == [again[1]]


def test_a_broken_read_goes_on_and_a_changed_object_begins_anew(s3: RemoteS3, tmp_path: Path) -> None:
    """A file of two versions would be loaded, or a large one never come over a bad line."""
    s3.put(KEY, FIRST)
    uri, into = f"s3://{BUCKET}/orders/a%20b.xlsx", Download.of(tmp_path, "x")

    def fetch() -> bytes:
        return download(source(s3), uri, into, Limits(), 10.0).read_bytes()

    s3.failures = [Failure(), Failure(status="503 Slow Down")]
    with pytest.raises(Fault) as caught:
        fetch()
    assert (caught.value.code, into.path.stat().st_size) == ("transient", 4096)
    s3.failures = [Failure(cut_after=100)]
    with pytest.raises(Fault) as caught:
        fetch()
    assert caught.value.code == "transient"
    assert s3.ranges[-1] == "bytes=4096-8191", "it went on where it stopped"
    s3.failures = [Failure(then=lambda: s3.put(KEY, SECOND))]
    with pytest.raises(Fault) as caught:
        fetch()
    assert caught.value.code == "still_moving"
    assert fetch() == SECOND


@pytest.mark.parametrize(
    ("uri", "change", "code"),
    [
        (f"s3://{BUCKET}/orders/none.xlsx", {}, "source_missing"),
        (
            "s3://no-such-bucket/orders/",
            {"NO_SUCH_BUCKET_ENDPOINT": "", "NO_SUCH_BUCKET_USER": "reader", "NO_SUCH_BUCKET_PASSWORD": "x"},
            "source_missing",
        ),
        (f"s3://{BUCKET}/orders/", {"INBOX_ENDPOINT": "http://127.0.0.1:1"}, "source_unreachable"),
    ],
)
def test_what_is_wrong_has_a_name(s3: RemoteS3, uri: str, change: dict[str, str], code: str) -> None:
    """A mistyped bucket would be called a bug of the platform, and its words might hold a secret."""
    known = settings(s3)
    variables = {name: value or s3.url for name, value in {**known.variables, **change}.items()}
    with pytest.raises(Fault) as caught:
        S3Source(Origin(uri), replace(known, variables=variables), "*").look()
    assert caught.value.code == code
    assert "s3cr3t" not in f"{caught.value.message}{caught.value.evidence}{known!r}"


def test_objects_are_published_whole_or_not_at_all(platform: Platform, s3: RemoteS3) -> None:
    """A feed in S3 would load half an object, or stop for good at the first broken answer."""
    platform.feed_file("orders", ORDERS.replace('{match: "*.xls[xm]"}', f'{{uri: "s3://{BUCKET}/orders/"}}'))
    platform.change(sleep=lambda _: None, chance=lambda: 0.0)
    platform.reach(sources=settings(s3))
    s3.put("orders/a.xlsx", book_of(order(1), order(2)))
    s3.put("orders/b.xlsx", book_of(order(3)))

    def round_() -> None:
        platform.tick("remotes")
        platform.fulfil(platform.tick())

    round_()
    assert (platform.loaded("a"), platform.loaded("b")) == ([1, 2], [3])
    better = book_of(order(4), order(5), order(6))
    s3.put("orders/a.xlsx", better)
    seen: list[list[int]] = []
    s3.failures = [
        Failure(status="503 Slow Down", then=lambda: seen.append(platform.loaded("a"))),
        Failure(cut_after=50, then=lambda: seen.append(platform.loaded("a"))),
        Failure(then=lambda: seen.append(platform.loaded("a"))),
    ]
    round_()
    assert seen == [[1, 2]] * 3
    assert (platform.loaded("a"), platform.state("a")) == ([4, 5, 6], ("published", None))
    assert len(platform.attempts("b")) == 1
    s3.remove("orders/a.xlsx")
    round_()
    assert platform.loaded("a") == [4, 5, 6], "what vanishes at the source changes nothing"


def test_a_rehearsal_of_a_bad_network_ends_with_every_row(platform: Platform, s3: RemoteS3, tmp_path: Path) -> None:
    """What is rehearsed of sources would hit nothing, or be nothing that the platform heals."""
    platform.feed_file("orders", ORDERS.replace('{match: "*.xls[xm]"}', f'{{uri: "s3://{BUCKET}/orders/"}}'))
    platform.reach(sources=settings(s3))
    faults = "s3@inbox/orders:reset:count=1; source:corruption:count=1; s3:timeout:rate=0.3:seed=3"
    ward = Ward(platform)
    platform.change(faults=parse(faults, tmp_path / "faults"))
    s3.put("orders/a.xlsx", book_of(order(1), order(2)))

    def published() -> bool:
        ward.tick("remotes")
        return platform.sql("select state from shp.partitions") == [("published",)]

    ward.until(published, step=60.0)
    assert platform.loaded("a") == [1, 2]
    assert sorted((path.name, path.stat().st_size > 0) for path in (tmp_path / "faults").iterdir()) == [
        ("0-s3@inbox-reset", True),
        ("1-source-corruption", True),
    ]
