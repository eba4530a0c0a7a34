"""Works on a table of notes, the subject of the storage suites."""

from collections.abc import Awaitable, Callable

from gateway.storage.database import Database, Transaction, Work

OpenDatabase = Callable[[], Awaitable[Database]]

CREATE = "CREATE TABLE note (note_id INTEGER PRIMARY KEY, text TEXT)"
INSERT = "INSERT INTO note (note_id, text) VALUES (:note_id, :text)"
SELECT = "SELECT note_id FROM note ORDER BY note_id"


class WorkFailed(Exception):
    """Raised by a work that is to fail."""


def a_note(note_id: int, text: str = "") -> Work[None]:
    """A work that adds a note."""

    async def work(tx: Transaction) -> None:
        await tx.fetch(INSERT, note_id=note_id, text=text)

    return work


def a_note_that_fails(note_id: int) -> Work[None]:
    """A work that adds a note and then fails."""

    async def work(tx: Transaction) -> None:
        await tx.fetch(INSERT, note_id=note_id, text="")
        raise WorkFailed

    return work


async def note_ids(database: Database) -> list[object]:
    """The notes that are there, by id."""
    return [row["note_id"] for row in await database.read(lambda tx: tx.fetch(SELECT))]
