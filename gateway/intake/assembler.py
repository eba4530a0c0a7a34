"""Makes news durable: the last step before a sender is told success.

Every door hands its news to one assembler. What it is told holds after a crash, once, however
often it is repeated.
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.model.notification import (
    InstancesRejected,
    InstanceStored,
    OrderReceived,
    PatientTold,
    PersonActed,
    ReportReceived,
    StudyAnnounced,
)
from gateway.model.order import Order
from gateway.storage.database import Database, Transaction
from gateway.storage.objects import ObjectStore

R = TypeVar("R")
N = TypeVar("N")


class Assembler:
    """Merges news into what is known of studies.

    Args:
        settle_ms: how long after the last pushed instance a study is looked at.
        on_news: called after news has become durable, to wake whoever looks at studies.
        on_order: told of each order that was taken in.
        on_settling: the same of an instance, whose study is looked at in so many seconds; without
            it `on_news` is called.
    """

    def __init__(
        self,
        database: Database,
        studies: Studies,
        objects: ObjectStore,
        *,
        clock: Clock,
        settle_ms: int,
        on_news: Callable[[], None],
        on_order: Callable[[Order], None] = lambda _: None,
        on_settling: Callable[[float], None] | None = None,
    ) -> None:
        self._database = database
        self._studies = studies
        self._objects = objects
        self._clock = clock
        self._settle_ms = settle_ms
        self._on_news = on_news
        self._on_order = on_order
        self._on_settling = on_settling or (lambda _seconds: on_news())

    async def instance_stored(
        self, news: InstanceStored, *, after: Future[None] | None = None
    ) -> None:
        """Take in an instance whose object is kept already, or will be.

        Args:
            after: done once the object is durable, without which the news is not.

        Raises:
            StorageUnavailable: it could not be made durable; the sender must keep its copy.
        """
        now_ms = self._clock()

        async def work(tx: Transaction) -> bool:
            return await self._studies.instance_stored(
                tx, news, now_ms=now_ms, due_at_ms=now_ms + self._settle_ms
            )

        if await self._database.write(work, after=after):
            self._on_settling(self._settle_ms / 1000)
            return
        # A repeat: the object that is held stays, unless the disk has lost it meanwhile.
        held = await self._database.read(lambda tx: self._studies.object_of(tx, news))
        if held is None:  # dropped a moment ago, for a PACS holds it, too
            await self._database.write(work)
        elif await self._objects.whole({held: news.stored.size_bytes}):
            await self._objects.discard([news.stored.key])
        else:
            await self._database.write(lambda tx: self._studies.object_lost(tx, held, by=news))

    async def instances_rejected(self, news: InstancesRejected) -> None:
        """Take in a rejection note: from now on its instances are shown to nobody.

        Raises:
            StorageUnavailable: it could not be made durable.
        """
        await self._write(self._studies.instances_rejected, news)

    async def study_announced(self, news: StudyAnnounced) -> None:
        """Take in that what the PACS holds of a study may have changed.

        Raises:
            StorageUnavailable: it could not be made durable.
        """
        await self._write(self._studies.study_announced, news)

    async def report_received(self, news: ReportReceived) -> None:
        """Take in a report.

        Raises:
            StorageUnavailable: it could not be made durable.
        """
        await self._write(self._studies.report_received, news)

    async def order_received(self, news: OrderReceived) -> None:
        """Take in an order.

        Raises:
            InvalidRequest: it names no order, accession or study.
            StorageUnavailable: it could not be made durable.
        """
        await self._write(self._studies.order_received, news)
        self._on_order(news.order)

    async def patient_told(self, news: PatientTold) -> None:
        """Take in a word about a patient.

        Raises:
            StorageUnavailable: it could not be made durable.
        """
        await self._write(self._studies.patient_told, news)

    async def person_acted(self, news: PersonActed) -> bool:
        """Take in what a person decided; False if nothing is known of the study.

        Raises:
            StorageUnavailable: it could not be made durable.
        """
        return await self._write(self._studies.person_acted, news)

    async def _write(self, take: Callable[..., Awaitable[R]], news: N) -> R:
        now_ms = self._clock()
        taken = await self._database.write(lambda tx: take(tx, news, now_ms=now_ms))
        self._on_news()
        return taken
