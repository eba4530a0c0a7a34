"""A transaction that counts its statements."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.storage.database import Param, Row, Transaction


@dataclass
class Counting:
    """What is asked of it is asked of `tx`."""

    tx: Transaction
    statements: int = 0

    async def fetch(self, sql: str, **params: Param) -> list[Row]:
        self.statements += 1
        return await self.tx.fetch(sql, **params)

    async def add(self, table: str, rows: Sequence[Row]) -> None:
        self.statements += bool(rows)
        await self.tx.add(table, rows)
