"""Files under opaque keys: durable before their key is told, and nobody else's path."""

import asyncio
import errno
import itertools
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import StorageUnavailable
from gateway.storage import objects
from gateway.storage.objects import ObjectStore

DAY_S = 86_400.0
WITHIN_S = 10.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    store = ObjectStore.open(tmp_path)
    yield store
    store.close()


def spool(store: ObjectStore, content: bytes = b"content") -> Path:
    spooled = store.new_spool()
    spooled.write_bytes(content)
    return spooled


def opened(descriptor: int) -> Path:
    """What an open file or folder is called."""
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def kept_files(folder: Path) -> list[Path]:
    return list((folder / "objects").glob("*/*"))


def make_older(store: ObjectStore, key: str, by_s: float) -> float:
    """Move an object's time into the past; returns the time it was kept at."""
    kept_at_s = store.path(key).stat().st_mtime
    os.utime(store.path(key), (kept_at_s - by_s, kept_at_s - by_s))
    return kept_at_s


async def test_a_kept_file_is_found_by_its_key(store: ObjectStore) -> None:
    spooled = spool(store, b"pixels")

    key = await store.keep(spooled)

    assert store.path(key).read_bytes() == b"pixels"
    assert not spooled.exists()


async def test_a_file_that_is_kept_also_stays_in_the_spool(store: ObjectStore) -> None:
    spooled = spool(store, b"pixels")

    [key] = await store.keep_also([spooled])
    await store.discard_spool(spooled)

    assert store.path(key).read_bytes() == b"pixels"
    assert not spooled.exists()


async def test_nothing_is_kept_on_a_disk_that_is_short_of_room(tmp_path: Path) -> None:
    store = ObjectStore.open(tmp_path, free_bytes_min=2**60)
    first, second = spool(store), spool(store)

    for keeping in (store.keep(first), store.keep_also([second])):
        with pytest.raises(StorageUnavailable, match="ENOSPC"):
            await keeping

    assert store.spare_bytes() < 0
    assert kept_files(tmp_path) == []
    assert (first.exists(), second.exists()) == (False, True)
    store.close()


async def test_a_kept_file_is_there_in_the_next_store(store: ObjectStore, tmp_path: Path) -> None:
    key = await store.keep(spool(store, b"pixels"))
    store.close()

    again = ObjectStore.open(tmp_path)

    assert again.path(key).read_bytes() == b"pixels"
    again.close()


async def test_equal_files_have_keys_of_their_own(store: ObjectStore) -> None:
    keys = await asyncio.gather(*(store.keep(spool(store)) for _ in range(50)))

    assert len(set(keys)) == 50


async def test_a_file_and_then_its_name_reach_the_disk_before_its_key_is_told(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        synced = opened(descriptor)
        done.append("fsync folder" if synced.is_dir() else "fsync file")
        fsync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        done.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)

    await store.keep(spool(store))

    assert done == ["rename", "fsync file", "fsync folder"]


@pytest.mark.parametrize("failing", ["the file", "the folder"])
async def test_a_disk_that_fails_is_told_and_the_store_goes_on(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    spooled = spool(store)
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if opened(descriptor).is_file() == (failing == "the file"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageUnavailable, match="ENOSPC"):
            await store.keep(spooled)

    # What a failed fsync lost, a second one would not report: the file must not be tried again.
    assert not spooled.exists()
    assert kept_files(tmp_path) == []
    assert store.path(await store.keep(spool(store))).exists()


async def test_a_file_that_is_not_there_cannot_be_kept(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="ENOENT"):
        await store.keep(store.new_spool())

    assert kept_files(tmp_path) == []


async def test_only_the_spools_own_files_are_kept_or_discarded(
    store: ObjectStore, tmp_path: Path
) -> None:
    for path in (tmp_path / "elsewhere", tmp_path / "spool" / ".." / "elsewhere"):
        with pytest.raises(ValueError, match="spool"):
            await store.keep(path)
        with pytest.raises(ValueError, match="spool"):
            await store.discard_spool(path)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "..",
        "../../lock",
        "a" * 31,
        "a" * 33,
        "A" * 32,
        "g" * 32,
        "/" + "a" * 31,
        "a" * 32 + "\n",
    ],
)
def test_a_path_is_given_for_the_stores_own_keys_alone(store: ObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        store.path(key)


async def test_a_discarded_object_is_gone_but_not_for_its_reader(store: ObjectStore) -> None:
    key, other = [await store.keep(spool(store, b"pixels")) for _ in range(2)]

    with store.path(key).open("rb") as reading:
        await store.discard([key])

        assert reading.read() == b"pixels"
    assert not store.path(key).exists()
    assert store.path(other).exists()


async def test_discarding_twice_is_discarding_once(store: ObjectStore) -> None:
    key = await store.keep(spool(store))
    spooled = spool(store)

    for _ in range(2):
        await store.discard([key])
        await store.discard_spool(spooled)

    assert not store.path(key).exists()
    assert not spooled.exists()


def test_opening_empties_the_spool(store: ObjectStore, tmp_path: Path) -> None:
    spooled = spool(store)
    store.close()

    ObjectStore.open(tmp_path).close()

    assert not spooled.exists()


def test_others_may_not_look_into_the_store(store: ObjectStore, tmp_path: Path) -> None:
    assert [(tmp_path / name).stat().st_mode & 0o077 for name in ("spool", "objects")] == [0, 0]


async def test_a_sweep_spares_what_a_row_names_and_what_is_young(store: ObjectStore) -> None:
    named, orphan, young = [await store.keep(spool(store)) for _ in range(3)]
    now_s = make_older(store, named, 2 * DAY_S)
    make_older(store, orphan, 2 * DAY_S)
    asked: list[str] = []

    async def referenced(keys: list[str]) -> set[str]:
        asked.extend(keys)
        return {named}

    removed = await store.sweep(referenced, older_than_s=DAY_S, now_s=now_s)

    assert removed == 1
    assert set(asked) == {named, orphan}
    assert [store.path(key).exists() for key in (named, orphan, young)] == [True, False, True]


async def test_an_objects_age_counts_from_its_keeping(store: ObjectStore) -> None:
    spooled = spool(store)
    os.utime(spooled, (0, 0))  # it has waited in the spool for years

    key = await store.keep(spooled)

    assert store.path(key).stat().st_mtime > DAY_S


async def test_a_sweep_asks_in_batches(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "SWEEP_BATCH_MAX", 2)
    numbers = itertools.count()
    in_one_folder = lambda size: f"{next(numbers):0{2 * size}x}"  # noqa: E731
    monkeypatch.setattr(secrets, "token_hex", in_one_folder)
    keys = [await store.keep(spool(store)) for _ in range(5)]
    now_s = store.path(keys[-1]).stat().st_mtime + 1
    batches: list[int] = []

    async def referenced(batch: list[str]) -> set[str]:
        batches.append(len(batch))
        return set()

    assert await store.sweep(referenced, older_than_s=0, now_s=now_s) == 5
    assert batches == [2, 2, 1]


async def test_too_many_waiting_files_are_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "WAITING_MAX", 3)
    store, may_go_on, fsync = ObjectStore.open(tmp_path), threading.Event(), os.fsync

    def held_fsync(descriptor: int) -> None:
        may_go_on.wait(WITHIN_S)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", held_fsync)

    taken = [asyncio.create_task(store.keep(spool(store))) for _ in range(3)]
    await asyncio.sleep(0)  # they wait for the disk, or for a thread
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="too many"):
            await store.keep(spool(store))
    may_go_on.set()

    assert len(set(await asyncio.gather(*taken))) == 3
    assert isinstance(await store.keep(spool(store)), str)
    store.close()


async def test_an_object_is_told_of_before_it_is_durable_and_is_secured_after(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, fsync = threading.Event(), os.fsync

    def held_fsync(descriptor: int) -> None:
        may_go_on.wait(WITHIN_S)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", held_fsync)

    found, placed = await store.look_and_place(
        spool(store, b"pixels"), lambda path: (path.read_bytes(), True)
    )
    assert placed is not None
    was_secured, is_there = placed.secured.done(), store.path(placed.key).exists()
    may_go_on.set()
    await store.secured(placed)

    assert (found, was_secured, is_there) == (b"pixels", False, True)


async def test_an_object_that_the_disk_does_not_take_is_gone_and_says_so(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, "a bad disk")

    monkeypatch.setattr(os, "fsync", fails)

    _, placed = await store.look_and_place(spool(store), lambda _path: (None, True))

    assert placed is not None
    with pytest.raises(StorageUnavailable, match="EIO"):
        await store.secured(placed)
    assert kept_files(tmp_path) == []


async def test_a_closed_store_refuses(store: ObjectStore) -> None:
    store.close()

    with pytest.raises(StorageUnavailable):
        await store.keep(spool(store))


def test_a_store_where_no_folder_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StorageUnavailable):
        ObjectStore.open(tmp_path / "file")
