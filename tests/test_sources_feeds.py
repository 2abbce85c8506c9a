"""What a feed file may say of sources, and how sources and fallbacks of many feeds are looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from shp_core.clock import ManualClock
from shp_core.fallbacks import needs_fallback
from shp_core.feeds.load import parse_file
from shp_core.feeds.model import Feed
from shp_core.feeds.origin import Origin, uri_problem
from shp_core.states import State
from shp_resources.settings import Settings
from shp_resources.sources.settings import SourceSettings
from tests.support.commands import Place
from tests.support.platforms import COUNTS, DAYS, ORDERS, Platform, book_of, order
from tests.support.remote_web import RemoteWeb, Trouble, remote_web
from tests.support.workbooks import written

DROPPED = '{match: "*.xls[xm]"}'


@pytest.fixture
def web() -> Iterator[RemoteWeb]:
    """An HTTP server that holds nothing yet."""
    with remote_web() as server:
        yield server


def errors_of(tmp_path: Path, source: str, partition: str = "{by: file}") -> str:
    """What is wrong with a feed whose source is this."""
    text = f"feed: a\nowner: team:a\nsource: {source}\npartition: {partition}\ncolumns: {{A: {{type: text}}}}\n"
    path, found = tmp_path / "a.yaml", list[str]()
    path.write_text(text, encoding="utf-8")
    parse_file(path, Feed, "feed", found)
    return "\n".join(found)


DAILY = "{by: day, start: 2026-01-01}"


@pytest.mark.parametrize(
    ("source", "partition", "told"),
    [
        ("{uri: ftp://host/a.xlsx}", "{by: file}", "begins with 'ftp'"),
        ("{uri: 'https://ann:secret@host/a.xlsx'}", "{by: file}", "holds a user or a password"),
        ("{uri: 'https://host/a.xlsx?access_token=x'}", "{by: file}", "looks like a secret (`access_token=`)"),
        ("{uri: https://host/out/}", "{by: file}", "by HTTP one file has one address"),
        ("{uri: https://host}", "{by: file}", "names no file and no folder"),
        ("{uri: 's3:///a.xlsx'}", "{by: file}", "needs a host or a bucket"),
        ("{uri: 'https://host/a b.xlsx'}", "{by: file}", "write %20"),
        ("{uri: 'https://host:no/a.xlsx'}", "{by: file}", "is no address"),
        ("{poll: 5m}", "{by: file}", "`poll` needs `uri`"),
        ("{uri: https://host/a.xlsx, poll: often}", "{by: file}", "poll"),
        ("{uri: https://host/a.xlsx, fallbacks: [{snapshot: {max_age: 1h}}, {uri: https://b/a.xlsx}]}", "{by: file}", "must be the last"),
        ("{uri: https://host/a.xlsx, fallbacks: [{uri: https://host/a.xlsx}]}", "{by: file}", "names an address twice"),
        ("{uri: https://host/a.xlsx, fallbacks: [{}]}", "{by: file}", "{snapshot: {max_age: 24h}}"),
        ("{uri: https://host/a.xlsx}", DAILY, "is one file, and the feed is by day"),
        ("{uri: 'https://host/{date}.xlsx'}", "{by: file}", "is for feeds by period"),
    ],
)
def test_a_wrong_source_is_told_with_its_remedy(tmp_path: Path, source: str, partition: str, told: str) -> None:
    """A mistyped address would be found at night, and a password in a feed file by everybody."""
    found = errors_of(tmp_path, source, partition)
    assert told in found
    assert "ann:secret" not in found or "password" not in told


@pytest.mark.parametrize(
    "uri",
    ["https://host:8443/a%20b.xlsx?format=xlsx", "s3://bucket/in/", "sftp://host:22/in/a.xlsx", "hdfs://nn:9870/in/", "file:///srv/in/"],
)
def test_addresses_that_work_are_taken(uri: str) -> None:
    """A correct feed would be refused."""
    assert uri_problem(uri) is None
    assert Origin(uri).is_folder is uri.endswith("/")
    assert Origin(uri).holds(Origin(uri).below("a b.xlsx").uri if uri.endswith("/") else uri)


@pytest.mark.parametrize(
    ("state", "code", "cause", "failed", "needs"),
    [
        (None, None, None, True, True),
        (None, None, None, False, False),
        (State.EXPECTED, None, None, True, True),
        (State.LATE, None, None, False, True),
        (State.PUBLISHED, None, None, True, False),
        (State.ARRIVED, None, None, True, False),
        (State.WAIVED, None, None, True, False),
        (State.WAITING, "source_refused", "source_refused/a", False, True),
        (State.PARKED, "source_unreachable", "http@host", False, True),
        (State.PARKED, "breaker_open", "http@host", False, True),
        (State.PARKED, "breaker_open", "warehouse", False, False),
        (State.WAITING, "transient", "transient/http@host", False, False),
        (State.EXHAUSTED, "transient", "transient/http@host", False, True),
        (State.EXHAUSTED, "transient", "transient/warehouse", True, False),
        (State.QUARANTINED, "no_rows", "no_rows/a", True, False),
    ],
)
def test_when_a_fallback_is_asked(state: State | None, code: str | None, cause: str | None, failed: bool, needs: bool) -> None:
    """A hiccup would let a stale mirror in, or an outage leave a feed without the mirror that it has."""
    assert needs_fallback(state, code, cause, failed) is needs


def test_credentials_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    """A secret would have to stand in a feed file."""
    (tmp_path / "token").write_text("t0ken\n")
    known = {"SHP_SOURCE_FILES_EXAMPLE_COM_TOKEN_FILE": str(tmp_path / "token"), "SHP_SOURCE_FILES_EXAMPLE_COM_8443_USER": "ann"}
    known |= {"SHP_SOURCE_HOST_KEY_FILE": "/keys/id"}
    sources = Settings.load(known, home=tmp_path).sources
    assert (sources.access("files.example.com").token, sources.access("files.example.com").user) == ("t0ken", None)
    assert (sources.access("files.example.com:8443").token, sources.access("files.example.com:8443").user) == ("t0ken", "ann")
    assert sources.access("host").key_file == "/keys/id"
    assert "t0ken" not in repr(sources)
    again = Settings.load(sources.as_environment(), home=tmp_path).sources
    assert again == sources, "the platform's processes are told the same"


def remote(feed: str, uri: str, more: str = "") -> str:
    """A feed by file of that name, at that address."""
    return ORDERS.replace("feed: orders", f"feed: {feed}").replace(DROPPED, f"{{uri: '{uri}'{more}}}")


def test_a_slow_source_keeps_nobody_waiting(platform: Platform, web: RemoteWeb) -> None:
    """One dead FTP server would stop every drop folder and every other source."""
    platform.reach(SourceSettings(read_seconds=8.0, look_seconds=4.0))
    web.put("/quick.xlsx", book_of(order(1)))
    web.delays = {"/slow.xlsx": 30.0}
    web.put("/slow.xlsx", book_of(order(2)))
    for number in range(4):
        platform.feed_file(f"slow{number}", remote(f"slow{number}", f"{web.url}/slow.xlsx?{number}"))
    platform.feed_file("orders", remote("orders", f"{web.url}/quick.xlsx"))
    assert platform.catalogue.errors == []
    began = time.monotonic()
    told = platform.tick("remotes").skip or ""
    assert time.monotonic() - began < 4 * 4.0, "all were waited for at the same time"
    assert told.count("no answer in 4 s") == 4
    platform.fulfil(platform.tick())
    assert platform.loaded("quick") == [1]


def test_each_source_is_looked_at_at_its_own_pace(platform: Platform, web: RemoteWeb) -> None:
    """A server would be asked every five seconds for a file that changes once a day, or after it asked to be left alone."""
    web.put("/a.xlsx", book_of(order(1)))
    web.put("/b.xlsx", book_of(order(2)))
    platform.feed_file("orders", remote("orders", f"{web.url}/a.xlsx", ", poll: 10m"))
    platform.feed_file("others", remote("others", f"{web.url}/b.xlsx", ", poll: 1h"))
    clock = ManualClock(datetime.now(UTC))
    platform.change(clock=clock)
    cursor: str | None = None
    (sensor,) = [found for found in platform.definitions.sensors or () if found.name == "remotes"]

    def heads(**later: float) -> list[str]:
        nonlocal cursor
        clock.advance(timedelta(**later))
        web.asked.clear()
        with dg.build_sensor_context(platform.instance, cursor, resources={"outside": platform.outside}) as context:
            cursor = sensor(context).cursor  # type: ignore[union-attr]
        return [path for method, path, _, _ in web.asked if method == "HEAD"]

    assert sorted(heads()) == ["/a.xlsx", "/b.xlsx"]
    assert heads(minutes=9) == []
    assert heads(minutes=2) == ["/a.xlsx"]
    web.away = Trouble(status=429, retry_after="1500")
    assert heads(minutes=11) == ["/a.xlsx"]
    web.away = None
    assert heads(minutes=20) == []
    assert sorted(heads(minutes=20)) == ["/a.xlsx", "/b.xlsx"]
    assert len(cursor or "") < 200


def test_periods_have_addresses_of_their_own(platform: Platform, web: RemoteWeb, tmp_path: Path) -> None:
    """A daily file at an address with its day could not be a feed, or a late day not come from the mirror."""

    def book(item: str, count: int) -> bytes:
        return written(tmp_path / "book.xlsx", [("Item", "Count"), (item, count)]).read_bytes()

    source = f"{{uri: '{web.url}/d/counts_{{date}}.xlsx', fallbacks: [{{uri: '{web.url}/mirror/{{date}}.xlsx'}}]}}"
    daily = COUNTS.replace("timezone: Asia/Kolkata}", "due: '07:00', timezone: Asia/Kolkata}").replace(
        "start: 2026-01-01", "start: 2026-02-01"
    )
    platform.feed_file(DAYS, f"{daily}source: {source}\n")
    platform.change(clock=ManualClock(datetime(2026, 2, 4, 0, 30, tzinfo=UTC)))  # six in the morning there
    web.put("/d/counts_2026-02-02.xlsx", book("a", 2))
    web.put("/d/counts_2026-02-03.xlsx", book("b", 3))
    web.put("/mirror/2026-02-01.xlsx", book("c", 1))
    web.put("/mirror/2026-02-02.xlsx", book("never", 9))

    def round_() -> list[tuple[object, ...]]:
        platform.tick("remotes")
        platform.fulfil(platform.tick())
        return platform.sql("select _partition, item, count from warehouse.counts order by 1")

    platform.tick("lateness")  # nobody has looked at the source yet
    late = [record.partition for record in platform.outside.ledger.partitions.list(DAYS, {State.LATE})]
    assert late == ["2026-02-01"], "what lies at the source is not late"
    web.files, mirror = {path: content for path, content in web.files.items() if "mirror" not in path}, web.files
    assert round_() == [("2026-02-02", "a", 2), ("2026-02-03", "b", 3)]
    web.files = mirror
    assert platform.state("2026-02-01", DAYS)[0] == "late"
    assert round_() == [("2026-02-01", "c", 1), ("2026-02-02", "a", 2), ("2026-02-03", "b", 3)]
    assert platform.record("2026-02-01", DAYS).flags == {"fallback": f"{web.url}/mirror/2026-02-01.xlsx"}
    web.put("/d/counts_2026-02-01.xlsx", book("c", 7))
    assert round_()[0] == ("2026-02-01", "c", 7)
    assert set(platform.record("2026-02-01", DAYS).flags) == {"reconciled_at"}


def test_a_mounted_folder_is_a_source_and_a_fallback(platform: Platform, tmp_path: Path) -> None:
    """Files on a share would have to be copied into the drop folder by somebody."""
    share, mirror = tmp_path / "share", tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "a.xlsx").write_bytes(book_of(order(1)))
    platform.feed_file("orders", remote("orders", f"file://{share}/", f", fallbacks: [{{uri: 'file://{mirror}/'}}]"))
    platform.tick("remotes")
    platform.fulfil(platform.tick())
    assert (platform.loaded("a"), platform.record("a").flags) == ([1], {"fallback": f"file://{mirror}/a.xlsx"})
    share.mkdir()
    (share / "a.xlsx").write_bytes(book_of(order(2)))
    platform.tick("remotes")
    platform.fulfil(platform.tick())
    assert platform.loaded("a") == [2]


def test_two_files_for_one_day_are_nobodys_guess_at_a_remote_folder_either(platform: Platform, tmp_path: Path) -> None:
    """Whichever was seen last would win; and removing one would not settle it."""
    folder = tmp_path / "share"
    folder.mkdir()
    platform.feed_file(DAYS, f"{COUNTS}source: {{uri: 'file://{folder}/'}}\n")
    for name, count in (("counts_2026-02-01.xlsx", 1), ("2026-02-01 final.xlsx", 2)):
        written(folder / name, [("Item", "Count"), ("a", count)])
    assert "is held (ambiguous_partition)" in (platform.tick("remotes").skip or "")
    assert platform.tick().requests == []
    (folder / "counts_2026-02-01.xlsx").unlink()
    platform.tick("remotes")
    platform.fulfil(platform.tick())
    assert platform.sql("select count from warehouse.counts") == [(2,)]


def test_the_command_line_knows_addresses(web: RemoteWeb, tmp_path: Path) -> None:
    """Nobody could tell a wrong address from a wrong workbook before the night."""
    uri = web.put("/a.xlsx", book_of(order(1)))
    feed = remote("orders", uri, f", fallbacks: [{{uri: {web.url}/none.xlsx}}]")
    place = Place.make(tmp_path, "postgresql://nobody@127.0.0.1:1/none", {"orders": feed})
    answer = place.shp("inspect", uri, "--json")
    assert (answer.code, answer.json["path"], answer.json["verdict"], answer.json["sheets"][0]["rows"]) == (0, uri, "ok", 2)
    assert place.shp("inspect", f"{web.url}/none.xlsx", "--json").json["error"]["code"] == "source_missing"
    answer = place.shp("feeds", "check", "--sources", "--json")
    assert answer.code == 1
    assert [(one["uri"], one["fallback"], one["ok"], one["files"], one["code"]) for one in answer.json["sources"]] == [
        (uri, False, True, 1, None),
        (f"{web.url}/none.xlsx", True, False, 0, "source_missing"),
    ]
