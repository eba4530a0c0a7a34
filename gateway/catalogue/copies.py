"""Which of the objects here are copies: what a PACS holds, too, so that it can be had again.

An instance is one if it was pulled from a PACS, or if a PACS told of it after it was pushed here.
All else is held by this gateway alone, as far as it knows, and is never dropped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import orjson

from gateway.catalogue.searched import Searched
from gateway.model.image import ImageDescription, StoredObject
from gateway.storage.database import Dialect, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid

LOOKED_AT_MAX: Final = 500
"""Studies of one patient among which the last are found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """An instance that was pulled, and whose object is kept."""

    pacs: str
    """AE title of whom it was pulled from."""
    header: ImageDescription
    stored: StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Objects that no instance refers to any more."""

    keys: tuple[str, ...]
    size_bytes: int


class Copies:
    """Repository of copies; `Studies` knows their instances."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "copies.sql", dialect)
        self._searched = Searched(dialect)

    async def asked_after(self, tx: Transaction, study: Uid) -> int:
        """The last answer of the PACS that is known of the study, by number (see `keep`)."""
        rows = await tx.fetch(self._sql["asked_after"], study=study)
        return cast(int, rows[0]["pacs_asked_after"]) if rows else -1

    async def keep(
        self, tx: Transaction, study: Uid, copies: Iterable[Copy], *, asked_after: int
    ) -> set[Uid]:
        """Take in copies; the instances of those that were.

        Args:
            asked_after: the last answer that was known when they were asked for. One that came
                later may tell of other instances than those which were sent.
        """
        kept = set()
        for copy in copies:
            stored = copy.stored
            if await tx.fetch(
                self._sql["keep"],
                study=study,
                instance=copy.header.instance,
                pacs=copy.pacs,
                copied=encode(copy.header),
                object_key=stored.key,
                transfer_syntax=stored.transfer_syntax,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                asked_after=asked_after,
            ):
                kept.add(copy.header.instance)
        await self._searched.objects_changed(tx, study, kept, more_stored=1)
        return kept

    async def size_bytes(self, tx: Transaction) -> int:
        """Of all copies."""
        [row] = await tx.fetch(self._sql["size"])
        return cast(int, row["size_bytes"])

    async def least_read(
        self, tx: Transaction, *, pacs: Sequence[str], in_use: Iterable[Uid], count_max: int
    ) -> list[Uid]:
        """Studies with copies, but for those in use, the one read longest ago first.

        Args:
            pacs: AE titles of those who can be asked again.
        """
        rows = await tx.fetch(
            self._sql["least_read"],
            pacs=_json(pacs),
            in_use=_json(in_use),
            count_max=count_max,
        )
        return [Uid(cast(str, row["study_uid"])) for row in rows]

    async def drop(
        self, tx: Transaction, study: Uid, *, pacs: Sequence[str], bytes_min: int, now_ms: int
    ) -> Dropped:
        """Forget so many bytes of the study's copies, or all of them."""
        rows = await tx.fetch(self._sql["of_study"], study=study, pacs=_json(pacs))
        chosen: list[Row] = []
        size_bytes = 0
        for row in rows:
            if size_bytes >= bytes_min:
                break
            chosen.append(row)
            size_bytes += cast(int, row["size_bytes"])
        return await self._drop(tx, study, chosen, now_ms=now_ms)

    async def drop_stale(
        self,
        tx: Transaction,
        study: Uid,
        told: Mapping[Uid, tuple[str, ImageDescription]],
        *,
        now_ms: int,
    ) -> None:
        """Forget the pulled copies of which the PACS tell otherwise now, or no longer.

        Args:
            told: who holds an instance now, and what they tell of it.
        """
        stale = []
        for row in await tx.fetch(self._sql["pulled"], study=study):
            pacs, image = told.get(Uid(cast(str, row["instance_uid"])), ("", None))
            if image is None or (pacs, encode(image)) != (row["pacs"], row["answer"]):
                stale.append(row)
        await self._drop(tx, study, stale, now_ms=now_ms)

    async def read(self, tx: Transaction, read_at_ms: Mapping[Uid, int]) -> None:
        """These studies were read, at these times."""
        reads = [{"study": study, "at_ms": at_ms} for study, at_ms in read_at_ms.items()]
        await tx.fetch(self._sql["read"], reads=orjson.dumps(reads).decode())

    async def earlier_studies(
        self, tx: Transaction, patient: Iterable[Identifier], *, count_max: int
    ) -> list[Uid]:
        """The last studies of the patient of which not all is here, the latest first."""
        rows = await tx.fetch(
            self._sql["earlier_studies"],
            ids=_json({one.value for one in patient if one.value}),
            count_max=LOOKED_AT_MAX,
        )
        made = {
            Uid(cast(str, row["study_uid"])): decode(
                ImageDescription, cast(bytes, row["answer"])
            ).study_date
            for row in rows
        }
        return sorted(made, key=lambda study: made[study], reverse=True)[:count_max]

    async def _drop(
        self, tx: Transaction, study: Uid, rows: Sequence[Row], *, now_ms: int
    ) -> Dropped:
        keys = tuple(cast(str, row["object_key"]) for row in rows)
        if rows:
            dropped = [cast(str, row["instance_uid"]) for row in rows]
            await tx.fetch(self._sql["drop"], study=study, instances=_json(dropped))
            await self._searched.objects_changed(tx, study, dropped, more_stored=-1)
            await tx.fetch(self._sql["discard"], object_keys=_json(keys), now_ms=now_ms)
        size_bytes = sum(cast(int, row["size_bytes"]) for row in rows)
        return Dropped(keys=keys, size_bytes=size_bytes)


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps([str(one) for one in texts]).decode()
