"""Instances at a disk that fails, or that takes its time: rows and file hold together."""

import asyncio
import errno
import os
import threading

import pytest

from gateway.storage import objects
from gateway.storage.database import Transaction
from tests.support.retrieval import a_slice
from tests.support.studies import SERIES
from tests.support.web_doors import WebDoors, file_of

FIRST = f"{SERIES}.1"
NO_ROOM = 0xA700
WITHIN_S = 10.0


class HeldDisk:
    """A disk that syncs nothing until it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go_on, self.is_asked = threading.Event(), threading.Event()
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self._held)

    def _held(self, descriptor: int) -> None:
        self.is_asked.set()
        self.may_go_on.wait(WITHIN_S)
        self._fsync(descriptor)


@pytest.mark.parametrize("soon_bytes_max", [objects.SOON_BYTES_MAX, 0], ids=["short", "long"])
async def test_what_the_disk_does_not_take_is_neither_told_as_success_nor_known(
    doors: WebDoors, monkeypatch: pytest.MonkeyPatch, soon_bytes_max: int
) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, "a bad disk")

    monkeypatch.setattr(objects, "SOON_BYTES_MAX", soon_bytes_max)
    with monkeypatch.context() as bad:
        bad.setattr(os, "fsync", fails)
        answer = await doors.push(file_of(a_slice()))

    assert answer.status == 503
    assert answer.failed == [(FIRST, NO_ROOM)]
    assert list(await doors.held()) == []
    assert doors.spooled == []
    assert (await doors.push(file_of(a_slice()))).status == 200


async def test_nothing_is_known_of_an_instance_before_its_file_is_durable(
    doors: WebDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HeldDisk(monkeypatch)

    pushing = asyncio.create_task(doors.push(file_of(a_slice())))
    await asyncio.to_thread(disk.is_asked.wait, WITHIN_S)
    before = list(await doors.held())
    disk.may_go_on.set()

    assert (await pushing).status == 200
    assert before == []
    assert list(await doors.held()) == [FIRST]


async def test_nobody_waits_for_the_sync_of_a_long_file_of_anothers(
    doors: WebDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "SOON_BYTES_MAX", 0)
    disk = HeldDisk(monkeypatch)

    async def nothing(_tx: Transaction) -> None:
        """Committed all the same."""

    pushing = asyncio.create_task(doors.push(file_of(a_slice())))
    await asyncio.to_thread(disk.is_asked.wait, WITHIN_S)
    await asyncio.wait_for(doors.stores.database.write(nothing), WITHIN_S / 2)
    disk.may_go_on.set()

    assert (await pushing).status == 200
