"""Which studies are to be compared with what the PACS hold, and what they told before.

Those are the published ones, and those that were withdrawn because the PACS had lost their images.
"""

from typing import cast

from gateway.model.image import ImageDescription
from gateway.model.notification import HeldByPacs
from gateway.storage.database import Dialect, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode
from indexer.contract.identifiers import Uid


class Checks:
    """Repository of when studies were compared."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "checks.sql", dialect)

    async def unchecked(self, tx: Transaction, *, before_ms: int, count_max: int) -> list[Uid]:
        """Studies that were not compared since then, the longest ago first."""
        rows = await tx.fetch(self._sql["unchecked"], before_ms=before_ms, count_max=count_max)
        return [Uid(cast(str, row["study_uid"])) for row in rows]

    async def count_checked(self, tx: Transaction, *, since_ms: int) -> int:
        """How many studies were compared since then."""
        [row] = await tx.fetch(self._sql["count_checked"], since_ms=since_ms)
        return cast(int, row["studies"])

    async def count_due(self, tx: Transaction, *, now_ms: int) -> int:
        """How many studies wait to be looked at now."""
        [row] = await tx.fetch(self._sql["count_due"], now_ms=now_ms)
        return cast(int, row["studies"])

    async def told(self, tx: Transaction, study: Uid) -> frozenset[HeldByPacs]:
        """What the PACS told of the study when they were last asked for it."""
        return frozenset(
            HeldByPacs(
                pacs=cast(str, row["pacs"]),
                image=decode(ImageDescription, cast(bytes, row["answer"])),
            )
            for row in await tx.fetch(self._sql["told"], study=study)
        )

    async def witness(self, tx: Transaction, study: Uid) -> Uid | None:
        """The study published last of which a PACS told that told of this one, too."""
        rows = await tx.fetch(self._sql["witness"], study=study)
        return Uid(cast(str, rows[0]["study_uid"])) if rows else None

    async def mark(self, tx: Transaction, study: Uid, *, now_ms: int) -> None:
        """The study was compared."""
        await tx.fetch(self._sql["mark_checked"], study=study, now_ms=now_ms)

    async def touch(self, tx: Transaction, *, now_ms: int) -> None:
        """Write a row that says nothing: whether it can be written is the question."""
        await tx.fetch(self._sql["touch"], now_ms=now_ms)
