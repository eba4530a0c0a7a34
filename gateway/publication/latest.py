"""The pointers that are out: of each study the last that the index holds."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

import orjson

from gateway.storage.database import Dialect, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode
from indexer.contract.document import Submission
from indexer.contract.identifiers import Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestPointer:
    """What was last decided about a study's pointer."""

    unique_id: Uid | None
    """Of its document; None where it was withdrawn."""
    created_at: datetime | None
    """When its document was made; None where it was withdrawn."""
    is_settled: bool
    """What became of it is known."""


class LatestPointers:
    """Reads the outbox as an archive of what was published."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.publication", "latest.sql", dialect)

    async def of(self, tx: Transaction, study: Uid) -> LatestPointer | None:
        """The last decision about a study that was not dropped; None if there is none."""
        rows = await tx.fetch(self._sql["of"], study=study)
        if not rows:
            return None
        row = rows[0]
        entry = _submission(row).entry if row["kind"] == "publish" else None
        return LatestPointer(
            unique_id=entry.unique_id if entry is not None else None,
            created_at=entry.created_at if entry is not None else None,
            is_settled=row["state"] in ("sent", "set_aside"),
        )

    async def count(self, tx: Transaction, *, studies: Collection[str] = ()) -> int:
        """How many pointers are out, of these studies or of all."""
        [row] = await tx.fetch(self._sql["count"], studies=_listed(studies))
        return cast(int, row["pointers"])

    async def page(
        self, tx: Transaction, *, after: str, count_max: int, studies: Collection[str] = ()
    ) -> list[tuple[Uid, Submission]]:
        """Pointers that are out, with their documents, by Study Instance UID.

        Args:
            after: the UID of the last study of the page before; empty for the first page.
            studies: theirs alone; all if none is named.

        Raises:
            UnreadableRecord: another version of the program wrote one.
        """
        rows = await tx.fetch(
            self._sql["page"], after=after, count_max=count_max, studies=_listed(studies)
        )
        return [
            (
                Uid(cast(str, row["study_uid"])),
                replace(_submission(row), document=cast(bytes, row["document"])),
            )
            for row in rows
        ]

    async def report_taken_over(self, tx: Transaction, study: Uid) -> str:
        """The report's document id that came with a pointer of another gateway, if any did."""
        rows = await tx.fetch(self._sql["taken_over"], study=study)
        if not rows:
            return ""
        told = orjson.loads(cast(str, rows[0]["detail"]))
        return str(told.get("document_id", ""))


def _listed(studies: Collection[str]) -> str:
    return orjson.dumps(list(studies)).decode()


def _submission(row: Row) -> Submission:
    return decode(Submission, cast(bytes, row["content"]))
