"""Makes news durable: the last step before a sender is told success.

Every door hands its news to one assembler. What it is told holds after a crash, once, however
often it is repeated.
"""

from collections.abc import Callable

from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.model.notification import InstanceStored, ReportReceived, StudyAnnounced
from gateway.storage.database import Database, Transaction
from gateway.storage.objects import ObjectStore


class Assembler:
    """Merges news into what is known of studies.

    Args:
        settle_ms: how long after the last pushed instance a study is looked at.
        on_news: called after news has become durable, to wake whoever looks at studies.
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
    ) -> None:
        self._database = database
        self._studies = studies
        self._objects = objects
        self._clock = clock
        self._settle_ms = settle_ms
        self._on_news = on_news

    async def instance_stored(self, news: InstanceStored) -> None:
        """Take in an instance whose object is kept already.

        Raises:
            StorageUnavailable: it could not be made durable; the sender must keep its copy.
        """
        now_ms = self._clock()

        async def work(tx: Transaction) -> bool:
            return await self._studies.instance_stored(
                tx, news, now_ms=now_ms, due_at_ms=now_ms + self._settle_ms
            )

        if await self._database.write(work):
            self._on_news()
        else:
            # A repeat: the object that is held stays, so the copy has no row and goes at once.
            await self._objects.discard([news.stored.key])

    async def study_announced(self, news: StudyAnnounced) -> None:
        """Take in that the PACS holds a study.

        Raises:
            StorageUnavailable: it could not be made durable.
        """
        now_ms = self._clock()
        await self._database.write(
            lambda tx: self._studies.study_announced(tx, news, now_ms=now_ms)
        )
        self._on_news()

    async def report_received(self, news: ReportReceived) -> None:
        """Take in a report.

        Raises:
            StorageUnavailable: it could not be made durable.
        """
        now_ms = self._clock()
        await self._database.write(
            lambda tx: self._studies.report_received(tx, news, now_ms=now_ms)
        )
        self._on_news()
