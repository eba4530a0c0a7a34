"""Which instances' bytes lie here, whatever study they belong to and whoever may see them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

import orjson

from gateway.storage.database import Dialect, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Uid

ASKED_MAX: Final = 500
"""Instances to ask for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An instance with the object that has its bytes."""

    instance: Uid
    sop_class: Uid
    object_key: str
    size_bytes: int
    """Of its data set: the object is at least as long."""


class Holdings:
    """Repository of what is held; `Studies` adds to it."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "holdings.sql", dialect)

    async def held(self, tx: Transaction, instances: Iterable[Uid]) -> list[Holding]:
        """Those of these instances whose bytes lie here, `ASKED_MAX` at most."""
        names = orjson.dumps(list(instances)).decode()
        return [
            Holding(
                instance=Uid(cast(str, row["instance_uid"])),
                sop_class=Uid(cast(str, row["sop_class"])),
                object_key=cast(str, row["object_key"]),
                size_bytes=cast(int, row["size_bytes"]),
            )
            for row in await tx.fetch(self._sql["held"], instances=names)
        ]
