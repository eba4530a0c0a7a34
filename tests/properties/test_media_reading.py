"""Whatever bytes a medium holds, it is read within its bounds or refused."""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.media.dicomdir import listed_files
from gateway.media.tree import MediaFile, open_medium
from tests.unit.media.test_dicomdir import a_directory

_names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


def an_archive(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@given(st.dictionaries(_names, st.binary(max_size=64), max_size=4), st.data())
def test_a_damaged_archive_gives_what_it_says_or_an_error(files, data):
    """No name leads out of the archive, and no file is longer than it was said to be."""
    archive = bytearray(an_archive(files))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(archive) - 1))
        archive[at] = data.draw(st.integers(0, 255))

    for file, content in read(bytes(archive)).items():
        assert len(content) == file.size_bytes
        assert not {"..", ".", ""}.intersection(file.name.split("/"))


def read(archive: bytes) -> dict[MediaFile, bytes]:
    """The files that can be read."""
    found = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "archive"
        path.write_bytes(archive)
        try:
            tree = open_medium(path)
        except InvalidRequest:
            return {}
        for one in tree.walk():
            if isinstance(one, MediaFile):
                try:
                    found[one] = b"".join(tree.chunks(one))
                except InvalidRequest:
                    continue
        tree.close()
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of values that break their VR
@given(st.lists(st.integers(0, 2000), max_size=5), st.binary(max_size=8))
def test_a_damaged_directory_is_read_or_refused(places, noise):
    directory = bytearray(a_directory(["IMAGES", "A"], None, "B"))
    for place in places:
        at = place % len(directory)
        directory[at : at + len(noise)] = noise

    try:
        names = listed_files(bytes(directory))
    except InvalidRequest:
        names = []

    assert all(isinstance(name, str) for name in names)
