"""A workbook at an HTTP address: what real servers do wrong, over real sockets, down to the rows in PostgreSQL."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from shp_core.errors import Fault, Refusal
from shp_core.feeds.origin import Origin
from shp_core.limits import Limits
from shp_resources.sources.download import Download, download
from shp_resources.sources.http import HttpSource
from shp_resources.sources.settings import SourceSettings
from tests.support.platforms import ORDERS, Platform, book_of, order
from tests.support.remote_feeds import PATH, RemoteFeed
from tests.support.remote_web import RemoteWeb, Trouble, remote_web

FIRST, SECOND = bytes(range(256)) * 200, bytes(reversed(range(256))) * 210
QUICK = SourceSettings(connect_seconds=2, read_seconds=2)


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteWeb]:
    """The module's server."""
    with remote_web() as web:
        yield web


@pytest.fixture
def web(server: RemoteWeb) -> RemoteWeb:
    """The server, which holds one file and has no trouble."""
    fresh = RemoteWeb(server.url)
    server.__dict__.update(fresh.__dict__)
    server.put(PATH, FIRST)
    return server


@pytest.fixture
def into(tmp_path: Path) -> Download:
    """Where a download comes to."""
    return Download.of(tmp_path / "downloads", "a/b")


def source_of(web: RemoteWeb, settings: SourceSettings = QUICK) -> HttpSource:
    """The source at the server's one address."""
    return HttpSource(Origin(web.url + PATH), settings)


def fetch(web: RemoteWeb, into: Download, limits: Limits | None = None) -> bytes:
    """One try at fetching the file."""
    return download(source_of(web), web.url + PATH, into, limits or Limits(), 10.0).read_bytes()


# the download alone


@pytest.mark.parametrize("reset", [False, True])
def test_a_download_that_breaks_off_goes_on_where_it_stopped(web: RemoteWeb, into: Download, reset: bool) -> None:
    """A large file over a bad line would begin anew for ever, and never come."""
    web.troubles = [Trouble(cut_after=20_000), Trouble(cut_after=10_000, reset=reset)]
    for _ in range(2):
        with pytest.raises(Fault) as caught:
            fetch(web, into)
        assert caught.value.code == "transient"
    there = into.path.stat().st_size
    assert 20_000 < there <= 30_000 if not reset else 20_000 <= there <= 30_000
    assert fetch(web, into) == FIRST
    assert web.gets == [("", 200), ("bytes=20000-", 206), (f"bytes={there}-", 206)]


def test_a_bad_line_that_brings_a_file_forward_costs_no_try(web: RemoteWeb, into: Download) -> None:
    """A file of a gigabyte over a line that breaks every minute would use up the day's tries, and never come."""
    large = web.files[PATH] = FIRST * 20
    web.troubles = [Trouble(cut_after=100_000) for _ in range(9)]
    assert fetch(web, into) == large
    assert [ranged for ranged, _ in web.gets] == ["", *(f"bytes={100_000 * number}-" for number in range(1, 10))]


@pytest.mark.parametrize("ignores_if_range", [False, True])
def test_a_file_that_changed_between_two_ranges_is_never_glued(web: RemoteWeb, into: Download, ignores_if_range: bool) -> None:
    """Half of Monday's and half of Tuesday's prices would be one file that nobody ever wrote."""
    web.troubles = [Trouble(cut_after=20_000, then=lambda: web.files.update({PATH: SECOND})), Trouble(ignores_if_range=ignores_if_range)]
    with pytest.raises(Fault, match=r"came|Incomplete"):
        fetch(web, into)
    if ignores_if_range:  # a server that sends the rest of the new file all the same is found out by its ETag
        with pytest.raises(Fault) as caught:
            fetch(web, into)
        assert caught.value.code == "still_moving"
    assert fetch(web, into) == SECOND
    assert web.gets[-1][1] == 200


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_what_comes_is_one_version(web: RemoteWeb, tmp_path: Path, seed: int) -> None:
    """Some order of cuts, changes, refusals and servers that ignore what they are asked would make a file that nobody wrote."""
    chance = Random(seed)
    versions = [chance.randbytes(chance.randrange(1, 300_000)) for _ in range(4)]
    into, came = Download.of(tmp_path, "x"), list[bytes]()
    web.etags, web.dates = chance.random() < 0.7, chance.choice([None, "Fri, 20 Nov 2026 07:00:00 GMT"]) if seed % 3 else None
    web.put(PATH, versions[0])

    def change() -> None:
        if web.dates is None and chance.random() < 0.4:  # a date says nothing of two changes within one second
            web.put(PATH, chance.choice(versions))

    for _ in range(25):
        web.troubles = [
            Trouble(
                status=chance.choice([None, None, None, 429, 500]),
                cut_after=chance.choice([None, chance.randrange(300_000)]),
                reset=chance.random() < 0.3,
                ignores_if_range=chance.random() < 0.3,
                chunked=chance.random() < 0.2,
                then=change,
            )
            for _ in range(chance.randrange(4))
        ]
        try:
            came.append(fetch(web, into))
            into.drop()
        except Fault as fault:
            assert fault.code in ("transient", "still_moving")
    assert came
    assert all(content in versions for content in came)


def test_without_a_name_for_the_version_a_download_begins_anew(web: RemoteWeb, into: Download) -> None:
    """Bytes that nobody can tell to belong together would be put together."""
    web.etags = False
    web.troubles = [Trouble(cut_after=20_000)]
    with pytest.raises(Fault):
        fetch(web, into)
    assert (fetch(web, into) == FIRST, web.gets) == (True, [("", 200), ("", 200)])


def test_a_date_names_a_version_too(web: RemoteWeb, into: Download) -> None:
    """Servers without ETags could never be gone on with."""
    web.etags, web.dates = False, "Fri, 20 Nov 2026 07:00:00 GMT"
    web.troubles = [Trouble(cut_after=20_000)]
    with pytest.raises(Fault):
        fetch(web, into)
    assert fetch(web, into) == FIRST
    assert web.gets[-1] == ("bytes=20000-", 206)


def test_chunks_that_end_too_early_are_no_file(web: RemoteWeb, into: Download) -> None:
    """An answer without a length that is cut off would pass for the whole file."""
    web.troubles = [Trouble(chunked=True, cut_after=20_000), Trouble(chunked=True)]
    with pytest.raises(Fault) as caught:
        fetch(web, into)
    assert caught.value.code == "transient"
    assert fetch(web, into) == FIRST


def test_an_answer_of_unknown_length_is_refused(web: RemoteWeb, into: Download) -> None:
    """A CSV file that was cut off would pass for a whole one."""
    web.troubles = [Trouble(says_nothing=True, cut_after=20_000)]
    with pytest.raises(Fault) as caught:
        fetch(web, into)
    assert caught.value.code == "source_refused"
    assert not into.path.exists()


def test_more_than_the_limit_is_refused_before_it_is_fetched(web: RemoteWeb, into: Download) -> None:
    """A file without end would fill the disk."""
    for trouble in (Trouble(), Trouble(chunked=True)):
        web.troubles = [trouble]
        with pytest.raises(Refusal) as caught:
            fetch(web, into, replace(Limits(), source_bytes=30_000))
        assert caught.value.code == "limit_reached"
        assert not into.path.exists() or into.path.stat().st_size <= 30_000


def test_a_full_disk_is_not_the_servers_fault(web: RemoteWeb, into: Download) -> None:
    """People would be sent to a server that works, and its breaker keep everybody from it."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # a file that cannot grow, as on a full disk
    try:
        with pytest.raises(Fault) as caught:
            fetch(web, into)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.code, caught.value.evidence.system) == ("store_refused", "store")
    assert fetch(web, into) == FIRST


def test_what_a_server_asks_for_is_heard(web: RemoteWeb, into: Download) -> None:
    """A server that is overloaded would be asked again and again."""
    later = (datetime.now(UTC) + timedelta(seconds=900)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    for status, said, low, high in ((429, "7", 7, 7), (503, later, 700, 900), (429, "999999999", 3600, 3600)):
        web.troubles = [Trouble(status=status, retry_after=said)]
        with pytest.raises(Fault) as caught:
            fetch(web, into)
        assert caught.value.code == "transient"
        assert low <= (caught.value.evidence.retry_after or 0) <= high


def test_a_look_tells_what_changed(web: RemoteWeb) -> None:
    """A correction under the same address would never be seen, or the file be fetched at every look."""
    (first,), (again,) = source_of(web).look(), source_of(web).look()
    assert first.source == again.source
    assert (first.source.name, first.source.size, first.source.etag) == ("prices.xlsx", len(FIRST), web.etag(PATH))
    web.put(PATH, SECOND)
    (other,) = source_of(web).look()
    assert other.source != first.source


def test_servers_that_answer_no_head_are_looked_at_too(web: RemoteWeb) -> None:
    """Sources behind signed addresses would be called refused."""
    (head,) = source_of(web).look()
    web.heads = False
    assert [seen.source for seen in source_of(web).look()] == [head.source]


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"127_0_0_1_TOKEN": "s3cr3t"}, "Bearer s3cr3t"),
        ({"127_0_0_1_USER": "ann", "127_0_0_1_PASSWORD": "s3cr3t"}, "Basic YW5uOnMzY3IzdA=="),
    ],
)
def test_credentials_are_sent_and_never_told(web: RemoteWeb, settings: dict[str, str], header: str) -> None:
    """A password would stand in logs and in the ledger, or a private source could not be read at all."""
    web.needs = header
    assert source_of(web, SourceSettings(settings)).look()[0].source.size == len(FIRST)
    with pytest.raises(Fault) as caught:
        source_of(web, SourceSettings({**settings, "127_0_0_1_TOKEN": "wr0ng"})).look()
    assert caught.value.code == "source_refused"
    told = f"{caught.value.message} {caught.value.evidence} {settings and SourceSettings(settings)!r}"
    assert "wr0ng" not in told
    assert "s3cr3t" not in told


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:1/prices.xlsx", "source_unreachable"),
        ("http://no-such-host.invalid/prices.xlsx", "source_unreachable"),
    ],
)
def test_a_host_that_is_away_is_called_so(url: str, code: str) -> None:
    """A wrong address would be tried every few seconds as if it were a hiccup."""
    with pytest.raises(Fault) as caught:
        HttpSource(Origin(url), QUICK).look()
    assert caught.value.code == code


# with the whole way behind it


def test_a_file_at_an_address_is_published_and_followed(platform: Platform, web: RemoteWeb) -> None:
    """A feed with an address would never load, never notice a correction, or load the same bytes at every look."""
    remote = RemoteFeed(platform, web)
    web.put(PATH, book_of(order(1)))
    assert "1 files arrived" in remote.round()
    assert (remote.rows, remote.state) == ([1], ("published", None))
    remote.round()
    assert len(platform.attempts("prices")) == 1
    web.put(PATH, book_of(order(2), order(3)))
    remote.round()
    assert remote.rows == [2, 3]
    del web.files[PATH]
    assert "is not there" in remote.round() or "404" in remote.round()
    assert (remote.rows, remote.state) == ([2, 3], ("published", None))


def test_no_trouble_of_a_server_ever_shows_in_the_table(platform: Platform, web: RemoteWeb) -> None:
    """Cut connections, short bodies, a busy server and a file that changes meanwhile would leave rows that nobody sent."""
    remote, good, better = RemoteFeed(platform, web), book_of(order(1), order(2)), book_of(order(3), order(4), order(5))
    web.put(PATH, good)
    remote.round()
    assert remote.rows == [1, 2]
    web.put(PATH, better)
    seen: list[list[int]] = []
    web.troubles = [
        Trouble(status=429, retry_after="3", then=lambda: seen.append(remote.rows)),
        Trouble(cut_after=1000, then=lambda: seen.append(remote.rows)),
        Trouble(cut_after=500, reset=True, then=lambda: (seen.append(remote.rows), web.put(PATH, good + b"x"), web.put(PATH, better))),  # type: ignore[func-returns-value]
    ]
    remote.round()
    assert seen == [[1, 2]] * 3
    assert (remote.rows, remote.state) == ([3, 4, 5], ("published", None))
    assert remote.slept[0] == 3.0, "Retry-After is the least that it waits"
    assert not list((platform.settings.home / "downloads").iterdir())


def test_a_long_pause_is_a_redrives_business(platform: Platform, web: RemoteWeb) -> None:
    """A worker would sleep for an hour because a server asks for it."""
    remote = RemoteFeed(platform, web)
    web.put(PATH, book_of(order(1)))
    web.troubles = [Trouble(status=503, retry_after="600")]
    remote.round()
    assert (remote.state, remote.slept, remote.rows) == (("waiting", "transient"), [], [])
    due = platform.record("prices").next_attempt_at
    assert due is not None
    assert timedelta(seconds=400) < due - datetime.now(UTC) <= timedelta(seconds=600)
    remote.later(minutes=11)
    platform.fulfil(platform.tick("redrives"), "redrives")
    assert (remote.rows, remote.state) == ([1], ("published", None))
    assert [code for _, code in web.gets] == [503, 200]


def test_what_waits_for_a_host_is_fetched_when_it_is_back(platform: Platform) -> None:
    """A file that was seen just before its server died would wait until a person asks for it."""
    with remote_web() as web:
        remote, port = RemoteFeed(platform, web), int(web.url.rpartition(":")[2])
        web.put(PATH, book_of(order(1)))
        platform.tick("remotes")
    platform.fulfil(platform.tick())
    system = f"http@127.0.0.1:{port}"
    assert (remote.state, platform.record("prices").cause) == (("parked", "source_unreachable"), system)
    assert [incident.cause for incident in platform.outside.ledger.incidents.open()] == [system]
    remote.later(minutes=6)
    with remote_web(port) as web:
        web.put(PATH, book_of(order(1)))
        platform.fulfil(platform.tick("recovery"), "recovery")
    assert (remote.rows, remote.state) == ([1], ("published", None))
    platform.tick("recovery")
    assert platform.outside.ledger.breakers.open() == []
    assert platform.outside.ledger.incidents.open() == []


def test_a_host_that_is_away_has_a_breaker_of_its_own(platform: Platform, web: RemoteWeb) -> None:
    """A dead host would be asked at every look by every feed, or stop the feeds of others."""
    remote = RemoteFeed(platform, web)
    platform.feed_file("orders", ORDERS.replace('{match: "*.xls[xm]"}', f"{{uri: http://127.0.0.1:1{PATH}}}"))
    remote.round()
    assert [breaker.name for breaker in platform.outside.ledger.breakers.open()] == ["http@127.0.0.1:1"]
    assert "is not asked" in remote.round()
    platform.drop_count("counts_2026-02-01.xlsx", [("a", 1)])
    platform.fulfil(platform.tick())
    assert platform.sql("select count from warehouse.counts") == [(1,)]
    platform.feed_file("orders", ORDERS.replace('{match: "*.xls[xm]"}', f"{{uri: {web.url}{PATH}}}"))
    remote.later(minutes=6)
    platform.fulfil(platform.tick("recovery"), "recovery")
    assert platform.outside.ledger.breakers.open() == []
