"""What is read of a folder or an archive, and what leads nowhere."""

import os
import struct
import zlib
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import pytest

from gateway.errors import InvalidRequest
from gateway.media import tree as media_tree
from gateway.media.tree import HEAD_BYTES, MediaFile, MediaTree, PassedOver, open_medium, read_whole
from tests.support.media import a_folder, a_link_in_a_zip, a_zip

FILES = {"A/one": b"1", "B/two": b"22", "three": b"333"}


@pytest.fixture(params=[a_folder, a_zip])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> MediaTree:
    return open_medium(request.param(tmp_path / "medium", FILES))


def found(tree: MediaTree) -> list[MediaFile]:
    return [one for one in tree.walk() if isinstance(one, MediaFile)]


def passed_over(tree: MediaTree) -> dict[str, str]:
    return {one.name: one.reason for one in tree.walk() if isinstance(one, PassedOver)}


def test_every_file_is_read_in_the_order_of_its_name(medium: MediaTree) -> None:
    read = {one.name: b"".join(medium.chunks(one)) for one in found(medium)}

    assert list(read.items()) == list(FILES.items())


def test_a_file_is_found_whatever_the_case_of_its_name(medium: MediaTree) -> None:
    [one, *_] = found(medium)

    assert medium.find("a/ONE") == one
    assert medium.find("a/other") is None
    assert medium.find("../medium/three") is None


def test_a_name_that_is_right_is_found_without_a_list_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of an archive may hold a hundred thousand submission sets."""
    tree = open_medium(a_folder(tmp_path / "medium", FILES))
    [one, *_] = found(tree)

    monkeypatch.delattr("os.scandir")

    assert tree.find(one.name) == one


def test_a_file_that_vanishes_while_it_is_looked_at_is_told(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "medium", {"a": b"1", "b": b"2"})
    walk = open_medium(folder).walk()
    next(walk)

    (folder / "b").unlink()

    assert list(walk) == [PassedOver(name="b", reason="it cannot be read")]


def test_a_dicomdir_stands_for_the_medium_that_it_lists(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "medium", {"DICOMDIR": b"1", "IMAGES/one": b"2"})

    assert found(open_medium(folder / "DICOMDIR")) == found(open_medium(folder))


def test_a_file_comes_head_first(tmp_path: Path) -> None:
    data = os.urandom(HEAD_BYTES * 2)
    tree = open_medium(a_folder(tmp_path, {"long": data}))
    [file] = found(tree)

    first, *rest = tree.chunks(file)

    assert (len(first), b"".join([first, *rest])) == (HEAD_BYTES, data)


def test_a_file_that_is_too_long_is_not_read(medium: MediaTree) -> None:
    with pytest.raises(InvalidRequest, match="longer than 2 bytes"):
        read_whole(medium, found(medium)[2], bytes_max=2)


def test_links_and_pipes_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"not of the medium")
    folder = a_folder(tmp_path / "medium", {"file": b"1"})
    (folder / "link").symlink_to(secret)
    (folder / "way").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")

    tree = open_medium(folder)

    assert [one.name for one in found(tree)] == ["file"]
    assert set(passed_over(tree)) == {"link", "way", "pipe"}
    assert tree.find("link") is None
    assert tree.find("way/secret") is None


def test_what_becomes_a_link_while_it_is_looked_at_is_not_followed(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "medium", {"file": b"1"})
    tree = open_medium(folder)
    [file] = found(tree)
    (folder / "file").unlink()
    (folder / "file").symlink_to("/etc/passwd")

    with pytest.raises(InvalidRequest, match="cannot be read"):
        next(tree.chunks(file))


def test_folders_that_go_too_deep_are_passed_over(tmp_path: Path) -> None:
    deep = "/".join("a" * 1 for _ in range(media_tree.DEPTH_MAX + 1))
    tree = open_medium(a_folder(tmp_path / "medium", {f"{deep}/file": b"1"}))

    assert found(tree) == []
    assert list(passed_over(tree).values()) == ["more than 32 folders deep"]


def test_a_medium_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_tree, "FILES_MAX", 2)

    with pytest.raises(InvalidRequest, match="more than 2 files"):
        list(open_medium(a_folder(tmp_path / "medium", FILES)).walk())
    with pytest.raises(InvalidRequest, match="more than 2 files"):
        open_medium(a_zip(tmp_path / "zip", FILES))


@pytest.mark.parametrize(
    "name", ["../up", "/etc/passwd", "a/../../b", "a//b", "C:evil", "a\\b", "a/./b", "bell\x07"]
)
def test_a_name_that_leads_out_of_an_archive_is_not_read(tmp_path: Path, name: str) -> None:
    tree = open_medium(a_zip(tmp_path / "zip", {name: b"x"}))

    assert found(tree) == []
    assert list(passed_over(tree).values()) == ["its name leads elsewhere"]


def test_links_encrypted_and_unusual_members_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "zip"
    with ZipFile(path, "w") as archive:
        archive.writestr(a_link_in_a_zip("link"), "/etc/passwd")
        archive.writestr("packed", b"x" * 100, compress_type=ZIP_BZIP2)
        archive.writestr("locked", b"x")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")  # of the last member, in the table of contents
    data[at + 8] |= 1
    path.write_bytes(data)

    assert passed_over(open_medium(path)) == {
        "link": "a link or a device",
        "locked": "encrypted",
        "packed": "compressed by a method that is not read",
    }


def test_of_two_members_of_one_name_the_first_is_read(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("file", b"1")
        archive.writestr("FILE", b"22")

    tree = open_medium(tmp_path / "zip")

    assert [b"".join(tree.chunks(one)) for one in found(tree)] == [b"1"]
    assert passed_over(tree) == {"FILE": "its name comes twice"}


def test_an_archive_that_holds_far_more_than_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_tree, "RATIO_FREE_BYTES", 2**20)
    with ZipFile(tmp_path / "zip", "w", ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(2**24))

    with pytest.raises(InvalidRequest, match="more than 200 times its own size"):
        open_medium(tmp_path / "zip")


def test_a_member_that_is_longer_than_it_says_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("file", bytes(2**20))
    data = path.read_bytes().replace((2**20).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(data)
    tree = open_medium(path)
    [file] = found(tree)

    with pytest.raises(InvalidRequest):
        list(tree.chunks(file))


@pytest.mark.parametrize("offset", [0, int.from_bytes(b"PK\x05\x06", "little")])
def test_a_table_of_contents_that_would_fill_the_memory_is_refused(
    tmp_path: Path, offset: int
) -> None:
    """Whatever its end says of where it is, even what looks like another end."""
    size_bytes = media_tree.DIRECTORY_BYTES_MAX + 1
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size_bytes, offset, 0)
    path = tmp_path / "zip"
    with path.open("wb") as file:
        file.seek(size_bytes)  # nothing is written before, nor read
        file.write(end)

    with pytest.raises(InvalidRequest, match="table of contents"):
        open_medium(path)


def test_a_damaged_member_is_told_apart_from_its_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("bad", b"damaged soon")
        archive.writestr("good", b"fine")
    path.write_bytes(path.read_bytes().replace(b"damaged soon", b"damaged now!"))
    tree = open_medium(path)
    bad, good = found(tree)

    with pytest.raises(InvalidRequest, match="cannot be read"):
        list(tree.chunks(bad))
    assert list(tree.chunks(good)) == [b"fine"]


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x05\x06" + bytes(18), zlib.compress(b"x")])
def test_what_is_no_archive_is_refused_or_empty(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)

    try:
        entries = list(open_medium(tmp_path / "file").walk())
    except InvalidRequest:
        entries = []

    assert entries == []
