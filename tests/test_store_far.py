"""A store whose deliveries are kept elsewhere, too (`SHP_STORE` is an address): what is lost here comes back from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from shp_core.errors import Fault, UsageError
from shp_core.feeds.origin import Origin
from shp_ops.doctor.files import files
from shp_ops.retention import retention
from shp_ops.rewind import carry_out, plan
from shp_resources.settings import Settings
from shp_resources.sources.settings import SourceSettings
from shp_resources.store.far import Far, store_of
from tests.support.healing import Ward
from tests.support.platforms import FEED, Platform, book_of, order
from tests.support.remote_s3 import BUCKET, RemoteS3, remote_s3
from tests.support.remote_sftp import PASSWORD, USER, remote_sftp

STORE = f"s3://{BUCKET}/shp/"
NOBODY = "http://127.0.0.1:9"
FIRST, SECOND = book_of(order(1)), book_of(order(2), order(3))
NAMES = {content: sha256(content).hexdigest() for content in (FIRST, SECOND)}


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteS3]:
    """The module's server."""
    with remote_s3() as s3:
        yield s3


@pytest.fixture
def s3(server: RemoteS3) -> RemoteS3:
    """The server with an empty bucket."""
    for name in held(server):
        server.remove(f"shp/{name}")
    return server


@pytest.fixture
def kept(platform: Platform, s3: RemoteS3) -> Platform:
    """A platform whose deliveries are kept in the bucket, too."""
    platform.reach(access(s3.url), STORE)
    return platform


def access(endpoint: str) -> SourceSettings:
    """How the bucket lets us in, at an address."""
    known = {"INBOX_ENDPOINT": endpoint, "INBOX_USER": "reader", "INBOX_PASSWORD": "s3cr3t"}
    return SourceSettings(known, connect_seconds=2, read_seconds=20)


def held(s3: RemoteS3) -> list[str]:
    """The names of what is kept in the bucket; other modules' servers share its memory."""
    return [found["Key"].removeprefix("shp/") for found in s3.client.list_objects_v2(Bucket=BUCKET, Prefix="shp/").get("Contents", ())]


def orders(platform: Platform) -> list[int]:
    """The orders in the table."""
    return [number for (number,) in platform.sql('select "order" from warehouse.orders order by 1')]


def raw(platform: Platform) -> list[str]:
    """The deliveries whose bytes lie on this disk."""
    return sorted(path.name for path in (platform.settings.store / "raw").rglob("*") if path.is_file())


def test_a_delivery_whose_disk_was_lost_is_published_again(kept: Platform, s3: RemoteS3) -> None:
    """With the machine's disk every earlier delivery would be gone, and nobody could go back to it."""
    for content in (FIRST, SECOND):
        kept.ingest(kept.drop_bytes("a.xlsx", content))
    assert sorted(held(s3)) == sorted(NAMES.values()) == raw(kept)
    shutil.rmtree(kept.settings.store)
    carry_out(kept.settings, plan(kept.settings, FEED, "a", NAMES[FIRST]))
    assert (orders(kept), raw(kept)) == ([1], [NAMES[FIRST]]), "of what is asked for, and nothing else"
    assert (kept.settings.store / "raw" / NAMES[FIRST][:2] / NAMES[FIRST]).read_bytes() == FIRST


def test_other_bytes_under_a_name_are_never_taken(kept: Platform, s3: RemoteS3) -> None:
    """Rows that nobody delivered would be published as an earlier delivery."""
    kept.ingest(kept.drop_bytes("a.xlsx", FIRST))
    shutil.rmtree(kept.settings.store)
    s3.put(f"shp/{NAMES[FIRST]}", SECOND)
    with pytest.raises(Fault) as caught:
        kept.outside.store.require_raw(NAMES[FIRST])
    assert (caught.value.code, raw(kept)) == ("artefact_damaged", [])


def test_a_place_that_is_away_parks_the_partition_and_nothing_is_half_kept(kept: Platform, s3: RemoteS3) -> None:
    """A delivery would be published of which only this disk has the bytes, and be lost with it."""
    kept.reach(access(NOBODY))
    ward = Ward(kept)
    kept.drop_bytes("a.xlsx", FIRST)
    ward.look("arrivals")
    assert (kept.state("a"), raw(kept), held(s3)) == (("parked", "store_refused"), [], [])
    (incident,) = ward.incidents()
    assert (incident.code, STORE in incident.message) == ("store_refused", True)
    kept.reach(access(s3.url))
    ward.until(lambda: kept.state("a")[0] == "published")
    assert (orders(kept), raw(kept), held(s3)) == ([1], [NAMES[FIRST]], [NAMES[FIRST]])
    ward.until(lambda: ward.incidents()[0].closed_at is not None)


def test_retention_brings_there_what_lacks_and_takes_away_what_went(platform: Platform, tmp_path: Path) -> None:
    """What came before the address was set would never be kept there, and what retention took away would be kept for ever."""
    place = tmp_path / "share"
    place.mkdir()
    for content in (FIRST, SECOND):
        platform.ingest(platform.drop_bytes("a.xlsx", content))
    platform.reach(SourceSettings(), f"file://{place}/")
    done = retention(platform.settings, dry_run=False)
    assert (done["afar"], sorted(path.name for path in place.iterdir())) == ({"brought": 2, "removed": 0}, sorted(NAMES.values()))
    for table in ("deliveries", "arrivals"):
        for years, content in ((10, FIRST), (9, SECOND)):
            platform.sql(f"update shp.{table} set at = now() - interval '{years} years' where delivery = %s", NAMES[content])
    (platform.base / "shp.yaml").write_text("retention: {raw_days: 1, artefact_days: 1, keep: 1}\n", encoding="utf-8")
    done = retention(platform.settings, dry_run=False)
    assert (done["afar"], [path.name for path in place.iterdir()], raw(platform)) == (
        {"brought": 0, "removed": 1},
        [NAMES[SECOND]],
        [NAMES[SECOND]],
    )


def test_the_doctor_tries_the_place_out(kept: Platform, s3: RemoteS3, tmp_path: Path) -> None:
    """A bucket without the right to write would be noticed with the first delivery, at night."""
    kept.outside.store.keep_raw(_copy(tmp_path, FIRST), NAMES[FIRST])
    (store,) = [check for check in files(kept.settings) if check.name == "store"]
    assert (store.ok, store.message) == (True, f"1 deliveries are kept at {STORE}, which can be written.")
    kept.reach(access(NOBODY))
    (store,) = [check for check in files(kept.settings) if check.name == "store"]
    assert not store.ok and STORE in store.message


def test_a_delivery_is_kept_whole_on_an_sftp_server_or_not_at_all(tmp_path: Path) -> None:
    """Half a delivery would lie there under the name of the whole, and be fetched when the disk is lost."""
    folder = tmp_path / "served"
    (folder / "shp").mkdir(parents=True)
    with remote_sftp(folder) as server:
        known = {"127_0_0_1_USER": USER, "127_0_0_1_PASSWORD": PASSWORD, "127_0_0_1_HOST_KEY": server.host_key}
        far = Far(Origin(f"{server.url}/shp/"), SourceSettings(known, connect_seconds=20, read_seconds=20))
        server.full = True
        with pytest.raises(Fault) as caught:
            far.keep(_copy(tmp_path, FIRST), NAMES[FIRST])
        assert (caught.value.evidence and caught.value.evidence.system, list((folder / "shp").iterdir())) == ("store", [])
        server.full = False
        far.keep(_copy(tmp_path, FIRST), NAMES[FIRST])
        assert ([path.name for path in (folder / "shp").iterdir()], far.sizes()) == ([NAMES[FIRST]], {NAMES[FIRST]: len(FIRST)})
        assert far.fetch(NAMES[FIRST], tmp_path / "back") and (tmp_path / "back").read_bytes() == FIRST
        assert not far.fetch(NAMES[SECOND], tmp_path / "back")
        far.remove(NAMES[FIRST])
        far.remove(NAMES[FIRST])
        assert far.sizes() == {}


def test_a_share_that_is_not_mounted_is_not_made(platform: Platform, tmp_path: Path) -> None:
    """Bytes would go onto the machine's own disk beneath the mount, and be believed safe."""
    platform.reach(SourceSettings(), f"file://{tmp_path}/away/")
    with pytest.raises(Fault) as caught:
        platform.outside.store.keep_raw(_copy(tmp_path, FIRST), NAMES[FIRST])
    assert (caught.value.code, raw(platform), (tmp_path / "away").exists()) == ("store_refused", [], False)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("https://host/store/", "cannot be written to; name a folder at s3://"),
        ("https://host/store", "cannot be written to; name a folder at s3://"),
        ("s3://bucket/store", "is no folder; write a `/` at its end"),
        ("s3://key:secret@bucket/store/", "holds a user or a password"),
        ("ftp://host/store/", "begins with 'ftp'"),
    ],
)
def test_addresses_that_keep_nothing_are_refused_with_a_sentence(uri: str, words: str, tmp_path: Path) -> None:
    """The first delivery would fail in the night, or artefacts lie in a folder called `s3:`."""
    with pytest.raises(UsageError) as caught:
        Settings.load({"SHP_STORE": uri}, home=tmp_path)
    assert words in caught.value.message and "secret" not in caught.value.message


def test_the_platforms_processes_are_told_the_same_place(tmp_path: Path) -> None:
    """A worker would keep its deliveries on the disk alone."""
    settings = Settings.load({"SHP_STORE": STORE}, home=tmp_path)
    assert (settings.store, settings.store_uri) == (tmp_path / "store", STORE)
    assert Settings.load(settings.as_environment(), home=tmp_path).store_uri == STORE
    assert Settings.load({"SHP_STORE": "files"}, home=tmp_path).store_uri is None
    assert not store_of(Settings.load({}, home=tmp_path)).keeps(NAMES[FIRST])


def _copy(folder: Path, content: bytes) -> Path:
    path = folder / "copy"
    path.write_bytes(content)
    return path
