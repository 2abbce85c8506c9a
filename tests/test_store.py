"""The artefact store: whole or not there, whatever dies, fails or is damaged; and mended from the bytes."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shp_assets import feed_assets
from shp_assets.work import Work
from shp_core.contract.contract import Contract
from shp_core.contract.validate import validate
from shp_core.errors import Fault
from shp_core.reading.batches import batch_schema
from shp_core.reading.textrow import SheetStats
from shp_resources.store import Store, Validated, read_batches
from shp_resources.store import validated as validated_module
from tests.support.contracts import MemorySource, contract_of, number, text, text_batch
from tests.support.disks import died_at, refusing
from tests.support.platforms import Platform, order

CONTRACT = contract_of("{columns: {A: {type: integer}, B: {type: text}}, key: [A]}")
OTHER = contract_of("{columns: {A: {type: integer}, B: {type: text, max_length: 3}}, key: [A]}")
ROWS = [(number("1"), text("one")), (number("2"), text("two")), (number("2"), text("two")), (text("x"), text("bad"))]
BYTES = b"the bytes of a delivery"
DELIVERY = sha256(BYTES).hexdigest()
FILES = ("text.parquet", "clean.parquet", "rejects.parquet", "summary.json", "seal.json")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store")


def make(store: Store, contract: Contract = CONTRACT) -> Validated:
    """Validate the rows into the store."""
    schema = batch_schema(("A", "B"))
    batch = text_batch(ROWS)
    batch = pa.RecordBatch.from_arrays(batch.columns, schema=schema)
    source = MemorySource(("A", "B"), [batch], SheetStats("Sheet1", rows=len(ROWS)))
    with store.bench(contract, schema) as (bench, folder):
        summary = validate(contract, source, bench)
        return store.keep_validated(bench, folder, DELIVERY, contract, summary)


def keep(store: Store, content: bytes = BYTES) -> Path:
    """Keep bytes in the store under the delivery's name."""
    with store.scratch() as folder:
        copy = folder / "copy"
        copy.write_bytes(content)
        return store.keep_raw(copy, DELIVERY)


def folder_of(root: Path) -> Path:
    """Where the one set of artefacts lies."""
    (found,) = (root / "store" / "validated").glob("*/*/*")
    return found


def scraps(root: Path) -> list[Path]:
    """What lies in the store's scratch folder."""
    return sorted((root / "store" / "tmp").glob("*"))


def test_what_was_put_comes_back(store: Store) -> None:
    """A re-drive would publish other rows than were validated."""
    made, found = make(store), store.validated(DELIVERY, CONTRACT)
    assert found is not None
    assert (found.folder, found.summary) == (made.folder, made.summary)
    assert found.header == ("A", "B")
    assert [row["c1"] for batch in found.text() for row in batch.to_pylist()] == ["1", "2", "2", "x"]
    assert [(row["_row"], row["a"], row["b"]) for batch in found.clean() for row in batch.to_pylist()] == [(2, 1, "one"), (3, 2, "two")]
    assert [(row["row"], row["texts"]) for batch in found.rejects() for row in batch.to_pylist()] == [(5, ["x", "bad"])]
    assert (found.summary.read, found.summary.clean, found.summary.rejected, found.summary.duplicate) == (4, 2, 1, 1)
    assert found.bytes_of("text") == (found.folder / "text.parquet").stat().st_size


def test_each_contract_has_artefacts_of_its_own(store: Store) -> None:
    """After a change of the feed the old rows would be published as if they kept the new rules."""
    make(store)
    assert store.validated(DELIVERY, OTHER) is None
    assert make(store, OTHER).folder != make(store).folder


def test_nothing_is_left_of_the_workbench(store: Store, tmp_path: Path) -> None:
    """The disk would fill with scratch files of runs that went well."""
    folder = make(store).folder
    assert scraps(tmp_path) == []
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_a_run_that_fails_leaves_nothing(store: Store, tmp_path: Path) -> None:
    """Half of a refused file's rows would be found and published."""
    with pytest.raises(ZeroDivisionError), store.bench(CONTRACT, batch_schema(("A", "B"))) as (bench, _):
        bench.put_text(pa.RecordBatch.from_arrays(text_batch(ROWS).columns, schema=batch_schema(("A", "B"))))
        raise ZeroDivisionError
    assert store.validated(DELIVERY, CONTRACT) is None
    assert scraps(tmp_path) == []


def test_bytes_are_kept_under_their_name(store: Store) -> None:
    """A delivery could not be published again from what was delivered."""
    assert store.raw(DELIVERY) is None
    path = keep(store)
    assert store.raw(DELIVERY) == store.whole_raw(DELIVERY) == store.require_raw(DELIVERY) == path
    assert path.read_bytes() == BYTES
    keep(store)
    assert path.read_bytes() == BYTES


@pytest.mark.parametrize("work", ["raw", "validated"])
def test_a_process_killed_at_any_point_leaves_it_whole_or_not_there(tmp_path: Path, work: str) -> None:
    """A power cut would leave half an artefact that looks like a whole one."""
    points = 0
    for at in range(1, 60):
        root = tmp_path / str(at)
        store = Store(root / "store")
        died = died_at(at, lambda store=store: keep(store) if work == "raw" else make(store))
        _is_whole_or_not_there(store)
        assert make(store).summary.clean == 2, "and it can be made afterwards"
        assert keep(store).read_bytes() == BYTES
        if not died:
            break
        points += 1
    else:
        pytest.fail("it never came to its end")
    assert points >= (3 if work == "raw" else 12)


@pytest.mark.parametrize("number_", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_at_any_point_is_a_fault_of_the_store(tmp_path: Path, number_: int) -> None:
    """A full disk would be reported as a bug, or leave half an artefact."""
    refused = 0
    for at in range(1, 60):
        store = Store(tmp_path / str(at) / "store")
        with refusing(at, number_).counted() as calls:
            try:
                make(store)
                keep(store)
            except Fault as fault:
                assert (str(fault.code), fault.evidence.system, fault.evidence.errno) == ("store_refused", "store", number_)
                assert str(tmp_path) not in fault.message
                refused += 1
        _is_whole_or_not_there(store)
        assert scraps(tmp_path / str(at)) == []
        if calls.seen < at:
            break
    assert refused == at - 1 >= 14


def _is_whole_or_not_there(store: Store) -> None:
    found = store.validated(DELIVERY, CONTRACT)
    if found is not None:
        assert [row["a"] for batch in found.clean() for row in batch.to_pylist()] == [1, 2]
        assert sum(batch.num_rows for batch in found.text()) == 4
        assert sum(batch.num_rows for batch in found.rejects()) == 1
    assert store.raw(DELIVERY) is None or store.require_raw(DELIVERY).read_bytes() == BYTES


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _nonsense(path: Path) -> None:
    path.write_text('["no", {"seal": 1}]')


@pytest.mark.parametrize("damage", [_flip, _truncate, Path.unlink, _nonsense], ids=["flipped", "cut off", "missing", "nonsense"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_artefact_is_noticed_and_made_again(store: Store, tmp_path: Path, name: str, damage: object) -> None:
    """A flipped bit on the disk would be published as data, or the partition fail for ever."""
    folder = make(store).folder
    damage(folder / name)  # type: ignore[operator]
    assert store.validated(DELIVERY, CONTRACT) is None
    again = make(store)
    assert again.folder == folder_of(tmp_path)
    found = store.validated(DELIVERY, CONTRACT)
    assert found is not None
    assert [row["a"] for batch in found.clean() for row in batch.to_pylist()] == [1, 2]
    assert len(scraps(tmp_path)) == 1, "what was damaged is kept for a day"


def test_a_file_in_the_place_of_the_artefacts_is_set_aside(store: Store, tmp_path: Path) -> None:
    """A stray file would make a partition fail for ever."""
    folder = make(store).folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("stray")
    assert store.validated(DELIVERY, CONTRACT) is None
    assert make(store).summary.clean == 2
    assert folder_of(tmp_path).is_dir()


def test_equal_artefacts_of_another_process_stay_where_they_are_read(store: Store) -> None:
    """Two files with the same bytes at once: one run would delete the rows that the other is publishing."""
    first = make(store)
    reading = iter(first.clean())
    head = next(reading)
    marks = {path.name: path.stat().st_ino for path in first.folder.iterdir()}
    second = make(store)
    assert second.folder == first.folder
    assert {path.name: path.stat().st_ino for path in first.folder.iterdir()} == marks
    assert head.num_rows + sum(batch.num_rows for batch in reading) == 2


def test_many_processes_that_make_the_same_end_with_one(store: Store, tmp_path: Path) -> None:
    """A race between workers would end in an error for one of them."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            make(store)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert store.validated(DELIVERY, CONTRACT) is not None
    assert scraps(tmp_path) == []


def test_damage_between_the_look_and_the_reading_is_a_fault(store: Store) -> None:
    """It would be reported as a bug of the platform, and not be tried again."""
    made = make(store)
    for damage in (lambda path: path.write_bytes(path.read_bytes()[:20]), lambda path: path.write_bytes(b"x" * 400), Path.unlink):
        damage(made.folder / "clean.parquet")
        with pytest.raises(Fault) as caught:
            list(made.clean())
        assert caught.value.code == "artefact_damaged"
        assert caught.value.kind == "transient"


def test_a_disk_that_cannot_be_read_is_no_damage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good artefacts would be thrown away because a disk was away for a second."""
    made = make(store)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(validated_module, "file_digest", fail)
    with pytest.raises(Fault) as caught:
        store.validated(DELIVERY, CONTRACT)
    assert (caught.value.code, caught.value.evidence.errno) == ("transient", errno.EIO)
    monkeypatch.setattr("pyarrow.parquet.ParquetFile", fail)
    with pytest.raises(Fault) as caught:
        list(read_batches(made.folder / "clean.parquet"))
    assert caught.value.code == "transient"


def test_other_bytes_under_a_deliverys_name_are_never_read(store: Store, tmp_path: Path) -> None:
    """Somebody's edit in the store would be published as what the sender sent."""
    path = keep(store)
    path.write_bytes(b"other bytes")
    with pytest.raises(Fault) as caught:
        store.require_raw(DELIVERY)
    assert caught.value.code == "artefact_damaged"
    assert store.raw(DELIVERY) is None
    assert [scrap.read_bytes() for scrap in scraps(tmp_path)] == [b"other bytes"]
    keep(store)
    assert store.require_raw(DELIVERY).read_bytes() == BYTES


def test_only_old_scraps_are_swept(store: Store, tmp_path: Path) -> None:
    """The disk would fill with what killed workers left, or a long run lose its files."""
    for name, hours in (("old", 25), ("older", 100), ("young", 1)):
        folder = tmp_path / "store" / "tmp" / name
        folder.mkdir(parents=True)
        (folder / "part").write_text("x")
        os.utime(folder, (time.time() - hours * 3600,) * 2)
    aside = tmp_path / "store" / "tmp" / "file"
    aside.write_text("x")
    os.utime(aside, (1, 1))
    with store.scratch() as mine:
        assert scraps(tmp_path) == sorted([mine, tmp_path / "store" / "tmp" / "young"])
    assert store.sweep() == 0


def _corrupt_everything(platform: Platform) -> Iterator[Path]:
    for path in platform.settings.store.rglob("*"):
        if path.is_file():
            yield path
            _flip(path)


def test_a_run_mends_the_store_from_the_file(platform: Platform) -> None:
    """A bad sector would need a person, although the file still lies in the landing folder."""
    platform.process(platform.drop("a.xlsx", [order(1), order(2)]))
    assert len(list(_corrupt_everything(platform))) == 6
    result = platform.run("a")
    assert result.success
    record = platform.record("a")
    assert platform.state("a") == ("published", None)
    assert platform.outside.store.require_raw(record.delivery or "").read_bytes() == (platform.landing() / "a.xlsx").read_bytes()
    assert platform.outside.store.validated(record.delivery or "", platform.kits["orders"].contract) is not None


def test_bytes_that_changed_in_the_store_are_not_published(platform: Platform) -> None:
    """A new contract would be tried on bytes that nobody sent."""
    path = platform.drop("a.xlsx", [order(1)])
    platform.arrive(path)
    platform.run("a", ["raw"])
    delivery = platform.outside.ledger.arrivals.current("orders", "a")
    assert delivery is not None
    kept = platform.outside.store.raw(delivery.delivery or "")
    assert kept is not None
    kept.write_bytes(platform.drop("other.xlsx", [order(99)]).read_bytes())
    failure = platform.failure(platform.run("a", ["text", "validated", "quarantine"]))
    assert (failure["shp/code"], failure["shp/kind"]) == ("artefact_damaged", "transient")
    assert platform.run("a").success
    assert platform.loaded("a") == [1]


@pytest.mark.parametrize("step", ["keep_bytes", "validate_delivery"])
def test_a_full_disk_parks_the_partition(platform: Platform, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A file would be called broken because our disk is full."""
    plain = getattr(feed_assets, step)

    def on_a_full_disk(work: Work) -> object:
        with refusing(3, errno.ENOSPC).counted():
            return plain(work)

    with monkeypatch.context() as patched:
        patched.setattr(feed_assets, step, on_a_full_disk)
        result = platform.process(platform.drop("a.xlsx", [order(1)]))
    assert platform.failure(result)["shp/code"] == "store_refused"
    assert platform.state("a") == ("parked", "store_refused")
    assert platform.run("a").success


def test_artefacts_that_were_made_are_used_again(platform: Platform) -> None:
    """Every re-drive would read and convert the whole file anew."""
    platform.process(platform.drop("a.xlsx", [order(1)]))
    folder = next(platform.settings.store.glob("validated/*/*/*"))
    marks = {path.name: path.stat().st_ino for path in folder.iterdir()}
    assert platform.run("a").success
    assert {path.name: path.stat().st_ino for path in folder.iterdir()} == marks


def test_reading_an_artefact_keeps_nothing_of_what_was_read(tmp_path: Path) -> None:
    """A worker's memory would grow with the file while its rows go to the warehouse."""
    rows = 32_768
    with pq.ParquetWriter(tmp_path / "large.parquet", pa.schema([("number", pa.int64()), ("text", pa.string())])) as writer:
        for group in range(30):
            numbers = range(group * rows, (group + 1) * rows)
            writer.write_table(pa.table({"number": pa.array(numbers, pa.int64()), "text": [f"text {number}" for number in numbers]}))
    assert (tmp_path / "large.parquet").stat().st_size > 8 << 20
    before, most, seen = pa.total_allocated_bytes(), 0, 0
    for batch in read_batches(tmp_path / "large.parquet"):
        seen += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert seen == 30 * rows
    assert most < 4 << 20
