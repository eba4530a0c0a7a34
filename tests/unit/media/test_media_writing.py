"""What is written is whole, or has another name; the same files give the same bytes."""

import stat
from pathlib import Path
from zipfile import ZipFile

import pytest

from gateway.errors import Conflict
from gateway.media.writing import MediaWriter, writer_to

FILES = {"KA202601/A": b"1" * 1000, "KA202601/B/C": b"2"}
BOTH = pytest.mark.parametrize("name", ["archive.zip", "folder"])


def write(path: Path) -> None:
    with writer_to(path) as writer:
        for name, data in FILES.items():
            writer.add(name, data)


def test_an_archive_holds_what_was_added(tmp_path: Path) -> None:
    write(tmp_path / "archive.ZIP")

    with ZipFile(tmp_path / "archive.ZIP") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_a_folder_holds_what_was_added(tmp_path: Path) -> None:
    write(tmp_path / "folder")

    assert {name: (tmp_path / "folder" / name).read_bytes() for name in FILES} == FILES


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    write(tmp_path / "one.zip")
    write(tmp_path / "two.zip")

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def break_off(writer: MediaWriter) -> None:
    """Write something, and fail."""
    writer.add("A", b"1")
    raise FileExistsError


@BOTH
def test_only_its_owner_may_read_it(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)

    assert stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o077 == 0


@BOTH
def test_nothing_that_is_there_is_written_over(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)

    with pytest.raises(Conflict, match="is there already"), writer_to(tmp_path / name):
        pass


@BOTH
def test_nothing_is_left_of_what_is_broken_off(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileExistsError), writer_to(tmp_path / name) as writer:
        break_off(writer)

    assert list(tmp_path.iterdir()) == []


@BOTH
def test_what_a_crash_left_is_not_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.part").write_bytes(b"half")

    with pytest.raises(Conflict, match=f"{name}.part is there already"), writer_to(tmp_path / name):
        pass
