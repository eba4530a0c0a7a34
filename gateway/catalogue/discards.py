"""Objects that no instance refers to any more, until they are removed."""

from collections.abc import Iterable
from typing import Final, cast

import orjson

from gateway.storage.database import Dialect, Transaction
from gateway.storage.queries import load_queries

SWEEP_BATCH: Final = 500
"""Discarded objects removed at a time."""


class Discards:
    """Repository of discarded objects; `Studies` adds to it."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "discards.sql", dialect)

    async def discarded(self, tx: Transaction, *, before_ms: int) -> list[str]:
        """Objects that may be removed now, at most `SWEEP_BATCH`."""
        rows = await tx.fetch(
            self._sql["discarded_before"], before_ms=before_ms, count_max=SWEEP_BATCH
        )
        return [cast(str, row["object_key"]) for row in rows]

    async def forget_discarded(self, tx: Transaction, object_keys: Iterable[str]) -> None:
        """These objects have been removed."""
        keys = orjson.dumps(list(object_keys)).decode()
        await tx.fetch(self._sql["forget_discarded"], object_keys=keys)
        await tx.fetch(self._sql["forget_descriptions"], object_keys=keys)

    async def referenced(self, tx: Transaction, object_keys: Iterable[str]) -> set[str]:
        """Which of these objects a row still refers to."""
        keys = orjson.dumps(list(object_keys)).decode()
        rows = await tx.fetch(self._sql["referenced_objects"], object_keys=keys)
        return {cast(str, row["object_key"]) for row in rows}
