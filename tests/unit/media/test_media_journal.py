"""What an import remembers, and what it can lose."""

from pathlib import Path

from gateway.media.journal import KEY_BYTES, ImportJournal
from gateway.media.tree import MediaFile

FILE = MediaFile(name="DOE^JOHN/1", size_bytes=10, mark=5)


def test_what_was_added_is_known_the_next_time(tmp_path: Path) -> None:
    with ImportJournal(tmp_path, "/media/cd") as journal:
        journal.add(journal.key(FILE, b"head"))

    with ImportJournal(tmp_path, "/media/cd") as journal, ImportJournal(tmp_path, "/x") as other:
        assert journal.knows(journal.key(FILE, b"head"))
        assert not other.knows(other.key(FILE, b"head"))


def test_a_file_with_another_head_size_or_mark_is_another(tmp_path: Path) -> None:
    with ImportJournal(tmp_path, "/media/cd") as journal:
        keys = {
            journal.key(FILE, b"head"),
            journal.key(FILE, b"HEAD"),
            journal.key(MediaFile(name=FILE.name, size_bytes=11, mark=5), b"head"),
            journal.key(MediaFile(name=FILE.name, size_bytes=10, mark=6), b"head"),
        }

    assert len(keys) == 4


def test_a_key_that_a_crash_cut_off_is_forgotten(tmp_path: Path) -> None:
    with ImportJournal(tmp_path, "m") as journal:
        first, second = (journal.key(FILE, head) for head in (b"1", b"2"))
        journal.add(first)
        journal.add(second)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[: KEY_BYTES + 3])

    with ImportJournal(tmp_path, "m") as journal:
        assert journal.knows(first)
        assert not journal.knows(second)
        journal.add(second)

    with ImportJournal(tmp_path, "m") as journal:
        assert journal.knows(second)


def test_no_name_is_kept(tmp_path: Path) -> None:
    with ImportJournal(tmp_path, "/media/DOE^JOHN") as journal:
        journal.add(journal.key(FILE, b"head"))

    [path] = tmp_path.iterdir()
    assert "DOE" not in path.name
    assert b"DOE" not in path.read_bytes()
