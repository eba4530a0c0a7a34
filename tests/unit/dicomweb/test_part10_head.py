"""The head of a Part 10 file, as old and new software writes it."""

from pathlib import Path

import pytest

from gateway.dicomweb.part10 import HEAD_BYTES_MAX, FileHead, FileMeta
from gateway.dimse.spool import file_header
from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid
from tests.support.retrieval import a_slice, write_part10
from tests.support.studies import CT, EXPLICIT, SERIES

INSTANCE = Uid(f"{SERIES}.1")
META = FileMeta(sop_class=CT, instance=INSTANCE, transfer_syntax=EXPLICIT)
HEADER = file_header(sop_class=CT, sop_instance=INSTANCE, transfer_syntax=EXPLICIT)
DATA_SET = b"\x08\0\x05\0CS\x0a\0ISO_IR 192" + bytes(100)


def read(file: bytes, *, pieces_bytes: int = 4096) -> tuple[FileMeta, bytes] | None:
    """What the head says, and how the data set begins; None if it does not."""
    head = FileHead()
    for at in range(0, len(file), pieces_bytes):
        found = head.feed(memoryview(file)[at : at + pieces_bytes])
        if found is not None:
            return found
    return None


def test_a_head_is_read_and_the_data_set_begins_after_it() -> None:
    assert read(HEADER + DATA_SET) == (META, DATA_SET)


def test_a_head_that_comes_byte_by_byte_is_read() -> None:
    found = read(HEADER + DATA_SET, pieces_bytes=1)

    assert found is not None
    assert found[0] == META
    assert DATA_SET.startswith(found[1])


def test_what_pydicom_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_part10(a_slice(), path)
    found = read(path.read_bytes())

    assert found is not None
    assert found[0] == META
    assert path.read_bytes().endswith(found[1])


@pytest.mark.parametrize("length", [0, 1, 10_000])
def test_a_group_length_that_is_wrong_does_no_harm(length: int) -> None:
    at = HEADER.index(b"UL\4\0") + 4
    file = HEADER[:at] + length.to_bytes(4, "little") + HEADER[at + 4 :] + DATA_SET

    assert read(file) == (META, DATA_SET)


def test_private_information_is_passed_over() -> None:
    private = b"\2\0\0\1UI\x06\x001.2.3\0" + b"\2\0\2\1OB\0\0\x88\x13\0\0" + bytes(5000)

    assert read(HEADER + private + DATA_SET) == (META, DATA_SET)


@pytest.mark.parametrize(
    "file, why",
    [
        (bytes(500), "prefix"),
        (b"%PDF-1.7" + bytes(200), "prefix"),
        (HEADER.replace(b"\x02\0\x10\0UI", b"\x02\0\x11\0UI") + DATA_SET, "TransferSyntaxUID"),
        (HEADER.replace(CT.encode(), b"x" * len(CT)) + DATA_SET, "MediaStorageSOPClassUID"),
        (HEADER + b"\2\0\2\1OB\0\0\xff\xff\xff\xff" + DATA_SET, "longer"),
        (HEADER + b"\2\0\2\1UI\x02\0.." * HEAD_BYTES_MAX, "longer"),
    ],
)
def test_a_file_that_is_none_is_refused(file: bytes, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        read(file)


@pytest.mark.parametrize("size_bytes", [0, 100, 140, len(HEADER)])
def test_a_file_that_ends_within_its_head_has_none(size_bytes: int) -> None:
    assert read(HEADER[:size_bytes]) is None
