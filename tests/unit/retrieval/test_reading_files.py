"""Files are read whole, wherever the kernel holds them."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.dicomweb.conditions import ByteRange
from gateway.errors import StorageUnavailable
from gateway.retrieval.files import CHUNK_BYTES, FileReader
from gateway.retrieval.known_files import open_known

CONTENT = bytes(range(256)) * (3 * CHUNK_BYTES // 256) + b"end"


@pytest.fixture
def files() -> Iterator[FileReader]:
    files = FileReader()
    yield files
    files.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "instance"
    path.write_bytes(CONTENT)
    return path


async def read(files: FileReader, path: Path) -> bytes:
    async with files.open(path) as opened:
        assert opened.size_bytes == len(CONTENT)
        return b"".join([chunk async for chunk in files.chunks(opened)])


async def test_a_file_is_read_whole(files: FileReader, path: Path) -> None:
    assert await read(files, path) == CONTENT


async def test_a_part_of_a_file_is_read_alone(files: FileReader, path: Path) -> None:
    part = ByteRange(start=5, end=2 * CHUNK_BYTES + 1, of=len(CONTENT))

    async with files.open(path) as opened:
        content = b"".join([chunk async for chunk in files.chunks(opened, part)])

    assert content == CONTENT[5 : 2 * CHUNK_BYTES + 1]


@pytest.mark.parametrize("kernel_says", [errno.EAGAIN, errno.EOPNOTSUPP])
async def test_a_file_that_is_not_in_memory_is_read_by_a_thread(
    files: FileReader, path: Path, monkeypatch: pytest.MonkeyPatch, kernel_says: int
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(kernel_says, "not at once")

    monkeypatch.setattr(os, "preadv", refuse)

    assert await read(files, path) == CONTENT


async def test_a_file_whose_name_is_in_memory_is_opened_by_no_thread(
    files: FileReader, path: Path
) -> None:
    if open_known(str(path)) is None:
        pytest.skip("this kernel does not tell what it holds in memory")
    files.close()  # no thread is there any more

    assert await read(files, path) == CONTENT


async def test_a_file_whose_name_is_not_in_memory_is_opened_by_a_thread(
    files: FileReader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.retrieval.files.open_known", lambda _path: None)

    assert await read(files, path) == CONTENT


async def test_a_file_that_was_removed_is_read_to_its_end(files: FileReader, path: Path) -> None:
    async with files.open(path) as opened:
        path.unlink()
        content = b"".join([chunk async for chunk in files.chunks(opened)])

    assert content == CONTENT


async def test_a_file_that_became_shorter_is_an_outage(files: FileReader, path: Path) -> None:
    async with files.open(path) as opened:
        path.write_bytes(b"")
        with pytest.raises(StorageUnavailable):
            await anext(files.chunks(opened))


async def test_a_file_that_is_not_there_is_an_outage(files: FileReader, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        await read(files, tmp_path / "none")
