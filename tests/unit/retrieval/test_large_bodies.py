"""However much a body holds, what is planned and sent of it takes little memory."""

import asyncio
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.descriptions import Listing, Version
from gateway.dicomweb.accept import Form
from gateway.dicomweb.conditions import ByteRange
from gateway.retrieval.files import FileReader
from gateway.retrieval.whole import StoredBodies, StoredBody
from indexer.contract.identifiers import Uid
from tests.support.studies import SERIES, STUDY

INSTANCES = 20_000
INSTANCE_BYTES = 2**30 // 4
PLAIN = Uid("1.2.840.10008.1.2.1")
FORMS = {PLAIN: Form(kind="application/dicom", multipart=True, transfer_syntax=PLAIN)}
BYTES_MAX = 64 * 2**20
ROOT_URL = "https://gateway.example/dicom-web"


@pytest.fixture
def files() -> Iterator[FileReader]:
    files = FileReader()
    yield files
    files.close()


async def test_a_study_of_twenty_thousand_instances_and_terabytes_is_planned_in_little_memory(
    files: FileReader, tmp_path: Path
) -> None:
    one = tmp_path / "instance"
    with one.open("wb") as file:
        file.truncate(INSTANCE_BYTES)  # takes no room on the disk
    lines = (f"{SERIES} {SERIES}.{n} {n:032x} {PLAIN} {INSTANCE_BYTES}" for n in range(INSTANCES))
    listing = Listing.of(STUDY, Version(1, 1), "\n".join(lines))
    bodies = StoredBodies(files, lambda _key: one)
    tracemalloc.start()

    try:
        body = await bodies.body_of(listing, FORMS, root_url=ROOT_URL)
        assert body is not None
        given_bytes = 0
        whole = ByteRange(start=0, end=body.size_bytes, of=body.size_bytes)
        for piece in body.pieces(whole):
            given_bytes += len(piece.before) + piece.size_bytes
        given_bytes += len(body.last(whole))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert given_bytes == body.size_bytes > INSTANCES * INSTANCE_BYTES
    assert most_bytes < BYTES_MAX


@given(st.integers(0, 3), st.data())
def test_any_range_of_a_body_is_that_part_of_the_whole(count: int, data: st.DataObject) -> None:
    """Pieces of files, and the lines between them, are told without any file being read."""
    with TemporaryDirectory() as folder:
        sizes = data.draw(st.lists(st.integers(0, 1200), min_size=count + 1, max_size=count + 1))
        files = [Path(folder) / str(number) for number in range(len(sizes))]
        for number, size in enumerate(sizes):
            files[number].write_bytes(bytes([65 + number]) * size)
        lines = (f"{SERIES} {SERIES}.{n} {n} {PLAIN} {size}" for n, size in enumerate(sizes))
        body = asyncio.run(planned("\n".join(lines), lambda key: files[int(key)]))
        whole = read(body, 0, body.size_bytes)
        start = data.draw(st.integers(0, body.size_bytes - 1))
        end = data.draw(st.integers(start + 1, body.size_bytes))

        some = read(body, start, end)

        assert len(whole) == body.size_bytes
        assert whole.startswith(b"--")
        assert whole.endswith(b"--\r\n")
        assert some == whole[start:end]


async def planned(lines: str, path: Callable[[str], Path]) -> StoredBody:
    files = FileReader()
    try:
        listing = Listing.of(STUDY, Version(1, 1), lines)
        body = await StoredBodies(files, path).body_of(listing, FORMS, root_url=ROOT_URL)
    finally:
        files.close()
    assert body is not None
    return body


def read(body: StoredBody, start: int, end: int) -> bytes:
    wanted, came = ByteRange(start=start, end=end, of=body.size_bytes), b""
    for piece in body.pieces(wanted):
        content = Path(str(piece.file)).read_bytes()
        came += piece.before + content[piece.offset : piece.offset + piece.size_bytes]
    return came + body.last(wanted)
