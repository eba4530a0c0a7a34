"""Archives that are framed as they are sent, as the standard library's reader finds them."""

import zlib
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from gateway.media.zip_stream import ZipStream


def an_archive(files: dict[str, bytes]) -> bytes:
    archive = ZipStream()
    parts = []
    for name, data in files.items():
        parts += [archive.file(name, size_bytes=len(data), crc32=zlib.crc32(data)), data]
    return b"".join(parts) + archive.end()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"A": b""},
        {"DICOM/A": b"a" * 1000, "DICOM/B": bytes(range(256)), "LISEZMOI.TXT": "é".encode()},
    ],
)
def test_files_are_read_back(files: dict[str, bytes]) -> None:
    with ZipFile(BytesIO(an_archive(files))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_a_file_is_stored_and_told_before_its_bytes() -> None:
    with ZipFile(BytesIO(an_archive({"A": b"abc"}))) as archive:
        [info] = archive.infolist()

    assert info.compress_type == ZIP_STORED
    assert not info.flag_bits & 0x08  # no data descriptor behind it
    assert info.extract_version == 20
    assert info.external_attr >> 16 == 0o100644


def test_the_same_files_make_the_same_archive() -> None:
    files = {"A": b"abc", "B": b"def"}

    assert an_archive(files) == an_archive(files)


def test_more_than_65535_files_are_read_back() -> None:
    with ZipFile(BytesIO(an_archive({f"{n}": b"x" for n in range(70_000)}))) as archive:
        assert len(archive.namelist()) == 70_000
        assert archive.read("69999") == b"x"


@pytest.mark.parametrize("size_bytes", [2**32 - 2, 2**32 - 1, 2**32, 5 * 2**30])
def test_files_and_places_beyond_four_gibibytes_are_read_back(
    tmp_path: Path, size_bytes: int
) -> None:
    """A hole in the file stands for the large one, whose bytes nobody reads here."""
    archive, path = ZipStream(), tmp_path / "large.zip"
    with path.open("wb") as file:
        file.write(archive.file("LARGE", size_bytes=size_bytes, crc32=0))
        file.seek(size_bytes, 1)
        file.write(archive.file("SMALL", size_bytes=3, crc32=zlib.crc32(b"abc")) + b"abc")
        file.write(archive.end())

    with ZipFile(path) as found:
        assert found.getinfo("LARGE").file_size == size_bytes
        assert found.read("SMALL") == b"abc"
        with found.open("LARGE") as large:
            assert large.read(10) == bytes(10)
