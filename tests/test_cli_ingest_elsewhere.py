"""`shp ingest` of addresses: files in a bucket and at a web server, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.commands import VISITS, Place, visits
from tests.support.postgres import fresh_database, rows
from tests.support.remote_s3 import BUCKET, RemoteS3, remote_s3
from tests.support.remote_web import RemoteWeb, Trouble, remote_web


@dataclass(frozen=True)
class Elsewhere:
    """An installation, and two places that files come from."""

    place: Place
    s3: RemoteS3
    web: RemoteWeb

    def loaded(self) -> list[tuple[str, int]]:
        """What is in the table: partition and visit."""
        return rows(self.place.environ["SHP_PG_DSN"], "select _partition, visit from warehouse.visits order by 2")


@pytest.fixture(scope="module")
def elsewhere(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """Two workbooks in a bucket, one at a web server."""
    base = tmp_path_factory.mktemp("elsewhere")
    with fresh_database(postgres_server) as dsn, remote_s3() as s3, remote_web() as web:
        access = {"SHP_SOURCE_INBOX_ENDPOINT": s3.url, "SHP_SOURCE_INBOX_USER": "reader", "SHP_SOURCE_INBOX_PASSWORD": "s3cr3t"}
        place = Place.make(base, dsn, {"visits": VISITS})
        s3.put("in/a.xlsx", visits(base / "a.xlsx", [1]).read_bytes())
        s3.put("in/b c.xlsx", visits(base / "b.xlsx", [2]).read_bytes())
        s3.put("in/notes.txt", b"not a workbook")
        web.put("/d.xlsx", visits(base / "d.xlsx", [3]).read_bytes())
        yield Elsewhere(replace(place, environ={**place.environ, **access}), s3, web)


def test_a_folder_in_a_bucket_and_a_file_on_the_web_are_loaded_at_once(elsewhere: Elsewhere) -> None:
    """Whoever has a file elsewhere would have to fetch it by hand, without a check of its length and version."""
    elsewhere.web.troubles = [Trouble(cut_after=100)]
    words = (f"s3://{BUCKET}/in/", f"{elsewhere.web.url}/d.xlsx")
    answer = elsewhere.place.shp("ingest", "visits", *words, "--json")
    assert answer.code == 0, answer.err
    told = [(Path(found["path"]).name, found["state"], found["rows"]["loaded"], found["changed"]) for found in answer.json["files"]]
    assert told == [("a.xlsx", "published", 1, True), ("b%20c.xlsx", "published", 1, True), ("d.xlsx", "published", 1, True)]
    assert answer.json["files"][0]["path"] == f"s3://{BUCKET}/in/a.xlsx"
    assert [visit for _, visit in elsewhere.loaded()] == [1, 2, 3]
    again = elsewhere.place.shp("ingest", "visits", *words, "--json")
    assert (again.code, {found["changed"] for found in again.json["files"]}) == (0, {False}), "the same command may be given again"
    (via,) = {
        event["via"] for event in elsewhere.place.shp("history", "visits", "d", "--json").json["events"] if event["what"] == "arrival"
    }
    assert via == "ingest"


def test_what_cannot_be_had_is_told_and_the_others_go_on(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """One mistyped address would keep every other file waiting, or end in a traceback."""
    here = visits(tmp_path / "here.xlsx", [9])
    answer = elsewhere.place.shp("ingest", "visits", f"s3://{BUCKET}/in/none.xlsx", "http://127.0.0.1:1/x.xlsx", here, "--json")
    assert [(found["code"], found["state"]) for found in answer.json["files"]] == [
        ("source_missing", None),
        ("source_unreachable", None),
        (None, "published"),
    ]
    assert answer.code == 1
    assert (9 in [visit for _, visit in elsewhere.loaded()]) and "s3cr3t" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("https://host/folder/", "The address is a folder; by HTTP one file has one address"),
        ("https://user:hidden@host/x.xlsx", "The address holds a user or a password"),
        (f"s3://{BUCKET}/empty/", "not there"),
    ],
)
def test_an_address_that_names_nothing_is_refused_with_what_to_write(elsewhere: Elsewhere, uri: str, words: str) -> None:
    """A slip would look as if there were no files."""
    answer = elsewhere.place.shp("ingest", "visits", uri, "--json")
    assert (answer.code, words in answer.error["message"]) == (2, True), answer.out
    assert answer.error["next"] and "hidden" not in answer.out + answer.err
