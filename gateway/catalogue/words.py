"""What orders and the master patient index say: of studies, and of the patients they name."""

from collections.abc import Iterable
from typing import cast

import orjson

from gateway.catalogue.news import News
from gateway.clock import at
from gateway.errors import InvalidRequest
from gateway.model.event import Event
from gateway.model.notification import OrderReceived, PatientTold
from gateway.model.order import Order
from gateway.model.patient import PatientWord
from gateway.model.study import NumberedWord
from gateway.storage.database import Dialect, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid


class Words:
    """Repository of orders and of words about patients.

    Neither makes a study known: they wait until its images or its report come.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "words.sql", dialect)
        self._news = News(dialect)

    async def order_received(self, tx: Transaction, news: OrderReceived, *, now_ms: int) -> None:
        """Take in the last word of an order, and tell the studies that it is, or was, about.

        Raises:
            InvalidRequest: it names no order, accession or study.
        """
        order = news.order
        key = _key(order)
        event = Event.EXAM_CHANGED if order.exam_changed else Event.ORDER_RECEIVED
        concerned = await self._studies_of(tx, key)
        is_new = await self._is_new(tx, news.message_digest)
        if is_new and not any(order.is_late(one) for one in await self._known(tx, key)):
            await tx.fetch(self._sql["keep_order"], order_key=key, content=encode(order))
            await tx.fetch(self._sql["forget_studies"], order_key=key)
            await tx.fetch(self._sql["forget_accessions"], order_key=key)
            await tx.fetch(
                self._sql["link_studies"], order_key=key, studies=_list(set(order.studies))
            )
            accessions = {one.value for one in order.accessions if one.value}
            await tx.fetch(
                self._sql["link_accessions"], order_key=key, accessions=_list(accessions)
            )
        for study in sorted(concerned | await self._studies_of(tx, key)):
            await self._news.speak(tx, study, event, now_ms=now_ms, control=order.control)

    async def patient_told(self, tx: Transaction, news: PatientTold, *, now_ms: int) -> None:
        """Take in a word about a patient, and tell the studies of all whom it makes one person."""
        word = news.word
        ids = {one.value for one in (*word.patient.local_ids, *word.merged) if one.value}
        if await self._is_new(tx, news.message_digest):
            [row] = await tx.fetch(self._sql["keep_word"], now_ms=now_ms, content=encode(word))
            await tx.fetch(self._sql["link_ids"], number=row["number"], ids=_list(ids))
        for row in await tx.fetch(self._sql["studies_of_ids"], ids=_list(ids)):
            study = Uid(cast(str, row["study_uid"]))
            await self._news.speak(
                tx,
                study,
                Event.PATIENT_TOLD,
                now_ms=now_ms,
                names_it=False,
                trigger=word.event,
            )

    async def orders_of(
        self, tx: Transaction, study: Uid, accessions: Iterable[str]
    ) -> tuple[Order, ...]:
        """The last word of each order that names the study or one of the accessions."""
        rows = await tx.fetch(self._sql["orders"], study=study, accessions=_list(set(accessions)))
        return tuple(decode(Order, cast(bytes, row["content"])) for row in rows)

    async def words_about(
        self, tx: Transaction, ids: Iterable[Identifier]
    ) -> tuple[NumberedWord, ...]:
        """What was told of the patients with these local ids, and of those who are the same."""
        values = {one.value for one in ids if one.value}
        rows = await tx.fetch(self._sql["words"], ids=_list(values)) if values else []
        return tuple(
            NumberedWord(
                number=cast(int, row["number"]),
                heard_at=at(cast(int, row["heard_at_ms"])),
                word=decode(PatientWord, cast(bytes, row["content"])),
            )
            for row in rows
        )

    async def _studies_of(self, tx: Transaction, order_key: str) -> set[Uid]:
        rows = await tx.fetch(self._sql["studies_of_order"], order_key=order_key)
        return {Uid(cast(str, row["study_uid"])) for row in rows}

    async def _known(self, tx: Transaction, order_key: str) -> tuple[Order, ...]:
        rows = await tx.fetch(self._sql["known_order"], order_key=order_key)
        return tuple(decode(Order, cast(bytes, row["content"])) for row in rows)

    async def _is_new(self, tx: Transaction, message_digest: str) -> bool:
        return bool(await tx.fetch(self._sql["hear"], message_digest=message_digest))


def _key(order: Order) -> str:
    """What all messages about one order share."""
    for kind, one in (("placer", order.placer), ("filler", order.filler)):
        if one.value:
            return f"{kind}|{one.authority}|{one.value}"
    if order.accessions:
        return f"accession|{order.accessions[0].authority}|{order.accessions[0].value}"
    if order.studies:
        return f"study||{order.studies[0]}"
    raise InvalidRequest("the order names no number, no accession and no study")


def _list(values: set[str] | set[Uid]) -> str:
    return orjson.dumps(sorted(values)).decode()
