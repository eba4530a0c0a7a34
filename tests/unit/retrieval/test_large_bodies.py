"""However much a body holds, what is planned and sent of it takes little memory."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.catalogue.descriptions import Listing, Version
from gateway.dicomweb.accept import Form
from gateway.dicomweb.conditions import ByteRange
from gateway.retrieval.files import TOGETHER, FileReader
from gateway.retrieval.whole import StoredBodies
from indexer.contract.identifiers import Uid
from tests.support.studies import SERIES, STUDY

INSTANCES = 20_000
INSTANCE_BYTES = 2**30 // 4
PLAIN = Uid("1.2.840.10008.1.2.1")
FORMS = {PLAIN: Form(kind="application/dicom", multipart=True, transfer_syntax=PLAIN)}
BYTES_MAX = 64 * 2**20


@pytest.fixture
def files() -> Iterator[FileReader]:
    files = FileReader()
    yield files
    files.close()


def opened() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_study_of_twenty_thousand_instances_and_terabytes_is_planned_in_little_memory(
    files: FileReader, tmp_path: Path
) -> None:
    one = tmp_path / "instance"
    with one.open("wb") as file:
        file.truncate(INSTANCE_BYTES)  # takes no room on the disk
    lines = (f"{SERIES} {SERIES}.{n} {n:032x} {PLAIN}" for n in range(INSTANCES))
    listing = Listing(STUDY, Version(1, 1), "\n".join(lines))
    bodies = StoredBodies(files, lambda _key: one)
    before = opened()
    tracemalloc.start()

    try:
        body = await bodies.body_of(listing, FORMS, root_url="https://gateway.example/dicom-web")
        assert body is not None
        most_opened, given_bytes = 0, 0
        whole = ByteRange(start=0, end=body.size_bytes, of=body.size_bytes)
        async for head, _file, of_file in bodies.opened(body, whole):
            given_bytes += len(head) + of_file.size_bytes
            if given_bytes % 97 == 0:
                most_opened = max(most_opened, opened())
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert given_bytes == body.size_bytes > INSTANCES * INSTANCE_BYTES
    assert most_bytes < BYTES_MAX
    assert most_opened - before <= 2 * TOGETHER + 2
