"""What may go from the store: what is old and needed by nothing, and nothing else ever."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.retention import Delivered, Retention, may_go
from shp_resources.ledger import NOTHING, Ledger
from shp_resources.store import Store
from tests.support.commands import VISITS, Place, visits
from tests.support.postgres import fresh_database, rows

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RULES = Retention(raw_days=30, artefact_days=10, keep=1)


def came(partition: str, delivery: str, days: float) -> Delivered:
    """A delivery that came so many days ago."""
    return Delivered("orders", partition, delivery, NOW - timedelta(days=days))


def test_age_count_and_need() -> None:
    """The newest delivery of a partition would go, or bytes would go with their rows."""
    known = [came("a", "old", 40), came("a", "older", 15), came("a", "new", 1), came("b", "only", 400)]
    found = may_go(known, set(), RULES, NOW)
    assert (found.raw, found.artefacts) == ({"old"}, {"old", "older"})
    assert may_go(known, {"old", "older"}, RULES, NOW).artefacts == set()


def test_bytes_that_another_partition_has_lately_stay() -> None:
    """The same bytes under two names would be taken from both."""
    known = [came("a", "same", 400), came("a", "new", 1), came("b", "same", 2), came("b", "newer", 1)]
    assert may_go(known, set(), RULES, NOW).artefacts == set()


names = st.sampled_from("pqrst")
delivered = st.builds(came, st.sampled_from("abc"), names, st.floats(0, 100))


@given(st.lists(delivered, max_size=12), st.sets(names), st.integers(1, 3))
def test_nothing_needed_goes_and_what_goes_is_old(known: list[Delivered], needed: set[str], keep: int) -> None:
    """A rewind, a re-drive or a proof would meet artefacts that are gone."""
    rules = Retention(30, 10, keep)
    found = may_go(known, needed, rules, NOW)
    assert found.raw <= found.artefacts, "rows are never kept longer than the bytes they come from"
    assert not found.artefacts & needed
    for name in found.artefacts:
        assert all(NOW - one.at > timedelta(days=10) for one in known if one.delivery == name)
    for partition in "abc":
        mine = sorted((one for one in known if one.partition == partition), key=lambda one: one.at, reverse=True)
        assert not found.artefacts & {one.delivery for one in mine[:keep]}


@pytest.fixture
def place(postgres_server: str, platform_template: str, tmp_path: Path) -> Iterator[Place]:
    """An installation on which nothing runs, that keeps little."""
    with fresh_database(postgres_server, platform_template) as dsn:
        made = Place.make(tmp_path, dsn, {"visits": VISITS})
        (made.base / "shp.yaml").write_text("retention: {raw_days: 5, artefact_days: 2, keep: 1}\n", encoding="utf-8")
        yield made


def ahead_of_no_run(place: Place, delivery: str, days: float) -> Path:
    """What is left where a command was killed between reading a file ahead and its run."""
    folder = place.home / "store" / "validated" / delivery[:2] / delivery
    (folder / "1-1").mkdir(parents=True)
    (folder / "1-1" / "clean.parquet").write_bytes(b"rows")
    then = time.time() - days * 86_400
    os.utime(folder, (then, then))
    return folder


def test_the_command_takes_away_what_may_go_and_no_more(place: Place) -> None:
    """The disk would fill for ever, or a published partition could not be proven or published again."""
    dsn = place.environ["SHP_PG_DSN"]
    path = visits(place.base / "drop" / "a.xlsx", [1])
    names = []
    for number in (1, 2, 3):
        visits(path, [number])
        names.append(str(place.shp("ingest", "visits", path, "--json").file("a.xlsx")["delivery"]))
    first, second, third = names
    for name, days in ((first, 9), (second, 3), (third, 9)):
        rows(dsn, f"update shp.deliveries set at = now() - interval '{days} days' where delivery = '{name}'")
        rows(dsn, f"update shp.arrivals set at = now() - interval '{days} days' where delivery = '{name}'")
    store = Store(place.home / "store")
    assert place.shp("rewind", "visits", "a", "--to", second[:8]).code == 0
    assert place.shp("rewind", "visits", "a", "--to", third[:8]).code == 0
    for name, days in ((second, 3), (third, 9)):
        rows(dsn, f"update shp.arrivals set at = now() - interval '{days} days' where delivery = '{name}'")
    told = place.shp("retention", "--dry-run", "--json")
    assert [one["delivery"] for one in told.json["raw"]] == [first]
    assert [one["delivery"] for one in told.json["artefacts"]] in ([second], []), "one of the newest is kept whatever its age"
    assert all(store.raw(name) for name in names), "nothing was taken away yet"
    left, fresh = (ahead_of_no_run(place, name * 32, days) for name, days in (("cd", 2), ("ef", 0)))
    assert [one["delivery"] for one in place.shp("retention", "--dry-run", "--json").json["artefacts"]] == [
        *(one["delivery"] for one in told.json["artefacts"]), left.name
    ]  # fmt: skip
    done = place.shp("retention", "--json")
    assert (left.exists(), fresh.exists()) == (False, True)
    assert (done.code, done.json["bytes"] - len(b"rows")) == (0, told.json["bytes"])
    assert [store.raw(name) is not None for name in names] == [False, True, True]
    assert len(list((place.home / "store" / "tmp").iterdir())) >= 2, "it stays aside for a day"
    assert place.shp("retention", "--json").json["raw"] == []
    assert place.shp("ingest", "visits", path).code == 0
    assert "not kept any more" in place.shp("rewind", "visits", "a", "--to", first[:8]).err


def test_what_is_needed_meanwhile_is_put_back(tmp_path: Path) -> None:
    """A rewind between the look and the taking away would find nothing."""
    store, name = Store(tmp_path), "ab" * 32
    copy = tmp_path / "copy"
    copy.write_bytes(b"bytes")
    store.keep_raw(copy, name)
    moved = store.take_away(name, raw=True)
    assert store.raw(name) is None
    store.put_back(moved)
    kept = store.raw(name)
    assert kept is not None
    assert kept.read_bytes() == b"bytes"
    store.put_back(store.take_away("cd" * 32, raw=True))


def test_every_delivery_in_use_is_needed(database_dsn: str) -> None:
    """What a sink is to hold, what a run works on and what waits would go."""
    from tests.support.ledgers import BYTES, FEED, OTHER_BYTES, PUBLICATION, arrive, begin, opened

    with opened(database_dsn) as ledger:
        first = arrive(ledger)
        ledger.arrivals.name_delivery(first.number, OTHER_BYTES, 1)
        attempt = begin(ledger, first)
        ledger.arrivals.name_delivery(arrive(ledger, size=2).number, "ef" * 32, 1)
        assert ledger.deliveries.needed() == {OTHER_BYTES, "ef" * 32}, "a run works on the older one"
        ledger.publications.intend(FEED, "other", "warehouse", PUBLICATION, attempt.fence)
        assert BYTES in ledger.deliveries.needed()
        told = {"rows": 1, "hash": "0" * 32, "at": attempt.started_at}
        ledger.publications.confirm(FEED, "other", "warehouse", PUBLICATION, attempt.fence, **told)
        ledger.publications.intend(FEED, "other", "warehouse", NOTHING, (attempt.fence[0] + 1, 1))
        ledger.publications.confirm(FEED, "other", "warehouse", NOTHING, (attempt.fence[0] + 1, 1), **told)
        assert BYTES in ledger.deliveries.needed(), "a partition that was emptied can be had back"
        assert {one.delivery for one in ledger.deliveries.all()} == {OTHER_BYTES, "ef" * 32}
        assert isinstance(ledger, Ledger)
