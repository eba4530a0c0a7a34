"""What happened to each study, in order, for people to read."""

from typing import cast

import orjson

from gateway.model.event import Event
from gateway.storage.database import Dialect, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Uid


class History:
    """Repository of what happened to studies; written in the transactions in which it does."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "history.sql", dialect)

    async def note(
        self,
        tx: Transaction,
        study: Uid,
        event: Event,
        *,
        now_ms: int,
        code: str = "",
        **detail: object,
    ) -> None:
        """Add what happened. The detail names no patient but whom a person confirmed."""
        told = orjson.dumps({name: one for name, one in detail.items() if one not in (None, "")})
        await tx.fetch(
            self._sql["note"],
            study=study,
            event=event,
            code=code,
            detail=told.decode(),
            now_ms=now_ms,
        )

    async def of(self, tx: Transaction, study: Uid, *, count_max: int, offset: int) -> list[Row]:
        """What happened to the study, oldest first; `detail` is decoded."""
        rows = await tx.fetch(self._sql["history"], study=study, count_max=count_max, offset=offset)
        return [{**row, "detail": orjson.loads(cast(str, row["detail"]))} for row in rows]

    async def last(self, tx: Transaction, study: Uid) -> tuple[str, str]:
        """The last event, and until when the last push went that is told; empty if there is none.

        The time is compared with another for being the same, and is as `note` was given it.
        """
        [row] = await tx.fetch(self._sql["last"], study=study)
        return cast(str, row["event"] or ""), cast(str, row["pushed_until"] or "")
